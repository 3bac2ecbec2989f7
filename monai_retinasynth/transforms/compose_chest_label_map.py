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
"""One label map of the five organ masks of a chest radiograph, and the masks back from it.

The masks of a radiograph overlap, since it is a projection: clavicles lie on the lungs, and a heart outlined by hand
runs a few pixels into them. A clavicle on the lung of its side is a class of its own, so both organs come back whole;
the seam between heart and lung becomes heart, as a reader would see it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..utils.chest_organs import CHEST_ORGANS
from ..utils.errors import DataError
from ..utils.label_set import CHEST_ORGAN

__all__ = ["compose_chest_label_map", "organ_masks"]


def compose_chest_label_map(masks: Mapping[str, np.ndarray]) -> np.ndarray:
    """Compose the `chest_organ` label map of a radiograph.

    Where organs overlap: heart over lung, clavicle over all (on the lung of its side it is "clavicle over lung"), left
    clavicle over right one.

    Args:
        masks: mask of each of the five organs of `CHEST_ORGANS`, shape (H, W): bool, or 0 and one other value.

    Returns:
        uint8 class indices, shape (H, W).

    Raises:
        DataError: When an organ is missing, unknown or empty, or a mask has another size or more than two values.
    """
    missing = [organ for organ in CHEST_ORGANS if organ not in masks]
    unknown = sorted(set(masks) - set(CHEST_ORGANS))
    if missing or unknown:
        what = f"masks are missing for {missing}" if missing else f"there are masks of {unknown}"
        raise DataError(f"{what}; a chest label map is made of one mask for each of {list(CHEST_ORGANS)}")
    checked = {organ: _checked(organ, masks[organ]) for organ in CHEST_ORGANS}
    shape = checked["heart"].shape
    for organ, mask in checked.items():
        if mask.shape != shape:
            raise DataError(f"the mask of {organ} {mask.shape} and that of heart {shape} differ in size")
    label_map = np.zeros(shape, dtype=np.uint8)
    for organ in ("right_lung", "left_lung", "heart"):
        label_map[checked[organ]] = CHEST_ORGAN.index(organ)
    for side in ("right", "left"):
        clavicle, lung = checked[f"{side}_clavicle"], checked[f"{side}_lung"]
        label_map[clavicle] = CHEST_ORGAN.index(f"{side}_clavicle")
        label_map[clavicle & lung] = CHEST_ORGAN.index(f"{side}_clavicle_over_lung")
    return label_map


def organ_masks(label_map: np.ndarray) -> dict[str, np.ndarray]:
    """The mask of each organ of a `chest_organ` label map.

    The inverse of `compose_chest_label_map`, but for lung under the heart, which the label map does not keep.

    Args:
        label_map: class indices, any shape, such as (H, W).

    Returns:
        organ of `CHEST_ORGANS` -> bool mask of the same shape; all False where the label map lacks the organ.

    Raises:
        DataError: When a value is no class of the label set.
    """
    label_map = np.asarray(label_map)
    if label_map.size and (label_map.min() < 0 or label_map.max() >= CHEST_ORGAN.num_classes):
        raise DataError(
            f"label map holds values {label_map.min()} to {label_map.max()}, "
            f"label set {CHEST_ORGAN.name!r} has classes 0 to {CHEST_ORGAN.num_classes - 1}"
        )
    return {
        organ: np.isin(label_map, [CHEST_ORGAN.index(name) for name in classes])
        for organ, classes in CHEST_ORGANS.items()
    }


def _checked(organ: str, mask: np.ndarray) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.size == 0:
        raise DataError(f"the mask of {organ} has shape {mask.shape}, a mask has shape (H, W)")
    values = np.unique(mask)
    if len(values) > 2 or values[0] != 0:
        shown = ", ".join(map(str, values[:6])) + (", ..." if len(values) > 6 else "")
        raise DataError(
            f"unexpected values in the mask of {organ}: {shown}. A mask holds 0 and one other value, with 0 where the "
            "organ is not"
        )
    if len(values) == 1:
        raise DataError(f"the mask of {organ} is empty; outline the organ, or leave the radiograph out")
    return mask != 0
