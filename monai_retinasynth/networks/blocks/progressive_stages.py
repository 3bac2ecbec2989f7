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
"""The stages of the progressively growing networks (Karras et al. 2018, table 2), one for each resolution."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from .equalized import EqualizedConv2d, EqualizedLinear, EqualizedResamplingConv2d
from .minibatch_stddev import MinibatchStdDev
from .pixel_norm import PixelNorm

__all__ = [
    "DiscriminatorEnd",
    "DiscriminatorStage",
    "GeneratorStage",
    "GeneratorStart",
    "progressive_resolutions",
    "progressive_width",
]


def progressive_resolutions(resolution: int) -> list[int]:
    """Sides of the square maps from 4 to `resolution`, each twice the one before.

    Raises:
        ValueError: when `resolution` is not a power of two from 4 on.
    """
    if resolution < 4 or resolution & (resolution - 1):
        below = 2 ** max(2, int(math.log2(max(resolution, 4))))
        raise ValueError(
            f"resolution must be a power of two of at least 4, not {resolution}; use {below} or {2 * below}"
        )
    return [2**k for k in range(2, resolution.bit_length())]


def progressive_width(resolution: int, base_channels: int, max_channels: int, min_channels: int) -> int:
    """Channels at a resolution: `2 * base_channels / resolution`, kept within the two limits.

    The paper's 8192 and 512 give 512 channels up to 32 px, 256 at 64 px, and so on to 16 at 1024 px.
    """
    return min(max_channels, max(min_channels, 2 * base_channels // resolution))


class GeneratorStart(nn.Module):
    """Latent vectors to the first 4x4 map: (B, Z) -> (B, C, 4, 4). Latents are normalised first.

    Args:
        latent_size: length Z of a latent vector.
        channels: C.
    """

    def __init__(self, latent_size: int, channels: int) -> None:
        super().__init__()
        # 4x4 outputs for each input: the smaller gain of the authors' code
        self.dense = EqualizedLinear(latent_size, channels * 16, gain=math.sqrt(2.0) / 4.0, bias=False)
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.conv = EqualizedConv2d(channels, channels)
        self.norm = PixelNorm()

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        x = self.dense(self.norm(latents))
        x = x.reshape(x.shape[0], -1, 4, 4)
        x = self.norm(F.leaky_relu(x + self.bias.to(x.dtype), 0.2))
        return self.norm(F.leaky_relu(self.conv(x), 0.2))


class GeneratorStage(nn.Module):
    """Doubling and two 3x3 convolutions, each with LeakyReLU and pixel norm: (B, C, H, W) -> (B, C', 2H, 2W).

    Args:
        in_channels: C.
        out_channels: C'.
        fused: whether the doubling is computed within the first convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, fused: bool = True) -> None:
        super().__init__()
        self.conv_up = EqualizedResamplingConv2d(in_channels, out_channels, up=True, fused=fused)
        self.conv = EqualizedConv2d(out_channels, out_channels)
        self.norm = PixelNorm()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(F.leaky_relu(self.conv_up(x), 0.2))
        return self.norm(F.leaky_relu(self.conv(x), 0.2))


class DiscriminatorStage(nn.Module):
    """Two 3x3 convolutions with LeakyReLU, the second with halving: (B, C, 2H, 2W) -> (B, C', H, W).

    Args:
        in_channels: C.
        out_channels: C'.
        fused: whether the halving is computed within the second convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, fused: bool = True) -> None:
        super().__init__()
        self.conv = EqualizedConv2d(in_channels, in_channels)
        self.conv_down = EqualizedResamplingConv2d(in_channels, out_channels, up=False, fused=fused)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.leaky_relu(self.conv_down(F.leaky_relu(self.conv(x), 0.2)), 0.2)


class DiscriminatorEnd(nn.Module):
    """Minibatch standard deviation, 3x3 and 4x4 convolution, and the score: (B, C, 4, 4) -> (B, 1).

    Args:
        channels: C.
        minibatch_group: samples in a group of the minibatch standard deviation.
    """

    def __init__(self, channels: int, minibatch_group: int = 4) -> None:
        super().__init__()
        self.stddev = MinibatchStdDev(minibatch_group)
        self.conv = EqualizedConv2d(channels + 1, channels)
        self.dense = EqualizedLinear(channels * 16, channels)  # the 4x4 convolution without padding
        self.score = EqualizedLinear(channels, 1, gain=1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(self.conv(self.stddev(x)), 0.2)
        return self.score(F.leaky_relu(self.dense(x.flatten(1)), 0.2))
