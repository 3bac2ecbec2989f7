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
"""Finding the cases of a data set, whatever its layout, or of several data sets mixed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..utils.errors import DataError, EmptySectionError
from ..utils.image_io import list_images
from .chase_db1 import is_chase_db1_layout, list_chase_db1_cases
from .datalist import DATALIST_NAME, load_datalist
from .drive import is_drive_layout, list_drive_cases
from .join_cases import join_cases
from .paired_folders import is_paired_folders_layout, list_paired_folder_cases
from .splits import hold_out
from .training_fraction import choose_training_cases

__all__ = ["CASE_SECTIONS", "LAYOUTS", "detect_layout", "list_sources", "load_cases"]

LAYOUTS = ("datalist", "drive", "chase_db1", "paired_folders", "label_maps")
CASE_SECTIONS = ("training", "validation", "test", "all")

_SOURCE_KEYS = {"dataset_dir", "section", "layout", "num_cases", "val_count", "split", "fraction", "fraction_seed"}
_CASE_KEYS = {"image", "label", "vessel", "fov", "masks", "target", "trees", "case_id", "source"}


def load_cases(
    dataset_dir: str | os.PathLike | Mapping[str, Any] | Sequence[Any],
    section: str,
    layout: str = "auto",
    num_cases: int | None = None,
    val_count: int = 2,
    split: str | None = None,
    partial_grades: bool = False,
) -> list[dict[str, Any]]:
    """List the cases of a section.

    Args:
        dataset_dir: folder of the data set; or a list of folders, or of dictionaries with `dataset_dir` and perhaps a
            `section`, `layout`, `num_cases`, `val_count` or `split` of their own, whose cases are joined in this order
            (mixing real and synthetic data); folders that share names of cases put their own before them, see
            `join_cases`. A dictionary may also have a `fraction` (and `fraction_seed`, 0 by default): the share of its
            training cases that is used, see `choose_training_cases`; other sections stay whole.
        section: `"training"`, `"validation"`, `"test"` or `"all"`.
        layout: `"datalist"` (a folder with datalist.json), `"drive"`, `"chase_db1"`, `"paired_folders"`
            (train/image, train/mask, test/image, test/mask), `"label_maps"` (a folder of label map files without
            photographs), or `"auto"`.
        num_cases: take the first so many cases only; None for all.
        val_count: number of training cases held out for validation. Synthetic sets, and data lists that have a
            validation section of their own keep it and hold out nothing.
        split: named split of CHASE_DB1, None for its default.
        partial_grades: keep the grades of cases even when others have none.

    Returns:
        case dictionaries with absolute paths: `image` and `label`, or `image`, `vessel` and perhaps `fov`; `case_id`,
        `source`, and `grade` and `field_degrees` where all cases have one; where a data list has them, `masks` (organ
        -> path) and `target` (path of a second label map). Every case has the same keys apart from the files (and, with
        `partial_grades`, the grade).

    Raises:
        ConfigError: When a `fraction` is no share.
        DataError: When a folder is missing or empty, a case lacks its files, there are fewer than `num_cases`, or a
            fraction leaves no case.
    """
    if section not in CASE_SECTIONS:
        raise DataError(f"unknown section {section!r}, use one of {list(CASE_SECTIONS)}")
    settings = {"section": section, "layout": layout, "val_count": val_count, "split": split, "num_cases": None}
    sources = list_sources(dataset_dir)
    cases = join_cases([(source["dataset_dir"], _load_folder(**{**settings, **source})) for source in sources])
    cases = _first(cases, num_cases, str(dataset_dir), section)
    with_image = sum("image" in case for case in cases)
    if 0 < with_image < len(cases):
        bare = next(case for case in cases if "image" not in case)
        raise DataError(
            f"{len(cases) - with_image} of {len(cases)} cases have no photograph, the first is {bare['label']}"
        )
    of_all = {key for key in ("grade", "field_degrees") if all(key in case for case in cases)}
    keys = _CASE_KEYS | of_all | ({"grade"} if partial_grades else set())
    return [{key: value for key, value in case.items() if key in keys} for case in cases]


def list_sources(dataset_dir: str | os.PathLike | Mapping[str, Any] | Sequence[Any]) -> list[dict[str, Any]]:
    """The folders of a data set, each a dictionary with `dataset_dir` and the settings of its own, see `load_cases`.

    Raises:
        DataError: When there is none, or a dictionary has other keys.
    """
    is_one = isinstance(dataset_dir, (str, os.PathLike, Mapping))
    sources = [dataset_dir] if is_one else list(dataset_dir)
    if not sources:
        raise DataError("dataset_dir is an empty list, give at least one folder")
    result = [dict(source) if isinstance(source, Mapping) else {"dataset_dir": source} for source in sources]
    for own in result:
        if set(own) - _SOURCE_KEYS or "dataset_dir" not in own:
            raise DataError(f"an entry of dataset_dir has 'dataset_dir' and perhaps {sorted(_SOURCE_KEYS)}, got {own}")
    return result


def detect_layout(folder: str | os.PathLike) -> str:
    """Layout of the data set in `folder`, one of `LAYOUTS`.

    Raises:
        DataError: When the folder is missing, empty, or none of the layouts fits; says what each needs.
    """
    folder = Path(folder).absolute()
    if not folder.is_dir():
        raise DataError(f"data set folder not found: {folder}. Check dataset_dir")
    if (folder / DATALIST_NAME).is_file():
        return "datalist"
    if is_drive_layout(folder):
        return "drive"
    if is_chase_db1_layout(folder):
        return "chase_db1"
    if is_paired_folders_layout(folder):
        return "paired_folders"
    if list_images(folder):
        return "label_maps"
    found = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(found[:6]) + (", ..." if len(found) > 6 else "")
    raise DataError(
        f"no data set found in {folder}: {'it holds ' + shown if found else 'it is empty'}. Expected a "
        f"{DATALIST_NAME}, or training/ and test/ as in DRIVE, or files like Image_01L.jpg as in CHASE_DB1, or "
        "train/image and train/mask, or label map PNGs"
    )


def _load_folder(
    dataset_dir: str | os.PathLike,
    section: str,
    layout: str,
    val_count: int,
    split: str | None,
    num_cases: int | None,
    fraction: float = 1.0,
    fraction_seed: int = 0,
) -> list[dict[str, Any]]:
    if section not in CASE_SECTIONS:
        raise DataError(f"unknown section {section!r} for {dataset_dir}, use one of {list(CASE_SECTIONS)}")
    if layout not in ("auto", *LAYOUTS):
        raise DataError(f"unknown layout {layout!r} for {dataset_dir}, use 'auto' or one of {list(LAYOUTS)}")
    folder = Path(dataset_dir).absolute()
    if not folder.is_dir():
        raise DataError(f"data set folder not found: {folder}. Check dataset_dir")
    layout = detect_layout(folder) if layout == "auto" else layout
    if layout == "drive":
        cases = list_drive_cases(folder, section, val_count)
    elif layout == "chase_db1":
        cases = list_chase_db1_cases(folder, section, val_count, **({} if split is None else {"split": split}))
    elif layout == "paired_folders":
        cases = list_paired_folder_cases(folder, section, val_count)
    elif layout == "datalist":
        cases = _datalist_cases(folder, section, val_count)
    else:
        cases = _label_map_cases(folder, section, val_count)
    if not cases:
        raise EmptySectionError(
            f"no {'case' if section == 'all' else section + ' case'} in {folder} (layout {layout}, val_count "
            f"{val_count}). Choose another section, raise val_count for validation, or add cases"
        )
    if section == "training" and fraction != 1.0:
        cases = choose_training_cases(cases, None, fraction, fraction_seed, f"section 'training' of {folder}")
    return _first(cases, num_cases, str(folder), section)


def _first(cases: list[dict[str, Any]], num_cases: int | None, where: str, section: str) -> list[dict[str, Any]]:
    if num_cases is None:
        return cases
    if num_cases < 1:
        raise DataError(f"num_cases must be 1 or more, got {num_cases}")
    if len(cases) < num_cases:
        raise DataError(
            f"too few cases in section {section!r} of {where}: {num_cases} asked for (num_cases), {len(cases)} found. "
            "Add cases or lower num_cases"
        )
    return cases[:num_cases]


def _datalist_cases(folder: Path, section: str, val_count: int) -> list[dict[str, Any]]:
    content = load_datalist(folder)
    lists = {name: [_absolute(case, folder) for case in content[name]] for name in ("training", "validation", "test")}
    if section == "all":
        return [case for cases in lists.values() for case in cases]
    # thresholds and models are chosen on real cases, so a purely synthetic set has none to hold out
    real = any(case.get("source") != "synthetic" for case in lists["training"])
    if section in ("training", "validation") and real and not lists["validation"]:
        where = f"section 'training' of {folder / DATALIST_NAME}"
        lists["training"], lists["validation"] = hold_out(lists["training"], val_count, where)
    return lists[section]


def _absolute(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    def absolute(path: str, what: str) -> str:
        full = str(folder / path)
        if not os.path.isfile(full):
            raise DataError(
                f"the {what} of case {case['case_id']} is missing: {full}, named in {folder / DATALIST_NAME}. Restore "
                "the file or write the data set again"
            )
        return full

    result = {**case, **{key: absolute(case[key], key) for key in ("image", "label", "target", "trees") if key in case}}
    if "masks" in case:
        result["masks"] = {organ: absolute(path, f"mask of {organ}") for organ, path in case["masks"].items()}
    return result


def _label_map_cases(folder: Path, section: str, val_count: int) -> list[dict[str, Any]]:
    files = list_images(folder)
    if not files:
        raise DataError(f"no label map (PNG) in {folder}")
    cases = [{"label": str(path), "case_id": path.stem, "source": "real"} for path in files]
    if section == "all":
        return cases
    if section == "test":
        raise EmptySectionError(
            f"{folder} is a bare folder of label maps without a test section, use 'all' or 'training'"
        )
    training, validation = hold_out(cases, val_count, f"the label maps in {folder}")
    return training if section == "training" else validation
