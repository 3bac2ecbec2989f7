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
"""Makes an epoch depend on `(seed, epoch, rank)` alone, so that training resumed at an epoch's border is exact."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.data import set_rnd
from monai.utils.misc import MAX_SEED

from ..utils.distributed import process_rank
from ..utils.errors import ConfigError
from ..utils.seeding import derive_seed, seed_everything

__all__ = ["EpochSeedHandler"]


class EpochSeedHandler:
    """At the start of each epoch: seeds every generator, and begins a new iteration over the data.

    Seeded are the global generators of `random`, numpy and torch, the random transforms of the data set, and the
    loader's and sampler's own generators where they have any; a sampler is told the epoch's number. The batches that an
    endless loader has left from the epoch before are dropped. Put it before handlers that draw random numbers.

    Args:
        seed: base seed of the training.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def attach(self, engine: Engine) -> None:
        """Register with a trainer (or evaluator)."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Seed and restart the data for the epoch that begins.

        Raises:
            ConfigError: When the loader keeps its workers (and their random states) from one epoch to the next.
        """
        epoch = engine.state.epoch
        seed = derive_seed(self.seed, epoch, process_rank())
        data = engine.state.dataloader
        if data is None:
            seed_everything(seed)
            return
        loader = getattr(data, "loader", data)  # a StepBatches holds the loader
        if getattr(loader, "persistent_workers", False):
            raise ConfigError(
                "persistent_workers keeps the random states of the loader's workers from epoch to epoch, so a resumed "
                "training would differ from an uninterrupted one: set persistent_workers to false."
            )
        _seed_transforms(loader, seed)
        for owner in (loader, getattr(loader, "sampler", None)):
            if isinstance(getattr(owner, "generator", None), torch.Generator):
                owner.generator.manual_seed(seed)
        if hasattr(getattr(loader, "sampler", None), "set_epoch"):
            loader.sampler.set_epoch(epoch)
        if hasattr(data, "set_epoch"):
            data.set_epoch(epoch)
        seed_everything(seed)
        engine.set_data(data)
        if getattr(loader, "num_workers", 0) == 0:
            # a loader without workers draws one number when it starts; workers take their seeds from it
            seed_everything(seed)


def _seed_transforms(loader: Any, seed: int) -> None:
    dataset = getattr(loader, "dataset", None)
    if dataset is not None:
        set_rnd(dataset, seed % MAX_SEED)
        # a data set that is itself Randomizable hides its transforms from the line above
        set_rnd(getattr(dataset, "transform", None), derive_seed(seed, 1) % MAX_SEED)
