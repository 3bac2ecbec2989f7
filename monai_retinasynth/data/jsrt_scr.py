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
"""The JSRT chest radiographs with SCR's organ masks.

J. Shiraishi et al., Development of a Digital Image Database for Chest Radiographs With and Without a Lung Nodule, AJR
174:71-74, 2000 (154 with a nodule, JPCLN001 to 154, and 93 without, JPCNN001 to 093). B. van Ginneken et al.,
Segmentation of anatomical structures in chest radiographs using supervised methods, Medical Image Analysis 10:19-40,
2006: the masks, and the protocol of two folds, the files of odd and of even number.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from ..utils.chest_organs import CHEST_ORGANS
from ..utils.errors import DataError
from ..utils.image_io import list_images

__all__ = ["JSRT_SCR_SPLITS", "is_jsrt_scr_layout", "list_jsrt_scr_cases"]

# split -> remainder by 2 of the numbers that train; the others test
JSRT_SCR_SPLITS = {"odd_even": 1, "even_odd": 0}

_SECTIONS = ("training", "validation", "test", "all")
_IMAGE = re.compile(r"^(JPCLN|JPCNN)(\d{3})$")  # with and without nodule


def is_jsrt_scr_layout(folder: str | os.PathLike) -> bool:
    """Whether the folder (or a JSRT-SCR folder in it) holds images/JPCLN001.png, ... and masks of the five organs."""
    root = _root(folder)
    has_masks = all((root / "masks" / organ).is_dir() for organ in CHEST_ORGANS)
    return has_masks and (root / "images").is_dir() and bool(_radiographs(root))


def list_jsrt_scr_cases(
    folder: str | os.PathLike, section: str, val_count: int = 24, split: str = "odd_even"
) -> list[dict[str, Any]]:
    """Cases of JSRT with SCR's two folds.

    Args:
        folder: folder with `images` and `masks`, or one with a folder `JSRT-SCR` that has them.
        section: `"training"`, `"validation"` (held out of the training fold), `"test"` or `"all"`.
        val_count: number of radiographs held out for validation: always the same, spread evenly over the numbers of
            the training fold, with as large a share of nodule cases as the fold has.
        split: `"odd_even"`: train on the files of odd number, test on those of even number; `"even_odd"`: the other
            way round. The figures of the literature are means over both.

    Returns:
        case dictionaries with the absolute path `image`, `masks` (organ of `CHEST_ORGANS` -> absolute path), `case_id`
        and `source`, sorted by name.

    Raises:
        DataError: When section or split is unknown, folders or masks are missing, or validation leaves nothing to
            train on; names the folder searched.
    """
    if section not in _SECTIONS:
        raise DataError(f"unknown section {section!r} of JSRT, use one of {list(_SECTIONS)}")
    if split not in JSRT_SCR_SPLITS:
        raise DataError(f"unknown split {split!r} of JSRT, use one of {list(JSRT_SCR_SPLITS)}")
    root = _root(folder)
    if not (root / "images").is_dir():
        raise DataError(f"JSRT's radiographs not found: no folder {root / 'images'}. Give the folder that holds it")
    for organ in CHEST_ORGANS:
        if not (root / "masks" / organ).is_dir():
            raise DataError(f"SCR's masks of {organ} not found: no folder {root / 'masks' / organ}")
    paths = _radiographs(root)
    if not paths:
        raise DataError(f"no radiograph named like JPCLN001.png in {root / 'images'}; unpack JSRT there again")
    if section == "all":
        return [_case(root, path) for path in paths]
    in_training_fold = [_number(path) % 2 == JSRT_SCR_SPLITS[split] for path in paths]
    if section == "test":
        return [_case(root, path) for path, trains in zip(paths, in_training_fold) if not trains]
    fold = [path for path, trains in zip(paths, in_training_fold) if trains]
    held = _validation_part(fold, val_count, f"the training fold of split {split} of {root}")
    return [_case(root, path) for path in fold if (path in held) == (section == "validation")]


def _root(folder: str | os.PathLike) -> Path:
    root = Path(folder).absolute()
    nested = root / "JSRT-SCR"
    return nested if nested.is_dir() and not (root / "images").is_dir() else root


def _radiographs(root: Path) -> list[Path]:
    return [path for path in list_images(root / "images") if _IMAGE.match(path.stem)]


def _kind(path: Path) -> str:
    return _IMAGE.match(path.stem).group(1)


def _number(path: Path) -> int:
    return int(_IMAGE.match(path.stem).group(2))


def _validation_part(fold: list[Path], val_count: int, where: str) -> set[Path]:
    """The radiographs held out: of each kind (with and without nodule) evenly spaced ones."""
    if val_count < 0:
        raise DataError(f"val_count must be 0 or more, got {val_count}")
    if val_count >= max(len(fold), 1):
        raise DataError(
            f"too few cases in {where}: {val_count} of {len(fold)} would be held out for validation "
            f"(val_count={val_count}), none left to train on. Add cases or lower val_count"
        )
    if not fold:
        return set()
    nodule = [path for path in fold if _kind(path) == "JPCLN"]
    other = [path for path in fold if _kind(path) == "JPCNN"]
    with_nodule = (2 * val_count * len(nodule) + len(fold)) // (2 * len(fold))  # rounded share
    return {*_spaced(nodule, with_nodule), *_spaced(other, val_count - with_nodule)}


def _spaced(paths: list[Path], count: int) -> list[Path]:
    return [paths[(2 * i + 1) * len(paths) // (2 * count)] for i in range(count)]


def _case(root: Path, image: Path) -> dict[str, Any]:
    masks = {}
    for organ in CHEST_ORGANS:
        path = root / "masks" / organ / f"{image.stem}.png"
        if not path.is_file():
            raise DataError(f"no mask of {organ} for {image}: {path} not found. Add it, or take the radiograph away")
        masks[organ] = str(path)
    return {"image": str(image), "masks": masks, "case_id": image.stem, "source": "real"}
