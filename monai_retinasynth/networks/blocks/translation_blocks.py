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
"""The blocks of the translation generators (Johnson et al. 2016): convolution with norm, residual block, doubling."""

from __future__ import annotations

import torch
from torch import nn

from .image_norms import make_image_norm
from .resampled_conv import UpsampledConv2d

__all__ = ["ReflectedResidualBlock", "conv_norm_relu", "upsample_norm_relu"]


def conv_norm_relu(in_channels: int, out_channels: int, kernel_size: int, norm: str, stride: int = 1) -> nn.Sequential:
    """Convolution, norm and ReLU: (B, C, H, W) -> (B, C', H / stride, W / stride).

    Borders are reflected at stride 1, zero otherwise. A norm over positions takes a bias away again, so
    there is one only without such a norm.
    """
    mode = "reflect" if stride == 1 else "zeros"
    padding = kernel_size // 2
    bias = norm in ("none", "pixel")
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=bias, padding_mode=mode)
    return nn.Sequential(conv, make_image_norm(norm, out_channels), nn.ReLU(inplace=True))


def upsample_norm_relu(in_channels: int, out_channels: int, norm: str, upsample: str) -> nn.Sequential:
    """Doubling, norm and ReLU: (B, C, H, W) -> (B, C', 2H, 2W).

    Args:
        in_channels: C.
        out_channels: C'.
        norm: a name of `make_image_norm`.
        upsample: "transposed" (3x3 transposed convolution, as in Wang et al. 2018) or "resize" (nearest-neighbour
            doubling and a 3x3 convolution, which cannot leave a checkerboard).

    Raises:
        ValueError: for another `upsample`.
    """
    bias = norm in ("none", "pixel")
    if upsample == "transposed":
        conv: nn.Module = nn.ConvTranspose2d(in_channels, out_channels, 3, 2, padding=1, output_padding=1, bias=bias)
    elif upsample == "resize":
        conv = UpsampledConv2d(in_channels, out_channels, bias=bias)
    else:
        raise ValueError(f'upsample must be "transposed" or "resize", not {upsample!r}')
    return nn.Sequential(conv, make_image_norm(norm, out_channels), nn.ReLU(inplace=True))


class ReflectedResidualBlock(nn.Module):
    """`x + norm(conv(relu(norm(conv(x)))))` with 3x3 convolutions and reflected borders; the shape is kept.

    Args:
        channels: channels of the map.
        norm: a name of `make_image_norm`.
    """

    def __init__(self, channels: int, norm: str = "instance") -> None:
        super().__init__()
        bias = norm in ("none", "pixel")
        self.body = nn.Sequential(
            conv_norm_relu(channels, channels, 3, norm),
            nn.Conv2d(channels, channels, 3, padding=1, bias=bias, padding_mode="reflect"),
            make_image_norm(norm, channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)
