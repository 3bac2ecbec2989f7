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
"""Pixelwise feature vector normalisation (Karras et al. 2018, section 4.2)."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["PixelNorm"]


class PixelNorm(nn.Module):
    """Divides the feature vector of each pixel by its root mean square; of each sample for a latent vector (B, Z).

    The mean square is summed in float32 whatever autocast made of the input, without a float32 copy of it.

    Args:
        eps: added to the mean square.
    """

    def __init__(self, eps: float = 1e-8) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # which reduction is the fast one depends on whether the channels lie side by side; squares overflow in float16
        if x.stride(1) == 1 or x.dtype == torch.float16:
            length = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.float32)
            mean_square = length.square() / x.shape[1]
        else:
            mean_square = (x * x).mean(dim=1, keepdim=True, dtype=torch.float32)
        return x * torch.rsqrt(mean_square + self.eps).to(x.dtype)
