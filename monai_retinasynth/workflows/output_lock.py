# Copyright (c) the monai_retinasynth authors
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#     http://www.apache.org/licenses/LICENSE-2.0
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""One run at a time in an output folder."""

from __future__ import annotations

import json
import os
import socket
import warnings
from datetime import datetime
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from ..utils.atomic_file import atomic_write
from ..utils.errors import ConfigError

__all__ = ["OutputLock"]

_LOCK_NAME = ".workflow.lock"
_HOLDER_NAME = ".workflow.lock.json"


class OutputLock:
    """Context manager that holds a folder for this process, and refuses at once when another one holds it.

    The operating system holds the lock and lets go of it when the process ends, however it ends, so there are no stale
    locks to be judged. A file beside it tells who holds it; what a killed process left in it is overwritten.

    Args:
        folder: the folder, made when missing.

    Raises:
        ConfigError: On entering, when another process (or another run in this one) holds the folder; names its host,
            its process number and since when. Also when the folder cannot be written to.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)
        self._holder = self.folder / _HOLDER_NAME
        self._lock = FileLock(str(self.folder / _LOCK_NAME))

    def __enter__(self) -> OutputLock:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ConfigError(
                f"{self.folder} is in use: {self._who()}. Wait until it has finished, end it, or choose another "
                "output_dir"
            ) from error
        except NotImplementedError:  # what filelock raises on a file system without locks
            warnings.warn(
                f"the file system of {self.folder} has no locks; see to it yourself that only one run writes there",
                stacklevel=2,
            )
            return self
        except OSError as error:
            raise ConfigError(f"cannot write to output_dir {self.folder}: {error}; choose another one") from error
        try:
            since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
            with atomic_write(self._holder, ConfigError) as file:
                content = {"host": socket.gethostname(), "pid": os.getpid(), "since": since}
                file.write(json.dumps(content).encode("utf-8") + b"\n")
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._lock.is_locked:
            self._holder.unlink(missing_ok=True)
            self._lock.release()

    def _who(self) -> str:
        try:
            holder = json.loads(self._holder.read_text(encoding="utf-8"))
            return f"process {holder['pid']} on {holder['host']} has been running there since {holder['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process is running there and has not said which"
