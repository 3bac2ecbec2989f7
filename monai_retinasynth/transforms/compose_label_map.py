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
"""A fundus label map put together from its parts: 0 outside the field of view, 1 retina, 2 vessel."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends

from ..utils.errors import DataError

__all__ = [
    "ComposeFundusLabelMapD",
    "ComposeFundusLabelMapDict",
    "ComposeFundusLabelMapd",
    "compose_fundus_label_map",
]


def compose_fundus_label_map(vessel: np.ndarray, fov: np.ndarray) -> np.ndarray:
    """Compose the `fundus_vessel` label map of an eye.

    Args:
        vessel: vessels, bool or 0/1; pixels outside the field of view become outside.
        fov: field of view, bool or 0/1, same shape.

    Returns:
        uint8 class indices of the same shape: 0 outside, 1 retina, 2 vessel.

    Raises:
        DataError: When the shapes differ.
    """
    vessel, fov = np.asarray(vessel, dtype=bool), np.asarray(fov, dtype=bool)
    if vessel.shape != fov.shape:
        raise DataError(f"vessel mask {vessel.shape} and field of view {fov.shape} differ in size")
    return fov.astype(np.uint8) + (vessel & fov).astype(np.uint8)


class ComposeFundusLabelMapd(MapTransform):
    """Dictionary form of `compose_fundus_label_map`.

    Args:
        keys: keys of the vessel masks; the label map takes the key's place. Tensors of any shape, above 0 is vessel.
        fov_key: key of the field of view.
        allow_missing_keys: whether a missing key is passed over.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(self, keys: KeysCollection = "label", fov_key: str = "fov", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.fov_key = fov_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        fov = np.asarray(d[self.fov_key]) > 0
        for key in self.key_iterator(d):
            d[key] = torch.from_numpy(compose_fundus_label_map(np.asarray(d[key]) > 0, fov))
        return d


ComposeFundusLabelMapD = ComposeFundusLabelMapDict = ComposeFundusLabelMapd
