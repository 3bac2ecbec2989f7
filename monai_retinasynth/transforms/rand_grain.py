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
"""Grain of cameras: fine and coarse noise whose strength varies over the picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.config import KeysCollection
from monai.transforms import RandomizableTransform

from ..utils.errors import ConfigError
from .rand_array import RandArrayd

__all__ = ["RandGrain", "RandGrainD", "RandGrainDict", "RandGraind"]


class RandGrain(RandomizableTransform):
    """Adds noise of two sizes; MONAI's `RandGaussianNoise` has one size and one strength all over.

    Fine noise differs from pixel to pixel, coarse noise is drawn on a grid `coarse_size` pixels wide and enlarged, as
    compression and resampling leave it. A random share of each is mixed, and the sum is multiplied by a smooth map
    between 0 and its highest standard deviation, drawn anew for each picture.

    Args:
        sd: highest standard deviation, for values in [0, 1]; that of a picture is uniform between 0 and this.
        coarse_size: width of the coarse grain in pixels, 2 or more.
        nodes: points along each side between which the strength varies.
        prob: probability that a picture is changed.

    Raises:
        ConfigError: when a number is out of range.
    """

    def __init__(self, sd: float = 0.04, coarse_size: int = 3, nodes: int = 4, prob: float = 1.0) -> None:
        super().__init__(prob)
        if sd < 0 or coarse_size < 2 or nodes < 2:
            raise ConfigError(
                f"grain needs sd >= 0, coarse_size >= 2 and nodes >= 2, got {sd}, {coarse_size} and {nodes}"
            )
        self.sd = sd
        self.coarse_size = coarse_size
        self.nodes = nodes

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """
        Args:
            image: shape (C, X, Y), values in [0, 1]; the result may leave them.
        """
        self.randomize(None)
        if not self._do_transform:
            return image
        size = tuple(image.shape[1:])
        share = self.R.uniform()
        strength = self.R.uniform(0, self.sd) * self.R.uniform(size=(1, 1, self.nodes, self.nodes))
        # torch draws normal numbers five times as fast as numpy
        generator = torch.Generator().manual_seed(int(self.R.randint(2**31)))
        fine = torch.randn(image.shape, generator=generator)
        coarse_shape = (1, len(image), *(-(-side // self.coarse_size) for side in size))
        coarse = F.interpolate(torch.randn(coarse_shape, generator=generator), size, mode="bilinear")[0]
        coarse /= coarse.std().clamp(min=1e-6)  # interpolation between independent values lowers it
        noise = fine.mul_(share**0.5).add_(coarse, alpha=(1 - share) ** 0.5)
        noise *= F.interpolate(torch.as_tensor(strength, dtype=torch.float32), size, mode="bilinear")[0]
        return image + noise.to(image)


class RandGraind(RandArrayd):
    """Dictionary form of `RandGrain`.

    Args:
        keys: keys of the pictures.
        sd: see `RandGrain`.
        coarse_size: see `RandGrain`.
        nodes: see `RandGrain`.
        prob: see `RandGrain`.
        allow_missing_keys: leave cases without picture as they are.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        sd: float = 0.04,
        coarse_size: int = 3,
        nodes: int = 4,
        prob: float = 1.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, RandGrain(sd, coarse_size, nodes, prob), allow_missing_keys)


RandGrainD = RandGrainDict = RandGraind
