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
"""The discriminator of Karras et al. 2018, "Progressive Growing of GANs", with an input for each resolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..blocks.equalized import EqualizedConv2d
from ..blocks.progressive_stages import (
    DiscriminatorEnd,
    DiscriminatorStage,
    progressive_resolutions,
    progressive_width,
)
from ..blocks.resampled_conv import FUSED_FROM

__all__ = ["ProgressiveDiscriminator"]


class ProgressiveDiscriminator(nn.Module):
    """Square maps of any of the resolutions 4, 8, ..., `resolution` to one score a sample.

    While a resolution fades in, the features entering the stage below are
    `(1 - alpha) * features of the input halved + alpha * features of the new stage` (section 3 of the paper).

    Args:
        in_channels: channels of the input.
        resolution: side of the largest input (pixels), a power of two of at least 4.
        base_channels: width: resolution r has `2 * base_channels / r` channels, up to `max_channels`. The defaults are
            the paper's.
        max_channels: largest number of channels.
        min_channels: smallest number of channels.
        minibatch_group: samples in a group of the minibatch standard deviation (contiguous in the batch).
        resample: how the halvings are computed: "fused" within the convolution, "separate", or "auto" (fused where it
            is faster).
    """

    def __init__(
        self,
        in_channels: int = 3,
        resolution: int = 1024,
        base_channels: int = 8192,
        max_channels: int = 512,
        min_channels: int = 8,
        minibatch_group: int = 4,
        resample: str = "auto",
    ) -> None:
        super().__init__()
        if resample not in ("auto", "fused", "separate"):
            raise ValueError(f'resample must be "auto", "fused" or "separate", not {resample!r}')
        self.in_channels = in_channels
        self.num_conditions = 0  # it tells no classes apart
        self.resolution = resolution
        self.resolutions = progressive_resolutions(resolution)
        widths = {r: progressive_width(r, base_channels, max_channels, min_channels) for r in self.resolutions}
        self.stages = nn.ModuleList()
        self.from_inputs = nn.ModuleList()
        for r in reversed(self.resolutions):  # in the order of the computation: the largest map first
            fused = resample == "fused" or (resample == "auto" and r >= FUSED_FROM)
            self.from_inputs.append(EqualizedConv2d(in_channels, widths[r], kernel_size=1))
            if r > 4:
                self.stages.append(DiscriminatorStage(widths[r], widths[r // 2], fused))
            else:
                self.stages.append(DiscriminatorEnd(widths[r], minibatch_group))

    def forward(self, x: torch.Tensor, alpha: float = 1.0) -> torch.Tensor:
        """Score maps; higher is more real.

        Args:
            x: (B, C, r, r), r one of `resolutions`.
            alpha: weight in [0, 1] of the stage at r; the rest comes from the input halved. Without effect at 4 px.

        Returns:
            (B, 1) float32, whatever autocast is on.

        Raises:
            ValueError: when `x` does not fit the network.
        """
        target = x.shape[-1]
        if x.dim() != 4 or x.shape[1] != self.in_channels or x.shape[2] != target or target not in self.resolutions:
            raise ValueError(
                f"input must be (batch, {self.in_channels}, r, r), r in {self.resolutions}, not {list(x.shape)}"
            )
        h = x
        size = self.resolution
        for stage, from_input in zip(self.stages, self.from_inputs):
            if size == target:
                h = F.leaky_relu(from_input(x), 0.2)
            elif 2 * size == target and alpha < 1.0:
                h = torch.lerp(F.leaky_relu(from_input(F.avg_pool2d(x, 2)), 0.2), h, alpha)
            if size <= target:
                h = stage(h)
            size = size // 2
        return h.float()
