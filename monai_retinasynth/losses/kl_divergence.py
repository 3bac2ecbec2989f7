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
"""How far the styles of an encoder are from the normal distribution that generation draws them from."""

from __future__ import annotations

import torch

__all__ = ["kl_divergence_loss"]


def kl_divergence_loss(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """KL divergence of N(mean, exp(log_variance)) from N(0, 1) (Kingma and Welling 2014, appendix B).

    Summed over the dimensions of the style, as the divergence of a product is, and averaged over the batch, so that a
    weight does not depend on the batch size (0.05 in Park et al. 2019, whose code sums over the batch too).

    Args:
        mean: (B, Z).
        log_variance: (B, Z).

    Returns:
        A scalar >= 0, float32.

    Raises:
        ValueError: when the shapes differ or are not (B, Z).
    """
    if mean.dim() != 2 or mean.shape != log_variance.shape:
        raise ValueError(
            "mean and log_variance must both be (batch, style size), not"
            f" {tuple(mean.shape)} and {tuple(log_variance.shape)}"
        )
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(dim=1).mean()
