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
"""Placing the optic disc of a label map by hand: the disc moves, retina closes where it was, vessels stay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from ..utils.errors import DataError
from ..utils.label_set import LabelSet, get_label_set

__all__ = ["mirror_disc", "move_disc"]


def move_disc(
    label_map: np.ndarray, offset: Sequence[float], label_set: str | LabelSet = "fundus_disc_vessel"
) -> np.ndarray:
    """Move the optic disc of a label map.

    The disc is completed under the vessels that cross it (it is convex), so that it is whole in its new place; there,
    too, it passes under the vessels and ends at the field of view. Vessels are not moved: a tree that shall leave the
    disc in its new place has to be drawn.

    Args:
        label_map: class indices, shape (H, W).
        offset: pixels to the right and down, rounded to whole ones.
        label_set: label set with the classes "outside", "retina", "optic_disc" and "vessel".

    Returns:
        uint8 class indices of the same shape.

    Raises:
        DataError: When the map has no disc, or none is left of it inside the field of view.
    """
    labels = get_label_set(label_set)
    label_map = np.asarray(label_map)
    disc = _whole_disc(label_map, labels)
    right, down = (round(float(step)) for step in offset)
    moved = ndimage.shift(disc.astype(np.uint8), (down, right), order=0) > 0
    placed = moved & (label_map != labels.index("outside"))
    if not placed.any():
        raise DataError(
            f"moved by {right} pixels to the right and {down} down, nothing of the optic disc is left in the field of "
            "view; choose a smaller offset"
        )
    result = label_map.astype(np.uint8)
    result[result == labels.index("optic_disc")] = labels.index("retina")
    result[placed & (label_map != labels.index("vessel"))] = labels.index("optic_disc")
    return result


def mirror_disc(label_map: np.ndarray, label_set: str | LabelSet = "fundus_disc_vessel") -> np.ndarray:
    """Move the optic disc to the other side of the field of view, as far from its vertical middle as before.

    Args:
        label_map: class indices, shape (H, W).
        label_set: see `move_disc`.

    Returns:
        uint8 class indices of the same shape.

    Raises:
        DataError: see `move_disc`.
    """
    labels = get_label_set(label_set)
    disc = np.flatnonzero(_whole_disc(np.asarray(label_map), labels).any(axis=0))
    fov = np.flatnonzero((np.asarray(label_map) != labels.index("outside")).any(axis=0))
    return move_disc(label_map, (float(fov[0] + fov[-1] - disc[0] - disc[-1]), 0.0), labels)


def _whole_disc(label_map: np.ndarray, labels: LabelSet) -> np.ndarray:
    if label_map.ndim != 2:
        raise DataError(f"a label map has shape (H, W), got {label_map.shape}")
    disc = label_map == labels.index("optic_disc")
    if not disc.any():
        raise DataError("the label map shows no optic disc that could be moved")
    return convex_hull_image(disc) & (disc | (label_map == labels.index("vessel")))
