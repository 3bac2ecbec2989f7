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
"""Layers with an equalised learning rate (Karras et al. 2018, section 4.1).

Weights are drawn from N(0, 1) and multiplied at run time by He's constant `gain / sqrt(fan_in)`, so that under Adam
every weight moves at the same relative speed.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from .resampled_conv import downsampling_conv2d, kernel_sums, upsampling_conv2d

__all__ = ["EqualizedConv2d", "EqualizedLinear", "EqualizedResamplingConv2d"]


class EqualizedConv2d(nn.Module):
    """Convolution of stride 1 with He's constant at run time; the map keeps its size.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the kernel, odd.
        gain: numerator of He's constant: sqrt(2) before a rectifier, 1 for a linear output.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, gain: float = math.sqrt(2.0)) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd for the map to keep its size, not {kernel_size}")
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.scale = gain / math.sqrt(in_channels * kernel_size**2)
        self.padding = kernel_size // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class EqualizedResamplingConv2d(nn.Module):
    """3x3 convolution with He's constant at run time, after a doubling or before a halving of the map.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        up: whether the map is doubled (nearest neighbour) before, else halved (2x2 average) after the convolution.
        fused: whether the resampling is computed within the convolution (the same function, see `resampled_conv`).
        gain: numerator of He's constant.
    """

    def __init__(
        self, in_channels: int, out_channels: int, up: bool, fused: bool = True, gain: float = math.sqrt(2.0)
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.scale = gain / math.sqrt(in_channels * 9)
        self.up = up
        self.sums: torch.Tensor | None
        self.register_buffer("sums", kernel_sums(up, self.scale) if fused else None, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight if self.sums is not None else self.weight * self.scale
        if self.up:
            return upsampling_conv2d(x, weight, self.bias, self.sums)
        return downsampling_conv2d(x, weight, self.bias, self.sums)


class EqualizedLinear(nn.Module):
    """Fully connected layer with He's constant at run time.

    Args:
        in_features: length of the input.
        out_features: length of the output.
        gain: numerator of He's constant.
        bias: whether a bias (initially zero) is added.
    """

    def __init__(self, in_features: int, out_features: int, gain: float = math.sqrt(2.0), bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None
        self.scale = gain / math.sqrt(in_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight * self.scale, self.bias)
