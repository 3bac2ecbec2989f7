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
"""The grading part of IDRiD (Porwal et al., Data 3(3):25, 2018, CC BY 4.0): photographs with a grade of retinopathy.

Some photographs are there twice, byte for byte, under two names: six pairs. One joins training and test, and of the
five within the training set two have grades that contradict each other. What can be told from the files is left out of
training: a copy of a test photograph, all copies but the first where the grades agree, all copies where they do not. Of
413 training photographs 405 remain; the 103 of the test set all stay.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..utils.errors import DataError
from ..utils.file_digest import file_digest
from ..utils.image_io import list_images
from ..utils.retinopathy_grade import check_grade
from .hold_out_by_grade import hold_out_by_grade

__all__ = ["left_out_idrid_grading", "list_idrid_grading_cases", "read_idrid_grading_table"]

_SECTIONS = ("training", "validation", "test", "all")
_FOLDERS = ("B. Disease Grading (768x510)", "B. Disease Grading")
_PHOTOGRAPHS, _TABLES = "1. Original Images", "2. Groundtruths"
_PARTS = {
    "training": ("a. Training Set", "a. IDRiD_Disease Grading_Training Labels.csv"),
    "test": ("b. Testing Set", "b. IDRiD_Disease Grading_Testing Labels.csv"),
}


def list_idrid_grading_cases(
    root_dir: str | os.PathLike, section: str, val_count: int = 0, exclude: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Photographs of IDRiD's grading part with grade and risk of macular edema.

    Args:
        root_dir: folder that holds `B. Disease Grading (768x510)` or `B. Disease Grading`, or one of these itself.
        section: `"training"`: the training set without copies and without the `val_count` held out; `"validation"`:
            these; `"test"`: all of the testing set; `"all"`: the three after one another.
        val_count: number of training photographs held out for validation, of each grade its share.
        exclude: names of training photographs to leave out, such as `IDRiD_118`: those that show an eye of another test
            set (`leaking_grading_cases` lists the test eyes of IDRiD's segmentation part).

    Returns:
        case dictionaries: `image` (absolute path), `grade` (0 to 4), `edema_risk` (0 to 2), `case_id` (with the section
        in front, since both parts count from IDRiD_001) and `source`.

    Raises:
        DataError: When a folder or table is missing, a row has no photograph or a photograph no row, a grade lies
            outside 0 to 4, or `exclude` names what is not there; names the file and the remedy.
    """
    if section not in _SECTIONS:
        raise DataError(f"unknown section {section!r} of IDRiD, use one of {list(_SECTIONS)}")
    training, test, _ = _read(root_dir, exclude)
    if section == "test":
        return test
    training, validation = hold_out_by_grade(training, val_count, f"the grading photographs of IDRiD in {root_dir}")
    return {"training": training, "validation": validation, "all": [*training, *validation, *test]}[section]


def left_out_idrid_grading(root_dir: str | os.PathLike, exclude: Sequence[str] = ()) -> list[dict[str, str]]:
    """The training photographs that `list_idrid_grading_cases` leaves out.

    Args:
        root_dir: see `list_idrid_grading_cases`.
        exclude: see there.

    Returns:
        one dictionary a photograph: `image` (its name) and `reason`.

    Raises:
        DataError: see `list_idrid_grading_cases`.
    """
    return _read(root_dir, exclude)[2]


def _read(
    root_dir: str | os.PathLike, exclude: Sequence[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, str]]]:
    """Training cases, test cases, and what was left out of the training cases."""
    root = _grading_folder(root_dir)
    training, test = (_list_part(root, part) for part in _PARTS)
    names = {Path(case["image"]).stem for case in training}
    excluded = {Path(name).stem for name in exclude}
    if unknown := sorted(excluded - names):
        raise DataError(
            f"exclude names {', '.join(unknown)}, but there is no such photograph in {root / _PHOTOGRAPHS} / "
            f"{_PARTS['training'][0]}; give names of grading photographs of the training set, such as IDRiD_118"
        )
    test_files = {file_digest(case["image"]): Path(case["image"]).stem for case in test}
    copies: dict[str, list[dict[str, Any]]] = {}
    for case in training:
        copies.setdefault(file_digest(case["image"]), []).append(case)
    kept, left_out = [], []
    for digest, same in copies.items():
        for case in same:
            name = Path(case["image"]).stem
            if name in excluded:
                reason = "excluded by the caller"
            elif digest in test_files:
                reason = f"the same file as {test_files[digest]} of the test set"
            elif len({other["grade"] for other in same}) > 1:
                twins = ", ".join(f"{Path(other['image']).stem} grade {other['grade']}" for other in same)
                reason = f"the same file with contradicting grades: {twins}"
            elif case is not same[0]:
                reason = f"the same file as {Path(same[0]['image']).stem}"
            else:
                kept.append(case)
                continue
            left_out.append({"image": name, "reason": reason})
    order = {case["case_id"]: number for number, case in enumerate(training)}
    kept.sort(key=lambda case: order[case["case_id"]])
    return kept, test, sorted(left_out, key=lambda entry: entry["image"])


def _grading_folder(root_dir: str | os.PathLike) -> Path:
    root = Path(root_dir).absolute()
    for folder in (*(root / name for name in _FOLDERS), root):
        if (folder / _PHOTOGRAPHS).is_dir() and (folder / _TABLES).is_dir():
            return folder
    raise DataError(
        f"IDRiD's grading part not found: neither {root} nor a folder {' or '.join(map(repr, _FOLDERS))} in it holds "
        f"{_PHOTOGRAPHS!r} and {_TABLES!r} beside each other. Give the folder that its archive unpacks to"
    )


def _list_part(root: Path, part: str) -> list[dict[str, Any]]:
    folder, table = root / _PHOTOGRAPHS / _PARTS[part][0], root / _TABLES / _PARTS[part][1]
    if not folder.is_dir():
        raise DataError(f"IDRiD's photographs not found: no folder {folder}; unpack IDRiD's grading part there again")
    images = {path.stem: path for path in list_images(folder)}
    rows = read_idrid_grading_table(table)
    for name in rows:
        if name not in images:
            raise DataError(
                f"{table} has a row for {name}, but there is no photograph {folder / name}.jpg. Add the photograph, or "
                "take the row away"
            )
    for name, path in images.items():
        if name not in rows:
            raise DataError(f"{path} has no row in {table}. Add a row with its grade, or take the photograph away")
    if not rows:
        raise DataError(f"no photograph in {folder} and no row in {table}; unpack IDRiD's grading part there again")
    return [
        {
            "image": str(images[name]),
            "grade": rows[name][0],
            "edema_risk": rows[name][1],
            "case_id": f"{part}_{name}",
            "source": "real",
        }
        for name in sorted(rows)
    ]


def read_idrid_grading_table(path: Path) -> dict[str, tuple[int, int]]:
    """Grade (0 to 4) and risk of macular edema (0 to 2) by name of the photograph.

    Raises:
        DataError: When the file is missing, is no such table, or has two rows for a photograph; names the line.
    """
    if not path.is_file():
        raise DataError(f"IDRiD's grades not found: no file {path}; unpack IDRiD's grading part there again")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as exception:
        raise DataError(f"cannot read {path}: {exception}; unpack IDRiD's grading part there again") from exception
    rows: dict[str, tuple[int, int]] = {}
    for number, line in enumerate(lines[1:], start=2):  # the first one is the heading
        cells = [cell.strip() for cell in line]
        if not any(cells):
            continue
        where = f"{path}, line {number}"
        if len(cells) < 3 or not cells[0]:
            raise DataError(f"{where}: {','.join(line)!r} lacks a name, a grade or a risk of macular edema; correct it")
        if cells[0] in rows:
            raise DataError(f"{where}: a second row for {cells[0]}; keep one of the two")
        grade = check_grade(_whole_number(cells[1]), f"{where}, photograph {cells[0]}")
        if (risk := _whole_number(cells[2])) not in (0, 1, 2):
            raise DataError(f"{where}, photograph {cells[0]}: the risk of macular edema is {cells[2]!r}, not 0, 1 or 2")
        rows[cells[0]] = (grade, risk)
    return rows


def _whole_number(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text
