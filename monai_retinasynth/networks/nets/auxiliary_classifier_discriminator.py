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
"""The narrow discriminator of Son et al. 2021: is a label map real, and of which class is it?"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm as with_spectral_norm

from ..blocks.image_norms import IMAGE_NORMS, make_image_norm

__all__ = ["AuxiliaryClassifierDiscriminator"]


class AuxiliaryClassifierDiscriminator(nn.Module):
    """Square maps to an adversarial logit and class logits (Odena et al. 2017), far narrower than the generator.

    Convolutions of stride 2, each followed by LeakyReLU of slope 0.2, then two linear heads on the features, whose
    positions are kept: where the disc and the lesions lie is what tells an eye. The widths are those of Son et al.
    2021: with both defaults it has a sixth of the generator's parameters, so that it cannot learn the few training
    maps by heart. Kernels are 4x4, so that every input pixel counts in equally many positions and one-pixel lesions
    weigh the same wherever they are.

    There is no norm by default: batch norm would let the others of its batch change a sample's score, and reals and
    fakes pass in batches of their own, whose statistics would tell them apart.

    Args:
        in_channels: channels C of the input: the number of classes of the label set.
        num_conditions: number K of classes to tell apart, such as 5 grades; 0 leaves the adversarial logit alone.
        resolution: side of the input (pixels), a power of two of at least 2**(number of `channels`).
        channels: channels of the convolutions, each of which halves the map.
        norm: a name of `make_image_norm`; never on the first convolution.
        spectral_norm: whether the weights of the convolutions and of the adversarial head are divided by their largest
            singular value (Miyato et al. 2018). The class head stays free: bounded logits could not become certain.

    Raises:
        ValueError: when a name is unknown, a number is out of range, or `resolution` and `channels` do not fit.
    """

    def __init__(
        self,
        in_channels: int = 8,
        num_conditions: int = 5,
        resolution: int = 256,
        channels: Sequence[int] = (8, 16, 32, 64, 128, 128),
        norm: str = "none",
        spectral_norm: bool = False,
    ) -> None:
        super().__init__()
        if norm not in IMAGE_NORMS:
            raise ValueError(f"norm must be one of {', '.join(IMAGE_NORMS)}, not {norm!r}")
        widths = [int(width) for width in channels]
        if not widths or min(widths) < 1:
            raise ValueError(f"channels must be one or more positive numbers, one a convolution, not {list(channels)}")
        if in_channels < 1 or num_conditions < 0:
            raise ValueError(
                f"in_channels must be at least 1 and num_conditions at least 0, not {in_channels}, {num_conditions}"
            )
        smallest = 2 ** len(widths)
        if resolution < smallest or resolution & (resolution - 1):
            below = max(smallest, 1 << (max(resolution, 1).bit_length() - 1))
            raise ValueError(
                f"resolution must be a power of two of at least {smallest} for {len(widths)} halvings, not "
                f"{resolution}; use {below} or {2 * below}, or fewer channels"
            )
        self.in_channels = in_channels
        self.num_conditions = num_conditions
        self.resolution = resolution
        layers: list[nn.Module] = []
        for k, (before, width) in enumerate(zip([in_channels, *widths], widths)):
            name = norm if k else "none"
            layers.append(nn.Conv2d(before, width, 4, stride=2, padding=1, bias=name in ("none", "pixel")))
            layers.append(make_image_norm(name, width))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.features = nn.Sequential(*layers)
        features = widths[-1] * (resolution // smallest) ** 2
        self.adversarial_head = nn.Linear(features, 1)
        self.class_head = nn.Linear(features, num_conditions) if num_conditions else None
        if spectral_norm:
            for module in [m for m in self.features if isinstance(m, nn.Conv2d)]:
                with_spectral_norm(module)
            with_spectral_norm(self.adversarial_head)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Judge maps.

        Args:
            x: (B, C, resolution, resolution), class probabilities.

        Returns:
            (B, 1 + K) float32, whatever autocast is on: the adversarial logit (higher is more real), then the class
            logits.

        Raises:
            ValueError: when `x` does not fit the network.
        """
        side = self.resolution
        if x.dim() != 4 or x.shape[1] != self.in_channels or x.shape[2] != side or x.shape[3] != side:
            raise ValueError(f"input must be (batch, {self.in_channels}, {side}, {side}), not {list(x.shape)}")
        h = self.features(x).flatten(1)
        logits = self.adversarial_head(h)
        if self.class_head is not None:
            logits = torch.cat([logits, self.class_head(h)], dim=1)
        return logits.float()
