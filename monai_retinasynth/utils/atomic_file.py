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
"""Writing a file so that it is either whole or not there, whatever interrupts the writing."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from .errors import DataError

__all__ = ["atomic_write"]


@contextmanager
def atomic_write(path: str | os.PathLike, error: type[Exception] = DataError) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` for binary writing and move it to `path` when the block ends well.

    The temporary name depends on `path` alone, so what a killed process left behind is overwritten by the next try and
    never piles up. Missing parent folders are made.

    Args:
        path: file to write.
        error: class of the error that an `OSError` becomes.

    Raises:
        error: When the system refuses to write (full disk, no permission, ...); names the file and the remedy.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as exception:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(exception, OSError):
            full = exception.errno in (errno.ENOSPC, errno.EDQUOT)
            remedy = "free some space" if full else "check that the folder exists and may be written to"
            raise error(
                f"could not write {path}: {exception.strerror or exception}; nothing was left behind. "
                f"{remedy[0].upper()}{remedy[1:]}, then run the same command again"
            ) from exception
        raise
