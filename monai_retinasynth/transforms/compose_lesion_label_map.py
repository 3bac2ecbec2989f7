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
"""A label map with lesions put together from the masks of an eye: later classes of the label set lie on top."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..utils.errors import DataError
from ..utils.label_set import LabelSet, get_label_set

__all__ = ["compose_lesion_label_map"]


def compose_lesion_label_map(
    fov: np.ndarray, masks: Mapping[str, np.ndarray], label_set: str | LabelSet = "fundus_lesion"
) -> np.ndarray:
    """Compose the label map of an eye from its field of view and one mask for each structure.

    Structures are drawn in the order of the label set, whatever the order of the masks, so where two overlap the later
    class stays: in `fundus_lesion` vessel, optic disc, soft exudate, haemorrhage, hard exudate, microaneurysm.

    Args:
        fov: field of view, shape (H, W), bool or 0/1.
        masks: mask of each structure by its class name, same shape, bool or 0/1; a class without a mask is not there.
            What lies outside the field of view is left out.
        label_set: label set with the classes "outside" and "retina" and those of the masks.

    Returns:
        uint8 class indices, shape (H, W).

    Raises:
        DataError: When a mask has another shape, or a name is no structure of the label set.
    """
    labels = get_label_set(label_set)
    outside, retina = labels.index("outside"), labels.index("retina")
    unknown = sorted(
        name for name in masks if name not in labels.class_names or labels.index(name) in (outside, retina)
    )
    if unknown:
        structures = [n for n in labels.class_names if n not in ("outside", "retina")]
        raise DataError(f"label set {labels.name!r} has no structure {unknown}, it has {structures}")
    fov = np.asarray(fov, dtype=bool)
    label_map = np.where(fov, np.uint8(retina), np.uint8(outside))
    for name in sorted(masks, key=labels.index):
        mask = np.asarray(masks[name], dtype=bool)
        if mask.shape != fov.shape:
            raise DataError(f"the mask of {name} {mask.shape} and the field of view {fov.shape} differ in size")
        label_map[mask & fov] = labels.index(name)
    return label_map
