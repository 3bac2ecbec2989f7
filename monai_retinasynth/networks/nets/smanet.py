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
"""SMANet, the segmentation network of the authors of the multi-stage GAN.

Bonechi, Bianchini, Andreini et al. 2019, "Weak Supervision for Generating Pixel-Level Annotations in Scene Text
Segmentation"; used in Andreini et al., Electronics 11(1):60, 2022, and Ciano et al., Mathematics 9(22):2896, 2021. From
there: a residual encoder whose last blocks are dilated (as in PSPNet, Zhao et al. 2017), spatial attention over several
scales in place of PSPNet's pooled features, and a convolutional decoder of two levels with skips from the encoder.
Widths, pooling factors and the form of an attention map are choices made here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from ..blocks.image_norms import make_image_norm
from ..initialise import initialise_weights

__all__ = ["MultiscaleAttention", "SegmentationMultiscaleAttentionNet"]

_BLOCKS = ("bottleneck", "basic")


def _conv_norm(a: int, b: int, kernel: int, norm: str, stride: int = 1, dilation: int = 1) -> list[nn.Module]:
    # a norm over positions takes a bias away again
    bias = norm in ("none", "pixel")
    conv = nn.Conv2d(a, b, kernel, stride, padding=dilation * (kernel // 2), dilation=dilation, bias=bias)
    return [conv, make_image_norm(norm, b)]


class _ResidualBlock(nn.Module):
    """Basic (two 3x3) or bottleneck (1x1, 3x3, 1x1) block of He et al. 2016, its 3x3 convolutions dilated."""

    def __init__(self, in_channels: int, width: int, block: str, stride: int, dilation: int, norm: str) -> None:
        super().__init__()
        out_channels = 4 * width if block == "bottleneck" else width
        if block == "bottleneck":
            layers = [
                *_conv_norm(in_channels, width, 1, norm),
                nn.ReLU(inplace=True),
                *_conv_norm(width, width, 3, norm, stride, dilation),
                nn.ReLU(inplace=True),
                *_conv_norm(width, out_channels, 1, norm),
            ]
        else:
            layers = [
                *_conv_norm(in_channels, width, 3, norm, stride, dilation),
                nn.ReLU(inplace=True),
                *_conv_norm(width, out_channels, 3, norm, 1, dilation),
            ]
        self.body = nn.Sequential(*layers)
        same = stride == 1 and in_channels == out_channels
        self.shortcut = nn.Sequential(*([] if same else _conv_norm(in_channels, out_channels, 1, norm, stride)))
        self.out_channels = out_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.shortcut(x) + self.body(x))


class _AttentionScale(nn.Module):
    """One scale: where to look, decided on the features pooled `factor` times, and the features weighed by it."""

    def __init__(self, in_channels: int, channels: int, factor: int, norm: str) -> None:
        super().__init__()
        self.factor = factor
        # without a norm, which could not be taken over the few positions of a pooled map
        self.where = nn.Sequential(
            nn.Conv2d(in_channels, channels, 1), nn.ReLU(inplace=True), nn.Conv2d(channels, 1, 3, padding=1)
        )
        self.what = nn.Sequential(*_conv_norm(in_channels, channels, 1, norm), nn.ReLU(inplace=True))

    def attention(self, x: torch.Tensor) -> torch.Tensor:
        f, size_x, size_y = self.factor, x.shape[2], x.shape[3]
        if f == 1:
            return torch.sigmoid(self.where(x))
        pooled = F.avg_pool2d(x, f, ceil_mode=True, count_include_pad=False)
        logits = F.interpolate(self.where(pooled), scale_factor=float(f), mode="bilinear", align_corners=False)
        return torch.sigmoid(logits[:, :, :size_x, :size_y])  # the last window may reach beyond the map

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.what(x) * self.attention(x)


class MultiscaleAttention(nn.Module):
    """Weighs features by spatial attention at several scales and joins them: (B, C, X, Y) -> (B, C', X, Y).

    For every scale the features are averaged over squares, two convolutions give one number for each square, and its
    sigmoid, brought back to full size, weighs the features of that scale. All scales and the features themselves are
    joined by a 3x3 convolution.

    Args:
        in_channels: C.
        out_channels: C', shared out evenly among the scales before they are joined.
        scales: edges of the squares, in positions of the feature map; 1 pools nothing.
        norm: a name of `make_image_norm`.

    Raises:
        ValueError: when there is no scale, one below 1, or more scales than channels.
    """

    def __init__(
        self, in_channels: int, out_channels: int, scales: Sequence[int] = (1, 2, 4, 8), norm: str = "instance"
    ) -> None:
        super().__init__()
        if not scales or min(scales) < 1 or len(scales) > out_channels:
            raise ValueError(
                f"attention scales {tuple(scales)} with {out_channels} channels: give one or more pooling factors of 1 "
                "or more, and no more of them than channels"
            )
        part = out_channels // len(scales)
        self.scales = nn.ModuleList([_AttentionScale(in_channels, part, int(f), norm) for f in scales])
        joined = in_channels + part * len(scales)
        self.join = nn.Sequential(*_conv_norm(joined, out_channels, 3, norm), nn.ReLU(inplace=True))

    def attention_maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """For every scale its attention map, (B, 1, X, Y), values 0 to 1."""
        return [scale.attention(x) for scale in self.scales]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = [x]
        for scale in self.scales:
            parts.append(scale(x))
        return self.join(torch.cat(parts, dim=1))


class _DecoderLevel(nn.Module):
    """Doubles the resolution, joins features of the encoder, convolves twice."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int, norm: str) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_conv_norm(in_channels + skip_channels, out_channels, 3, norm),
            nn.ReLU(inplace=True),
            *_conv_norm(out_channels, out_channels, 3, norm),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.body(torch.cat([x, skip], dim=1))


class SegmentationMultiscaleAttentionNet(nn.Module):
    """Image to class scores: dilated residual encoder, multi-scale attention, decoder of two levels.

    With w = `channels` and the sides as shares of the image's: stem (1/2, w), four stages of residual blocks of widths
    w, 2w, 4w, 8w (1/4, then 1/8; the last two are dilated and not halved), attention (1/8, 8w), decoder (1/4, 2w, with
    the features of the first stage; 1/2, w, with those of the stem), scores, bilinear doubling.

    The defaults are the full size, a ResNet-50 encoder: 38.6 million parameters with one image channel and two
    classes, 45.5 thousand million multiplications for 256 x 256 pixels. The light form for CPUs is
    `block="basic", num_blocks=(2, 2, 2, 2), channels=16`: 1.09 million and 1.47 thousand million.

    Args:
        in_channels: channels of the image.
        out_channels: number of classes.
        block: "bottleneck" (the width is multiplied by 4 at the end of each block) or "basic".
        num_blocks: residual blocks of the four stages.
        channels: w.
        norm: "instance" (as at home with small batches), "batch" (the paper), "group", "pixel" or "none".
        dilations: dilations of the last two stages; (1, 1) for none.
        attention_scales: pooling factors of the attention, on maps of an eighth of the image's size.

    Attributes:
        size_multiple: X and Y of the image must be multiples of it, and at least twice as large.

    Raises:
        ValueError: when there are not four numbers of blocks and two dilations, all 1 or more, or a name is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        block: str = "bottleneck",
        num_blocks: Sequence[int] = (3, 4, 6, 3),
        channels: int = 64,
        norm: str = "instance",
        dilations: Sequence[int] = (2, 4),
        attention_scales: Sequence[int] = (1, 2, 4, 8),
    ) -> None:
        super().__init__()
        if block not in _BLOCKS:
            raise ValueError(f"block must be one of {', '.join(_BLOCKS)}, not {block!r}")
        if len(num_blocks) != 4 or min(num_blocks) < 1:
            raise ValueError(f"num_blocks must be four numbers of 1 or more, one for each stage, not {num_blocks!r}")
        if len(dilations) != 2 or min(dilations) < 1:
            raise ValueError(f"dilations must be two numbers of 1 or more, for stages 3 and 4, not {dilations!r}")
        self.in_channels = in_channels
        self.size_multiple: int = 8
        self.stem = nn.Sequential(
            *_conv_norm(in_channels, channels, 3, norm, stride=2),
            nn.ReLU(inplace=True),
            *_conv_norm(channels, channels, 3, norm),
            nn.ReLU(inplace=True),
        )
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        stages, a, skip_channels = [], channels, channels
        for k, (stride, dilation) in enumerate(zip((1, 2, 1, 1), (1, 1, *dilations))):
            blocks = []
            for j in range(num_blocks[k]):
                blocks.append(_ResidualBlock(a, channels * 2**k, block, stride if j == 0 else 1, dilation, norm))
                a = blocks[-1].out_channels
            stages.append(nn.Sequential(*blocks))
            skip_channels = a if k == 0 else skip_channels
        self.first_stage = stages[0]
        self.later_stages = nn.Sequential(*stages[1:])
        self.attention = MultiscaleAttention(a, 8 * channels, attention_scales, norm)
        self.decoder_quarter = _DecoderLevel(8 * channels, skip_channels, 2 * channels, norm)
        self.decoder_half = _DecoderLevel(2 * channels, channels, channels, norm)
        self.head = nn.Conv2d(channels, out_channels, 1)
        initialise_weights(self, "kaiming")

    def _check(self, image: torch.Tensor) -> None:
        if image.dim() != 4 or image.shape[1] != self.in_channels:
            raise ValueError(f"image must be (batch, {self.in_channels}, X, Y), not {list(image.shape)}")
        m, sx, sy = self.size_multiple, image.shape[2], image.shape[3]
        if sx % m != 0 or sy % m != 0 or sx < 2 * m or sy < 2 * m:
            fit_x, fit_y = max(2, (sx + m - 1) // m) * m, max(2, (sy + m - 1) // m) * m
            raise ValueError(
                f"size {sx} x {sy} cannot be halved exactly here: sides must be multiples of {m}, from {2 * m} on;"
                f" pad to {fit_x} x {fit_y} (DivisiblePadInferer with k={m} pads and crops back)"
            )

    def encode(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Features of the stem (1/2), of the first stage (1/4) and of the last (1/8 of the image's size)."""
        self._check(image)
        half = self.stem(image)
        quarter = self.first_stage(self.pool(half))
        return half, quarter, self.later_stages(quarter)

    def attention_maps(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Where the network looks: for every scale (B, 1, X / 8, Y / 8), values 0 to 1."""
        return self.attention.attention_maps(self.encode(image)[2])

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Segment images.

        Args:
            image: (B, in_channels, X, Y).

        Returns:
            scores before a softmax, (B, out_channels, X, Y) float32, whatever autocast is on.

        Raises:
            ValueError: when the image does not fit the network; names the next size that does.
        """
        half, quarter, h = self.encode(image)
        h = self.decoder_half(self.decoder_quarter(self.attention(h), quarter), half)
        scores = self.head(h).float()
        return F.interpolate(scores, scale_factor=2.0, mode="bilinear", align_corners=False)
