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
"""The CHASE_DB1 data set (Fraz et al., IEEE TBME 59(9), 2012) in its owners' layout."""

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

__all__ = ["CHASE_DB1_SPLITS", "ChaseDB1Dataset", "is_chase_db1_layout", "list_chase_db1_cases"]

# the two splits in use, by photographs for training / test: number of children (two eyes each) that train
CHASE_DB1_SPLITS = {"20/8": 10, "8/20": 4}

_SECTIONS = ("training", "validation", "test", "all")
_IMAGE = re.compile(r"^Image_(\d+)([LR])$")


def is_chase_db1_layout(root_dir: str | os.PathLike) -> bool:
    """Whether the folder (or a CHASE_DB1 folder in it) holds photographs named like Image_01L.jpg."""
    root = _root(root_dir)
    return root.is_dir() and any(_IMAGE.match(path.stem) for path in list_images(root))


def list_chase_db1_cases(
    root_dir: str | os.PathLike, section: str, val_count: int = 2, split: str = "20/8", observer: str = "1stHO"
) -> list[dict[str, Any]]:
    """Cases of CHASE_DB1, the two eyes of a child always in one section.

    Args:
        root_dir: folder with the photographs and masks, or one with a folder `CHASE_DB1` that has them.
        section: `"training"`, `"validation"` (the last children of the training part), `"test"` or `"all"`.
        val_count: number of photographs held out for validation, rounded up to whole children.
        split: `"20/8"`: the first ten children train, the last four test; `"8/20"`: the first four train, ten test.
        observer: `"1stHO"` (the reference) or `"2ndHO"`.

    Returns:
        case dictionaries with absolute paths `image` and `vessel`, `case_id` and `source`. There are no field-of-view
        masks, `LoadFundusCased` derives them.

    Raises:
        DataError: When the folder or masks are missing; names the folder searched.
    """
    if section not in _SECTIONS:
        raise DataError(f"unknown section {section!r} of CHASE_DB1, use one of {list(_SECTIONS)}")
    if split not in CHASE_DB1_SPLITS:
        raise DataError(f"unknown split {split!r} of CHASE_DB1, use one of {list(CHASE_DB1_SPLITS)}")
    root = _root(root_dir)
    if not root.is_dir():
        raise DataError(f"CHASE_DB1 not found: no folder {root}")
    children: dict[int, list[dict[str, Any]]] = {}
    for path in list_images(root):
        match = _IMAGE.match(path.stem)
        if match is None:
            continue
        masks = sorted(root.glob(f"{path.stem}_{observer}.*"))
        if not masks:
            raise DataError(
                f"no mask for {path}: {path.stem}_{observer}.png not found in {root}. Add it, or take the "
                "photograph away"
            )
        case = {"image": str(path), "vessel": str(masks[0]), "case_id": path.stem, "source": "real"}
        children.setdefault(int(match.group(1)), []).append(case)
    if not children:
        raise DataError(f"no photograph named like Image_01L.jpg in {root}; unpack CHASE_DB1 there again")
    numbers = sorted(children)
    if section == "all":
        return _flat(children, numbers)
    training_children = numbers[: CHASE_DB1_SPLITS[split]]
    if section == "test":
        test_children = numbers[CHASE_DB1_SPLITS[split] :]
        if not test_children:
            raise EmptySectionError(
                f"too few cases in {root}: split {split} leaves no child to test on, {len(numbers)} found"
            )
        return _flat(children, test_children)
    groups = [{"child": n} for n in training_children]
    held_children = -(-val_count // 2) if val_count >= 0 else val_count
    kept, held = hold_out(groups, held_children, f"CHASE_DB1 training, split {split}, in {root} (children)")
    return _flat(children, [group["child"] for group in (kept if section == "training" else held)])


def _flat(children: dict[int, list[dict[str, Any]]], numbers: Sequence[int]) -> list[dict[str, Any]]:
    return [case for number in numbers for case in children[number]]


def _root(root_dir: str | os.PathLike) -> Path:
    root = Path(root_dir).absolute()
    nested = root / "CHASE_DB1"
    return nested if nested.is_dir() else root


class ChaseDB1Dataset(CacheDataset):
    """CHASE_DB1 as a cached MONAI data set.

    Args:
        root_dir: folder with the photographs and masks, or one with a folder `CHASE_DB1` that has them.
        section: `"training"`, `"validation"`, `"test"` or `"all"`, see `list_chase_db1_cases`.
        transform: transforms of a case dictionary; None for `LoadFundusCased`, which gives `image` and `label`.
        val_count: number of photographs held out for validation, rounded up to whole children.
        split: `"20/8"` or `"8/20"`.
        observer: `"1stHO"` or `"2ndHO"`.
        cache_num: see `monai.data.CacheDataset`, as are `cache_rate`, `num_workers`, `progress` and `copy_cache`.
    """

    def __init__(
        self,
        root_dir: str | os.PathLike,
        section: str,
        transform: Sequence[Callable] | Callable | None = None,
        val_count: int = 2,
        split: str = "20/8",
        observer: str = "1stHO",
        cache_num: int | None = None,
        cache_rate: float = 1.0,
        num_workers: int | None = 1,
        progress: bool = True,
        copy_cache: bool = True,
    ) -> None:
        super().__init__(
            data=list_chase_db1_cases(root_dir, section, val_count, split, observer),
            transform=LoadFundusCased() if transform is None else transform,
            **({} if cache_num is None else {"cache_num": cache_num}),
            cache_rate=cache_rate,
            num_workers=num_workers,
            progress=progress,
            copy_cache=copy_cache,
        )
