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
"""Which grades a conditional generator can have learnt, and so which it can be asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..utils.errors import ConfigError, DataError
from ..utils.retinopathy_grade import check_grade
from .cases import load_cases

__all__ = ["grade_weights", "training_grades"]


def training_grades(
    dataset_dir: Any,
    layout: str = "auto",
    num_grades: int = 5,
    wanted: Sequence[int] | None = None,
    num_cases: int | None = None,
    val_count: int = 2,
    split: str | None = None,
) -> list[int]:
    """Grades to generate, each of which has a training case.

    Args:
        dataset_dir: folder of the data set that the generator was trained on.
        layout: layout of the folder, see `load_cases`.
        num_grades: number of grades the generator is conditioned on.
        wanted: grades asked for, in any order and number; None for all that have a training case.
        num_cases: see `load_cases`, as all arguments that follow.
        val_count: see there.
        split: see there.

    Returns:
        the grades; samples go through them again and again.

    Raises:
        ConfigError: When a grade asked for does not exist, or has no training case.
        DataError: When a training case has no grade or a wrong one.
    """
    counts = _count(dataset_dir, layout, num_cases, val_count, split)
    if wanted is None:
        return sorted(grade for grade in counts if grade < num_grades)
    wanted = [int(grade) for grade in wanted]
    outside = sorted({grade for grade in wanted if not 0 <= grade < num_grades})
    if outside or not wanted:
        raise ConfigError(f"grades asked for must lie in 0 to {num_grades - 1}, got {outside or 'none'}")
    missing = sorted({grade for grade in wanted if not counts[grade]})
    if missing:
        raise ConfigError(
            f"no training case of {dataset_dir} has grade {', '.join(map(str, missing))}, so the generator cannot have "
            f"learnt it; grades with cases: {dict(sorted(counts.items()))}. Ask for these, or add cases (the "
            "simulation draws every grade)"
        )
    return wanted


def grade_weights(
    dataset_dir: Any,
    layout: str = "auto",
    num_grades: int = 5,
    num_cases: int | None = None,
    val_count: int = 2,
    split: str | None = None,
) -> list[float]:
    """How often each grade is drawn in training: all that have a case alike, the others never.

    Args:
        dataset_dir: see `training_grades`, as all arguments.
        layout: see there.
        num_grades: see there.
        num_cases: see there.
        val_count: see there.
        split: see there.

    Returns:
        `num_grades` numbers, 1 or 0.

    Raises:
        DataError: When a training case has no grade or a wrong one.
    """
    counts = _count(dataset_dir, layout, num_cases, val_count, split)
    return [float(counts[grade] > 0) for grade in range(num_grades)]


def _count(dataset_dir: Any, layout: str, num_cases: int | None, val_count: int, split: str | None) -> Counter[int]:
    cases = load_cases(dataset_dir, "training", layout, num_cases, val_count, split)
    bare = [case["case_id"] for case in cases if "grade" not in case]
    if bare:
        raise DataError(
            f"{len(bare)} of {len(cases)} training cases of {dataset_dir} are listed without a grade, which "
            "conditional generation needs from all of them"
        )
    return Counter(check_grade(case["grade"], f"case {case['case_id']} of {dataset_dir}") for case in cases)
