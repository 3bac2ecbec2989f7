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
"""The outline of one lesion, a union of ellipses in field radii, and how outlines become pixels of any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Lesion", "draw_lesions"]

_LEAST_HALF_AXIS = 0.55  # pixels; a thinner streak would fall to pieces


@dataclass(frozen=True)
class Lesion:
    """One lesion.

    Args:
        class_name: its class in the label set `fundus_lesion`.
        lobes: (N, 5) ellipses, columns x, y, half length, half width (field radii, half width the smaller one) and the
            angle of the length (radians).
        level: y of a horizontal line above which the lesion does not reach, as the blood level of a preretinal
            haemorrhage in a patient who sits upright; `None` where there is none.
    """

    class_name: str
    lobes: np.ndarray
    level: float | None = None

    def centre(self) -> np.ndarray:
        """(2,) mean of the lobes' centres."""
        return self.lobes[:, :2].mean(axis=0)

    def circles(self) -> np.ndarray:
        """(M, 3) x, y, radius of circles that cover about what the lesion covers, for keeping lesions apart."""
        x, y, length, width, angle = self.lobes.T
        count = int(np.clip(np.ceil((length / width).max()), 1, 7))
        along = np.linspace(-1.0, 1.0, count)[:, None] if count > 1 else np.zeros((1, 1))
        along = along * (length - width)
        circles = (x + along * np.cos(angle), y + along * np.sin(angle), width + 0.0 * along)
        return np.stack([item.ravel() for item in circles], axis=-1)


def draw_lesions(
    lesions: Sequence[Lesion], size: tuple[int, int], pixels_per_unit: float, class_names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Draw lesions; every one that lies in the picture gets one pixel at least.

    Args:
        lesions: what to draw.
        size: (H, W) of the picture; the origin of the lesions is its centre.
        pixels_per_unit: radius of the field of view in pixels.
        class_names: classes to draw.

    Returns:
        (H, W) bool mask for each of `class_names`; masks of different classes may overlap.
    """
    masks = {name: np.zeros(size, dtype=bool) for name in class_names}
    middle_x, middle_y = (size[1] - 1) / 2.0, (size[0] - 1) / 2.0
    for lesion in lesions:
        if lesion.class_name not in masks:
            continue
        mask = masks[lesion.class_name]
        top = -np.inf if lesion.level is None else lesion.level * pixels_per_unit + middle_y
        for x, y, length, width, angle in lesion.lobes:
            column, row = x * pixels_per_unit + middle_x, y * pixels_per_unit + middle_y
            half = (max(length * pixels_per_unit, _LEAST_HALF_AXIS), max(width * pixels_per_unit, _LEAST_HALF_AXIS))
            first_row, last_row = max(int(np.ceil(max(row - half[0], top))), 0), int(np.floor(row + half[0])) + 1
            first_column, last_column = max(int(np.ceil(column - half[0])), 0), int(np.floor(column + half[0])) + 1
            window = mask[first_row : max(last_row, 0), first_column : max(last_column, 0)]
            if window.size:
                dy = (np.arange(first_row, first_row + window.shape[0]) - row)[:, None]
                dx = (np.arange(first_column, first_column + window.shape[1]) - column)[None, :]
                along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
                window |= (along / half[0]) ** 2 + (across / half[1]) ** 2 <= 1.0
        # a lesion smaller than a pixel may lie between the pixels' centres
        column, row = np.rint(lesion.centre() * pixels_per_unit + (middle_x, middle_y)).astype(int)
        if lesion.level is None and 0 <= row < size[0] and 0 <= column < size[1]:
            mask[row, column] = True
    return masks
