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
"""Focus of cameras: photographs made softer or sharper."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.config import KeysCollection
from monai.networks.layers import gaussian_1d
from monai.transforms import RandomizableTransform

from ..utils.errors import ConfigError
from .rand_array import RandArrayd

__all__ = ["RandFocus", "RandFocusD", "RandFocusDict", "RandFocusd"]


class RandFocus(RandomizableTransform):
    """Blurs a picture, or sharpens it by an unsharp mask, or leaves it.

    MONAI's `RandGaussianSmooth` and `RandGaussianSharpen` take what lies beyond the picture for black, which draws a
    dark frame around each crop; here its edge is repeated.

    Args:
        blur: range of the standard deviation of the blur in pixels.
        sharpen: range of the weight of the unsharp mask, image + weight * (image - blurred image).
        blur_prob: probability of a blur.
        sharpen_prob: probability of sharpening.
        mask_sigma: standard deviation in pixels of the blur in the unsharp mask.

    Raises:
        ConfigError: when a range or a probability is none.
    """

    def __init__(
        self,
        blur: Sequence[float] = (0.0, 1.5),
        sharpen: Sequence[float] = (0.0, 1.5),
        blur_prob: float = 0.5,
        sharpen_prob: float = 0.25,
        mask_sigma: float = 1.0,
    ) -> None:
        super().__init__(1.0)
        self.blur = (float(blur[0]), float(blur[1]))
        self.sharpen = (float(sharpen[0]), float(sharpen[1]))
        self.blur_prob = blur_prob
        self.sharpen_prob = sharpen_prob
        self.mask_sigma = mask_sigma
        if not (0 <= self.blur[0] <= self.blur[1] and 0 <= self.sharpen[0] <= self.sharpen[1] and mask_sigma > 0):
            raise ConfigError(f"blur and sharpen are ranges of 0 or more, got {blur} and {sharpen}")
        if min(blur_prob, sharpen_prob) < 0 or blur_prob + sharpen_prob > 1:
            raise ConfigError(f"blur_prob and sharpen_prob together are at most 1, got {blur_prob} and {sharpen_prob}")

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """
        Args:
            image: shape (C, X, Y), float; sharpening may leave the range of its values.
        """
        kind = self.R.uniform()
        if kind < self.blur_prob:
            return _blurred(image, self.R.uniform(*self.blur))
        if kind < self.blur_prob + self.sharpen_prob:
            weight = self.R.uniform(*self.sharpen)
            return image + weight * (image - _blurred(image, self.mask_sigma))
        return image


def _blurred(image: torch.Tensor, sigma: float) -> torch.Tensor:
    if sigma < 0.1:  # the weight of the neighbours is below 1e-6
        return image
    kernel = gaussian_1d(torch.tensor(sigma, dtype=torch.float32), truncated=3.0, approx="erf").to(image)
    kernel = kernel / kernel.sum()
    reach = len(kernel) // 2
    padded = F.pad(image[:, None], [reach] * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))[:, 0]


class RandFocusd(RandArrayd):
    """Dictionary form of `RandFocus`.

    Args:
        keys: keys of the pictures.
        blur: see `RandFocus`.
        sharpen: see `RandFocus`.
        blur_prob: see `RandFocus`.
        sharpen_prob: see `RandFocus`.
        mask_sigma: see `RandFocus`.
        allow_missing_keys: leave cases without picture as they are.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        blur: Sequence[float] = (0.0, 1.5),
        sharpen: Sequence[float] = (0.0, 1.5),
        blur_prob: float = 0.5,
        sharpen_prob: float = 0.25,
        mask_sigma: float = 1.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, RandFocus(blur, sharpen, blur_prob, sharpen_prob, mask_sigma), allow_missing_keys)


RandFocusD = RandFocusDict = RandFocusd
