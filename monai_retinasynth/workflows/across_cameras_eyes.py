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
"""Seeds and the eyes that they are trained on, as the user of the across-camera workflow gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..utils.errors import ConfigError

__all__ = ["check_choice_count", "check_seeds", "eyes_by_seed"]


def check_seeds(seeds: Any, setting: str = "seeds") -> list[int]:
    """The seeds as a list.

    Raises:
        ConfigError: when they are no list of different whole numbers from 0 on.
    """
    is_list = isinstance(seeds, Sequence) and not isinstance(seeds, str)
    if not is_list or not seeds or not all(_is_count(seed) for seed in seeds) or len(set(seeds)) < len(seeds):
        raise ConfigError(f"{setting} is a list of different whole numbers such as [0, 1, 2], got {seeds!r}")
    return list(seeds)


def check_choice_count(count: Any) -> None:
    """Refuse a `choice_count` that is no number of eyes.

    Raises:
        ConfigError: when it is neither None nor a whole number from 0 on.
    """
    if count is not None and not _is_count(count):
        raise ConfigError(f"choice_count is how many eyes choices are made on, a whole number from 0, got {count!r}")


def eyes_by_seed(training_cases: Any) -> list[int | list[str] | None]:
    """The choices of training eyes that the seeds take turns with.

    Args:
        training_cases: None for all eyes, a number for the first so many, a list of case ids, or a list of such lists.

    Returns:
        one choice, or for a list of lists as many as it has.

    Raises:
        ConfigError: when it is none of these, or the case ids of a list are not different.
    """
    if training_cases is None:
        return [None]
    if _is_count(training_cases) and training_cases > 0:
        return [training_cases]
    if isinstance(training_cases, str):
        raise ConfigError(f"training_cases is a list of case ids; write ['{training_cases}'] for one alone")
    if _is_choice(training_cases):
        return [list(training_cases)]
    if isinstance(training_cases, Sequence) and training_cases and all(_is_choice(eyes) for eyes in training_cases):
        return [list(eyes) for eyes in training_cases]
    raise ConfigError(
        "training_cases is a number of eyes, a list of different case ids such as ['21_training', '22_training'], or a "
        f"list of such lists, got {training_cases!r}"
    )


def _is_choice(eyes: Any) -> bool:
    is_list = isinstance(eyes, Sequence) and not isinstance(eyes, str) and len(eyes) > 0
    return is_list and all(isinstance(eye, str) for eye in eyes) and len(set(eyes)) == len(eyes)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
