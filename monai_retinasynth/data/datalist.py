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
"""`datalist.json`: the list of cases that a data set of this package carries, in MONAI's (decathlon) form.

A data set is a folder with images/, labels/ and this file; paths in it are relative to the folder, so the folder can be
moved. Real and synthetic data sets look the same, each case says which it is.
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
from ..utils.label_set import LabelSet, get_label_set

__all__ = ["DATALIST_NAME", "SECTIONS", "load_datalist", "write_datalist"]

DATALIST_NAME = "datalist.json"
SECTIONS = ("training", "validation", "test")
_SOURCES = ("real", "synthetic")
_FILE_KEYS = ("image", "label", "target", "trees")


def write_datalist(
    folder: str | os.PathLike,
    cases_by_section: Mapping[str, Sequence[Mapping[str, Any]]],
    label_set: str | LabelSet | Mapping[str, Any],
    name: str,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write the `datalist.json` of a data set, whole or not at all.

    Args:
        folder: the data set.
        cases_by_section: cases of `training`, `validation` and `test`; missing sections are empty. A case has `label`
            and perhaps `image` (paths relative to `folder`, or absolute ones below it), `case_id`, `source` (`"real"`
            or `"synthetic"`) and perhaps `grade`, `provenance`, `masks` (organ -> path), `target` (path of a second
            label map, of another label set) and `trees` (path of a map of arteries and veins).
        label_set: label set of the label maps.
        name: name of the data set.
        extra: more entries for the top level.

    Returns:
        path of the file.

    Raises:
        DataError: When a case lacks a key, has a grade that is no whole number from 0 on, lies outside the folder, or
            the file cannot be written.
    """
    folder = Path(folder)
    unknown = sorted(set(cases_by_section) - set(SECTIONS))
    if unknown:
        raise DataError(f"unknown sections {unknown} for {folder / DATALIST_NAME}, use {list(SECTIONS)}")
    content: dict[str, Any] = {
        **dict(extra or {}),
        "name": name,
        "package_version": __version__,
        "label_set": get_label_set(label_set).to_dict(),
    }
    for section in SECTIONS:
        content[section] = [_relative_case(case, folder) for case in cases_by_section.get(section, ())]
    path = folder / DATALIST_NAME
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_write(path) as file:
        file.write(text.encode("utf-8") + b"\n")
    return path


def _relative_case(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    missing = [key for key in ("label", "case_id", "source") if key not in case]
    if missing:
        raise DataError(f"a case for {folder / DATALIST_NAME} lacks {missing}: {dict(case)}")
    if case["source"] not in _SOURCES:
        raise DataError(f"case {case['case_id']} has the source {case['source']!r}, use one of {list(_SOURCES)}")
    _check_grade(case, folder / DATALIST_NAME)
    result = dict(case)
    for key in _FILE_KEYS:
        if key in result:
            path = Path(result[key])
            if path.is_absolute():
                try:
                    path = path.resolve().relative_to(folder.resolve())
                except ValueError as exception:
                    raise DataError(
                        f"{path} of case {case['case_id']} lies outside the data set {folder}"
                    ) from exception
            result[key] = path.as_posix()
    return result


def load_datalist(path: str | os.PathLike) -> dict[str, Any]:
    """Read a `datalist.json`.

    Args:
        path: the file, or the data set's folder.

    Returns:
        the content: `name`, `label_set` (plain form), `training`, `validation`, `test` (lists of cases, empty where the
        file has no such section) and what else the file holds. Paths are left relative.

    Raises:
        DataError: When the file is missing, is no such list, or a case has no label map, or a grade that is no whole
            number from 0 on.
    """
    path = Path(path)
    path = path / DATALIST_NAME if path.is_dir() else path
    if not path.is_file():
        raise DataError(f"data list not found: {path}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as exception:
        raise DataError(f"cannot read the data list {path}: {exception}. Write the data set again") from exception
    if not isinstance(content, dict) or not isinstance(content.get("label_set"), dict):
        raise DataError(f"{path} is no data list of this package: it has no 'label_set' with name, class_names, colors")
    get_label_set(content["label_set"])
    for section in SECTIONS:
        cases = content.setdefault(section, [])
        for number, case in enumerate(cases if isinstance(cases, list) else [cases]):
            if not isinstance(case, dict) or not isinstance(case.get("label"), str):
                raise DataError(f"case {number} of section {section!r} in {path} has no 'label' (path of a label map)")
            case.setdefault("case_id", Path(case["label"]).stem)
            case.setdefault("source", "real")
            if case["source"] not in _SOURCES:
                raise DataError(f"case {case['case_id']} in {path} has the source {case['source']!r}, use {_SOURCES}")
            _check_grade(case, path)
    return content


def _check_grade(case: Mapping[str, Any], path: Path) -> None:
    grade = case.get("grade", 0)
    if not isinstance(grade, int) or isinstance(grade, bool) or grade < 0:  # JSON has no other whole numbers
        raise DataError(
            f"case {case['case_id']} in {path} has the grade {grade!r}; a grade is a whole number from 0 on, and a "
            "case that was not graded has no entry 'grade'"
        )
