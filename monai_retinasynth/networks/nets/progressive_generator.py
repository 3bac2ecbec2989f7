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
"""The generator of Karras et al. 2018, "Progressive Growing of GANs", with an output for each resolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..blocks.equalized import EqualizedConv2d
from ..blocks.progressive_stages import (
    GeneratorStage,
    GeneratorStart,
    progressive_resolutions,
    progressive_width,
)
from ..blocks.resampled_conv import FUSED_FROM

__all__ = ["ProgressiveGenerator"]


class ProgressiveGenerator(nn.Module):
    """Latent vectors to square maps, at any of the resolutions 4, 8, ..., `resolution`.

    While a resolution fades in, the output is `(1 - alpha) * upsampled previous output + alpha * new output` (section
    3 of the paper), blended after the activation, so that class probabilities stay probabilities.

    Args:
        latent_size: length Z of the latent vectors; they are normalised inside.
        out_channels: channels of the output: the number of classes, or 3 for a photograph.
        resolution: side of the largest output (pixels), a power of two of at least 4.
        base_channels: width: resolution r has `2 * base_channels / r` channels, up to `max_channels`. The defaults are
            the paper's.
        max_channels: largest number of channels.
        min_channels: smallest number of channels.
        out_activation: "softmax" (class probabilities), "sigmoid" (fields in [0, 1], see `LabelMapToRidge`), "tanh"
            (values in [-1, 1]), "none" or None.
        image_channels: the last so many of `out_channels` are an image in [-1, 1] (tanh), made together with the label
            map whose class probabilities come before it (the single-stage method of Andreini et al. 2023); 0 for none.
        resample: how the doublings are computed: "fused" within the convolution, "separate", or "auto" (fused where it
            is faster). All are the same function with the same parameters.

    Example::

        generator = ProgressiveGenerator(out_channels=3, resolution=256, out_activation="softmax")
        probabilities = generator(torch.randn(4, 512))  # (4, 3, 256, 256)
        growing = generator(torch.randn(4, 512), resolution=64, alpha=0.3)  # (4, 3, 64, 64)
    """

    def __init__(
        self,
        latent_size: int = 512,
        out_channels: int = 3,
        resolution: int = 1024,
        base_channels: int = 8192,
        max_channels: int = 512,
        min_channels: int = 8,
        out_activation: str | None = "softmax",
        resample: str = "auto",
        image_channels: int = 0,
    ) -> None:
        super().__init__()
        if image_channels and (out_activation != "softmax" or not 0 < image_channels < out_channels - 1):
            raise ValueError(
                f"{image_channels} image channels go with class probabilities: out_activation 'softmax' and at least "
                f"{image_channels + 2} out_channels (classes and image), not {out_activation!r} and {out_channels}"
            )
        if out_activation not in ("softmax", "sigmoid", "tanh", "none", None):
            raise ValueError(
                f'out_activation must be "softmax", "sigmoid", "tanh", "none" or None, not {out_activation!r}'
            )
        if resample not in ("auto", "fused", "separate"):
            raise ValueError(f'resample must be "auto", "fused" or "separate", not {resample!r}')
        self.latent_size = latent_size
        self.num_conditions = 0  # it takes no classes
        self.resolution = resolution
        self.resolutions = progressive_resolutions(resolution)
        self.out_activation = out_activation or "none"
        self.image_channels = image_channels
        widths = [progressive_width(r, base_channels, max_channels, min_channels) for r in self.resolutions]
        self.stages = nn.ModuleList([GeneratorStart(latent_size, widths[0])])
        for r, before, width in zip(self.resolutions[1:], widths, widths[1:]):
            self.stages.append(
                GeneratorStage(before, width, resample == "fused" or (resample == "auto" and r >= FUSED_FROM))
            )
        self.to_outputs = nn.ModuleList([EqualizedConv2d(w, out_channels, kernel_size=1, gain=1.0) for w in widths])

    def forward(self, latents: torch.Tensor, resolution: int | None = None, alpha: float = 1.0) -> torch.Tensor:
        """Draw maps.

        Args:
            latents: (B, Z), usually from N(0, 1).
            resolution: side r of the output, one of `resolutions`; the largest by default.
            alpha: weight in [0, 1] of the stage at r; the rest is the previous resolution, upsampled. Without effect
                at 4 px.

        Returns:
            (B, C, r, r) float32, whatever autocast is on.

        Raises:
            ValueError: when `latents` or `resolution` do not fit the network.
        """
        target = self.resolution if resolution is None else resolution
        if latents.dim() != 2 or latents.shape[1] != self.latent_size:
            raise ValueError(f"latents must be (batch, {self.latent_size}), not {list(latents.shape)}")
        if target not in self.resolutions:
            raise ValueError(f"resolution must be one of {self.resolutions}, not {target}")
        x = latents
        picture = latents
        size = 4
        for stage, to_output in zip(self.stages, self.to_outputs):
            if size <= target:
                x = stage(x)
            if size == target and (alpha >= 1.0 or size == 4):
                picture = self._activate(to_output(x))
            elif size == target:
                coarse = F.interpolate(picture, scale_factor=2.0, mode="nearest")
                picture = torch.lerp(coarse, self._activate(to_output(x)), alpha)
            elif 2 * size == target and alpha < 1.0:
                picture = self._activate(to_output(x))
            size *= 2
        return picture

    def _activate(self, logits: torch.Tensor) -> torch.Tensor:
        logits = logits.float()
        if self.image_channels:
            k = self.image_channels
            return torch.cat([torch.softmax(logits[:, :-k], dim=1), torch.tanh(logits[:, -k:])], dim=1)
        if self.out_activation == "softmax":
            return torch.softmax(logits, dim=1)
        if self.out_activation == "sigmoid":
            return torch.sigmoid(logits)
        if self.out_activation == "tanh":
            return torch.tanh(logits)
        return logits
