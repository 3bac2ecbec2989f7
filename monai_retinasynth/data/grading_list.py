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
"""`grading.json`: the list of cases of a data set for grading, photographs with a grade and without a label map.

`datalist.json` asks for a label map of every case, and everything that reads it relies on that; so photographs that
were graded only have a list of their own. Both kinds of folder, and so the package's synthetic sets, serve as data for
grading.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .._version import __version__
from ..utils.atomic_file import atomic_write
from ..utils.errors import DataError
from ..utils.retinopathy_grade import check_grade
from .cases import load_cases
from .datalist import DATALIST_NAME, SECTIONS
from .hold_out_by_grade import hold_out_by_grade

__all__ = ["GRADING_LIST_NAME", "load_graded_cases", "write_grading_list"]

GRADING_LIST_NAME = "grading.json"
_NEEDED = ("image", "grade", "case_id", "source")


def write_grading_list(
    folder: str | os.PathLike,
    cases_by_section: Mapping[str, Sequence[Mapping[str, Any]]],
    name: str,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write the `grading.json` of a data set, whole or not at all.

    Args:
        folder: the data set.
        cases_by_section: cases of `training`, `validation` and `test`; missing sections are empty. A case has `image`
            (path relative to `folder`), `grade` (0 to 4), `case_id` and `source` (`"real"` or `"synthetic"`).
        name: name of the data set.
        extra: more entries for the top level.

    Returns:
        path of the file.

    Raises:
        DataError: When a case lacks a key, has no such grade, or the file cannot be written.
    """
    path = Path(folder, GRADING_LIST_NAME)
    content: dict[str, Any] = {**dict(extra or {}), "name": name, "package_version": __version__}
    for section in SECTIONS:
        content[section] = [dict(case) for case in cases_by_section.get(section, ())]
        _check_cases(content[section], section, path)
    with atomic_write(path) as file:
        file.write(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n")
    return path


def load_graded_cases(folder: str | os.PathLike, section: str, val_count: int = 0) -> list[dict[str, Any]]:
    """List the graded photographs of a data set.

    Args:
        folder: folder with a `grading.json`, or with a `datalist.json` whose cases have a photograph and a grade.
        section: `"training"`, `"validation"`, `"test"` or `"all"`.
        val_count: number of training cases held out for validation; a list with a validation section keeps it.

    Returns:
        case dictionaries with `image` (absolute path), `grade` (0 to 4), `case_id` and `source`.

    Raises:
        DataError: When the folder holds neither list, a case has no photograph or grade, a file is missing, or the
            section is empty.
    """
    root = Path(folder).absolute()
    if (root / GRADING_LIST_NAME).is_file():
        cases = _from_grading_list(root, section, val_count)
    elif (root / DATALIST_NAME).is_file():
        cases = load_cases(root, section, layout="datalist", val_count=val_count)
        _check_cases(cases, section, root / DATALIST_NAME)
    else:
        raise DataError(
            f"no graded photographs in {root}: it has neither {GRADING_LIST_NAME} nor {DATALIST_NAME}. Prepare IDRiD's "
            "grading part with prepare_idrid_grading, or give a data set whose cases have grades"
        )
    return [{key: case[key] for key in _NEEDED} for case in cases]


def _from_grading_list(root: Path, section: str, val_count: int) -> list[dict[str, Any]]:
    path = root / GRADING_LIST_NAME
    if section not in (*SECTIONS, "all"):
        raise DataError(f"unknown section {section!r} for {path}, use one of {[*SECTIONS, 'all']}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        lists = {name: [dict(case) for case in content.get(name, ())] for name in SECTIONS}
    except (OSError, ValueError, TypeError, AttributeError) as exception:
        raise DataError(f"cannot read {path}: {exception}. Prepare the data set again") from exception
    for name, cases in lists.items():
        _check_cases(cases, name, path)
    if not lists["validation"] and val_count:
        lists["training"], lists["validation"] = hold_out_by_grade(lists["training"], val_count, str(path))
    cases = [case for listed in lists.values() for case in listed] if section == "all" else lists[section]
    if not cases:
        raise DataError(f"no {section} case in {path} (val_count {val_count}); choose another section, or add cases")
    for case in cases:
        case["image"] = str(root / case["image"])
        if not os.path.isfile(case["image"]):
            raise DataError(f"the photograph {case['image']}, named in {path}, is missing. Prepare the data set again")
    return cases


def _check_cases(cases: Sequence[Mapping[str, Any]], section: str, path: Path) -> None:
    if cases and path.name == DATALIST_NAME and "grade" not in cases[0]:  # given for all cases or for none
        raise DataError(f"not every {section} case in {path} has a grade; write the data set with grades")
    for number, case in enumerate(cases):
        if missing := [key for key in _NEEDED if key not in case]:
            raise DataError(
                f"case {case.get('case_id', number)} of section {section!r} in {path} has no "
                f"{' and no '.join(missing)}; grading needs photographs with grades. Write the data set again"
            )
        check_grade(case["grade"], f"case {case['case_id']} in {path}")
