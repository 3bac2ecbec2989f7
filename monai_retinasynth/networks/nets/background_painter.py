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
"""A generator that paints structures into a given background, as a log ratio in a band around them.

Photographs are light that the retina sends back, and a vessel takes a share of it away: a ratio to what lies behind it,
which carries over to darker and brighter places where a difference does not.
"""

from __future__ import annotations

import torch
from torch import nn

from ...utils.log_ratio import LEVEL_OFFSET

__all__ = ["BackgroundPainter"]


class BackgroundPainter(nn.Module):
    """Wraps a generator of the condition; its answer becomes the log ratio of the photograph to the background.

    With the background b and the photograph y in [0, 1], the band w in [0, 1] and the generator's answer g:

        y = (b + offset) * exp(w * max_log_ratio * tanh(g)) - offset

    Outside the band the photograph is the background, to the last bit: the generator cannot shift the colour of the
    eye.

    Args:
        network: generator of `image_channels` channels, with or without styles and noise; its output activation must
            be "none", for tanh follows here.
        image_channels: channels K of background and photograph. The last K channels of the condition are the
            background in [-1, 1], the one before them is the band.
        max_log_ratio: largest log ratio; 2 darkens to a seventh.
        offset: dark level that is added before the ratio is taken, as a share of the range; where the background is
            darker than it, little is painted.

    Attributes:
        in_channels: channels of the condition.
        size_multiple: X and Y of the condition must be multiples of it.
        style_size: length of the style vectors that the generator takes, 0 for none.
        noise_channels: channels of noise that it takes, 0 for none.
        noise_reduction: noise has the size of the condition divided by it.

    Raises:
        ValueError: when the generator has an output activation of its own, or too few channels for band and background.
    """

    __constants__ = ("takes_style", "takes_noise")

    def __init__(
        self,
        network: nn.Module,
        image_channels: int = 3,
        max_log_ratio: float = 2.0,
        offset: float = LEVEL_OFFSET / 255.0,
    ) -> None:
        super().__init__()
        name = type(network).__name__
        if getattr(network, "out_activation", "none") not in ("none", None):
            raise ValueError(f'{name} ends in {network.out_activation!r}: make it with out_activation="none"')
        if getattr(network, "residual", False):
            raise ValueError(f"{name} adds its answer to the condition: make it with residual=False")
        if max_log_ratio <= 0 or offset <= 0:
            raise ValueError(f"max_log_ratio and offset must be positive, not {max_log_ratio} and {offset}")
        self.in_channels: int = getattr(network, "in_channels", image_channels + 1)
        if self.in_channels <= image_channels:
            raise ValueError(
                f"{name} takes {self.in_channels} channels; band and background alone are {image_channels + 1}"
            )
        self.network = network
        self.image_channels = image_channels
        self.max_log_ratio = float(max_log_ratio)
        self.offset = float(offset)
        self.size_multiple: int = getattr(network, "size_multiple", 1)
        self.style_size: int = getattr(network, "style_size", 0)
        self.noise_channels: int = getattr(network, "noise_channels", 0)
        self.noise_reduction: int = getattr(network, "noise_reduction", 1)
        self.takes_style = hasattr(network, "style_size")
        self.takes_noise = hasattr(network, "noise_channels")
        self.start_near_identity()

    @torch.jit.ignore
    def start_near_identity(self) -> None:
        """Shrink the weights of the generator's last layer (`head`) to a tenth, so that training begins close to the
        unpainted background. `initialise_weights` calls it after drawing new weights."""
        head = getattr(self.network, "head", None)
        if head is None:
            return
        with torch.no_grad():
            for weight in head.parameters():
                weight.mul_(0.1)  # not zero: gradients must reach the layers before

    def forward(
        self,
        condition: torch.Tensor,
        style: torch.Tensor | None = None,
        photograph: torch.Tensor | None = None,
        noise: torch.Tensor | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Paint.

        Args:
            condition: (B, C, X, Y): what the generator needs, then the band in [0, 1], then the background in [-1, 1].
            style: (B, style_size), for a generator with styles.
            photograph: (B, K, X, Y) in [-1, 1] whose style is taken, for a generator with an encoder.
            noise: noise of the generator.

        Returns:
            (B, K, X, Y) in [-1, 1], float32 whatever autocast is on; with a photograph also what the generator says of
            its style.

        Raises:
            ValueError: when a style, a photograph or noise is given to a generator that takes none.
        """
        if not self.takes_style and (style is not None or photograph is not None):
            raise ValueError("the generator that is wrapped here takes no style: leave style and photograph out")
        if not self.takes_noise and noise is not None:
            raise ValueError("the generator that is wrapped here takes no noise: leave it out")
        if self.takes_style:
            answer = self.network(condition, style, photograph, noise)
            if photograph is not None:
                return self.paint(condition, answer[0]), answer[1], answer[2]
        elif self.takes_noise:
            answer = self.network(condition, noise)
        else:
            answer = self.network(condition)
        return self.paint(condition, answer)

    def paint(self, condition: torch.Tensor, answer: torch.Tensor) -> torch.Tensor:
        """Photograph (B, K, X, Y) of a condition and the generator's answer (B, K, X, Y) before tanh."""
        k = self.image_channels
        background = condition[:, -k:].float()
        band = condition[:, -k - 1 : -k].float()
        change = torch.expm1(band * self.max_log_ratio * torch.tanh(answer.float()))
        # of the range [-1, 1], twice as wide as [0, 1]; without a change this is the background itself
        return (background + (background + 1.0 + 2.0 * self.offset) * change).clamp(-1.0, 1.0)
