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
"""The label map generator of Son et al. 2021: a class embedding times the latent vector, then nearest upsampling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..blocks.image_norms import IMAGE_NORMS, make_image_norm
from ..blocks.resampled_conv import FUSED_FROM, UpsampledConv2d

__all__ = ["AuxiliaryClassifierGenerator"]


class AuxiliaryClassifierGenerator(nn.Module):
    """Latent vectors and classes to square maps (Son et al., "Synthesis of Diabetic Retina Fundus Images Using Semantic
    Label Generation", 2021, stage 1; the conditioning is that of Odena et al. 2017, "Auxiliary Classifier GANs").

    The class vector times an embedding matrix multiplies the latent vector element by element; a linear layer makes a
    4x4 map of it, and every block doubles the map: nearest-neighbour doubling, 3x3 convolution, norm, ReLU.

    The paper gives the last block "16 or classes" channels. Here it has 16 and a 3x3 convolution to the classes
    follows: a block that ended in the classes would hand normalised, non-negative scores to the softmax, and no
    non-linear layer would work at full resolution, where a microaneurysm is one pixel.

    Batch norm ("batch", the paper's) uses the statistics of the batch in training and the running ones in evaluation,
    where a sample does not depend on the others. Average its buffers too where the parameters are averaged.

    Args:
        latent_size: length Z of the latent vectors.
        num_conditions: number K of classes that condition the output, such as 5 grades; 0 for none.
        out_channels: channels C of the output: the number of classes of the label set.
        start_channels: channels of the 4x4 map.
        channels: channels of the blocks; n blocks give an output of 4 * 2**n pixels. The default is the paper's.
        norm: "batch", or another name of `make_image_norm`.
        out_activation: "softmax" (class probabilities), "tanh" (values in [-1, 1]), "none" or None.
        resolution: side of the output (pixels) that `channels` must fit; None takes what they give.

    Raises:
        ValueError: when a name is unknown, a number is out of range, or `channels` do not give `resolution`.

    Example::

        generator = AuxiliaryClassifierGenerator()
        grades = torch.nn.functional.one_hot(torch.tensor([0, 4]), 5)
        probabilities = generator(torch.cat([torch.randn(2, 128), grades], dim=1))  # (2, 8, 256, 256)
    """

    def __init__(
        self,
        latent_size: int = 128,
        num_conditions: int = 5,
        out_channels: int = 8,
        start_channels: int = 512,
        channels: Sequence[int] = (256, 128, 64, 32, 16, 16),
        norm: str = "batch",
        out_activation: str | None = "softmax",
        resolution: int | None = None,
    ) -> None:
        super().__init__()
        if out_activation not in ("softmax", "tanh", "none", None):
            raise ValueError(f'out_activation must be "softmax", "tanh", "none" or None, not {out_activation!r}')
        if norm not in IMAGE_NORMS:
            raise ValueError(f"norm must be one of {', '.join(IMAGE_NORMS)}, not {norm!r}")
        widths = [int(width) for width in channels]
        if not widths or min(widths) < 1:
            raise ValueError(f"channels must be one or more positive numbers, one a block, not {list(channels)}")
        if min(latent_size, out_channels, start_channels) < 1 or num_conditions < 0:
            raise ValueError(
                "latent_size, out_channels and start_channels must be at least 1 and num_conditions at least 0, not "
                f"{latent_size}, {out_channels}, {start_channels} and {num_conditions}"
            )
        self.latent_size = latent_size
        self.num_conditions = num_conditions
        self.resolution = 4 * 2 ** len(widths)
        self.out_activation = out_activation or "none"
        if resolution is not None and resolution != self.resolution:
            raise ValueError(_what_fits(resolution, len(widths)))

        bias = norm in ("none", "pixel")
        # not a linear layer: as an embedding it is of unit variance, also where linear layers are drawn anew
        embedding = nn.Parameter(torch.randn(num_conditions, latent_size)) if num_conditions else None
        self.register_parameter("class_embedding", embedding)
        self.start = nn.Linear(latent_size, start_channels * 16, bias=bias)
        self.start_norm = nn.Sequential(make_image_norm(norm, start_channels), nn.ReLU(inplace=True))
        layers: list[nn.Module] = []
        size = 4
        for before, width in zip([start_channels, *widths], widths):
            size *= 2
            layers.append(UpsampledConv2d(before, width, bias=bias, fused=size >= FUSED_FROM))
            layers.append(make_image_norm(norm, width))
            layers.append(nn.ReLU(inplace=True))
        self.blocks = nn.Sequential(*layers)
        self.to_output = nn.Conv2d(widths[-1], out_channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Draw maps.

        Args:
            x: (B, Z + K): latent vectors, usually from N(0, 1), then one-hot class vectors (or weights of classes).

        Returns:
            (B, C, resolution, resolution) float32, whatever autocast is on.

        Raises:
            ValueError: when `x` does not fit the network.
        """
        if x.dim() != 2 or x.shape[1] != self.latent_size + self.num_conditions:
            raise ValueError(
                f"input must be (batch, {self.latent_size + self.num_conditions}): {self.latent_size} latent values, "
                f"then {self.num_conditions} class weights; not {list(x.shape)}"
            )
        latents = x[:, : self.latent_size]
        if self.class_embedding is not None:
            latents = latents * torch.matmul(x[:, self.latent_size :], self.class_embedding)
        logits = self.to_output(self.blocks(self.start_norm(self.start(latents).reshape(len(x), -1, 4, 4)))).float()
        if self.out_activation == "softmax":
            return torch.softmax(logits, dim=1)
        if self.out_activation == "tanh":
            return torch.tanh(logits)
        return logits


def _what_fits(resolution: int, blocks: int) -> str:
    given = f"{blocks} channels give {4 * 2**blocks} px, not the resolution of {resolution}"
    if resolution < 8 or resolution & (resolution - 1):
        below = max(8, 1 << (max(resolution, 1).bit_length() - 1))
        return f"{given}, which must be a power of two of at least 8: use {below} or {2 * below}"
    return f"{given}; give {resolution.bit_length() - 3} channels, one for each doubling from 4 px"
