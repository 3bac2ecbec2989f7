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
"""The multi-scale patch discriminator of Wang et al. 2018 (pix2pixHD): equal networks on a pyramid of the input."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.networks import normal_init
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm as with_spectral_norm

from ..blocks.image_norms import make_image_norm

__all__ = ["PooledMultiscaleDiscriminator"]


class PatchScoreNet(nn.Module):
    """One patch discriminator, by default C64-C128-C256-C512 with 4x4 kernels; returns its features, logits last."""

    def __init__(
        self, in_channels: int, channels: int, num_layers: int, max_channels: int, norm: str, spectral_norm: bool
    ) -> None:
        super().__init__()
        widths = [min(max_channels, channels * 2**k) for k in range(num_layers + 1)]
        layers: list[nn.Module] = []
        for k, (before, width) in enumerate(zip([in_channels, *widths], widths)):
            norm_name = norm if k else "none"  # none on the input, as in the paper
            conv = nn.Conv2d(before, width, 4, 2 if k < num_layers else 1, padding=2, bias=norm_name == "none")
            layers.append(nn.Sequential(conv, make_image_norm(norm_name, width), nn.LeakyReLU(0.2, inplace=True)))
        layers.append(nn.Conv2d(widths[-1], 1, 4, padding=2))
        self.layers = nn.ModuleList(layers)
        self.apply(normal_init)
        if spectral_norm:
            for module in [m for m in self.modules() if isinstance(m, nn.Conv2d) and m.bias is not None]:
                with_spectral_norm(module)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        features = []
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return features


class PooledMultiscaleDiscriminator(nn.Module):
    """Patch discriminators of equal make on an image pyramid (3x3 average pooling of stride 2).

    Unlike `monai.networks.nets.MultiScalePatchDiscriminator` the coarser scales are made by pooling the input, not by
    deeper networks, so the number of parameters grows linearly with the scales.

    Args:
        in_channels: channels of the input: those of the condition and of the image together.
        channels: channels of the first layer; each layer doubles them up to `max_channels`.
        num_layers: layers of stride 2; one of stride 1 and the logits follow.
        num_scales: scales; the paper has 3.
        max_channels: largest number of channels.
        norm: "instance", "batch", "group" or "none"; never on the first and the last layer.
        spectral_norm: whether the weights are divided by their largest singular value (Miyato et al. 2018), which
            acts on the layers without a norm alone: a norm takes every scale away, so before one it is left out. To
            compute it once for several calls, make them under `torch.nn.utils.parametrize.cached()`.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int = 64,
        num_layers: int = 3,
        num_scales: int = 2,
        max_channels: int = 512,
        norm: str = "instance",
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        if num_scales < 1 or num_layers < 1:
            raise ValueError(f"num_scales and num_layers must be at least 1, not {num_scales} and {num_layers}")
        self.in_channels = in_channels
        self.min_size = 2 ** (num_scales - 1) * 2**num_layers
        self.scales = nn.ModuleList(
            [
                PatchScoreNet(in_channels, channels, num_layers, max_channels, norm, spectral_norm)
                for _ in range(num_scales)
            ]
        )

    def forward(self, x: torch.Tensor) -> list[list[torch.Tensor]]:
        """Score patches.

        Args:
            x: (B, C, X, Y), X and Y at least `min_size`.

        Returns:
            For each scale, the finest first, the features of its layers; the last one is the logits (B, 1, X', Y').

        Raises:
            ValueError: when `x` does not fit the network.
        """
        if x.dim() != 4 or x.shape[1] != self.in_channels or min(x.shape[2], x.shape[3]) < self.min_size:
            raise ValueError(
                f"input must be (batch, {self.in_channels}, X, Y) with X, Y >= {self.min_size}, not {list(x.shape)};"
                " crop larger or use fewer scales or layers"
            )
        results: list[list[torch.Tensor]] = []
        for k, net in enumerate(self.scales):
            if k > 0:
                x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            results.append(net(x))
        return results

    def probabilities(self, x: torch.Tensor) -> list[torch.Tensor]:
        """How probably each patch is real: the sigmoid of the logits.

        The losses take the logits, whose cross-entropy stays finite where a probability would round to 0 or 1.

        Args:
            x: see `forward`.

        Returns:
            For each scale, the finest first, (B, 1, X', Y') float32 in [0, 1].
        """
        return [torch.sigmoid(features[-1].float()) for features in self(x)]
