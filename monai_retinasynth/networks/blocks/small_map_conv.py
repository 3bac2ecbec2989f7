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
"""The 4x4 convolutions of stride 2 in a U-Net, as matrix products where the map is small.

At 8 x 8 pixels and below a convolution of many channels is all weights and hardly any pixels, and on a CPU the direct
form takes up to five times as long as a matrix product with the unfolded map. The parameters are those of
`torch.nn.Conv2d` and `torch.nn.ConvTranspose2d`, so a checkpoint does not depend on the form.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

__all__ = [
    "PRODUCT_UP_TO",
    "DoublingConvTranspose2d",
    "HalvingConv2d",
    "doubling_conv_transpose2d",
    "halving_conv2d",
]

#: pixels of the smaller map, over the whole batch, up to which the product is the faster form on a CPU
PRODUCT_UP_TO = 64


def halving_conv2d(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, product: bool = True
) -> torch.Tensor:
    """`conv2d` with kernel 4, stride 2, padding 1: (B, C, H, W) -> (B, C', H // 2, W // 2), H and W even.

    Args:
        x: map.
        weight: (C', C, 4, 4).
        bias: (C',) or None.
        product: whether it is computed as a matrix product.
    """
    if not product:
        return F.conv2d(x, weight, bias, stride=2, padding=1)
    columns = F.unfold(x, 4, stride=2, padding=1)
    # pixels as rows: one product for the whole batch, and the weight is never copied
    y = F.linear(columns.transpose(1, 2).flatten(0, 1), weight.flatten(1))
    y = y.unflatten(0, (x.shape[0], -1)).transpose(1, 2)
    y = y.reshape(x.shape[0], weight.shape[0], x.shape[2] // 2, x.shape[3] // 2)
    return y if bias is None else y + bias.to(y.dtype)[:, None, None]


def doubling_conv_transpose2d(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None, product: bool = True
) -> torch.Tensor:
    """`conv_transpose2d` with kernel 4, stride 2, padding 1: (B, C, H, W) -> (B, C', 2H, 2W).

    Args:
        x: map.
        weight: (C, C', 4, 4).
        bias: (C',) or None.
        product: whether it is computed as a matrix product.
    """
    if not product:
        return F.conv_transpose2d(x, weight, bias, stride=2, padding=1)
    columns = torch.mm(x.flatten(2).transpose(1, 2).flatten(0, 1), weight.flatten(1))
    columns = columns.unflatten(0, (x.shape[0], -1)).transpose(1, 2)
    # overlapping columns are summed in float32
    y = F.fold(columns.float(), [2 * x.shape[2], 2 * x.shape[3]], 4, stride=2, padding=1).to(columns.dtype)
    return y if bias is None else y + bias.to(y.dtype)[:, None, None]


class HalvingConv2d(nn.Conv2d):
    """A 4x4 convolution of stride 2: (B, C, H, W) -> (B, C', H // 2, W // 2), H and W even.

    Args:
        in_channels: C.
        out_channels: C'.
        bias: whether a bias is added.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 4, 2, padding=1, bias=bias)
        self.product_up_to: int = PRODUCT_UP_TO

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pixels = x.shape[0] * (x.shape[2] // 2) * (x.shape[3] // 2)
        product = x.device.type == "cpu" and pixels <= self.product_up_to
        return halving_conv2d(x, self.weight, self.bias, product)


class DoublingConvTranspose2d(nn.ConvTranspose2d):
    """A 4x4 transposed convolution of stride 2: (B, C, H, W) -> (B, C', 2H, 2W).

    Args:
        in_channels: C.
        out_channels: C'.
        bias: whether a bias is added.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 4, 2, padding=1, bias=bias)
        self.product_up_to: int = PRODUCT_UP_TO

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pixels = x.shape[0] * x.shape[2] * x.shape[3]
        product = x.device.type == "cpu" and pixels <= self.product_up_to
        return doubling_conv_transpose2d(x, self.weight, self.bias, product)
