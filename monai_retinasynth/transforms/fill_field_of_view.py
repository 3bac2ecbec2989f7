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
"""A drawn field of view made whole: a camera sees one disc, without islands outside it or holes inside."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from scipy import ndimage

__all__ = ["FillFieldOfView", "FillFieldOfViewD", "FillFieldOfViewDict", "FillFieldOfViewd"]


class FillFieldOfView(Transform):
    """Keep the largest piece of the field of view, and fill the holes in it with one class.

    For label maps that a generator drew: its class "outside" may show up as specks inside the retina, which the real
    label maps never have.

    Args:
        outside_class: class index outside the field of view.
        fill_class: class index for the holes, usually the retina.
    """

    def __init__(self, outside_class: int = 0, fill_class: int = 1) -> None:
        self.outside_class = outside_class
        self.fill_class = fill_class

    def __call__(self, label: torch.Tensor) -> torch.Tensor:
        """
        Args:
            label: class indices, shape (1, X, Y).

        Returns:
            the label map made whole, of the same shape and type; one that lies all outside is returned as it is.
        """
        inside = (label[0] != self.outside_class).cpu().numpy()
        pieces, count = ndimage.label(inside)
        if count == 0:
            return label
        largest = pieces == ndimage.sum_labels(inside, pieces, range(1, count + 1)).argmax() + 1
        whole = torch.from_numpy(ndimage.binary_fill_holes(largest)).to(label.device)
        filled = torch.where(label[0] == self.outside_class, self.fill_class, label[0])
        return torch.where(whole, filled, self.outside_class)[None].to(label.dtype)


class FillFieldOfViewd(MapTransform):
    """Dictionary form of `FillFieldOfView`.

    Args:
        keys: keys of the label maps.
        outside_class: see `FillFieldOfView`.
        fill_class: see `FillFieldOfView`.
        allow_missing_keys: leave cases without label map as they are.
    """

    def __init__(
        self, keys: KeysCollection, outside_class: int = 0, fill_class: int = 1, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = FillFieldOfView(outside_class, fill_class)

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self.transform(d[key])
        return d


FillFieldOfViewD = FillFieldOfViewDict = FillFieldOfViewd
