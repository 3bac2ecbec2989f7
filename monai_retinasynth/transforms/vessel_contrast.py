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
"""How dark each vessel of a photograph is, as a condition for a translator.

A label map does not say it, and vessels of one width differ by half of their contrast. A translator that is not told
learns the mean of all, and paints vessels of one contrast. So in training it is told what the photograph shows, along
each vessel, and for a new label map what the measured painter (`PaintVesselsd`) has drawn for it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends

from ..utils.errors import DataError
from ..utils.label_set import LabelSet, get_label_set
from ..utils.log_ratio import log_ratio_to_background
from .field_of_view import field_of_view_scale
from .vessel_geometry import smooth_along, vessel_geometry

__all__ = ["VesselContrast", "VesselContrastD", "VesselContrastDict", "VesselContrastd"]

_SCALE = 0.4  # log ratio of a contrast of 1, about that of a vein in green light
_RANGE = (-1.0, 2.0)


class VesselContrast(Transform):
    """Mean log ratio of photograph to background across each vessel, smoothed along it.

    Args:
        label_set: label set of the label maps, or its name.
        vessel_class: name of the class of the vessels.
        smooth: standard deviation of the smoothing along the vessel, pixels at a field of view 540 pixels wide.
        channel: colour channel that is looked at: green, which shows blood best. Grey pictures have one.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
        vessel_class: str = "vessel",
        smooth: float = 10.0,
        channel: int = 1,
    ) -> None:
        self.vessel_index = get_label_set(label_set).index(vessel_class)
        self.smooth, self.channel = float(smooth), channel

    def __call__(self, photograph: Any, background: Any, label: Any) -> torch.Tensor:
        """
        Args:
            photograph: (C, X, Y), 0..255.
            background: the same photograph without vessels.
            label: label map (1, X, Y), class indices.

        Returns:
            float32 (1, X, Y): contrast of the nearest vessel, 0 not to be seen, 1 dark, within -1..2; 0 in a picture
            without vessels.

        Raises:
            DataError: when sizes differ.
        """
        label_map = np.asarray(label)[0]
        pair = np.asarray(photograph), np.asarray(background)
        if not pair[0].shape[1:] == pair[1].shape[1:] == label_map.shape:
            raise DataError(
                f"photograph, background and label map must have one size, not {pair[0].shape[1:]}, "
                f"{pair[1].shape[1:]} and {label_map.shape}"
            )
        channels = [min(self.channel, len(item) - 1) for item in pair]
        over, under = (item[channel : channel + 1] for item, channel in zip(pair, channels))
        inside = label_map > 0
        scale = field_of_view_scale(inside)
        vessel = label_map == self.vessel_index
        geometry = vessel_geometry(vessel)
        if not len(geometry.points):
            return torch.zeros(1, *label_map.shape)
        ratio = log_ratio_to_background(over, under, inside, scale)[0]
        count = len(geometry.points)
        point = geometry.nearest[vessel]
        sums = np.stack([np.bincount(point, ratio[vessel], count), np.bincount(point, minlength=count)], axis=1)
        sums = smooth_along(sums, geometry.links, self.smooth * scale)
        contrast = -sums[:, 0] / np.maximum(sums[:, 1], 1e-3) / _SCALE
        nearest = np.clip(contrast, *_RANGE).astype(np.float32)[geometry.nearest]
        return torch.from_numpy(nearest)[None]


class VesselContrastd(MapTransform):
    """Dictionary form of `VesselContrast`: puts the contrast before the other channels of the geometry.

    Args:
        keys: key of the photograph, or of what was painted, (C, X, Y), 0..255.
        background_key: key of the background, (V * C, X, Y); the first of several is looked at.
        label_key: key of the label map, (1, X, Y).
        geometry_key: key of what `VesselGeometryd` gives, (3, X, Y), which becomes (4, X, Y).
        label_set: label set of the label maps, or its name.
        vessel_class: name of the class of the vessels.

    Raises:
        DataError: when sizes differ; names the case.
    """

    backend = VesselContrast.backend

    def __init__(
        self,
        keys: KeysCollection = "image",
        background_key: str = "background",
        label_key: str = "label",
        geometry_key: str = "geometry",
        label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
        vessel_class: str = "vessel",
    ) -> None:
        super().__init__(keys)
        self.background_key, self.label_key, self.geometry_key = background_key, label_key, geometry_key
        self.contrast = VesselContrast(label_set, vessel_class)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key in self.key_iterator(d):
            background = d[self.background_key][: len(d[key])]
            try:
                contrast = self.contrast(d[key], background, d[self.label_key])
            except DataError as exception:
                raise DataError(f"case {d.get('case_id', 'without a case_id')}: {exception}") from exception
            d[self.geometry_key] = torch.cat([contrast, d[self.geometry_key]])
        return d


VesselContrastD = VesselContrastDict = VesselContrastd
