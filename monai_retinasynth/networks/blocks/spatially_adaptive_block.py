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
"""The residual block of the SPADE generator (Park et al. 2019, figure 4a), with the doubling before it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm as with_spectral_norm

from .spatially_adaptive_norm import SpatiallyAdaptiveNorm, SpatialModulation

__all__ = ["SpatiallyAdaptiveBlock"]


class SpatiallyAdaptiveBlock(nn.Module):
    """Twice adaptive norm, LeakyReLU 0.2 and 3x3 convolution, beside a shortcut: (B, C, X, Y) -> (B, C', X, Y).

    Where the channels change, the shortcut is an adaptive norm and a 1x1 convolution. It normalises the same map as
    the first norm, so that is computed once, and before a doubling, which changes no statistic.

    Args:
        in_channels: C.
        out_channels: C'.
        condition_channels: channels of the condition.
        doubles: whether the map is doubled first (nearest neighbour), to (B, C', 2X, 2Y).
        norm: "instance", "batch" or "pixel".
        spectral_norm: whether the convolutions' weights are divided by their largest singular value (Miyato et al.
            2018). Not the first one's before a norm over positions, which takes every scale away: the function and its
            gradients are the same, and most of the cost is saved.
        **modulation: of `SpatialModulation`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        condition_channels: int,
        doubles: bool = False,
        norm: str = "instance",
        spectral_norm: bool = True,
        **modulation: object,
    ) -> None:
        super().__init__()
        self.doubles = doubles
        middle = min(in_channels, out_channels)
        bias = norm == "pixel"  # a norm over positions takes it away again
        self.norm_0 = SpatiallyAdaptiveNorm(in_channels, condition_channels, norm, **modulation)
        self.conv_0 = nn.Conv2d(in_channels, middle, 3, padding=1, bias=bias)
        self.norm_1 = SpatiallyAdaptiveNorm(middle, condition_channels, norm, **modulation)
        self.conv_1 = nn.Conv2d(middle, out_channels, 3, padding=1, bias=bias)
        self.modulation_s, self.conv_s = None, None
        if in_channels != out_channels:
            self.modulation_s = SpatialModulation(in_channels, condition_channels, **modulation)
            self.conv_s = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        for conv in (self.conv_0, self.conv_1, self.conv_s):
            if conv is not None:
                nn.init.xavier_normal_(conv.weight)
                if spectral_norm and (bias or conv is not self.conv_0):
                    with_spectral_norm(conv)

    def forward(self, x: torch.Tensor, condition: torch.Tensor, style: torch.Tensor | None = None) -> torch.Tensor:
        """One block.

        Args:
            x: (B, C, X, Y).
            condition: at the size of the output, (B, K, X, Y), or (B, K, 2X, 2Y) where the block doubles.
            style: see `SpatialModulation`.
        """
        normalised = self._resized(self.norm_0.normalise(x))
        y = self.conv_0(F.leaky_relu(self.norm_0.modulation(normalised, condition, style), 0.2, inplace=True))
        y = self.conv_1(F.leaky_relu(self.norm_1(y, condition, style), 0.2, inplace=True))
        if self.modulation_s is None:
            return y + self._resized(x)
        return y + self.conv_s(self.modulation_s(normalised, condition, style))

    def _resized(self, x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="nearest") if self.doubles else x
