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
"""Fresh batches for every discriminator and generator step, of whatever size the step asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from monai.data import MetaTensor

from ..utils.errors import ConfigError, DataError

__all__ = ["StepBatches"]


class StepBatches:
    """Iterable of ``{"d": [batch] * d_train_steps, "g": [batch] * g_train_steps}``, without end.

    The loader is run through again and again; its batches are cut and joined to `batch_size`, across the border of two
    passes too, so no batch is ever smaller. A `DistributedSampler` is told of every new pass.

    Args:
        loader: data loader (or any re-iterable) of dictionaries or tuples of batch-first tensors and lists, or tensors.
        d_train_steps: batches for the discriminator in each item.
        g_train_steps: batches for the generator in each item; 0 where it needs none of its own.
        batch_size: samples in a batch (of this process): a number, a callable asked before each batch (it may change
            while the resolution grows), or None to take the loader's batches as they are.
    """

    def __init__(
        self,
        loader: Iterable,
        d_train_steps: int = 1,
        g_train_steps: int = 1,
        batch_size: int | Callable[[], int] | None = None,
    ) -> None:
        if d_train_steps < 1 or g_train_steps < 0:
            raise ConfigError(f"need d_train_steps >= 1, g_train_steps >= 0, got {d_train_steps}, {g_train_steps}.")
        self.loader = loader
        self.d_train_steps = d_train_steps
        self.g_train_steps = g_train_steps
        self.batch_size = batch_size
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """The shuffling of the next iteration over this object depends on `epoch` (and on the sampler's seed) alone."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Items that one pass of the loader fills, at least 1.

        Raises:
            TypeError: When the loader has no length, or the batch size changes while training.
        """
        if self.batch_size is not None:
            raise TypeError("the number of steps in one pass is not defined when batches are regrouped")
        return max(1, len(self.loader) // (self.d_train_steps + self.g_train_steps))  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[dict[str, list]]:
        batches = self._regrouped()
        while True:
            yield {
                "d": [next(batches) for _ in range(self.d_train_steps)],
                "g": [next(batches) for _ in range(self.g_train_steps)],
            }

    def _passes(self) -> Iterator[Any]:
        """The loader's batches, pass after pass."""
        sampler = getattr(self.loader, "sampler", None)
        number = 0
        while True:
            if hasattr(sampler, "set_epoch"):
                sampler.set_epoch(self._epoch * 100_003 + number)
            number += 1
            empty = True
            for batch in self.loader:
                empty = False
                yield _plain(batch)
            if empty:
                raise DataError(
                    "the training loader gives no batch: the data set is empty, or smaller than the batch size "
                    "while drop_last is set. Add cases, lower the batch size, or set drop_last to false."
                )

    def _regrouped(self) -> Iterator[Any]:
        rest: Any = None
        source = self._passes()
        while True:
            if self.batch_size is None:
                yield next(source)
                continue
            size = self.batch_size() if callable(self.batch_size) else self.batch_size
            parts, have = ([], 0) if rest is None else ([rest], _length(rest))
            while have < size:
                parts.append(next(source))
                have += _length(parts[-1])
            joined = _join(parts)
            rest = _cut(joined, size, have) if have > size else None
            yield _cut(joined, 0, size) if have > size else joined


def _plain(batch: Any) -> Any:
    """Without MONAI's metadata, which cannot be cut with the samples and slows every operation."""
    if isinstance(batch, dict):
        return {key: _plain(value) for key, value in batch.items()}
    if isinstance(batch, tuple):
        return tuple(_plain(value) for value in batch)
    return batch.as_tensor() if isinstance(batch, MetaTensor) else batch


def _length(batch: Any) -> int:
    if isinstance(batch, dict):
        return _length(next(iter(batch.values())))
    if isinstance(batch, tuple):
        return _length(batch[0])
    return len(batch)


def _join(parts: list) -> Any:
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, dict):
        return {key: _join([part[key] for part in parts]) for key in first}
    if isinstance(first, tuple):
        return tuple(_join(list(column)) for column in zip(*parts))
    if isinstance(first, torch.Tensor):
        return torch.cat(parts)
    return [item for part in parts for item in part]


def _cut(batch: Any, start: int, stop: int) -> Any:
    if isinstance(batch, dict):
        return {key: _cut(value, start, stop) for key, value in batch.items()}
    if isinstance(batch, tuple):
        return tuple(_cut(value, start, stop) for value in batch)
    return batch[start:stop]
