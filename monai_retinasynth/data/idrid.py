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
"""The segmentation part of IDRiD (Porwal et al., Data 3(3):25, 2018, CC BY 4.0) in its owners' layout."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..utils.errors import DataError
from ..utils.image_io import list_images
from .splits import hold_out

__all__ = ["IDRID_STRUCTURES", "list_idrid_segmentation_cases"]

# folder of the masks and ending of their file names
IDRID_STRUCTURES = {
    "microaneurysms": ("1. Microaneurysms", "MA"),
    "haemorrhages": ("2. Haemorrhages", "HE"),
    "hard_exudates": ("3. Hard Exudates", "EX"),
    "soft_exudates": ("4. Soft Exudates", "SE"),
    "optic_disc": ("5. Optic Disc", "OD"),
}

_SECTIONS = ("training", "validation", "test", "all")
_PARTS = {"training": "a. Training Set", "test": "b. Testing Set"}
_PHOTOGRAPHS = "1. Original Images"
_MASKS = "2. All Segmentation Groundtruths"
_SEGMENTATION = "A. Segmentation"


def list_idrid_segmentation_cases(
    root_dir: str | os.PathLike,
    section: str,
    val_count: int = 2,
    structures: Sequence[str] = tuple(IDRID_STRUCTURES),
) -> list[dict[str, Any]]:
    """Photographs of IDRiD (4288 x 2848) with masks of lesions and of the optic disc.

    Args:
        root_dir: folder that holds `A. Segmentation`, or that folder itself.
        section: `"training"`: the 54 of the training set without the last `val_count`; `"validation"`: these;
            `"test"`: the 27 of the testing set; `"all"`.
        val_count: number of training photographs held out for validation.
        structures: names of the structures wanted, keys of `IDRID_STRUCTURES`.

    Returns:
        case dictionaries: `image` (absolute path), `masks` (structure -> absolute path; a lesion without a file is not
        there in this eye), `case_id` and `source`.

    Raises:
        DataError: When a folder is missing, or a mask has no photograph; names it.
    """
    if section not in _SECTIONS:
        raise DataError(f"unknown section {section!r} of IDRiD, use one of {list(_SECTIONS)}")
    unknown = sorted(set(structures) - set(IDRID_STRUCTURES))
    if unknown:
        raise DataError(f"IDRiD has no masks of {unknown}, use {list(IDRID_STRUCTURES)}")
    root = Path(root_dir).absolute()
    root = root / _SEGMENTATION if (root / _SEGMENTATION).is_dir() else root
    if section in ("test", "all"):
        test = _list_part(root, "test", structures)
        return test if section == "test" else [*_list_part(root, "training", structures), *test]
    cases = _list_part(root, "training", structures)
    training, validation = hold_out(cases, val_count, f"the training photographs of IDRiD in {root}")
    return training if section == "training" else validation


def _list_part(root: Path, part: str, structures: Sequence[str]) -> list[dict[str, Any]]:
    folder = root / _PHOTOGRAPHS / _PARTS[part]
    if not folder.is_dir():
        raise DataError(
            f"IDRiD's photographs not found: no folder {folder}. Give the folder that holds {_SEGMENTATION!r}, as "
            "its archive unpacks"
        )
    images = {path.stem: path for path in list_images(folder)}
    if not images:
        raise DataError(f"no photograph in {folder}; unpack IDRiD there again")
    masks: dict[str, dict[str, str]] = {name: {} for name in images}
    for structure in structures:
        directory, ending = IDRID_STRUCTURES[structure]
        masks_dir = root / _MASKS / _PARTS[part] / directory
        if not masks_dir.is_dir():  # a missing file means no such lesion, a missing folder an incomplete copy
            raise DataError(f"IDRiD's masks of {structure} not found: no folder {masks_dir}; unpack IDRiD there again")
        for path in list_images(masks_dir):
            name = path.stem.removesuffix(f"_{ending}")
            if name not in images or name == path.stem:
                raise DataError(
                    f"no photograph for the mask {path}: it should be called like IDRiD_01_{ending}.tif, beside "
                    f"IDRiD_01.jpg in {folder}. Add the photograph, or take the mask away"
                )
            masks[name][structure] = str(path)
    return [
        {"image": str(images[name]), "masks": masks[name], "case_id": name, "source": "real"} for name in sorted(images)
    ]
