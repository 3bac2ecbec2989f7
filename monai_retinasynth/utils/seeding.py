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
"""Random numbers that depend on a seed and a name alone: not on batch size, worker, rank, or what was drawn before."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F

__all__ = ["derive_seed", "seed_everything", "seeded_choices", "seeded_latents", "with_conditions"]


def derive_seed(seed: int, *path: int) -> int:
    """Mix a base seed with a path of integers (for example epoch and rank) into an independent 63-bit seed.

    Args:
        seed: the base seed, not negative.
        path: what the derived seed is for; every different path gives an unrelated seed.

    Raises:
        ValueError: When a number is negative.
    """
    numbers = (seed, *path)
    if any(number < 0 for number in numbers):
        raise ValueError(f"seeds and indices must not be negative, got {numbers}; use 0 or a positive seed.")
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def seed_everything(seed: int) -> None:
    """Seed the global generators of `random`, numpy and torch (CPU and every CUDA device)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.manual_seed(seed)


def seeded_latents(indices: Iterable[int], latent_size: int, seed: int, stream: int = 0) -> torch.Tensor:
    """Standard normal latent vectors, each drawn from a generator of its own.

    Row k depends on `(seed, stream, indices[k])` alone, so sample i is the same vector in any batch on any rank.

    Args:
        indices: which samples, N of them.
        latent_size: length Z of a vector.
        seed: seed of the set of samples.
        stream: a second seed that keeps uses of one seed apart (training draws from stream 1, generation from 0).

    Returns:
        float32 tensor (N, Z) on the CPU.
    """
    rows = []
    for index in indices:
        generator = torch.Generator().manual_seed(derive_seed(seed, stream, int(index)))
        rows.append(torch.randn(latent_size, generator=generator))
    return torch.stack(rows) if rows else torch.empty(0, latent_size)


def seeded_choices(indices: Iterable[int], weights: Sequence[float], seed: int, stream: int = 0) -> list[int]:
    """Class indices, each drawn from a generator of its own by the weights of the classes; see `seeded_latents`.

    Args:
        indices: which samples, N of them.
        weights: probability of each class; their sum is 1.
        seed: seed of the set of samples.
        stream: a second seed that keeps uses of one seed apart.
    """
    edges = np.cumsum(weights)[:-1]
    return [
        int(np.searchsorted(edges, np.random.default_rng(derive_seed(seed, stream, int(index))).random(), side="right"))
        for index in indices
    ]


def with_conditions(latents: torch.Tensor, conditions: Iterable[int], num_conditions: int) -> torch.Tensor:
    """Latent vectors (N, Z) followed by one-hot classes, (N, Z + num_conditions): a conditional generator's input.

    Raises:
        ValueError: when a class is not in 0 ... num_conditions - 1.
    """
    conditions = list(conditions)
    wrong = sorted({c for c in conditions if not 0 <= c < num_conditions})
    if wrong:
        raise ValueError(f"classes run from 0 to {num_conditions - 1}, got {wrong}.")
    one_hot = F.one_hot(torch.as_tensor(conditions, dtype=torch.long), num_conditions)
    return torch.cat([latents, one_hot.to(latents)], dim=1)
