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
"""Response curves of cameras: a gamma of its own for each colour channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import RandomizableTransform

from ..utils.errors import ConfigError
from .rand_array import RandArrayd

__all__ = ["RandChannelGamma", "RandChannelGammaD", "RandChannelGammaDict", "RandChannelGammad"]


class RandChannelGamma(RandomizableTransform):
    """Raises each channel to a power of its own; MONAI's `RandAdjustContrast` has one for all channels.

    Args:
        gamma: range of the power; its logarithm is uniform, so that brightening and darkening are alike.
        prob: probability that a picture is changed.

    Raises:
        ConfigError: when the range is not 0 < low <= high.
    """

    def __init__(self, gamma: Sequence[float] = (0.7, 1.4), prob: float = 1.0) -> None:
        super().__init__(prob)
        self.low, self.high = (float(value) for value in gamma)
        if not 0 < self.low <= self.high:
            raise ConfigError(f"gamma is a range of positive numbers such as [0.7, 1.4], got {list(gamma)}")

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """
        Args:
            image: shape (C, X, Y), values in [0, 1]; values below 0 are taken for 0.
        """
        self.randomize(None)
        if not self._do_transform:
            return image
        powers = np.exp(self.R.uniform(np.log(self.low), np.log(self.high), len(image)))
        return image.clamp(min=0) ** torch.as_tensor(powers, dtype=image.dtype, device=image.device)[:, None, None]


class RandChannelGammad(RandArrayd):
    """Dictionary form of `RandChannelGamma`.

    Args:
        keys: keys of the pictures.
        gamma: see `RandChannelGamma`.
        prob: see `RandChannelGamma`.
        allow_missing_keys: leave cases without picture as they are.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        gamma: Sequence[float] = (0.7, 1.4),
        prob: float = 1.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, RandChannelGamma(gamma, prob), allow_missing_keys)


RandChannelGammaD = RandChannelGammaDict = RandChannelGammad
