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
"""A share of the training cases, for the question how a method fares when data are scarce."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..utils.errors import ConfigError, DataError

__all__ = ["choose_training_cases"]


def choose_training_cases(
    cases: Sequence[dict[str, Any]],
    num_cases: int | None = None,
    fraction: float = 1.0,
    seed: int = 0,
    where: str = "the training section",
) -> list[dict[str, Any]]:
    """Choose some of the training cases.

    The choice hangs on the seed and the names of the cases alone, and is nested: what 10 % hold is a part of what 50 %
    hold, so a step in a curve over the fraction is never a change of cases.

    Args:
        cases: training cases with `case_id`.
        num_cases: how many to choose; None for all, or the share `fraction`.
        fraction: share to choose, above 0 and at most 1; the number is rounded, halves up.
        seed: seed of the choice.
        where: what is chosen from, for the error messages.

    Returns:
        the chosen cases, in the order of `cases`.

    Raises:
        ConfigError: When `fraction` or `num_cases` is out of range, or both are given.
        DataError: When the fraction leaves no case, or there are fewer than `num_cases`.
    """
    if isinstance(fraction, bool) or not 0.0 < fraction <= 1.0:  # refuses NaN as well
        raise ConfigError(f"fraction must be above 0 and at most 1, got {fraction}")
    if num_cases is not None and num_cases < 1:
        raise ConfigError(f"num_cases must be 1 or more, or None for all, got {num_cases}")
    if num_cases is not None and fraction != 1.0:
        raise ConfigError(f"give num_cases or fraction, not both (num_cases={num_cases}, fraction={fraction})")
    count = math.floor(len(cases) * fraction + 0.5) if num_cases is None else int(num_cases)
    if count == 0:
        raise DataError(
            f"fraction={fraction} of the {len(cases)} cases of {where} leaves no case to train on; raise fraction"
            + (f" to {1 / len(cases):.2g} or more" if cases else ", or add cases")
        )
    if count > len(cases):
        raise DataError(
            f"too few cases in {where}: {count} asked for (num_cases), {len(cases)} found. Add cases or lower num_cases"
        )
    names = sorted(str(case["case_id"]) for case in cases)
    order = np.random.default_rng([abs(int(seed)), int(seed < 0)]).permutation(len(names))
    chosen = {names[i] for i in order[:count]}
    return [case for case in cases if str(case["case_id"]) in chosen]
