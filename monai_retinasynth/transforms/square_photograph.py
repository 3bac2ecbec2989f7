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
"""A photograph cut to the square around its field of view and reduced by area: what a grading network is shown."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends

from ..utils.errors import DataError
from ..utils.image_io import from_picture, to_picture
from .field_of_view import derive_field_of_view
from .fov_square import cut_out, square_around
from .resample_area import resample_area

__all__ = ["SquarePhotographD", "SquarePhotographDict", "SquarePhotographd", "square_photograph"]


def square_photograph(rgb: np.ndarray, size: int) -> np.ndarray:
    """Cut a photograph to the square around its field of view, black beyond the sensor's edge, and resize it.

    Args:
        rgb: photograph, uint8, shape (H, W, 3).
        size: edge of the result in pixels.

    Returns:
        uint8 picture, shape (size, size, 3).

    Raises:
        DataError: When no field of view is found, see `derive_field_of_view`.
    """
    rows, columns = square_around(derive_field_of_view(rgb))
    reduced = resample_area(from_picture(cut_out(rgb, rows, columns)), (size, size))
    return to_picture(reduced.round().to(torch.uint8))


class SquarePhotographd(MapTransform):
    """Dictionary form of `square_photograph` on image tensors.

    Args:
        keys: keys of photographs, shape (3, X, Y), values 0 to 255; they become float32 tensors (3, size, size) of the
            same range, without metadata.
        size: edge of the result in pixels.
        allow_missing_keys: whether a key may be absent.

    Raises:
        DataError: when no field of view is found; names the file where it is known.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(self, keys: KeysCollection, size: int, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.size = size

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key in self.key_iterator(d):
            picture = np.clip(np.rint(to_picture(d[key])), 0, 255).astype(np.uint8)
            try:
                d[key] = from_picture(square_photograph(picture, self.size)).float()
            except DataError as exception:
                name = getattr(d[key], "meta", {}).get("filename_or_obj", "a photograph")
                raise DataError(f"{name}: {exception}") from exception
        return d


SquarePhotographD = SquarePhotographDict = SquarePhotographd
