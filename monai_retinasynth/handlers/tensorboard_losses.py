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
"""Every loss, learning rate and growth figure of a training in TensorBoard."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ignite.engine import Engine, Events
from torch.optim.optimizer import Optimizer

from ..utils.distributed import process_rank
from .iteration_output import scalar_values
from .summary_writers import WriterSource

__all__ = ["TensorBoardLosses"]


class TensorBoardLosses:
    """Writes scalars by iteration (losses, learning rates, counters) and by epoch (metrics), on rank 0.

    Tags: ``loss/<key>``, ``lr/<optimizer>``, ``training/<state attribute>``, ``metric/<name>``.

    Args:
        log_dir: folder of the event file; handlers with the same folder share one file.
        summary_writer: a writer to use instead.
        losses: keys of the output, None for all its scalars.
        interval: iterations between two entries.
        optimizers: optimizers by name whose learning rate is written; None finds those of the trainer.
        state_attributes: numbers in ``engine.state`` to write, where they exist.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike | None = None,
        summary_writer: Any = None,
        losses: Sequence[str] | None = None,
        interval: int = 10,
        optimizers: dict[str, Optimizer] | None = None,
        state_attributes: Sequence[str] = ("resolution", "alpha", "images_seen", "ema_momentum"),
    ) -> None:
        self.source = WriterSource(summary_writer, log_dir)
        self.losses = losses
        self.interval = interval
        self.optimizers = optimizers
        self.state_attributes = state_attributes

    def attach(self, engine: Engine) -> None:
        """Register with a trainer; ranks other than 0 stay silent."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._open)
        engine.add_event_handler(Events.ITERATION_COMPLETED(every=self.interval), self._iteration)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._epoch)
        engine.add_event_handler(Events.COMPLETED, self._close)

    def _open(self, engine: Engine) -> None:
        if process_rank() == 0:
            self.source.get(engine.state.iteration + 1 if engine.state.iteration else None)

    def _iteration(self, engine: Engine) -> None:
        if process_rank() > 0:
            return
        writer, step = self.source.get(), engine.state.iteration
        for key, value in scalar_values(engine.state.output, self.losses).items():
            writer.add_scalar(f"loss/{key}", value, step)
        for name, optimizer in (self.optimizers or _optimizers_of(engine)).items():
            writer.add_scalar(f"lr/{name}", optimizer.param_groups[0]["lr"], step)
        for name in self.state_attributes:
            value = getattr(engine.state, name, None)
            if isinstance(value, (int, float)):
                writer.add_scalar(f"training/{name}", value, step)

    def _epoch(self, engine: Engine) -> None:
        if process_rank() > 0:
            return
        for name, value in scalar_values(dict(engine.state.metrics)).items():
            self.source.get().add_scalar(f"metric/{name}", value, engine.state.epoch)
        self.source.flush()

    def _close(self, engine: Engine) -> None:
        if process_rank() == 0:
            self.source.flush(close=True)


def _optimizers_of(engine: Any) -> dict[str, Optimizer]:
    names = {"g_optimizer": "generator", "d_optimizer": "discriminator", "optimizer": "network"}
    return {tag: getattr(engine, name) for name, tag in names.items() if hasattr(engine, name)}
