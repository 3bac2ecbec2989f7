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
"""The masks of a radiograph's organs from their files, as what a segmentation is scored against."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import Transform

from ..utils.chest_organs import CHEST_ORGANS
from ..utils.errors import DataError
from ..utils.image_io import from_picture, read_mask
from .compose_chest_label_map import organ_masks
from .load_fundus_case import checked_size
from .resample_area import resample_area

__all__ = ["LoadOrganMasksD", "LoadOrganMasksDict", "LoadOrganMasksd"]


class LoadOrganMasksd(Transform):
    """Load the organ masks of a case dictionary; comes after `LoadFundusCased`, which loads the label map.

    Input: `masks` (organ -> path of a mask of 0 and 255) and `label`, tensor (1, X, Y). Output: `masks`, uint8 tensor
    (organs, X, Y) of 0 and 1, in the order of `CHEST_ORGANS`; all other keys pass through.

    A case without `masks` gets those that its label map holds (`organ_masks`), for that is then all the truth there
    is: the lung ends at the heart, and an organ that the label map lacks has an empty mask.

    Args:
        spatial_size: (X, Y), or one number for both, to which masks are resized by area averaging, a half counting as
            organ; give what `LoadFundusCased` has. None keeps the size of the files.
        masks_key: key of the masks.
        label_key: key of the label map, of the label set `chest_organ`.
        case_key: key of the case's name, for messages.

    Raises:
        ConfigError: When `spatial_size` is no size.
        DataError: When a mask is missing, unreadable, empty (perhaps only after resizing), holds unexpected values, or
            has another size than the label map; names the organ and the file.
    """

    def __init__(
        self,
        spatial_size: Sequence[int] | int | None = None,
        masks_key: str = "masks",
        label_key: str = "label",
        case_key: str = "case_id",
    ) -> None:
        self.spatial_size = None if spatial_size is None else checked_size(spatial_size)
        self.masks_key = masks_key
        self.label_key = label_key
        self.case_key = case_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        label = torch.as_tensor(d[self.label_key])
        paths = d.get(self.masks_key)
        if paths is None:
            composed = organ_masks(label[0].cpu().numpy())
            masks = torch.from_numpy(np.stack([composed[organ] for organ in CHEST_ORGANS]))
        else:
            name = d.get(self.case_key, "without a name")
            masks = torch.stack([self._load(organ, paths.get(organ), name, label) for organ in CHEST_ORGANS])
        d[self.masks_key] = masks.to(torch.uint8)
        return d

    def _load(self, organ: str, path: Any, name: Any, label: torch.Tensor) -> torch.Tensor:
        """Bool mask (X, Y) of an organ."""
        if path is None:
            raise DataError(
                f"the case {name} has no mask of {organ}; name one for each of {list(CHEST_ORGANS)}, or no 'masks' at "
                "all to take them from the label map"
            )
        try:
            picture = read_mask(path)
        except DataError as exception:
            raise DataError(f"the mask of {organ} of case {name}: {exception}") from exception
        if not picture.any():
            raise DataError(f"the mask of {organ} {path} is empty; outline the organ, or leave the radiograph out")
        mask = from_picture(picture)
        if self.spatial_size is not None and tuple(mask.shape[1:]) != self.spatial_size:
            mask = resample_area(mask, self.spatial_size) > 0.5 - 1e-6  # a half counts, whatever the rounding
            if not mask.any():
                size = " x ".join(map(str, self.spatial_size))
                raise DataError(f"nothing is left of {organ} {path} at {size} pixels; choose a larger size")
        if mask.shape[1:] != label.shape[1:]:
            sizes = [" x ".join(map(str, shape[1:])) for shape in (mask.shape, label.shape)]
            raise DataError(
                f"sizes differ: the mask of {organ} {path} is {sizes[0]}, the label map of case {name} is {sizes[1]} "
                "(width x height). Give each radiograph masks of its own size"
            )
        return mask[0]


LoadOrganMasksD = LoadOrganMasksDict = LoadOrganMasksd
