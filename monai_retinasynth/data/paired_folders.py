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
"""The layout in which most small fundus sets come: photographs and vessel masks of one name in two folders a part.

"Retina Blood Vessel Segmentation" is one of them: ``Data/train/{image,mask}/01.png``, ``Data/test/{image,mask}``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..utils.errors import DataError, EmptySectionError
from ..utils.image_io import list_images
from .splits import hold_out

__all__ = ["PART_FOLDERS", "is_paired_folders_layout", "list_paired_folder_cases"]

_SECTIONS = ("training", "validation", "test", "all")
PART_FOLDERS = {"training": ("train", "training"), "test": ("test", "testing")}
_IMAGES = ("image", "images")
_MASKS = ("mask", "masks")


def is_paired_folders_layout(root_dir: str | os.PathLike) -> bool:
    """Whether the folder (or a folder Data in it) holds train/image and train/mask (or test/..., or plurals)."""
    root = _root(root_dir)
    parts = [part for names in PART_FOLDERS.values() if (part := _first_folder(root, names)) is not None]
    return any(_first_folder(part, _IMAGES) and _first_folder(part, _MASKS) for part in parts)


def list_paired_folder_cases(root_dir: str | os.PathLike, section: str, val_count: int = 2) -> list[dict[str, Any]]:
    """Cases of a data set with train/image, train/mask, test/image and test/mask, paired by file name.

    Args:
        root_dir: folder with `train` and `test` (or `training`, `testing`), or one with a folder `Data` that has them;
            in each lie `image` and `mask` (or `images`, `masks`).
        section: `"training"`, `"validation"` (its last `val_count` files), `"test"` or `"all"`.
        val_count: number of training pairs held out for validation. Where a set holds turned copies of an eye, as
            "Retina Blood Vessel Segmentation" does, copies of one eye can lie on both sides.

    Returns:
        case dictionaries with absolute paths `image` and `vessel`, `case_id` and `source`. There are no field-of-view
        masks, `LoadFundusCased` derives them.

    Raises:
        DataError: When a folder is missing, or a photograph or mask has no partner; names the files.
    """
    if section not in _SECTIONS:
        raise DataError(f"unknown section {section!r} of {root_dir}, use one of {list(_SECTIONS)}")
    root = _root(root_dir)
    if not root.is_dir():
        raise DataError(f"data set folder not found: {root}")
    if section in ("test", "all"):
        test = _list_part(root, "test")
        return test if section == "test" else [*_list_part(root, "training"), *test]
    training, validation = hold_out(_list_part(root, "training"), val_count, f"the training pairs in {root}")
    return training if section == "training" else validation


def _list_part(root: Path, part: str) -> list[dict[str, Any]]:
    folder = _first_folder(root, PART_FOLDERS[part])
    if folder is None:
        raise EmptySectionError(f"no folder {' or '.join(PART_FOLDERS[part])} in {root}")
    images_dir, masks_dir = _first_folder(folder, _IMAGES), _first_folder(folder, _MASKS)
    if images_dir is None or masks_dir is None:
        names, what = (_IMAGES, "photographs") if images_dir is None else (_MASKS, "masks")
        raise DataError(f"no folder {' or '.join(names)} in {folder}; the {what} of the pairs belong there")
    images, masks = _by_name(images_dir), _by_name(masks_dir)
    if not images and not masks:
        raise DataError(f"no photograph in {images_dir} and no mask in {masks_dir}")
    for have, lack, where in ((images, masks, masks_dir), (masks, images, images_dir)):
        alone = sorted(set(have) - set(lack))
        if alone:
            raise DataError(
                f"{len(alone)} of {len(have)} files have no partner: {have[alone[0]]} needs a file named {alone[0]}.* "
                f"in {where}. Pairs carry the same name; rename, add or remove"
            )
    return [
        {"image": str(images[stem]), "vessel": str(masks[stem]), "case_id": f"{part}_{stem}", "source": "real"}
        for stem in sorted(images)
    ]


def _by_name(folder: Path) -> dict[str, Path]:
    """Image files by their name without ending, which pairs them."""
    files: dict[str, Path] = {}
    for path in list_images(folder):
        other = files.setdefault(path.stem, path)
        if other != path:
            raise DataError(f"{other} and {path} are called the same, so a pair is ambiguous; remove or rename one")
    return files


def _root(root_dir: str | os.PathLike) -> Path:
    root = Path(root_dir).absolute()
    has_parts = any(_first_folder(root, names) for names in PART_FOLDERS.values())
    return root / "Data" if (root / "Data").is_dir() and not has_parts else root


def _first_folder(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)
