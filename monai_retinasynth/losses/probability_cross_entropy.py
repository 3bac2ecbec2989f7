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
"""Cross-entropy of class probabilities, for generators of label maps (Ciano et al., Mathematics 9(22):2896, 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

__all__ = ["ProbabilityCrossEntropyLoss"]

_SMALLEST = 1e-30  # float32 holds its inverse too, so the gradient through a softmax stays that of the logits


class ProbabilityCrossEntropyLoss(nn.Module):
    """-log of the probability of the true class, averaged over the pixels.

    `torch.nn.functional.cross_entropy` takes logits; a generator of label maps ends in a softmax, whose probabilities
    its discriminator sees too. Computed in float32 whatever autocast is on; probabilities below 1e-30 count as 1e-30.

    Args:
        class_weights: weight of each class, C numbers of 0 or more, such as more for vessels, which are thin; None for
            equal ones. The loss is divided by the sum of the pixels' weights, as torch does.

    Raises:
        ValueError: when a weight is negative, or all are 0.
    """

    def __init__(self, class_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        weights = None if class_weights is None else torch.tensor(list(class_weights), dtype=torch.float32)
        if weights is not None and (weights.numel() == 0 or bool((weights < 0).any()) or not bool(weights.any())):
            raise ValueError(f"class_weights must be 0 or more and not all 0, got {class_weights}")
        self.register_buffer("class_weights", weights)

    def forward(self, probabilities: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """
        Args:
            probabilities: (B, C, X, Y), sum 1 over C.
            target: one-hot, or a softened one: probabilities of the same shape.

        Returns:
            a scalar, float32.

        Raises:
            ValueError: when the shapes differ, or there are not as many weights as classes.
        """
        if probabilities.dim() < 2 or probabilities.shape != target.shape:
            raise ValueError(
                "probabilities and target must have the same shape (batch, classes, X, Y), not"
                f" {tuple(probabilities.shape)} and {tuple(target.shape)}"
            )
        likelihood = target.float() * probabilities.float().clamp_min(_SMALLEST).log()
        if self.class_weights is None:
            return -likelihood.sum(dim=1).mean()
        if len(self.class_weights) != probabilities.shape[1]:
            raise ValueError(f"{len(self.class_weights)} class_weights for {probabilities.shape[1]} classes")
        weights = self.class_weights.to(likelihood.device).view(1, -1, *[1] * (likelihood.dim() - 2))
        return -(weights * likelihood).sum() / (weights * target.float()).sum().clamp_min(_SMALLEST)
