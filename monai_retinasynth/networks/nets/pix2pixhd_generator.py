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
"""The coarse-to-fine generator of pix2pixHD.

Wang et al. 2018, "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs", section 3.2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.networks import normal_init
from torch import nn

from ..blocks.translation_blocks import ReflectedResidualBlock, conv_norm_relu, upsample_norm_relu

__all__ = ["Pix2PixHDEnhancer", "Pix2PixHDGenerator", "Pix2PixHDGlobalTrunk"]


class Pix2PixHDGlobalTrunk(nn.Module):
    """G1 without its last layer: 7x7 convolution, halvings, residual blocks, doublings.

    Maps (B, C, X, Y) to (B, channels, X, Y).

    Args:
        in_channels: C.
        channels: channels at full size; each halving doubles them up to `max_channels`.
        num_downs: number of halvings.
        num_res_blocks: residual blocks at the smallest size.
        norm: "instance", "batch", "group", "pixel" or "none".
        upsample: "transposed" or "resize".
        max_channels: largest number of channels.
        noise_channels: gaussian channels joined to the features at the smallest size.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        num_downs: int,
        num_res_blocks: int,
        norm: str,
        upsample: str,
        max_channels: int,
        noise_channels: int,
    ) -> None:
        super().__init__()
        self.noise_channels = noise_channels
        self.num_downs = num_downs
        widths = [min(max_channels, channels * 2**k) for k in range(num_downs + 1)]
        self.encoder = nn.Sequential(
            conv_norm_relu(in_channels, channels, 7, norm),
            *[conv_norm_relu(a, b, 3, norm, stride=2) for a, b in zip(widths, widths[1:])],
        )
        # without a norm, which would take a constant noise vector away again
        self.join_noise = conv_norm_relu(widths[-1] + noise_channels, widths[-1], 3, "none") if noise_channels else None
        self.bottleneck = nn.Sequential(*[ReflectedResidualBlock(widths[-1], norm) for _ in range(num_res_blocks)])
        self.decoder = nn.Sequential(
            *[upsample_norm_relu(b, a, norm, upsample) for a, b in reversed(list(zip(widths, widths[1:])))]
        )

    def forward(self, x: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        h = self.encoder(x)
        if self.join_noise is not None:
            if noise is None:
                maps = torch.randn(
                    h.shape[0], self.noise_channels, h.shape[2], h.shape[3], device=h.device, dtype=h.dtype
                )
            else:
                maps = noise if noise.dim() == 4 else noise[:, :, None, None]
            maps = maps.to(h.dtype).expand(h.shape[0], self.noise_channels, h.shape[2], h.shape[3])
            h = self.join_noise(torch.cat([h, maps], dim=1))
        return self.decoder(self.bottleneck(h))


class Pix2PixHDEnhancer(nn.Module):
    """G2: halves the condition to features, adds the features of the coarser generator, refines and doubles them.

    Args:
        in_channels: channels of the condition.
        channels: channels at full size; the coarser features have `coarse_channels`.
        coarse_channels: channels of the coarser generator's last feature map.
        num_blocks: residual blocks at half size.
        norm: "instance", "batch", "group", "pixel" or "none".
        upsample: "transposed" or "resize".
    """

    def __init__(
        self, in_channels: int, channels: int, coarse_channels: int, num_blocks: int, norm: str, upsample: str
    ) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            conv_norm_relu(in_channels, channels, 7, norm), conv_norm_relu(channels, coarse_channels, 3, norm, stride=2)
        )
        self.decoder = nn.Sequential(
            *[ReflectedResidualBlock(coarse_channels, norm) for _ in range(num_blocks)],
            upsample_norm_relu(coarse_channels, channels, norm, upsample),
        )

    def forward(self, x: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encoder(x) + coarse)


class Pix2PixHDGenerator(nn.Module):
    """Label map (and whatever else conditions it) to photograph: a global generator G1, and local enhancers if wanted.

    With enhancers, G1 sees the condition halved once for each of them, and each enhancer doubles the size and halves
    the channels of G1's full-size features. The paper trains G1 first:
    `generator.coarse.load_state_dict(g1.coarse.state_dict())` takes it over.

    Args:
        in_channels: channels of the condition.
        out_channels: channels of the photograph.
        channels: channels of G1 at its full size (`ngf` of the authors' G1).
        num_downs: halvings in G1.
        num_res_blocks: residual blocks in G1.
        num_enhancers: local enhancers; each doubles the size that G1 works at.
        num_enhancer_blocks: residual blocks in each enhancer.
        norm: "instance" (the paper), "batch", "group", "pixel" (for crops that must know where they are) or "none".
        upsample: "transposed" (the paper) or "resize" (no checkerboard).
        out_activation: "tanh" (values in [-1, 1]), "sigmoid", "softmax" (probabilities of `out_channels` classes, for
            drawing label maps), "none" or None.
        max_channels: largest number of channels.
        noise_channels: gaussian channels joined to G1's smallest features, so that one label map has many photographs;
            0 for none.

    Attributes:
        size_multiple: X and Y of the condition must be multiples of it, and at least twice as large.
        noise_channels: see the argument.
        noise_reduction: noise has the size of the condition divided by it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 3,
        channels: int = 64,
        num_downs: int = 4,
        num_res_blocks: int = 9,
        num_enhancers: int = 0,
        num_enhancer_blocks: int = 3,
        norm: str = "instance",
        upsample: str = "transposed",
        out_activation: str | None = "tanh",
        max_channels: int = 1024,
        noise_channels: int = 0,
    ) -> None:
        super().__init__()
        if out_activation not in ("tanh", "sigmoid", "softmax", "none", None):
            raise ValueError(
                f'out_activation must be "tanh", "sigmoid", "softmax", "none" or None, not {out_activation!r}'
            )
        if channels // 2**num_enhancers < 1:
            raise ValueError(
                f"channels={channels} cannot be halved for {num_enhancers} enhancers; use {2**num_enhancers} or more"
            )
        self.in_channels = in_channels
        self.num_enhancers = num_enhancers
        self.size_multiple: int = 2 ** (num_downs + num_enhancers)
        self.noise_channels = noise_channels
        self.noise_reduction: int = self.size_multiple
        self.out_activation = out_activation or "none"
        self.coarse = Pix2PixHDGlobalTrunk(
            in_channels, channels, num_downs, num_res_blocks, norm, upsample, max_channels, noise_channels
        )
        widths = [channels // 2**k for k in range(num_enhancers + 1)]
        self.enhancers = nn.ModuleList(
            [
                Pix2PixHDEnhancer(in_channels, b, a, num_enhancer_blocks, norm, upsample)
                for a, b in zip(widths, widths[1:])
            ]
        )
        self.head = nn.Conv2d(widths[-1], out_channels, 7, padding=3, padding_mode="reflect")
        self.apply(normal_init)

    def forward(self, condition: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """Draw photographs.

        Args:
            condition: (B, C, X, Y), such as a one-hot label map.
            noise: (B, noise_channels, X / size_multiple, Y / size_multiple), or (B, noise_channels) for the same at
                every position; drawn from N(0, 1) when not given. Ignored without `noise_channels`.

        Returns:
            (B, out_channels, X, Y) float32, whatever autocast is on.

        Raises:
            ValueError: when the condition does not fit the network; names the next size that does.
        """
        if condition.dim() != 4 or condition.shape[1] != self.in_channels:
            raise ValueError(f"condition must be (batch, {self.in_channels}, X, Y), not {list(condition.shape)}")
        m, sx, sy = self.size_multiple, condition.shape[2], condition.shape[3]
        if sx % m != 0 or sy % m != 0 or sx < 2 * m or sy < 2 * m:
            fit_x, fit_y = max(2, (sx + m - 1) // m) * m, max(2, (sy + m - 1) // m) * m
            raise ValueError(
                f"size {sx} x {sy} cannot be halved exactly here: sides must be multiples of {m}, from {2 * m} on;"
                f" pad to {fit_x} x {fit_y} (DivisiblePadInferer with k={m} pads and crops back)"
            )
        pyramid = [condition]
        for _ in range(self.num_enhancers):
            pyramid.append(F.avg_pool2d(pyramid[-1], 3, stride=2, padding=1, count_include_pad=False))
        h = self.coarse(pyramid[-1], noise)
        for k, enhancer in enumerate(self.enhancers):
            h = enhancer(pyramid[self.num_enhancers - 1 - k], h)
        y = self.head(h).float()
        if self.out_activation == "tanh":
            y = torch.tanh(y)
        elif self.out_activation == "sigmoid":
            y = torch.sigmoid(y)
        elif self.out_activation == "softmax":
            y = torch.softmax(y, dim=1)
        return y
