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
"""A small JSRT folder: pictures and masks of rectangles, no two alike."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from monai_retinasynth.utils import write_grey

__all__ = ["make_jsrt", "rectangles"]

EDGE = 64
_BOXES = {  # top, bottom, left, right: clavicles half over the lungs, a heart that touches one of them
    "right_lung": (8, 48, 6, 26),
    "left_lung": (8, 50, 38, 58),
    "heart": (30, 46, 24, 40),
    "right_clavicle": (10, 16, 2, 20),
    "left_clavicle": (12, 18, 44, 62),
}


def rectangles(number: int) -> dict[str, np.ndarray]:
    """Organ masks, bool (64, 64), shifted down by the number modulo 4."""
    masks = {}
    for organ, (top, bottom, left, right) in _BOXES.items():
        masks[organ] = np.zeros((EDGE, EDGE), dtype=bool)
        masks[organ][top + number % 4 : bottom + number % 4, left:right] = True
    return masks


def make_jsrt(root: Path, with_nodule: Iterable[int] = range(1, 7), without: Iterable[int] = range(1, 5)) -> Path:
    """JPCLN and JPCNN radiographs of these numbers."""
    for kind, numbers in (("JPCLN", with_nodule), ("JPCNN", without)):
        for number in numbers:
            name = f"{kind}{number:03d}.png"
            picture = np.add.outer(np.arange(EDGE), 2 * np.arange(EDGE)) + number
            corner = 40 if kind == "JPCLN" else 52  # below the organs, so that no two are alike in any grey levels
            picture[56:60, 4 * number : 4 * number + 4] = corner
            write_grey(root / "images" / name, picture.astype(np.uint8))
            for organ, mask in rectangles(number).items():
                write_grey(root / "masks" / organ / name, mask * np.uint8(255))
    return root
