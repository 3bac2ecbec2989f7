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
"""The DRIVE data set (Staal et al., IEEE TMI 23(4), 2004) in its owners' layout."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from monai.data import CacheDataset

from ..transforms.load_fundus_case import LoadFundusCased
from ..utils.errors import DataError, EmptySectionError
from ..utils.image_io import list_images
from .splits import hold_out

__all__ = ["DriveDataset", "is_drive_layout", "list_drive_cases"]

_SECTIONS = ("training", "validation", "test", "all")
_IMAGE = re.compile(r"^(\d+)_(training|test)$")


def is_drive_layout(root_dir: str | os.PathLike) -> bool:
    """Whether the folder (or a DRIVE folder in it) holds training/images or test/images with manual segmentations."""
    root = _root(root_dir)
    return any((root / part / "images").is_dir() for part in ("training", "test")) and (
        any((root / part / "1st_manual").is_dir() for part in ("training", "test"))
    )


def list_drive_cases(
    root_dir: str | os.PathLike, section: str, val_count: int = 2, observer: str = "1st_manual"
) -> list[dict[str, Any]]:
    """Cases of DRIVE with the standard protocol: train on 21-40, test on 01-20.

    Args:
        root_dir: folder with `training` and `test`, or one with a folder `DRIVE` that has them.
        section: `"training"`: 21-40 without the last `val_count`; `"validation"`: these; `"test"`: 01-20; `"all"`.
        val_count: number of training eyes held out for validation.
        observer: folder of the vessel masks, `"1st_manual"` (the reference) or `"2nd_manual"` (test only).

    Returns:
        case dictionaries with absolute paths `image`, `vessel` and `fov` (left out where DRIVE comes without `mask`),
        `case_id` and `source`.

    Raises:
        DataError: When folders or masks are missing; names the folder searched.
    """
    if section not in _SECTIONS:
        raise DataError(f"unknown section {section!r} of DRIVE, use one of {list(_SECTIONS)}")
    root = _root(root_dir)
    if section == "test":
        return _list_part(root, "test", observer)
    if section == "all":
        return [*_list_part(root, "training", observer), *_list_part(root, "test", observer)]
    training, validation = hold_out(_list_part(root, "training", observer), val_count, f"DRIVE training in {root}")
    return training if section == "training" else validation


def _root(root_dir: str | os.PathLike) -> Path:
    root = Path(root_dir).absolute()
    nested = root / "DRIVE"
    return nested if nested.is_dir() and not (root / "training").is_dir() and not (root / "test").is_dir() else root


def _list_part(root: Path, part: str, observer: str) -> list[dict[str, Any]]:
    folder = root / part / "images"
    if not folder.is_dir():
        raise EmptySectionError(
            f"DRIVE's photographs not found: no folder {folder}. Give the folder that holds training/ and test/"
        )
    images = [(path, match) for path in list_images(folder) if (match := _IMAGE.match(path.stem))]
    if not images:
        raise DataError(f"no photograph named like 21_training.tif in {folder}; unpack DRIVE there again")
    cases = []
    manual_name = observer.replace("1st_", "").replace("2nd_", "")  # 1st_manual/21_manual1.gif
    suffix = "2" if observer.startswith("2nd") else "1"
    has_fov = (root / part / "mask").is_dir()
    for path, match in images:
        number = match.group(1)
        case = {
            "image": str(path),
            "vessel": str(_beside(root / part / observer, f"{number}_{manual_name}{suffix}", path)),
        }
        if has_fov:
            case["fov"] = str(_beside(root / part / "mask", f"{path.stem}_mask", path))
        cases.append({**case, "case_id": path.stem, "source": "real"})
    return cases


def _beside(folder: Path, stem: str, image: Path) -> Path:
    """The file `stem` of any image type in `folder`."""
    found = sorted(folder.glob(f"{stem}.*")) if folder.is_dir() else []
    if not found:
        raise DataError(f"no mask for {image}: {stem}.gif not found in {folder}. Add it, or take the photograph away")
    return found[0]


class DriveDataset(CacheDataset):
    """DRIVE as a cached MONAI data set.

    Args:
        root_dir: folder with `training` and `test`, or one with a folder `DRIVE` that has them.
        section: `"training"`, `"validation"`, `"test"` or `"all"`, see `list_drive_cases`.
        transform: transforms of a case dictionary; None for `LoadFundusCased`, which gives `image` and `label`.
        val_count: number of training eyes held out for validation.
        observer: folder of the vessel masks.
        cache_num: see `monai.data.CacheDataset`, as are `cache_rate`, `num_workers`, `progress` and `copy_cache`.

    Example::

        dataset = DriveDataset("data/DRIVE", section="training")
        print(dataset[0]["image"].shape, dataset[0]["label"].shape)
    """

    def __init__(
        self,
        root_dir: str | os.PathLike,
        section: str,
        transform: Sequence[Callable] | Callable | None = None,
        val_count: int = 2,
        observer: str = "1st_manual",
        cache_num: int | None = None,
        cache_rate: float = 1.0,
        num_workers: int | None = 1,
        progress: bool = True,
        copy_cache: bool = True,
    ) -> None:
        super().__init__(
            data=list_drive_cases(root_dir, section, val_count, observer),
            transform=LoadFundusCased() if transform is None else transform,
            **({} if cache_num is None else {"cache_num": cache_num}),
            cache_rate=cache_rate,
            num_workers=num_workers,
            progress=progress,
            copy_cache=copy_cache,
        )
