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
"""A 3x3 convolution and the doubling or halving of its map, in one strided 4x4 convolution where that is faster.

Nearest-neighbour doubling followed by a 3x3 convolution is a 4x4 transposed convolution of stride 2, and a 3x3
convolution followed by 2x2 average pooling is a 4x4 convolution of stride 2, each with a kernel of overlapping sums of
the 3x3 kernel (`fused_scale` in the code of Karras et al. 2018). The parameters stay 3x3, so a checkpoint does not
depend on the form.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["FUSED_FROM", "UpsampledConv2d", "downsampling_conv2d", "kernel_sums", "upsampling_conv2d"]

#: side of the larger map (pixels) from which the fused form is the faster one on a CPU, in float32 and in bfloat16
FUSED_FROM = 16


def kernel_sums(up: bool, scale: float = 1.0) -> torch.Tensor:
    """(9, 16) matrix that turns flattened 3x3 kernels into the 4x4 kernels of the fused form, times `scale`.

    A product with a small matrix is 20 times as fast as adding shifted kernels, and `scale` in it costs nothing.
    """
    sums = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    # a transposed convolution reads its kernel backwards; pooling takes means
    sums = sums.flip(0) if up else sums / 2.0
    return torch.kron(sums, sums) * scale


def upsampling_conv2d(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, sums: torch.Tensor | None = None
) -> torch.Tensor:
    """Nearest-neighbour doubling, then a 3x3 convolution.

    Args:
        x: (B, C_in, H, W).
        weight: (C_out, C_in, 3, 3).
        bias: (C_out,) or None.
        sums: `kernel_sums(up=True)` for the fused form, in which its scale multiplies the weight; None for two
            operations.

    Returns:
        (B, C_out, 2H, 2W).
    """
    if sums is None:
        return F.conv2d(F.interpolate(x, scale_factor=2.0, mode="nearest"), weight, bias, padding=1)
    kernel = torch.matmul(weight.reshape(-1, 9), sums).reshape(weight.shape[0], weight.shape[1], 4, 4)
    return F.conv_transpose2d(x, kernel.transpose(0, 1), bias, stride=2, padding=1)


def downsampling_conv2d(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, sums: torch.Tensor | None = None
) -> torch.Tensor:
    """A 3x3 convolution, then 2x2 average pooling.

    Args:
        x: (B, C_in, 2H, 2W).
        weight: (C_out, C_in, 3, 3).
        bias: (C_out,) or None.
        sums: `kernel_sums(up=False)` for the fused form, in which its scale multiplies the weight; None for two
            operations.

    Returns:
        (B, C_out, H, W).
    """
    if sums is None:
        return F.avg_pool2d(F.conv2d(x, weight, bias, padding=1), 2)
    kernel = torch.matmul(weight.reshape(-1, 9), sums).reshape(weight.shape[0], weight.shape[1], 4, 4)
    return F.conv2d(x, kernel, bias, stride=2, padding=1)


class UpsampledConv2d(nn.Conv2d):
    """Nearest-neighbour doubling and a 3x3 convolution, without checkerboard: (B, C, H, W) -> (B, C', 2H, 2W).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        bias: whether a bias is added.
        fused: whether both are computed as one transposed convolution (the same function).
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True, fused: bool = True) -> None:
        super().__init__(in_channels, out_channels, kernel_size=3, padding=1, bias=bias)
        self.sums: torch.Tensor | None
        self.register_buffer("sums", kernel_sums(up=True) if fused else None, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return upsampling_conv2d(x, self.weight, self.bias, self.sums)
