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
"""What a painter that is bound to a band has to reach: the photograph within the band, the background without."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import MapTransform, Transform

from ..utils.errors import DataError
from ..utils.log_ratio import LEVEL_OFFSET

__all__ = ["BindToBackground", "BindToBackgroundD", "BindToBackgroundDict", "BindToBackgroundd"]


class BindToBackground(Transform):
    """Photograph and background mixed as log ratios: (background + o) * ratio ** share - o.

    A background differs from its photograph also where decoys and the rim of the field of view were filled. There is
    nothing to be painted there, so the target of training is the background itself.

    The share is the band, steepened: the soft walls of a vessel are the photograph's as well.

    Args:
        offset: o, dark level that is added before the ratio is taken, of 255.
        steepness: the share is 1 where the band is 1 / steepness or more, and falls to 0 with it.
    """

    def __init__(self, offset: float = LEVEL_OFFSET, steepness: float = 1.5) -> None:
        self.offset = offset
        self.steepness = steepness

    def __call__(self, photograph: torch.Tensor, background: torch.Tensor, band: torch.Tensor) -> torch.Tensor:
        """
        Args:
            photograph: (C, X, Y), 0..255, any number type.
            background: the same.
            band: (1, X, Y) in [0, 1].

        Returns:
            (C, X, Y) float32, 0..255: the background to the last bit where the band is 0, the photograph where the
            share is 1.
        """
        photograph, background = photograph.float(), background.float()
        ratio = torch.log((photograph + self.offset) / (background + self.offset))
        share = (self.steepness * band.float()).clamp(0.0, 1.0)
        return background + (background + self.offset) * torch.expm1(share * ratio)


class BindToBackgroundd(MapTransform):
    """Dictionary form of `BindToBackground`.

    Args:
        keys: keys of the photographs.
        background_key: key of the background.
        geometry_key: key of what `VesselGeometryd` gives, with the band as last channel.
        offset: see `BindToBackground`.
        steepness: see `BindToBackground`.
        allow_missing_keys: whether a sample may lack the photograph.

    Raises:
        DataError: when photograph, background and band differ in size.
    """

    def __init__(
        self,
        keys: Any = "image",
        background_key: str = "background",
        geometry_key: str = "geometry",
        offset: float = LEVEL_OFFSET,
        steepness: float = 1.5,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.background_key = background_key
        self.geometry_key = geometry_key
        self.bind = BindToBackground(offset, steepness)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        background, band = d[self.background_key], d[self.geometry_key][-1:]
        for key in self.key_iterator(d):
            if not d[key].shape[1:] == background.shape[1:] == band.shape[1:]:
                raise DataError(
                    f"photograph, background and band must have one size, not {tuple(d[key].shape[1:])}, "
                    f"{tuple(background.shape[1:])} and {tuple(band.shape[1:])}"
                )
            d[key] = self.bind(d[key], background, band)
        return d


BindToBackgroundD = BindToBackgroundDict = BindToBackgroundd
