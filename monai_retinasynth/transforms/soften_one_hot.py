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
"""Real label maps that a discriminator cannot tell from generated ones by their discreteness alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F

__all__ = ["SoftenOneHot"]


class SoftenOneHot:
    """Mix random distributions into class probabilities.

    A generator ends in a softmax and never puts out exact zeros and ones; real one-hot maps hold nothing else, which
    would decide the game at once. Each real pixel p becomes `p (1 - s r) + s r u`, with s the smoothing, r uniform in
    0..1 and u a random distribution over the classes (uniform on the simplex). The result is a distribution again, and
    with s < 0.5 a one-hot pixel keeps its class.

    Random numbers come from torch's global generator, on the input's device.

    Args:
        smoothing: s, largest share of the random distribution, 0..1.
        grid: None draws r and u for every pixel; a number n draws them on an n x n grid and interpolates, which gives
            softness that varies slowly over the map instead of grain.
        num_classes: the first so many channels are class probabilities, further ones (an image) stay as they are; None
            for all.
        independent: the channels are fields of their own in 0..1, not a distribution: each has its own r and its own u,
            uniform in 0..1.

    Example::

        soft = SoftenOneHot(smoothing=0.1)(one_hot_batch)
    """

    def __init__(
        self,
        smoothing: float = 0.1,
        grid: int | None = None,
        num_classes: int | None = None,
        independent: bool = False,
    ) -> None:
        if not 0 <= smoothing <= 1:
            raise ValueError(f"smoothing must lie in 0..1, got {smoothing}")
        if grid is not None and grid < 1:
            raise ValueError(f"grid must be 1 or more, or None for every pixel, got {grid}")
        self.smoothing = smoothing
        self.grid = grid
        self.num_classes = num_classes
        self.independent = independent

    def __call__(self, probabilities: torch.Tensor) -> torch.Tensor:
        """
        Args:
            probabilities: shape (B, C, X, Y), sum 1 over C (over the first `num_classes` channels) unless independent.

        Returns:
            softened probabilities of the same shape and type.
        """
        if probabilities.ndim != 4:
            raise ValueError(f"expected probabilities of shape (B, C, X, Y), got {tuple(probabilities.shape)}")
        if self.smoothing == 0:
            return probabilities
        if self.num_classes is not None and self.num_classes < probabilities.shape[1]:
            softened = self._soften(probabilities[:, : self.num_classes])
            return torch.cat([softened, probabilities[:, self.num_classes :]], dim=1)
        return self._soften(probabilities)

    def _soften(self, probabilities: torch.Tensor) -> torch.Tensor:
        batch, classes, *shape = probabilities.shape
        drawn = shape if self.grid is None else [min(self.grid, n) for n in shape]
        share = torch.rand(batch, classes if self.independent else 1, *drawn, device=probabilities.device)
        if self.independent:
            noise = torch.rand(batch, classes, *drawn, device=probabilities.device)
        else:
            noise = torch.empty(batch, classes, *drawn, device=probabilities.device).exponential_()
            noise = noise / noise.sum(dim=1, keepdim=True)
        if drawn != shape:
            share = F.interpolate(share, size=shape, mode="bilinear", align_corners=False)
            noise = F.interpolate(noise, size=shape, mode="bilinear", align_corners=False)
        return torch.lerp(probabilities.float(), noise, self.smoothing * share).to(probabilities.dtype)
