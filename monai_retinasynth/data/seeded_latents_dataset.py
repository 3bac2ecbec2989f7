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
"""Latent vectors to generate a synthetic set from: sample i of seed s is the same vector on any rank, in any batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.utils.data import Dataset

from ..utils.distributed import process_rank, process_world
from ..utils.errors import ConfigError
from ..utils.seeding import seeded_latents, with_conditions

__all__ = ["SeededLatentDataset"]


class SeededLatentDataset(Dataset):
    """The latent vectors of samples `start` ... `start + num_samples - 1` of a seed, those of this rank.

    Rank r of w takes every w-th sample beginning with the r-th. Samples for which `skip` is true (already written)
    are left out, so generation goes on where it stopped. A rank that has nothing left keeps one sample all the same:
    it draws the same pixels again, and every rank reaches the end of the evaluator's run, where they meet.

    Args:
        num_samples: size of the whole set.
        latent_size: length Z of a vector.
        seed: seed of the set.
        start: index of the first sample.
        skip: says of an index whether it is done, for example ``SyntheticSetWriter.exists``.
        rank: this process, default the one of `torch.distributed`, 0 without it.
        world: number of processes, default as above.
        conditions: class of each sample, `num_samples` of them, or fewer that are gone through again and again; None
            for an unconditional generator.
        num_conditions: number of classes.

    Raises:
        ConfigError: When there are fewer samples than processes, or a class is not in 0 ... num_conditions - 1.

    Items are ``{"image": (Z,) float32, "index": int}``: MONAI's evaluators and checks feed the key ``image``. With
    `conditions` the one-hot class follows the latent vector, and the item holds the class as ``grade`` too.
    """

    def __init__(
        self,
        num_samples: int,
        latent_size: int,
        seed: int = 0,
        start: int = 0,
        skip: Callable[[int], bool] | None = None,
        rank: int | None = None,
        world: int | None = None,
        conditions: Sequence[int] | None = None,
        num_conditions: int = 0,
    ) -> None:
        if num_samples < 1:
            raise ConfigError(f"num_samples must be at least 1, got {num_samples}.")
        rank = process_rank() if rank is None else rank
        world = process_world() if world is None else world
        if num_samples < world:
            raise ConfigError(f"{num_samples} samples cannot be shared by {world} processes: start fewer processes.")
        wrong = sorted({c for c in conditions or () if not 0 <= c < num_conditions})
        if wrong or (conditions is not None and not len(conditions)):
            raise ConfigError(f"conditions are classes from 0 to {num_conditions - 1}, got {wrong or 'none'}.")
        self.latent_size = latent_size
        self.seed = seed
        self.start = start
        self.conditions = None if conditions is None else [int(c) for c in conditions]
        self.num_conditions = num_conditions
        # sharded before `skip` is asked: ranks ask at different moments, while others already write
        mine = list(range(start, start + num_samples))[rank::world]
        to_do = [index for index in mine if skip is None or not skip(index)]
        self.indices: list[int] = to_do or mine[-1:]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, item: int) -> dict[str, torch.Tensor | int]:
        index = self.indices[item]
        latents = seeded_latents([index], self.latent_size, self.seed)
        if self.conditions is None:
            return {"image": latents[0], "index": index}
        grade = self.conditions[(index - self.start) % len(self.conditions)]
        return {"image": with_conditions(latents, [grade], self.num_conditions)[0], "index": index, "grade": grade}
