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
"""The style encoder of Park et al. 2019 (figure 14): a photograph becomes a normal distribution of style vectors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..blocks.image_norms import make_image_norm

__all__ = ["StyleEncoder"]

_GRID = 4  # side of the last map


class StyleEncoder(nn.Module):
    """3x3 convolutions of stride 2 with norm and LeakyReLU 0.2, 4 x 4 means, and a linear layer.

    The paper divides the weights by their spectral norm, which the norm after each of them makes ineffective; here it
    is left out.

    Args:
        in_channels: channels of the photograph.
        style_size: Z, size of the style vector.
        channels: channels of the first convolution; each further one doubles them up to `max_channels`.
        max_channels: largest number of channels.
        num_downs: convolutions; 6 take 256 px to 4 x 4, as in the paper.
        norm: "layer", over all channels and positions of a photograph, or "instance" (the paper). Instance norm takes
            the mean and the contrast of each channel away, and with them most of a photograph's colour, which among
            fundus photographs is what differs most.

    Raises:
        ValueError: for another norm.
    """

    def __init__(
        self,
        in_channels: int = 3,
        style_size: int = 256,
        channels: int = 64,
        max_channels: int = 512,
        num_downs: int = 6,
        norm: str = "layer",
    ) -> None:
        super().__init__()
        if norm not in ("layer", "instance"):
            raise ValueError(f'norm must be "layer" or "instance", not {norm!r}')
        self.in_channels = in_channels
        self.style_size = style_size
        self.grid: int = _GRID
        widths = [min(max_channels, channels * 2**k) for k in range(num_downs)]
        layers: list[nn.Module] = []
        for before, width in zip([in_channels, *widths], widths):
            layers.append(nn.Conv2d(before, width, 3, 2, padding=1, bias=norm == "layer"))
            layers.append(nn.GroupNorm(1, width) if norm == "layer" else make_image_norm(norm, width))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.layers = nn.Sequential(*layers)
        self.statistics = nn.Linear(widths[-1] * self.grid**2, 2 * style_size)

    def forward(self, photograph: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode photographs.

        Args:
            photograph: (B, C, X, Y) in [-1, 1], of any size whose last map has more than one pixel.

        Returns:
            mean and log variance, each (B, Z) float32, whatever autocast is on.

        Raises:
            ValueError: when the photograph does not fit the network.
        """
        if photograph.dim() != 4 or photograph.shape[1] != self.in_channels:
            raise ValueError(f"photograph must be (batch, {self.in_channels}, X, Y), not {list(photograph.shape)}")
        maps = F.adaptive_avg_pool2d(self.layers(photograph), self.grid)
        mean, log_variance = self.statistics(maps.flatten(1)).float().chunk(2, dim=1)
        return mean, log_variance
