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
"""Holding cases out of a training section for validation."""

from __future__ import annotations

from typing import Any

from ..utils.errors import DataError

__all__ = ["hold_out"]


def hold_out(
    cases: list[dict[str, Any]], val_count: int, where: str, group_size: int = 1
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Split off the last cases for validation.

    Args:
        cases: cases in a fixed order.
        val_count: number of cases to hold out, rounded up to whole groups.
        where: what is split, for the error message.
        group_size: number of neighbouring cases that must stay together.

    Returns:
        training cases, validation cases.

    Raises:
        DataError: When nothing would be left to train on, or `val_count` is negative.
    """
    if val_count < 0:
        raise DataError(f"val_count must be 0 or more, got {val_count}")
    held = -(-val_count // group_size) * group_size
    if held >= len(cases) and cases:
        raise DataError(
            f"too few cases in {where}: {held} of {len(cases)} would be held out for validation "
            f"(val_count={val_count}), none left to train on. Add cases or lower val_count"
        )
    return cases[: len(cases) - held], cases[len(cases) - held :]
