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
"""One TensorBoard writer for a folder, shared by all handlers: several event files in one folder get mixed up."""

from __future__ import annotations

import os
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from ..utils.errors import ConfigError

__all__ = ["WriterSource"]

_open_writers: dict[str, SummaryWriter] = {}


class WriterSource:
    """A handler's writer: the one that was given, or the shared one of a folder, opened when first needed.

    Args:
        summary_writer: a writer to use.
        log_dir: folder of the event file, where no writer is given.

    Raises:
        ConfigError: When neither or both are given.
    """

    def __init__(self, summary_writer: SummaryWriter | None = None, log_dir: str | os.PathLike | None = None) -> None:
        if (summary_writer is None) == (log_dir is None):
            raise ConfigError("give the handler either a summary_writer or a log_dir.")
        self._writer = summary_writer
        self._log_dir = None if log_dir is None else str(Path(log_dir).resolve())

    def get(self, next_step: int | None = None) -> SummaryWriter:
        """The writer; a resumed training gives its next iteration, to hide what an interrupted run logged later."""
        if self._writer is not None:
            return self._writer
        if self._log_dir not in _open_writers:
            _open_writers[self._log_dir] = SummaryWriter(self._log_dir, purge_step=next_step)
        return _open_writers[self._log_dir]

    def flush(self, close: bool = False) -> None:
        """Write out what is pending; `close` ends a shared writer (the next `get` opens a new one)."""
        writer = self._writer or _open_writers.get(self._log_dir)
        if writer is not None:
            writer.flush()
        if close and self._writer is None and (shared := _open_writers.pop(self._log_dir, None)) is not None:
            shared.close()
