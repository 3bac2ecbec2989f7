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
"""Writes what an evaluator generates into a synthetic data set, sample by sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from ignite.engine import Engine, Events

from ..data.synthetic_set_writer import SyntheticSetWriter
from ..utils.distributed import process_rank, wait_for_all
from ..utils.errors import ConfigError

__all__ = ["SyntheticSetSaver"]


class SyntheticSetSaver:
    """After each iteration writes the samples by their index; at the end rank 0 writes the data list.

    The evaluator must decollate (MONAI's default): batch and output are lists of dictionaries. A key is looked up in
    the output first and then in the batch, or where it says: ``"batch:label"``, ``"output:label"`` (an evaluator puts
    the prepared target of a batch, usually one-hot, into its output as ``label``).

    Args:
        writer: the data set to fill.
        label_key: class indices (1, X, Y) of a sample.
        image_key: photograph (3, X, Y) or grey picture (1, X, Y) in [-1, 1], or None where label maps alone are made.
        index_key: number of the sample.
        section: section of the data list.
        indices: all numbers that the finished set must have; None takes what is in the folder.
        grades: grades of the samples, see `SyntheticSetWriter.finalize`.
        note_keys: keys of what is noted of each sample where it is there: numbers, texts, or dictionaries of them.
    """

    def __init__(
        self,
        writer: SyntheticSetWriter,
        label_key: str = "pred",
        image_key: str | None = None,
        index_key: str = "index",
        section: str = "training",
        indices: Iterable[int] | None = None,
        grades: Sequence[int | None] | None = None,
        note_keys: Sequence[str] = (),
    ) -> None:
        self.writer = writer
        self.label_key = label_key
        self.image_key = image_key
        self.index_key = index_key
        self.section = section
        self.indices = None if indices is None else list(indices)
        self.grades = grades
        self.note_keys = tuple(note_keys)

    def attach(self, engine: Engine) -> None:
        """Register with an evaluator."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._write)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def _write(self, engine: Engine) -> None:
        batch, output = engine.state.batch, engine.state.output
        if not (isinstance(batch, list) and isinstance(output, list)):
            raise ConfigError("SyntheticSetSaver needs an evaluator with decollate=True.")
        for made_from, made in zip(batch, output):
            sources = {"output": made, "batch": made_from}
            index = int(_find(sources, self.index_key))
            image = None if self.image_key is None else torch.as_tensor(_find(sources, self.image_key))
            found = {**made_from, **made}
            notes = {key: found[key] for key in self.note_keys if key in found}
            self.writer.write(index, torch.as_tensor(_find(sources, self.label_key)), image, notes)

    def finish(self, engine: Engine | None = None) -> None:
        """Write the data list once all ranks are done; call it directly where nothing was left to make."""
        wait_for_all()  # until every rank's files are there
        if process_rank() == 0:
            self.writer.finalize(section=self.section, indices=self.indices, grades=self.grades)
        wait_for_all()


def _find(sources: dict[str, dict[str, Any]], key: str) -> Any:
    where, _, name = key.rpartition(":")
    for source in [where] if where else ["output", "batch"]:
        if name in sources[source]:
            return sources[source][name]
    names = {where: sorted(map(str, source)) for where, source in sources.items()}
    raise ConfigError(f"no {key!r} in the evaluator's batch {names['batch']} or output {names['output']}.")
