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
"""Where in the eye a pixel lies: coordinates inside the field of view, as extra channels of a condition.

A network that is trained on crops cannot see whether a crop lies near the disc or at the rim; with these two channels
it can (Liu et al., NeurIPS 2018, coordinate convolution), and the optic disc ends up in one place.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends

from ..utils.errors import DataError

__all__ = [
    "FieldOfViewCoordinates",
    "FieldOfViewCoordinatesD",
    "FieldOfViewCoordinatesDict",
    "FieldOfViewCoordinatesd",
]


class FieldOfViewCoordinates(Transform):
    """Position of each pixel in the circle around the field of view. Apply it before any crop.

    The circle has the centre of the field of view's bounding box and its longer side as diameter, so one that the
    sensor cut off at the top and bottom is completed. Rows and columns with hardly any field of view (under 2 %
    of the fullest one) do not count: stray pixels of a generated map do not shift the circle.

    Args:
        outside_class: class index outside the field of view.
    """

    backend = [TransformBackends.TORCH]

    def __init__(self, outside_class: int = 0) -> None:
        self.outside_class = outside_class

    def __call__(self, label: torch.Tensor) -> torch.Tensor:
        """
        Args:
            label: class indices, shape (1, X, Y).

        Returns:
            float32, shape (2, X, Y): x and y, -1 at the circle's left and upper end, 1 at the right and lower one,
            clipped to -1..1 beyond it.

        Raises:
            DataError: When the map has no field of view.
        """
        if label.ndim != 3 or label.shape[0] != 1:
            raise ValueError(f"expected a label map of shape (1, X, Y), got {tuple(label.shape)}")
        inside = label[0] != self.outside_class
        extents = [_extent(inside.sum(dim=1)), _extent(inside.sum(dim=0))]
        radius = max(last - first + 1 for first, last in extents) / 2
        axes = []
        for (first, last), length in zip(extents, inside.shape):
            position = torch.arange(length, dtype=torch.float32, device=label.device)
            axes.append(((position - (first + last) / 2) / radius).clamp_(-1, 1))
        x = axes[0][:, None].expand(inside.shape)
        y = axes[1][None, :].expand(inside.shape)
        return torch.stack([x, y])


def _extent(counts: torch.Tensor) -> tuple[int, int]:
    if int(counts.max()) == 0:
        raise DataError("the label map has no field of view: every pixel lies outside")
    full = torch.nonzero(counts >= max(1.0, 0.02 * float(counts.max())))
    return int(full[0]), int(full[-1])


class FieldOfViewCoordinatesd(MapTransform):
    """Dictionary form of `FieldOfViewCoordinates`.

    Args:
        keys: key of the label map, shape (1, X, Y).
        output_key: key for the coordinates, shape (2, X, Y).
        outside_class: class index outside the field of view.
        allow_missing_keys: whether a missing key is passed over.
    """

    backend = FieldOfViewCoordinates.backend

    def __init__(
        self,
        keys: KeysCollection = "label",
        output_key: str = "coordinates",
        outside_class: int = 0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if len(self.keys) != 1:
            raise ValueError(f"give one key, got {self.keys}")
        self.output_key = output_key
        self.transform = FieldOfViewCoordinates(outside_class)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[self.output_key] = self.transform(torch.as_tensor(d[key]))
        return d


FieldOfViewCoordinatesD = FieldOfViewCoordinatesDict = FieldOfViewCoordinatesd
