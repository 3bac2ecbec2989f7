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
"""Graded photographs to train and test on: real ones, and synthetic ones of chosen grades."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.data import CacheDataset
from monai.transforms import Compose, EnsureTyped, LoadImaged

from ..transforms.fundus_reader import FundusReader
from ..utils.errors import ConfigError
from ..utils.retinopathy_grade import RETINOPATHY_GRADES
from .grading_list import load_graded_cases
from .join_cases import join_cases

__all__ = ["FundusGradingDataset"]


class FundusGradingDataset(CacheDataset):
    """Cases of a section of a real data set, and cases of synthetic ones, cached up to the first random transform.

    An item begins as the dictionary `image` (path), `label` and `grade` (both the grade, 0 to 4), `case_id` and
    `source`; `label` is the name that MONAI's trainers look for.

    Args:
        dataset_dir: folder of graded photographs, see `load_graded_cases`; None to use synthetic ones only.
        section: section of `dataset_dir`: `"training"`, `"validation"`, `"test"` or `"all"`.
        synthetic_dir: folder of a synthetic data set (`datalist.json` with grades), or several; all their training
            cases are candidates. None for none.
        synthetic_grades: grades whose synthetic photographs are taken, such as [1, 3, 4] for the rare ones; None for
            all that there are.
        num_synthetic: number of synthetic photographs in all, taken in turn from the chosen grades in the order of the
            folders; None for all.
        transform: transforms of a case dictionary; None reads the photograph, (3, X, Y), 0 to 255.
        val_count: number of training cases of `dataset_dir` held out for validation, of each grade its share; a list
            with a validation section keeps it.
        cache_rate: share of the cases kept in memory.
        num_workers: threads that fill the cache.
        progress: whether filling the cache shows a bar.

    Raises:
        ConfigError: When no folder is given, a chosen grade has no synthetic case (names both), or there are fewer than
            `num_synthetic`.
        DataError: see `load_graded_cases`.
    """

    def __init__(
        self,
        dataset_dir: str | os.PathLike | None,
        section: str,
        synthetic_dir: str | os.PathLike | Sequence[str | os.PathLike] | None = None,
        synthetic_grades: Sequence[int] | None = None,
        num_synthetic: int | None = None,
        transform: Sequence[Callable] | Callable | None = None,
        val_count: int = 0,
        cache_rate: float = 1.0,
        num_workers: int | None = 1,
        progress: bool = False,
    ) -> None:
        folders = _as_list(synthetic_dir)
        if not dataset_dir and not folders:
            raise ConfigError("no photographs to grade are given; set dataset_dir, or synthetic_dir, or both")
        if not folders and (synthetic_grades is not None or num_synthetic is not None):
            raise ConfigError(
                "synthetic_grades and num_synthetic choose from synthetic_dir, which is not given; set it"
            )
        real = [(dataset_dir, load_graded_cases(dataset_dir, section, val_count))] if dataset_dir else []
        num_real = sum(len(listed) for _, listed in real)
        cases = join_cases([*real, *((folder, load_graded_cases(folder, "training")) for folder in folders)])
        if folders:
            where = ", ".join(str(folder) for folder in folders)
            cases[num_real:] = _choose_synthetic(cases[num_real:], where, synthetic_grades, num_synthetic)
        if transform is None:
            load = LoadImaged("image", reader=FundusReader("RGB"), ensure_channel_first=True)
            transform = Compose([load, EnsureTyped("image", track_meta=False)])
        super().__init__(
            data=[{**case, "label": case["grade"]} for case in cases],
            transform=transform,
            cache_rate=cache_rate,
            num_workers=num_workers,
            progress=progress,
        )

    @property
    def grades(self) -> list[int]:
        """Grade of every item, in order."""
        return [case["grade"] for case in self.data]

    def sampling_weights(self, balanced: bool = True) -> torch.Tensor:
        """How often each item should be drawn, relative to the others.

        Args:
            balanced: every grade that there is equally often in all; otherwise every item equally often.

        Returns:
            float64 tensor, one weight an item.
        """
        grades = torch.tensor(self.grades)
        if not balanced:
            return torch.ones(len(grades), dtype=torch.float64)
        return 1.0 / torch.bincount(grades).double()[grades]


def _choose_synthetic(
    cases: list[dict[str, Any]], where: str, grades: Sequence[int] | None, count: int | None
) -> list[dict[str, Any]]:
    by_grade: dict[int, list[dict[str, Any]]] = {}
    for case in cases:
        by_grade.setdefault(case["grade"], []).append(case)
    wanted = sorted(by_grade) if grades is None else sorted(set(grades))
    if not wanted:
        raise ConfigError("synthetic_grades is empty; name at least one grade, or give no synthetic_dir")
    for grade in wanted:
        if grade not in by_grade:
            known = f" ({RETINOPATHY_GRADES[grade]})" if grade in range(len(RETINOPATHY_GRADES)) else ""
            raise ConfigError(
                f"no synthetic photograph of grade {grade}{known} in {where}, which has the grades {sorted(by_grade)}. "
                "Generate some, or take the grade out of synthetic_grades"
            )
    if count is None:
        return [case for grade in wanted for case in by_grade[grade]]
    available = sum(len(by_grade[grade]) for grade in wanted)
    if not 0 < count <= available:
        raise ConfigError(
            f"num_synthetic is {count}, but {where} has {available} synthetic photographs of the grades {wanted}; "
            "choose 1 to that many, or generate more"
        )
    queues = [list(by_grade[grade]) for grade in wanted]
    chosen: list[dict[str, Any]] = []
    while len(chosen) < count:
        for queue in queues:
            if queue and len(chosen) < count:
                chosen.append(queue.pop(0))
    return chosen


def _as_list(folders: str | os.PathLike | Sequence[str | os.PathLike] | None) -> list[str | os.PathLike]:
    if not folders:
        return []
    return [folders] if isinstance(folders, (str, os.PathLike)) else list(folders)
