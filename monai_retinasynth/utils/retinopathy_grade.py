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
"""Grades of diabetic retinopathy, 0 to 4, after the international clinical scale.

C. P. Wilkinson et al., Proposed international clinical diabetic retinopathy and diabetic macular edema disease severity
scales, Ophthalmology 110(9):1677-1682, 2003.
"""

from __future__ import annotations

from typing import Any

from .errors import DataError

__all__ = ["RETINOPATHY_GRADES", "check_grade"]

RETINOPATHY_GRADES = ("no retinopathy", "mild", "moderate", "severe", "proliferative")


def check_grade(grade: Any, where: str) -> int:
    """The grade itself, when it is one.

    Args:
        grade: what was found.
        where: where it was found, for the message.

    Raises:
        DataError: When it is not a whole number from 0 to 4.
    """
    if isinstance(grade, bool) or not isinstance(grade, int) or not 0 <= grade < len(RETINOPATHY_GRADES):
        names = ", ".join(f"{number} {name}" for number, name in enumerate(RETINOPATHY_GRADES))
        raise DataError(f"{where}: {grade!r} is no grade of diabetic retinopathy; correct it to one of {names}")
    return grade
