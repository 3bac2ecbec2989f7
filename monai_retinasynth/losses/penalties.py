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
"""Gradient penalties on the discriminator: WGAN-GP (Gulrajani et al. 2017) and R1 (Mescheder et al. 2018).

Both are computed in float32 with autocast off, since they differentiate a gradient. For logits that are maps (patch
discriminators), the score of a sample is the mean of its logits, over positions and scales.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from .adversarial import Logits, logits_by_scale

__all__ = ["R1Penalty", "WassersteinGradientPenalty"]


def _input_gradients(discriminator: Callable[[torch.Tensor], Logits], inputs: torch.Tensor) -> torch.Tensor:
    """(B, N) gradients of each sample's score with respect to its input; differentiable once more."""
    with torch.enable_grad(), torch.autocast(inputs.device.type, enabled=False):
        inputs = inputs.detach().float().requires_grad_(True)
        logits = logits_by_scale(discriminator(inputs))
        scores = torch.stack([item.reshape(len(item), -1).mean(1) for item in logits]).mean(0)
        (gradients,) = torch.autograd.grad(scores.sum(), inputs, create_graph=True)
        return gradients.flatten(1)


class R1Penalty:
    """`gamma / 2 * E[|dD(x)/dx|^2]` on reals x.

    Args:
        gamma: weight; 10 suits normalised images.
        reference_size: side length in pixels at which `gamma` holds; at other sizes it is scaled by the number of
            pixels, as Karras et al. (2020, appendix C) choose it for each size. For a network that grows: a weight
            that suits 256 px leaves nothing of the discriminator at 16 px. None for the same weight at every size.
    """

    needs_fakes = False

    def __init__(self, gamma: float = 10.0, reference_size: int | None = None) -> None:
        self.gamma = gamma
        self.reference_size = reference_size

    def __call__(
        self, discriminator: Callable[[torch.Tensor], Logits], reals: torch.Tensor, fakes: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The penalty as a scalar.

        Args:
            discriminator: maps (B, C, X, Y) to logits in any form that `logits_by_scale` takes.
            reals: (B, C, X, Y).
            fakes: not used.
        """
        gradients = _input_gradients(discriminator, reals)
        gamma = self.gamma
        if self.reference_size is not None:
            gamma *= reals.shape[2] * reals.shape[3] / self.reference_size**2
        return 0.5 * gamma * gradients.square().sum(dim=1).mean()


class WassersteinGradientPenalty:
    """`weight / target^2 * E[(|dD(x)/dx| - target)^2]` at random points x between reals and fakes.

    Args:
        weight: lambda of the paper.
        target: length that the gradient should have.
    """

    needs_fakes = True

    def __init__(self, weight: float = 10.0, target: float = 1.0) -> None:
        if target <= 0.0:
            raise ValueError(f"target must be positive, not {target}; R1Penalty pulls the gradient to zero")
        self.weight = weight
        self.target = target

    def __call__(
        self, discriminator: Callable[[torch.Tensor], Logits], reals: torch.Tensor, fakes: torch.Tensor
    ) -> torch.Tensor:
        """The penalty as a scalar; the points are drawn from torch's global generator, one for each sample.

        Args:
            discriminator: maps (B, C, X, Y) to logits in any form that `logits_by_scale` takes.
            reals: (B, C, X, Y).
            fakes: (B, C, X, Y), of the same shape.

        Raises:
            ValueError: when the shapes differ.
        """
        if reals.shape != fakes.shape:
            raise ValueError(f"reals {list(reals.shape)} and fakes {list(fakes.shape)} must have the same shape")
        position = torch.rand(reals.shape[0], *[1] * (reals.dim() - 1), device=reals.device)
        gradients = _input_gradients(
            discriminator, torch.lerp(reals.detach().float(), fakes.detach().float(), position)
        )
        lengths = torch.sqrt(gradients.square().sum(dim=1) + 1e-12)  # the square root has no derivative at zero
        return self.weight / self.target**2 * (lengths - self.target).square().mean()
