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
"""The U-Net generator of pix2pix (Isola et al., Image-to-Image Translation with Conditional Adversarial Nets, 2017)."""

from __future__ import annotations

import torch
from monai.networks import normal_init
from torch import nn

from ..blocks.image_norms import make_image_norm
from ..blocks.resampled_conv import UpsampledConv2d
from ..blocks.small_map_conv import DoublingConvTranspose2d, HalvingConv2d

__all__ = ["Pix2PixUNetGenerator"]


class Pix2PixUNetGenerator(nn.Module):
    """Condition to photograph through a bottleneck, each halving joined to its doubling by a skip connection.

    With the defaults: encoder C64-C128-C256-C512-C512-C512-C512 of 4x4 convolutions with stride 2, norm (none in the
    first) and LeakyReLU 0.2; a 4x4 bottleneck convolution with ReLU; the mirrored decoder of 4x4 transposed
    convolutions, norm, dropout in the innermost blocks, skip, ReLU; a last doubling and tanh. Weights are drawn from
    N(0, 0.02). Appendix 6.1.1 of the paper.

    Args:
        in_channels: channels of the condition.
        out_channels: channels of the photograph.
        channels: channels of the first convolution; each halving doubles them up to `max_channels`.
        max_channels: largest number of channels.
        num_downs: halvings, the bottleneck's included; 8 takes 256 px down to one.
        norm: "batch" (the paper), "instance", "group", "pixel" or "none".
        running_statistics: batch norm only. False: generation normalises with the statistics of the batch at hand, as
            training does (section 3.3 of the paper), so a photograph depends on its batch, with one in a batch on
            itself alone. True: with the running means of training.
        dropout: probability of dropout in the innermost decoder blocks; 0 for none. Off in evaluation mode.
        num_dropout_blocks: how many decoder blocks have it, from the innermost on.
        upsample: "transposed" (the paper) or "resize" (nearest-neighbour doubling and a 3x3 convolution, which leaves
            no checkerboard).
        out_activation: "tanh" (values in [-1, 1]), "sigmoid", "softmax" (probabilities of `out_channels` classes, for
            drawing label maps), "none" or None.
        residual: add the output to the first `out_channels` channels of the condition, for restoring a degraded
            photograph; the result is clipped to [-1, 1]. Training begins close to the identity, see
            `start_near_identity`.

    Attributes:
        size_multiple: X and Y of the condition must be multiples of it.

    Raises:
        ValueError: when the settings do not fit each other.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 3,
        channels: int = 64,
        max_channels: int = 512,
        num_downs: int = 8,
        norm: str = "batch",
        running_statistics: bool = False,
        dropout: float = 0.5,
        num_dropout_blocks: int = 3,
        upsample: str = "transposed",
        out_activation: str | None = "tanh",
        residual: bool = False,
    ) -> None:
        super().__init__()
        if num_downs < 2:
            raise ValueError(f"num_downs must be at least 2, not {num_downs}")
        if out_activation not in ("tanh", "sigmoid", "softmax", "none", None):
            raise ValueError(
                f'out_activation must be "tanh", "sigmoid", "softmax", "none" or None, not {out_activation!r}'
            )
        if residual and out_activation == "softmax":
            raise ValueError("residual adds to a photograph; class probabilities (softmax) cannot be added to one")
        if residual and in_channels < out_channels:
            raise ValueError(f"residual needs in_channels >= out_channels, not {in_channels} and {out_channels}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.residual = residual
        self.out_activation = out_activation or "none"
        self.size_multiple: int = 2**num_downs

        def normalise(width: int) -> nn.Module:
            if norm == "batch":
                return nn.BatchNorm2d(width, track_running_stats=running_statistics)
            return make_image_norm(norm, width)

        bias = norm in ("none", "pixel")  # a norm over positions takes it away again
        widths = [min(max_channels, channels * 2**k) for k in range(num_downs)]
        *outer, innermost = widths
        self.encoder = nn.ModuleList()
        for k, (before, width) in enumerate(zip([in_channels, *outer], outer)):
            conv = HalvingConv2d(before, width, bias=bias or k == 0)
            layers = [conv, normalise(width)] if k else [conv]
            self.encoder.append(nn.Sequential(*layers, nn.LeakyReLU(0.2)))
        self.bottleneck = nn.Sequential(HalvingConv2d(outer[-1], innermost), nn.ReLU())
        self.decoder = nn.ModuleList()
        before = innermost
        for k, width in enumerate(reversed(outer)):
            drop = [nn.Dropout(dropout)] if dropout and k < num_dropout_blocks else []
            self.decoder.append(nn.Sequential(_doubling(before, width, upsample, bias), normalise(width), *drop))
            before = 2 * width
        self.head = _doubling(before, out_channels, upsample, bias=True)
        self.apply(normal_init)
        self.start_near_identity()

    def start_near_identity(self) -> None:
        """With `residual`, shrink the last convolution's weights to a hundredth, so that training begins close to the
        degraded photograph itself; without, do nothing. `initialise_weights` calls it after drawing new weights."""
        if not self.residual:
            return
        with torch.no_grad():
            for weight in self.head.parameters():
                weight.mul_(0.01)  # not zero: gradients must reach the layers before

    def forward(self, condition: torch.Tensor) -> torch.Tensor:
        """Draw photographs.

        Args:
            condition: (B, C, X, Y), such as a mask in [-1, 1] or a one-hot label map.

        Returns:
            (B, out_channels, X, Y) float32, whatever autocast is on.

        Raises:
            ValueError: when the condition does not fit the network; names the next size that does.
        """
        if condition.dim() != 4 or condition.shape[1] != self.in_channels:
            raise ValueError(f"condition must be (batch, {self.in_channels}, X, Y), not {list(condition.shape)}")
        m, sx, sy = self.size_multiple, condition.shape[2], condition.shape[3]
        if sx % m != 0 or sy % m != 0:
            fit_x, fit_y = (sx + m - 1) // m * m, (sy + m - 1) // m * m
            raise ValueError(
                f"size {sx} x {sy} cannot be halved exactly here: sides must be multiples of {m}; pad to {fit_x} x"
                f" {fit_y} (DivisiblePadInferer with k={m} pads and crops back), resize, or use fewer num_downs"
            )
        h = condition
        skips: list[torch.Tensor] = []
        for block in self.encoder:
            h = block(h)
            skips.append(h)
        h = self.bottleneck(h)
        for block in self.decoder:
            h = torch.relu(torch.cat([block(h), skips.pop()], dim=1))
        y = self.head(h).float()
        if self.out_activation == "tanh":
            y = torch.tanh(y)
        elif self.out_activation == "sigmoid":
            y = torch.sigmoid(y)
        elif self.out_activation == "softmax":
            y = torch.softmax(y, dim=1)
        if self.residual:
            y = (condition[:, : self.out_channels].float() + y).clamp(-1.0, 1.0)
        return y


def _doubling(in_channels: int, out_channels: int, upsample: str, bias: bool) -> nn.Module:
    if upsample == "transposed":
        return DoublingConvTranspose2d(in_channels, out_channels, bias=bias)
    if upsample == "resize":
        return UpsampledConv2d(in_channels, out_channels, bias=bias)
    raise ValueError(f'upsample must be "transposed" or "resize", not {upsample!r}')
