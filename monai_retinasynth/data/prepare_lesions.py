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
"""What preparing a data set with lesion masks comes down to, whatever its owners' layout.

A photograph is cropped to the square around its field of view, padded with black where the sensor cut the field off,
and reduced by area averaging; its masks become one label map of `fundus_lesion`, composed at full size and reduced so
that no lesion vanishes (`reduce_lesion_map`). What is finished stays, so a second call goes on where one stopped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from .._version import __version__
from ..transforms.compose_lesion_label_map import compose_lesion_label_map
from ..transforms.field_of_view import derive_field_of_view
from ..transforms.fov_square import cut_out, square_around
from ..transforms.reduce_lesion_map import reduce_lesion_map
from ..transforms.resample_area import resample_area
from ..utils.errors import ConfigError, DataError
from ..utils.image_io import from_picture, open_image, read_label_map, read_rgb, to_picture
from ..utils.label_set import FUNDUS_LESION
from .datalist import write_datalist
from .estimate_grade import estimate_grade
from .prepared_folder import is_finished, settle_folder, write_pair
from .splits import hold_out

__all__ = [
    "MISSING_GRADES",
    "STRUCTURE_CLASSES",
    "check_settings",
    "divide_training",
    "prepare_lesions",
    "read_two_valued_mask",
]

# structures of the owners' mask folders and their classes in the label set `fundus_lesion`
STRUCTURE_CLASSES = {
    "optic_disc": "optic_disc",
    "soft_exudates": "soft_exudate",
    "haemorrhages": "haemorrhage",
    "hard_exudates": "hard_exudate",
    "microaneurysms": "microaneurysm",
}
MISSING_GRADES = ("keep", "drop", "estimate")


def divide_training(
    cases: Sequence[Mapping[str, Any]], val_count: int, missing_grade: str, where: str
) -> dict[str, list[dict[str, Any]]]:
    """Training and validation cases; with `missing_grade="drop"` those without a grade are left out before."""
    kept = [dict(case) for case in cases if missing_grade != "drop" or "grade" in case]
    if not kept:
        raise DataError(f"no case of {where} has a grade, so dropping the others leaves none to train on; keep them")
    training, validation = hold_out(kept, val_count, where)
    return {"training": training, "validation": validation}


def prepare_lesions(
    cases_by_section: Mapping[str, Sequence[Mapping[str, Any]]],
    output_dir: str | os.PathLike,
    size: int,
    missing_grade: str,
    name: str,
    extra: Mapping[str, Any],
    read_mask: Callable[[str], np.ndarray],
    progress: bool = True,
) -> Path:
    """Write `images/`, `labels/` and `datalist.json` of cases with lesion masks.

    Args:
        cases_by_section: cases of `training`, `validation` and `test`: `image` (path), `masks` (structure of
            `STRUCTURE_CLASSES` -> path; others are passed over), `case_id`, `source`, perhaps `grade` and `provenance`.
        output_dir: folder of the data set, made when missing.
        size: edge of the pictures in pixels.
        missing_grade: what happens to a case without a grade: `"keep"`, `"drop"` (not from the test section) or
            `"estimate"` (see `estimate_grade`; its provenance says so).
        name: name of the data set.
        extra: further entries of the data list, such as its licence.
        read_mask: reads a mask file as a bool picture.
        progress: show a progress bar.

    Returns:
        path of `datalist.json`.

    Raises:
        ConfigError: When `size` is too small for an eye or `missing_grade` is unknown.
        DataError: When a file is unreadable, sizes differ, or the folder holds cases of another size; names the file.
    """
    check_settings(size, missing_grade)
    folder = Path(output_dir)
    settings = {"name": name, "size": int(size), "label_set": FUNDUS_LESION.name, "package_version": __version__}
    settle_folder(folder, "lesions.json", settings, ("name", "size", "label_set"))
    written: dict[str, list[dict[str, Any]]] = {section: [] for section in cases_by_section}
    with tqdm(total=sum(map(len, cases_by_section.values())), desc=name, disable=not progress, unit="eye") as bar:
        for section, cases in cases_by_section.items():
            for case in cases:
                bar.update()
                # only a training needs grades, so no test case is lost
                if "grade" in case or missing_grade != "drop" or section == "test":
                    written[section].append(_write_case(case, folder, size, missing_grade, read_mask))
    return write_datalist(folder, written, FUNDUS_LESION, name, {**extra, "size": int(size)})


def check_settings(size: int, missing_grade: str) -> None:
    """Refuse a size too small for an eye, and an unknown way with missing grades, before anything is read."""
    if size < 16:
        raise ConfigError(f"size must be 16 pixels or more, got {size}")
    if missing_grade not in MISSING_GRADES:
        raise ConfigError(f"missing_grade must be one of {list(MISSING_GRADES)}, got {missing_grade!r}")


def read_two_valued_mask(path: str | os.PathLike) -> np.ndarray:
    """Read a mask that holds 0 and one other value, whichever (owners store 1, 76, or 255; a colour counts as a grey).

    Args:
        path: image file.

    Returns:
        bool picture, shape (H, W); all False where the file holds 0 only.

    Raises:
        DataError: When the file cannot be read, or holds other values.
    """
    grey = np.asarray(open_image(path, "L"))
    present = np.flatnonzero(np.bincount(grey.ravel(), minlength=256))
    if len(present) > 2 or present[0] != 0:
        shown = ", ".join(map(str, present[:6])) + (", ..." if len(present) > 6 else "")
        raise DataError(
            f"unexpected values in the mask {path}: {shown}. A mask holds 0 and one other value; store it losslessly "
            "(tif or png, not jpg), with 0 where the structure is not"
        )
    return grey > 0


def _write_case(
    case: Mapping[str, Any], folder: Path, size: int, missing_grade: str, read_mask: Callable[[str], np.ndarray]
) -> dict[str, Any]:
    names = {"image": f"images/{case['case_id']}.png", "label": f"labels/{case['case_id']}.png"}
    image_path, label_path = folder / names["image"], folder / names["label"]
    if not is_finished(image_path, label_path, FUNDUS_LESION, size):
        write_pair(image_path, label_path, *_reduce(case, size, read_mask), FUNDUS_LESION)
    kept = {key: case[key] for key in ("case_id", "source", "grade", "provenance") if key in case}
    if "grade" not in case and missing_grade == "estimate":
        kept["grade"] = estimate_grade(read_label_map(label_path, FUNDUS_LESION), FUNDUS_LESION)
        kept["provenance"] = {**kept.get("provenance", {}), "grade": "estimated from the lesions of the label map"}
    return {**names, **kept}


def _reduce(case: Mapping[str, Any], size: int, read_mask: Callable[[str], np.ndarray]) -> tuple[np.ndarray, ...]:
    """Photograph (size, size, 3) and label map (size, size), uint8."""
    image_path = case["image"]
    photograph = read_rgb(image_path)
    try:
        fov = derive_field_of_view(photograph)
    except DataError as exception:
        raise DataError(f"{image_path}: {exception}") from exception
    rows, columns = square_around(fov)
    masks = {}
    for structure, path in case["masks"].items():
        if structure not in STRUCTURE_CLASSES:
            continue
        mask = read_mask(path)
        if mask.shape != fov.shape:
            raise DataError(
                f"sizes differ: {image_path} is {fov.shape[1]} x {fov.shape[0]}, {path} is {mask.shape[1]} x "
                f"{mask.shape[0]} (width x height). Give each photograph masks of its own size"
            )
        if mask.any() and not (mask & fov).any():
            raise DataError(
                f"unexpected values in the mask {path}: nothing of it lies inside the field of view of {image_path}. "
                "Correct the mask, or take it away"
            )
        masks[STRUCTURE_CLASSES[structure]] = cut_out(mask, rows, columns)
    label_map = compose_lesion_label_map(cut_out(fov, rows, columns), masks, FUNDUS_LESION)
    reduced = resample_area(from_picture(cut_out(photograph, rows, columns)), (size, size))
    return to_picture(reduced.round().to(torch.uint8)), reduce_lesion_map(label_map, size, FUNDUS_LESION)
