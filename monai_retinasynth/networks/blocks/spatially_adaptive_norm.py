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
"""Normalisation whose scale and shift are read from a label map (Park et al. 2019, section 3.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .image_norms import FastInstanceNorm2d
from .pixel_norm import PixelNorm

__all__ = ["MODULATIONS", "SpatialModulation", "SpatiallyAdaptiveNorm", "make_plain_norm"]

#: ways from a label map to scale and shift that `SpatialModulation` knows
MODULATIONS = ("spade", "class")

_START_GAIN = 0.02  # of the weights that give scale and shift: training begins close to the plain norm
_STYLE_START = 0.05  # standard deviation of a style's shift at first: small, or its noise hides the label map


def make_plain_norm(norm: str, channels: int) -> nn.Module:
    """A normalisation without scale and shift of its own, for maps of `channels` channels.

    Args:
        norm: "instance", the one that does not depend on the batch, which for these pictures is often a single one;
            "batch" (the paper, over many devices), with running statistics for evaluation; or "pixel".
        channels: channels of the map.

    Raises:
        ValueError: for another name.
    """
    if norm == "instance":
        return FastInstanceNorm2d()
    if norm == "batch":
        return nn.BatchNorm2d(channels, affine=False)
    if norm == "pixel":
        return PixelNorm()
    raise ValueError(f'norm must be "instance", "batch" or "pixel", not {norm!r}')


class SpatialModulation(nn.Module):
    """`x * (1 + gamma) + beta`, gamma and beta maps of the size of `x` that are read from the condition.

    Unlike those of `monai.networks.blocks.SPADE`, gamma and beta are not normalised: their mean over a uniform region
    is what gives the region its colour.

    Args:
        channels: C, channels of `x`.
        condition_channels: K, channels of the condition.
        hidden_channels: channels of the layer that gamma and beta share; 128 in the paper. Most of a generator's time
            goes into reading gamma and beta from it, in proportion.
        kernel_size: kernel of gamma and beta, 3 (the paper) or 1, the hidden layer's is 3.
        modulation: "spade": a hidden layer with ReLU between; "class": one gamma and one beta for each class, looked
            up at every position (Tan et al. 2021, "Efficient Semantic Image Synthesis via Class-Adaptive
            Normalization"), and for a mixture of classes their mean.
        style_size: size of a style vector that shifts the hidden layer ("spade") or gamma and beta ("class");
            0 for none.

    Raises:
        ValueError: for another `modulation`, or an even kernel.
    """

    def __init__(
        self,
        channels: int,
        condition_channels: int,
        hidden_channels: int = 128,
        kernel_size: int = 3,
        modulation: str = "spade",
        style_size: int = 0,
    ) -> None:
        super().__init__()
        if modulation not in MODULATIONS:
            raise ValueError(f"modulation must be one of {', '.join(MODULATIONS)}, not {modulation!r}")
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, not {kernel_size}")
        by_class = modulation == "class"
        self.hidden = None if by_class else nn.Conv2d(condition_channels, hidden_channels, 3, padding=1)
        source, kernel = (condition_channels, 1) if by_class else (hidden_channels, kernel_size)
        # two convolutions: halves of a single one's output would have to be copied apart
        self.gamma = nn.Conv2d(source, channels, kernel, padding=kernel // 2)
        self.beta = nn.Conv2d(source, channels, kernel, padding=kernel // 2)
        shifted = 2 * channels if by_class else hidden_channels
        self.style = nn.Linear(style_size, shifted, bias=False) if style_size else None
        self.start_near_identity()

    def start_near_identity(self) -> None:
        """Draw the weights of gamma, beta and the style small, so that the map passes nearly unchanged."""
        for layer in (self.gamma, self.beta):
            nn.init.xavier_normal_(layer.weight, gain=_START_GAIN)
            nn.init.zeros_(layer.bias)
        if self.style is not None:
            nn.init.normal_(self.style.weight, std=_STYLE_START / self.style.in_features**0.5)

    def forward(self, x: torch.Tensor, condition: torch.Tensor, style: torch.Tensor | None = None) -> torch.Tensor:
        """Modulate a map.

        Args:
            x: (B, C, X, Y), normalised.
            condition: (B, K, X, Y).
            style: (B, style_size); none leaves the style out.

        Returns:
            (B, C, X, Y).
        """
        shift = None
        if self.style is not None and style is not None:
            shift = self.style(style)[:, :, None, None]
        source = condition
        if self.hidden is not None:
            source = self.hidden(condition)
            if shift is not None:
                source = source + shift
            source = F.relu(source, inplace=True)
        # the bias adds the one of 1 + gamma, without an operation on the whole map
        scale = F.conv2d(source, self.gamma.weight, self.gamma.bias + 1.0, padding=self.gamma.padding)
        beta = self.beta(source)
        if self.hidden is None and shift is not None:
            of_scale, of_beta = shift.chunk(2, dim=1)
            scale, beta = scale + of_scale, beta + of_beta
        return torch.addcmul(beta, x.to(beta.dtype), scale)


class SpatiallyAdaptiveNorm(nn.Module):
    """A norm without parameters, and a `SpatialModulation` after it.

    An ordinary norm takes the constant of a uniform region away, and with it the label; here the label comes back
    through scale and shift at every position.

    Args:
        channels: C, channels of the map.
        condition_channels: K, channels of the condition, such as the classes of a one-hot label map.
        norm: "instance", "batch" or "pixel".
        **modulation: of `SpatialModulation`.
    """

    def __init__(self, channels: int, condition_channels: int, norm: str = "instance", **modulation: object) -> None:
        super().__init__()
        self.normalise = make_plain_norm(norm, channels)
        self.modulation = SpatialModulation(channels, condition_channels, **modulation)

    def forward(self, x: torch.Tensor, condition: torch.Tensor, style: torch.Tensor | None = None) -> torch.Tensor:
        """Normalise and modulate.

        Args:
            x: (B, C, X, Y).
            condition: (B, K, X', Y'), reduced to X x Y by averaging over areas: a lesion of one pixel keeps its share
                of a coarse position, where nearest-neighbour sampling would miss it most of the time.
            style: see `SpatialModulation`.

        Returns:
            (B, C, X, Y).
        """
        if condition.shape[2:] != x.shape[2:]:
            condition = F.adaptive_avg_pool2d(condition, x.shape[2:])
        return self.modulation(self.normalise(x), condition, style)
