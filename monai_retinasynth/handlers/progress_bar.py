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
"""How far training is, how long it will take, and the current losses: a bar for a person, seldom lines for a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from ignite.engine import Engine, Events
from tqdm import tqdm

from ..utils.distributed import process_rank
from .iteration_output import scalar_values

__all__ = ["TrainingProgressBar"]


class TrainingProgressBar:
    """Progress over all iterations of a run, on rank 0.

    In a terminal a tqdm bar, elsewhere one line about every `log_seconds`. Losses are read from the device once a
    second at most, so the training loop is not made to wait.

    Args:
        losses: keys of the output to show; None shows ``loss``, or ``g_loss`` and ``d_loss`` where they are.
        desc: what is going on, shown in front.
        log_seconds: time between two lines where there is no terminal.
        file: where to write, default standard error.
    """

    def __init__(
        self,
        losses: Sequence[str] | None = None,
        desc: str | None = None,
        log_seconds: float = 30.0,
        file: TextIO | None = None,
    ) -> None:
        self.losses = losses
        self.desc = desc or "training"
        self.log_seconds = log_seconds
        self.file = file
        self._bar: tqdm | None = None
        self._read_at = self._line_at = 0.0
        self._line_iteration = 0

    def attach(self, engine: Engine) -> None:
        """Register with a trainer; ranks other than 0 stay silent."""
        # at the first epoch's start: a resumed training knows by then where it goes on
        engine.add_event_handler(Events.EPOCH_STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._update)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _start(self, engine: Engine) -> None:
        if self._bar is not None or process_rank() > 0:
            return
        file = self.file or sys.stderr
        state = engine.state
        total = None if not state.epoch_length else state.epoch_length * state.max_epochs
        self._bar = tqdm(
            total=total,
            initial=state.iteration,
            desc=self.desc,
            unit="it",
            file=file,
            dynamic_ncols=True,
            leave=True,
            disable=not (hasattr(file, "isatty") and file.isatty()),
        )
        self._total = total
        self._read_at = self._line_at = time.monotonic()
        self._line_iteration = state.iteration
        if self._bar.disable:
            self._write(f"{self.desc}: iteration {state.iteration} of {total or 'unknown'}")

    def _update(self, engine: Engine) -> None:
        if self._bar is None:
            return
        now = time.monotonic()
        if self._bar.disable:
            if now - self._line_at >= self.log_seconds:
                self._line(engine, now)
            return
        if now - self._read_at >= 1.0:
            self._bar.set_postfix_str(self._current(engine), refresh=False)
            self._read_at = now
        self._bar.update()

    def _line(self, engine: Engine, now: float) -> None:
        state = engine.state
        seconds = (now - self._line_at) / max(1, state.iteration - self._line_iteration)
        parts = [f"{self.desc}: iteration {state.iteration}"]
        if self._total:
            left = tqdm.format_interval(max(0.0, (self._total - state.iteration) * seconds))
            parts = [f"{parts[0]} of {self._total} ({100 * state.iteration // self._total} %)", f"{left} left"]
        self._write(", ".join([*parts, f"{seconds:.2f} s/it", self._current(engine)]))
        self._line_at, self._line_iteration = now, state.iteration

    def _current(self, engine: Engine) -> str:
        keys = self.losses
        available = scalar_values(engine.state.output, keys)
        if keys is None:
            keys = [key for key in ("g_loss", "d_loss") if key in available] or ["loss"]
        words = [f"{key} {available[key]:.4g}" for key in keys if key in available]
        if hasattr(engine.state, "phase"):
            words.append(str(engine.state.phase))
        return ", ".join(words)

    def _finish(self, engine: Engine) -> None:
        if self._bar is None:
            return
        if self._bar.disable:
            if engine.state.iteration > self._line_iteration:
                self._line(engine, time.monotonic())
        else:
            self._bar.set_postfix_str(self._current(engine), refresh=True)
        self._bar.close()
        self._bar = None

    def _write(self, text: Any) -> None:
        print(text, file=self.file or sys.stderr, flush=True)
