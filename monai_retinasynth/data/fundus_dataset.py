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
"""The data set that the bundles train and test on: the cases of any layout, cached in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from monai.data import CacheDataset

from ..transforms.load_fundus_case import LoadFundusCased
from ..utils.errors import DataError
from .cases import load_cases

__all__ = ["FundusDataset"]


class FundusDataset(CacheDataset):
    """Cases of a section as `load_cases` finds them, cached up to the first random transform.

    With `LoadFundusCased(image_dtype="uint8")` first and casting after the random crop, a case takes 4 bytes a pixel.

    Args:
        dataset_dir: folder, or list of folders or dictionaries, see `load_cases`.
        section: `"training"`, `"validation"`, `"test"` or `"all"`.
        transform: transforms of a case dictionary; None for `LoadFundusCased`.
        layout: see `load_cases`.
        num_cases: take the first so many cases only; None for all.
        val_count: number of training cases held out for validation.
        split: named split of CHASE_DB1, None for its default.
        cache_rate: share of the cases kept in memory.
        num_workers: threads that fill the cache.
        repeat: how many times an epoch goes through the cases; the cache holds them once.
        variants: how many items each case becomes, numbered by `index`, by which a seeded transform such as
            `WarpStructuresd` makes them differ; None leaves cases as they are. The cache holds all variants, each from
            its first use on; worker processes of a data loader have caches of their own.
        progress: whether filling the cache shows a bar.
    """

    def __init__(
        self,
        dataset_dir: str | os.PathLike | Mapping[str, Any] | Sequence[Any],
        section: str,
        transform: Sequence[Callable] | Callable | None = None,
        layout: str = "auto",
        num_cases: int | None = None,
        val_count: int = 2,
        split: str | None = None,
        cache_rate: float = 1.0,
        num_workers: int | None = 1,
        repeat: int = 1,
        variants: int | None = None,
        progress: bool = False,
    ) -> None:
        if repeat < 1 or (variants is not None and variants < 1):
            raise DataError(f"repeat and variants must be 1 or more, got {repeat} and {variants}")
        self.repeat = int(repeat)
        cases = load_cases(dataset_dir, section, layout, num_cases, val_count, split)
        if variants is not None:
            cases = [{**case, "index": number} for number, case in enumerate(cases * variants)]
        super().__init__(
            data=cases,
            transform=LoadFundusCased() if transform is None else transform,
            cache_rate=cache_rate,
            num_workers=num_workers,
            progress=progress,
            runtime_cache=variants is not None,
        )

    def __len__(self) -> int:
        return len(self.data) * self.repeat

    def _transform(self, index: int) -> Any:
        if index >= len(self):
            raise IndexError(f"the data set has {len(self)} items, asked for number {index}")  # ends a plain loop
        return super()._transform(index % len(self.data))
