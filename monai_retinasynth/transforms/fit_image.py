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
"""Images brought to the grid of a generator and back, exactly as `class_probabilities` does it with their label maps.

For networks that make an image and its label map together: the two must stay aligned whatever the aspect ratio.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends

from .fit_grid import area_matrix, cubic_matrix, fit_grid

__all__ = [
    "ExpandImageD",
    "ExpandImageDict",
    "ExpandImaged",
    "ReduceImageD",
    "ReduceImageDict",
    "ReduceImaged",
    "expand_image",
    "reduce_image",
]


def reduce_image(image: torch.Tensor, size: Sequence[int], border: float = 0.0) -> torch.Tensor:
    """Mean of an image over each pixel of a smaller grid, see `reduce_label_map`.

    Args:
        image: shape (C, X, Y), any real type.
        size: (x, y) of the result; another aspect ratio than X / Y is reached by adding `border` evenly on two sides.
        border: value beyond the image.

    Returns:
        float32 tensor, shape (C, x, y), same value range.
    """
    if image.ndim != 3:
        raise ValueError(f"expected an image of shape (C, X, Y), got {tuple(image.shape)}")
    step, offsets = fit_grid(image.shape[1:], size)
    along_x = area_matrix(image.shape[1], int(size[0]), step, offsets[0]).to(image.device)
    along_y = area_matrix(image.shape[2], int(size[1]), step, offsets[1]).to(image.device)
    return along_x @ (image.float() - border) @ along_y.T + border


def expand_image(image: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """An image at another, usually finer, resolution by cubic interpolation: the way back from `reduce_image`.

    Args:
        image: shape (C, x, y).
        size: (X, Y) of the result; what another aspect ratio added on two sides is cropped.

    Returns:
        float32 tensor, shape (C, X, Y), within the range of the values given.
    """
    if image.ndim != 3:
        raise ValueError(f"expected an image of shape (C, x, y), got {tuple(image.shape)}")
    step, offsets = fit_grid(size, image.shape[1:])
    along_x = cubic_matrix(int(size[0]), image.shape[1], step, offsets[0]).to(image.device)
    along_y = cubic_matrix(int(size[1]), image.shape[2], step, offsets[1]).to(image.device)
    # cubic interpolation overshoots at edges
    return (along_x @ image.float() @ along_y.T).clamp_(float(image.min()), float(image.max()))


class ReduceImaged(MapTransform):
    """Dictionary form of `reduce_image`: images (C, X, Y) become float32 (C, x, y).

    Args:
        keys: keys of images.
        size: (x, y).
        border: value beyond the image.
        allow_missing_keys: whether a missing key is passed over.
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self, keys: KeysCollection, size: Sequence[int], border: float = 0.0, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.size = tuple(size)
        self.border = border

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = reduce_image(torch.as_tensor(d[key]), self.size, self.border)
        return d


class ExpandImaged(MapTransform):
    """Dictionary form of `expand_image`: images (C, x, y) become float32 (C, X, Y).

    Args:
        keys: keys of images.
        size: (X, Y).
        allow_missing_keys: whether a missing key is passed over.
    """

    backend = [TransformBackends.TORCH]

    def __init__(self, keys: KeysCollection, size: Sequence[int], allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.size = tuple(size)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = expand_image(torch.as_tensor(d[key]), self.size)
        return d


ReduceImageD = ReduceImageDict = ReduceImaged
ExpandImageD = ExpandImageDict = ExpandImaged
