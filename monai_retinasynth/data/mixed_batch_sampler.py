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
"""Batches with a given share of synthetic cases, constant or changed in a straight line over the training."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils.data import Sampler

from ..utils.errors import ConfigError, DataError

__all__ = ["MixedBatchSampler"]


class MixedBatchSampler(Sampler[int]):
    """Indices of cases, batch after batch, for a loader with the same `batch_size`.

    The data set holds real cases first and synthetic ones behind them. Each batch has share x batch_size synthetic
    cases; where that is no whole number, it is rounded up or down at random so that the mean is right. Cases of a kind
    come in random order, all of them before one comes again (within an epoch).

    Which indices an epoch has depends on the state of `generator` at its beginning and on the epoch's number alone, so
    a training resumed at an epoch's border sees the batches that it would have seen; `EpochSeedHandler` sets both.

    Args:
        num_real: real cases, the first ones of the data set.
        num_cases: all cases of the data set.
        batch_size: cases in a batch.
        num_batches: batches in an epoch.
        share: share of synthetic cases in a batch, from 0 to 1.
        share_end: share in the last batch of the last epoch, reached in a straight line; None keeps `share`.
        num_epochs: epochs of the training, for `share_end`.

    Raises:
        ConfigError: when a share is not from 0 to 1, or a length is not positive.
        DataError: when a kind that the shares ask for has no case.
    """

    def __init__(
        self,
        num_real: int,
        num_cases: int,
        batch_size: int,
        num_batches: int,
        share: float = 0.5,
        share_end: float | None = None,
        num_epochs: int = 1,
    ) -> None:
        self.share = float(share)
        self.share_end = self.share if share_end is None else float(share_end)
        for value in (self.share, self.share_end):
            if not 0 <= value <= 1:
                raise ConfigError(f"the share of synthetic cases in a batch is a number from 0 to 1, got {value}")
        if min(batch_size, num_batches, num_epochs) < 1:
            raise ConfigError(
                f"batch_size, num_batches and num_epochs are 1 or more, got {batch_size}, {num_batches}, {num_epochs}"
            )
        self.num_real = min(num_real, num_cases)
        self.num_synthetic = num_cases - self.num_real
        if self.num_real < 1 and min(self.share, self.share_end) < 1:
            raise DataError("batches are to have real cases, and the data set has none: check dataset_dir")
        if self.num_synthetic < 1 and max(self.share, self.share_end) > 0:
            raise DataError(
                f"batches are to have synthetic cases, and the data set has none beside {num_real} real ones: check "
                "synthetic_dir, and num_cases, which counts both"
            )
        self.batch_size = batch_size
        self.num_batches = num_batches
        self.num_epochs = num_epochs
        self.generator = torch.Generator()
        self._epoch = 1

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch, counted from 1, the next iteration is for."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self.batch_size * self.num_batches

    def share_of_batch(self, number: int) -> float:
        """Share of synthetic cases in batch `number` (from 0 on) of the present epoch."""
        last = self.num_epochs * self.num_batches - 1
        done = min(1.0, ((self._epoch - 1) * self.num_batches + number) / last) if last else 0.0
        return self.share + (self.share_end - self.share) * done

    def __iter__(self) -> Iterator[int]:
        real = self._endless(0, self.num_real)
        synthetic = self._endless(self.num_real, self.num_synthetic)
        for number in range(self.num_batches):
            wanted = self.share_of_batch(number) * self.batch_size
            # a share such as 0.3 of 10 is 3.0000000000000004 or 2.9999999999999996, and both are 3
            count = int(wanted + 1e-9)
            count += int(torch.rand(1, generator=self.generator).item() < wanted - count - 1e-9)
            yield from (next(real) for _ in range(self.batch_size - count))
            yield from (next(synthetic) for _ in range(count))

    def _endless(self, first: int, count: int) -> Iterator[int]:
        while True:
            yield from (first + torch.randperm(count, generator=self.generator)).tolist()
