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
"""Test-time averaging over mirror images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import Inferer, SimpleInferer

__all__ = ["FlipAverageInferer"]

_FLIPS: tuple[tuple[int, ...], ...] = ((), (-2,), (-1,), (-2, -1))


class FlipAverageInferer(Inferer):
    """Averages the activated predictions of an image and its mirror images, each mirrored back.

    The result is activated: with ``"softmax"`` or ``"sigmoid"`` it holds probabilities, so no further activation may
    follow. Not for networks that are told positions by extra channels.

    Args:
        inferer: how the network is called, default `SimpleInferer`.
        num_flips: 1 (the image alone), 2 (and mirrored along X) or 4 (and along Y, and along both).
        activation: ``"softmax"`` (over channels), ``"sigmoid"``, a callable, or None to average the network's answers.
    """

    def __init__(
        self,
        inferer: Inferer | None = None,
        num_flips: int = 4,
        activation: str | Callable[[torch.Tensor], torch.Tensor] | None = "softmax",
    ) -> None:
        if num_flips not in (1, 2, 4):
            raise ValueError(f"num_flips must be 1, 2 or 4, got {num_flips}.")
        named = {"softmax": lambda x: x.softmax(1), "sigmoid": torch.sigmoid, None: lambda x: x}
        if not callable(activation) and activation not in named:
            raise ValueError(f"activation must be 'softmax', 'sigmoid', None or a callable, got {activation!r}.")
        self.inferer = SimpleInferer() if inferer is None else inferer
        self.flips = _FLIPS[:num_flips]
        self.activation = activation if callable(activation) else named[activation]

    def __call__(self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Averaged, activated prediction (B, C', X, Y) in float32."""
        total: Any = 0
        for flip in self.flips:
            prediction = self.inferer(torch.flip(inputs, flip) if flip else inputs, network, *args, **kwargs)
            prediction = self.activation(prediction.float())
            total = total + (torch.flip(prediction, flip) if flip else prediction)
        return total / len(self.flips)
