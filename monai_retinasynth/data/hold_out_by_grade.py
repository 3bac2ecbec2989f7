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
"""Holding cases out of a training section for validation, of each grade its share."""

from __future__ import annotations

from typing import Any

from ..utils.errors import DataError

__all__ = ["hold_out_by_grade"]


def hold_out_by_grade(
    cases: list[dict[str, Any]], val_count: int, where: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Split off the last cases of each grade; the numbers follow the largest remainders.

    Args:
        cases: cases with `grade`, in a fixed order.
        val_count: number of cases to hold out in all.
        where: what is split, for the error message.

    Returns:
        training cases, validation cases, both in the old order.

    Raises:
        DataError: When `val_count` is negative, or nothing would be left to train on.
    """
    if val_count < 0:
        raise DataError(f"val_count must be 0 or more, got {val_count}")
    if val_count >= len(cases) and cases:
        raise DataError(
            f"too few cases in {where}: {val_count} of {len(cases)} would be held out for validation "
            f"(val_count={val_count}), none left to train on. Add cases or lower val_count"
        )
    numbers: dict[int, list[int]] = {}
    for number, case in enumerate(cases):
        numbers.setdefault(case["grade"], []).append(number)
    shares = {grade: val_count * len(found) / len(cases) for grade, found in numbers.items()}
    counts = {grade: int(share) for grade, share in shares.items()}
    by_remainder = sorted(shares, key=lambda grade: (counts[grade] - shares[grade], grade))
    for grade in by_remainder[: val_count - sum(counts.values())]:
        counts[grade] += 1
    held = {number for grade, found in numbers.items() for number in found[len(found) - counts[grade] :]}
    return (
        [case for number, case in enumerate(cases) if number not in held],
        [case for number, case in enumerate(cases) if number in held],
    )
