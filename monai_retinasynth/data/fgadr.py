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
"""FGADR's segmentation set (Zhou et al., IEEE TMI 40(3):818-828, 2021) in its owners' layout.

The set is given on request for research and is not to be passed on. This module was written after its documented
layout and tried on small files drawn in that layout; it was not run on the real set.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..utils.errors import ConfigError, DataError
from ..utils.image_io import list_images, open_image
from .prepare_lesions import check_settings, prepare_lesions
from .splits import hold_out

__all__ = ["FGADR_STRUCTURES", "list_fgadr_cases", "prepare_fgadr_lesions"]

# folder of the masks; the last two structures are no classes of the label set `fundus_lesion`
FGADR_STRUCTURES = {
    "microaneurysms": "Microaneurysms_Masks",
    "haemorrhages": "Hemohedge_Masks",
    "hard_exudates": "HardExudate_Masks",
    "soft_exudates": "SoftExudate_Masks",
    "microvascular_abnormalities": "IRMA_Masks",
    "neovascularisation": "Neovascularization_Masks",
}

_SECTIONS = ("training", "validation", "test", "all")
_PHOTOGRAPHS = "Original_Images"
_GRADES = "DR_Seg_Grading_Label.csv"
_ROOTS = (".", "Seg-set", "FGADR-Seg-set_Release/Seg-set")
_REFERENCE = (
    "Y. Zhou et al., A Benchmark for Studying Diabetic Retinopathy: Segmentation, Grading, and Transferability, IEEE "
    "Transactions on Medical Imaging 40(3):818-828, 2021; on request, not to be passed on"
)


def list_fgadr_cases(
    root_dir: str | os.PathLike, section: str, val_count: int = 92, test_count: int = 368, seed: int = 0
) -> list[dict[str, Any]]:
    """Photographs of FGADR's Seg-set (1842 of 1280 x 1280) with masks of lesions and grades.

    The owners give no split, so one is drawn by lot: the same seed and files give the same one. The set has one
    photograph of each patient, hence single photographs are divided. There are no optic disc masks.

    Args:
        root_dir: folder `Seg-set` with `Original_Images`, `Microaneurysms_Masks`, ... and `DR_Seg_Grading_Label.csv`
            (rows `photograph,grade`), or the one that it was unpacked into.
        section: `"training"`, `"validation"`, `"test"` or `"all"`.
        val_count: number of cases of the section validation (5 % of the set by default).
        test_count: number of cases of the section test (20 % of the set by default).
        seed: seed of the split.

    Returns:
        case dictionaries: `image` (absolute path), `masks` (structure of `FGADR_STRUCTURES` -> absolute path; a lesion
        without a file is not there), `case_id`, `source` and `grade`.

    Raises:
        DataError: When a folder is missing, a mask has no photograph, a photograph no grade, or there are too few
            cases; names it.
    """
    if section not in _SECTIONS:
        raise DataError(f"unknown section {section!r} of FGADR, use one of {list(_SECTIONS)}")
    root = _find_root(Path(root_dir).absolute())
    images = {path.stem: path for path in list_images(root / _PHOTOGRAPHS)}
    if not images:
        raise DataError(f"no photograph in {root / _PHOTOGRAPHS}; unpack FGADR there again")
    grades = _read_grades(root / _GRADES)
    masks: dict[str, dict[str, str]] = {name: {} for name in images}
    for structure, folder in FGADR_STRUCTURES.items():
        if not (root / folder).is_dir():
            raise DataError(f"FGADR's masks of {structure} not found: no folder {root / folder}; unpack FGADR again")
        for path in list_images(root / folder):
            if path.stem not in images:
                raise DataError(
                    f"no photograph for the mask {path}; add it to {root / _PHOTOGRAPHS}, or take the mask away"
                )
            masks[path.stem][structure] = str(path)
    cases = []
    for name in sorted(images):
        if name not in grades:
            raise DataError(
                f"{images[name]} has no grade: add a row '{images[name].name},<0 to 4>' to {root / _GRADES}"
            )
        cases.append(
            {
                "image": str(images[name]),
                "masks": masks[name],
                "case_id": name,
                "source": "real",
                "grade": grades[name],
            }
        )
    if section == "all":
        return cases
    drawn = [cases[i] for i in np.random.default_rng(seed).permutation(len(cases))]
    rest, test = _divide(drawn, test_count, "test_count", root)
    training, validation = hold_out(rest, val_count, f"FGADR in {root} without its test cases")
    chosen = {"training": training, "validation": validation, "test": test}[section]
    return sorted(chosen, key=lambda case: case["case_id"])


def prepare_fgadr_lesions(
    fgadr_dir: str | os.PathLike | None,
    output_dir: str | os.PathLike,
    size: int = 512,
    val_count: int = 92,
    test_count: int = 368,
    seed: int = 0,
    num_cases: int | None = None,
    progress: bool = True,
) -> Path:
    """Write `images/`, `labels/` and `datalist.json` of FGADR with the label set `fundus_lesion`.

    The label maps have no optic disc, and no microvascular abnormalities or new vessels: the label set has no classes
    for these. Masks have soft edges; above half of white is lesion. A second call goes on where the first one stopped.
    Like the rest of this module, not run on the real set.

    Args:
        fgadr_dir: see `list_fgadr_cases`, as are `val_count`, `test_count` and `seed`.
        output_dir: folder of the data set, made when missing.
        size: edge of the pictures in pixels.
        num_cases: take the first so many cases of each section only; None for all.
        progress: show a progress bar.

    Returns:
        path of `datalist.json`.

    Raises:
        ConfigError: When no folder is given, or a setting is out of range.
        DataError: see `list_fgadr_cases` and `prepare_lesions`.
    """
    if not fgadr_dir:
        raise ConfigError("no folder of FGADR is given; set fgadr_dir to the one that holds 'Original_Images'")
    if num_cases is not None and num_cases < 1:
        raise ConfigError(f"num_cases must be 1 or more, or None for all, got {num_cases}")
    check_settings(size, "keep")
    sections = {
        section: list_fgadr_cases(fgadr_dir, section, val_count, test_count, seed)[:num_cases]
        for section in ("training", "validation", "test")
    }
    extra = {
        "reference": _REFERENCE,
        "licence": "research use, not to be passed on",
        "provenance": {"origin": "FGADR, Seg-set", "split": f"drawn with seed {seed}"},
    }
    return prepare_lesions(sections, output_dir, size, "keep", "FGADR with lesions", extra, _read_soft_mask, progress)


def _find_root(root: Path) -> Path:
    for below in _ROOTS:
        if (root / below / _PHOTOGRAPHS).is_dir():
            return root / below if below != "." else root
    raise DataError(
        f"FGADR's photographs not found: no folder {_PHOTOGRAPHS} in {root} or {root / 'Seg-set'}. Give the folder "
        "Seg-set, as its archive unpacks"
    )


def _read_grades(path: Path) -> dict[str, int]:
    if not path.is_file():
        raise DataError(f"FGADR's grades not found: no file {path}; unpack FGADR there again")
    grades = {}
    with open(path, encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            name, grade = (cells + [""])[:2]
            if grade in ("0", "1", "2", "3", "4"):
                grades[Path(name).stem] = int(grade)
            elif number > 1 or any(character.isdigit() for character in grade):  # the first row may be a heading
                raise DataError(
                    f"{path}, line {number}: the grade of {name!r} is {grade!r}, not one of 0 to 4; correct it"
                )
    return grades


def _read_soft_mask(path: str | os.PathLike) -> np.ndarray:
    """Above half of white; a small lesion with soft edges has more grey than white, which no check of greys allows."""
    grey = np.asarray(open_image(path, "L"))
    if 0 < grey.max() <= 127:
        raise DataError(
            f"unexpected values in the mask {path}: they reach {grey.max()} only, and a lesion lies above 127. Store "
            "masks as 0 and 255 (multiply a 0/1 mask by 255)"
        )
    return grey > 127


def _divide(cases: list[dict[str, Any]], count: int, setting: str, root: Path) -> tuple[list, list]:
    if not 0 <= count < len(cases):
        raise DataError(
            f"too few cases in {root}: {count} of {len(cases)} would be test cases ({setting}={count}), none left to "
            f"train on. Choose another {setting}"
        )
    return cases[: len(cases) - count], cases[len(cases) - count :]
