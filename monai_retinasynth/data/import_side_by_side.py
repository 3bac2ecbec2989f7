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
"""Taking over a pix2pix set, whose pairs are stored as one picture each, as folders of photographs and masks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from ..utils.atomic_file import atomic_write
from ..utils.errors import ConfigError, DataError
from ..utils.image_io import list_images, open_image, read_mask, write_rgb
from .paired_folders import PART_FOLDERS

__all__ = ["import_side_by_side"]

_SIDES = ("left", "right")


def import_side_by_side(
    pairs_dir: str | os.PathLike | None, output_dir: str | os.PathLike, mask_side: str = "left"
) -> Path:
    """Split pictures that hold a mask and its photograph side by side (256 x 512 in pix2pix) into pairs of files.

    Pairs in `train` and `test` (or `training`, `testing`) of `pairs_dir` are written as `train/image`, `train/mask`,
    `test/image` and `test/mask`, the layout "paired_folders" (see `load_cases`). Masks keep their grey levels; above
    127 is vessel. The parts appear when all pairs are there; after an error nothing is left behind. Other folders of
    `pairs_dir`, such as `val`, are left alone: validation cases are held out of the training ones, see `load_cases`.

    Args:
        pairs_dir: folder of the pix2pix set.
        output_dir: folder of the new data set; it may exist, but hold none of its parts.
        mask_side: `"left"` or `"right"`, the half that is the mask.

    Returns:
        `output_dir`.

    Raises:
        ConfigError: When no folder is given or `mask_side` is unknown.
        DataError: When the folder holds no pairs, a file is unreadable or has halves of different widths, what should
            be a mask is none, or `output_dir` holds a data set; names the file.
    """
    if not pairs_dir:
        raise ConfigError("no folder of side-by-side pairs is given; set pairs_dir to the one that holds train/")
    if mask_side not in _SIDES:
        raise ConfigError(f"mask_side must be one of {list(_SIDES)}, got {mask_side!r}")
    source, target = Path(pairs_dir).absolute(), Path(output_dir).absolute()
    files = _list_pairs(source)
    for part in files:
        if (target / part).exists():
            raise DataError(f"{target / part} exists already; choose another output_dir, or remove it")
    is_new = not target.exists()
    partial = target / ".partial"  # what a killed run left there is made anew
    moved: list[Path] = []
    try:
        shutil.rmtree(partial, ignore_errors=True)
        for part, paths in files.items():
            for path in paths:
                _split(path, partial / part, mask_side)
        for part in files:
            os.replace(partial / part, target / part)
            moved.append(target / part)
    except BaseException:
        for folder in moved:
            shutil.rmtree(folder, ignore_errors=True)
        moved.clear()
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if is_new and not moved and target.is_dir():
            shutil.rmtree(target, ignore_errors=True)
    return target


def _list_pairs(source: Path) -> dict[str, list[Path]]:
    """Files of the parts that are there, by the part's name in the new data set."""
    if not source.is_dir():
        raise DataError(f"folder of side-by-side pairs not found: {source}. Check pairs_dir")
    files: dict[str, list[Path]] = {}
    for names in PART_FOLDERS.values():
        paths = [path for name in names if (source / name).is_dir() for path in list_images(source / name)]
        first: dict[str, Path] = {}
        for path in paths:
            other = first.setdefault(path.stem, path)
            if other != path:
                raise DataError(f"{other} and {path} would become one pair; rename one of them")
        if paths:
            files[names[0]] = paths
    if not files:
        folders = " or ".join(names[0] + "/" for names in PART_FOLDERS.values())
        raise DataError(f"no side-by-side pairs in {source}; they lie in {folders} of it")
    return files


def _split(path: Path, folder: Path, mask_side: str) -> None:
    picture = np.array(open_image(path, "RGB"))
    height, width = picture.shape[:2]
    if width % 2:
        raise DataError(
            f"{path} is {width} x {height} (width x height), so its halves have different sizes. A pair is two "
            f"pictures of one size side by side, {width - 1} or {width + 1} wide here; make it again, or remove it"
        )
    halves = dict(zip(_SIDES, (picture[:, : width // 2], picture[:, width // 2 :])))
    mask_path = folder / "mask" / f"{path.stem}.png"
    _write_mask(mask_path, halves.pop(mask_side))
    try:
        read_mask(mask_path)
    except DataError as exception:
        ((other_side, other),) = halves.items()
        reason = str(exception).replace(str(mask_path), f"of {path} ({mask_side} half)")
        raise DataError(f"{reason} {_advice(mask_path, other, other_side)}") from exception
    (photograph,) = halves.values()
    write_rgb(folder / "image" / f"{path.stem}.png", photograph)


def _advice(path: Path, other: np.ndarray, other_side: str) -> str:
    """What works instead, where the mask is none: perhaps it lies in the other half."""
    _write_mask(path, other)
    try:
        read_mask(path)
    except DataError:
        return "The other half is no mask either; each file holds a mask and its photograph"
    return f"The other half is one: set mask_side to {other_side!r}"


def _write_mask(path: Path, half: np.ndarray) -> None:
    grey = Image.fromarray(np.ascontiguousarray(half)).convert("L")
    with atomic_write(path) as file:
        grey.save(file, format="PNG")
