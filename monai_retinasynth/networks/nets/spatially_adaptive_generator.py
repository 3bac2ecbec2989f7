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
"""The generator of Park et al. 2019, "Semantic Image Synthesis with Spatially-Adaptive Normalization" (SPADE)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..blocks.octave_noise import octave_noise
from ..blocks.spatially_adaptive_block import SpatiallyAdaptiveBlock
from .style_encoder import StyleEncoder

__all__ = ["SpatiallyAdaptiveGenerator"]


class SpatiallyAdaptiveGenerator(nn.Module):
    """Label map to photograph; the label map scales and shifts the features at every size, the full one included.

    With the defaults at 256 px: 1024 channels at 8 px (one block) and 16 px (two), then 512, 256, 128 and 64 at 32,
    64, 128 and 256 px, as in the paper. Unlike `monai.networks.nets.SPADENet`, the last block is at full size, so
    structures of one pixel are drawn from the full label map.

    Without a style vector one label map has one photograph. With one it has many: the style shifts the layers that
    scale and shift the features. In the paper the style is the beginning of the features instead (`start="style"`,
    `style_modulation=False`), but of a colour that only the beginning knows, instance norm leaves little, and the
    label map as beginning is learned in fewer steps. An encoder can draw the style from a photograph, as a variational
    autoencoder does.

    Noise channels join the label map at every size (as in Sushko et al. 2021, "You Only Need Adversarial Supervision
    for Semantic Image Synthesis"): over a large uniform region, such as a retina without vessels, a generator has
    nothing else to make an irregular texture from, and repeats what its borders give it.

    Args:
        in_channels: channels of the condition: classes of the one-hot label map, and others such as coordinates.
        out_channels: channels of the photograph.
        channels: channels at full size (`ngf` of the authors); each halving doubles them up to `max_channels`.
        max_channels: largest number of channels; the paper's is 16 times `channels`.
        num_ups: doublings: 5 takes 8 px to 256 px. The authors have 6 or 7 for more pixels ("more", "most").
        hidden_channels: channels of the layer between label map and scale and shift, see `SpatialModulation`.
        modulation: "spade", or "class" (Tan et al. 2021), which is the faster one.
        modulation_kernel_size: kernel of scale and shift, 3 (the paper) or 1.
        norm: "instance", "batch" (the paper, over many devices) or "pixel".
        spectral_norm: whether the blocks' convolutions have it.
        style_size: Z, size of the style vector, 256 in the paper; 0 for none.
        style_modulation: whether the style shifts the modulation; False is the paper.
        start: what the features begin with: "condition", reduced (the paper without a style), or "style", through a
            linear layer (the paper with one).
        start_size: side of the map that the linear layer gives, which is resized to what the condition needs; 8 in
            the paper, at 256 px.
        encoder: whether there is a `StyleEncoder`.
        encoder_channels: channels of its first convolution.
        noise_channels: N, channels of noise (`octave_noise`) beside the condition; 0 for none.
        out_activation: "tanh" (values in [-1, 1]), "sigmoid", "none" or None.

    Attributes:
        size_multiple: X and Y of the condition must be multiples of it, and at least twice as large.

    Raises:
        ValueError: when the settings do not fit each other.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 3,
        channels: int = 64,
        max_channels: int = 1024,
        num_ups: int = 5,
        hidden_channels: int = 128,
        modulation: str = "spade",
        modulation_kernel_size: int = 3,
        norm: str = "instance",
        spectral_norm: bool = True,
        style_size: int = 0,
        style_modulation: bool = True,
        start: str = "condition",
        start_size: int = 8,
        encoder: bool = False,
        encoder_channels: int = 64,
        noise_channels: int = 0,
        out_activation: str | None = "tanh",
    ) -> None:
        super().__init__()
        if num_ups < 1:
            raise ValueError(f"num_ups must be at least 1, not {num_ups}")
        if encoder and style_size < 1:
            raise ValueError("an encoder needs a style vector to draw: set style_size, 256 in the paper")
        if start not in ("condition", "style"):
            raise ValueError(f'start must be "condition" or "style", not {start!r}')
        if start == "style" and style_size < 1:
            raise ValueError('start="style" needs a style vector: set style_size, 256 in the paper')
        if style_size and start == "condition" and not style_modulation:
            raise ValueError('the style would have no effect: use start="style" or style_modulation=True')
        if out_activation not in ("tanh", "sigmoid", "none", None):
            raise ValueError(f'out_activation must be "tanh", "sigmoid", "none" or None, not {out_activation!r}')
        self.in_channels = in_channels
        self.style_size = style_size
        self.noise_channels = noise_channels
        self.start_size = start_size
        self.num_ups = num_ups
        self.size_multiple: int = 2**num_ups
        self.out_activation = out_activation or "none"

        # channels at the start, and after each doubling
        widths = [min(max_channels, channels * 2 ** (num_ups - max(k, 1))) for k in range(num_ups + 1)]
        self.starts_with_style = start == "style"
        if self.starts_with_style:
            self.start: nn.Module = nn.Linear(style_size, widths[0] * start_size**2)
        else:
            self.start = nn.Conv2d(in_channels + noise_channels, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        self.levels: list[int] = []  # number of doublings before each block
        # (channels before, channels after, level); two blocks after the first doubling
        plan = [(widths[0], widths[0], 0), (widths[0], widths[1], 1), (widths[1], widths[1], 1)]
        plan += [(widths[k - 1], widths[k], k) for k in range(2, num_ups + 1)]
        for before, width, level in plan:
            block = SpatiallyAdaptiveBlock(
                before,
                width,
                in_channels + noise_channels,
                doubles=level != (self.levels[-1] if self.levels else 0),
                norm=norm,
                spectral_norm=spectral_norm,
                hidden_channels=hidden_channels,
                kernel_size=modulation_kernel_size,
                modulation=modulation,
                style_size=style_size if style_modulation else 0,
            )
            self.blocks.append(block)
            self.levels.append(level)
        self.head = nn.Conv2d(widths[-1], out_channels, 3, padding=1)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)
        self.encoder = StyleEncoder(out_channels, style_size, encoder_channels) if encoder else None

    def forward(
        self,
        condition: torch.Tensor,
        style: torch.Tensor | None = None,
        photograph: torch.Tensor | None = None,
        noise: torch.Tensor | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Draw photographs.

        Args:
            condition: (B, C, X, Y), such as a one-hot label map.
            style: (B, style_size). When neither it nor a photograph is given, it is drawn from N(0, 1) in training
                mode, and zero, the mean style, in evaluation mode.
            photograph: (B, out_channels, X', Y') in [-1, 1] whose style is taken: drawn from the distribution that
                the encoder gives.
            noise: (B, noise_channels, X, Y), mean 0, standard deviation 1. When it is not given, it is drawn anew in
                training mode, and is always the same in evaluation mode (give it to `torch.jit.trace`, which does not
                keep the seed).

        Returns:
            (B, out_channels, X, Y) float32, whatever autocast is on. With a photograph a tuple of that, and of the
            mean and the log variance of its style, each (B, style_size) float32, for `kl_divergence_loss`.

        Raises:
            ValueError: when an input does not fit the network; for the size of the condition it names the next one
                that does.
        """
        self._check(condition, style, photograph, noise)
        mean, log_variance = None, None
        if photograph is not None:
            mean, log_variance = self.encoder(photograph)
            style = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)

        # area averages at each size, computed once for all norms there; the full size comes first
        pyramid = [self._with_noise(condition, noise)]
        for _ in range(self.num_ups):
            pyramid.append(F.avg_pool2d(pyramid[-1], 2))

        if self.style_size and style is None:
            shape = (condition.shape[0], self.style_size)
            style = torch.randn(shape, device=condition.device) if self.training else condition.new_zeros(shape)
        if self.starts_with_style:
            h = self.start(style).reshape(style.shape[0], -1, self.start_size, self.start_size)
            h = F.interpolate(h, size=pyramid[-1].shape[2:], mode="bilinear", align_corners=False)
        else:
            h = self.start(pyramid[-1])
        for block, level in zip(self.blocks, self.levels):
            h = block(h, pyramid[self.num_ups - level], style)
        y = self.head(F.leaky_relu(h, 0.2)).float()
        if self.out_activation == "tanh":
            y = torch.tanh(y)
        elif self.out_activation == "sigmoid":
            y = torch.sigmoid(y)
        if mean is None or log_variance is None:
            return y
        return y, mean, log_variance

    def _with_noise(self, condition: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        if not self.noise_channels:
            return condition
        if noise is None:
            shape, octaves = (condition.shape[0], self.noise_channels, *condition.shape[2:]), self.num_ups + 1
            if self.training:
                noise = octave_noise(shape, octaves, device=condition.device)
            else:
                # one noise for all, so that a picture does not depend on its place in a batch
                fixed = octave_noise((1, *shape[1:]), octaves, torch.Generator().manual_seed(0))
                noise = fixed.to(condition.device).expand(shape)
        layout = torch.contiguous_format
        if condition.is_contiguous(memory_format=torch.channels_last):
            layout = torch.channels_last  # else the result of the concatenation would lose it
        return torch.cat([condition, noise.to(condition).contiguous(memory_format=layout)], dim=1)

    def _check(
        self,
        condition: torch.Tensor,
        style: torch.Tensor | None,
        photograph: torch.Tensor | None,
        noise: torch.Tensor | None,
    ) -> None:
        if condition.dim() != 4 or condition.shape[1] != self.in_channels:
            raise ValueError(f"condition must be (batch, {self.in_channels}, X, Y), not {list(condition.shape)}")
        m, sx, sy = self.size_multiple, condition.shape[2], condition.shape[3]
        if sx % m != 0 or sy % m != 0 or sx < 2 * m or sy < 2 * m:
            fit_x, fit_y = max(2, (sx + m - 1) // m) * m, max(2, (sy + m - 1) // m) * m
            raise ValueError(
                f"size {sx} x {sy} cannot be reached by doublings here: sides must be multiples of {m}, from {2 * m}"
                f" on; pad to {fit_x} x {fit_y} (DivisiblePadInferer with k={m} pads and crops back), or use fewer"
                " num_ups"
            )
        if style is not None and photograph is not None:
            raise ValueError("give a style or a photograph whose style is taken, not both")
        if style is not None and self.style_size == 0:
            raise ValueError("this generator has no style: make it with style_size")
        if style is not None and tuple(style.shape) != (condition.shape[0], self.style_size):
            raise ValueError(
                f"style must be ({condition.shape[0]}, {self.style_size}), one vector for each condition, not"
                f" {tuple(style.shape)}"
            )
        if noise is not None and self.noise_channels == 0:
            raise ValueError("this generator takes no noise: make it with noise_channels")
        wanted = (condition.shape[0], self.noise_channels, sx, sy)
        if noise is not None and tuple(noise.shape) != wanted:
            raise ValueError(f"noise must be {wanted}, of the size of the condition, not {tuple(noise.shape)}")
        if photograph is not None and self.encoder is None:
            raise ValueError("this generator takes no style from photographs: make it with encoder=True")
        if photograph is not None and photograph.shape[0] != condition.shape[0]:
            raise ValueError(f"{photograph.shape[0]} photographs for {condition.shape[0]} conditions")
