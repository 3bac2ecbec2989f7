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
"""Small data sets in the owners' layouts, drawn for the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

__all__ = ["eye", "make_chase_db1", "make_drive"]

HEIGHT, WIDTH = 24, 32


def eye(shift: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photograph, vessel mask and field of view of one small eye."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    fov = (x - 16) ** 2 + (y - 12) ** 2 <= 11**2
    vessel = (np.abs(y - 8 - shift) < 1) & fov
    return np.where(fov[..., None], (180, 90 - shift, 40), 2).astype(np.uint8), vessel, fov


def _save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # no two photographs are the same file, as eyes of one shift would be
    note = {".tif": "description", ".jpg": "comment"}.get(path.suffix)
    picture = Image.fromarray(array.astype(np.uint8) * 255 if array.dtype == bool else array)
    picture.save(path, **({note: path.name} if note else {}))


def make_drive(root: Path, training: int = 4, test: int = 2, fov: bool = True) -> Path:
    """DRIVE with fewer, smaller eyes: the numbers of its test part first, then those of the training part."""
    for number in range(1, test + training + 1):
        part = "test" if number <= test else "training"
        photograph, vessel, field = eye(number % 5)
        photograph[~field] = number  # of one shift or not, no two eyes are the same photograph
        _save(root / part / "images" / f"{number:02d}_{part}.tif", photograph)
        _save(root / part / "1st_manual" / f"{number:02d}_manual1.gif", vessel)
        if fov:
            _save(root / part / "mask" / f"{number:02d}_{part}_mask.gif", field)
        if part == "test":
            _save(root / part / "2nd_manual" / f"{number:02d}_manual2.gif", vessel)
    return root


def make_chase_db1(root: Path, children: int = 14) -> Path:
    """CHASE_DB1 with smaller eyes."""
    for child in range(1, children + 1):
        for side in "LR":
            photograph, vessel, _ = eye(child % 5)
            _save(root / f"Image_{child:02d}{side}.jpg", photograph)
            for observer in ("1stHO", "2ndHO"):
                _save(root / f"Image_{child:02d}{side}_{observer}.png", vessel)
    return root
