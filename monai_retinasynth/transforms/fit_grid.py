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
"""A picture fitted into a grid of another aspect ratio and size, in continuous coordinates, and the way back.

What is added on two sides to reach the aspect ratio is not rounded to whole pixels, so the way back crops exactly that.
Label maps (`class_probabilities`) and images (`fit_image`) share these matrices and stay aligned.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

__all__ = ["area_matrix", "cubic_matrix", "fit_grid"]


def fit_grid(fine: Sequence[int], coarse: Sequence[int]) -> tuple[float, tuple[float, float]]:
    """Fine pixels per coarse pixel, and the fine coordinates at which the coarse grid begins (0 or negative)."""
    step = max(fine[0] / coarse[0], fine[1] / coarse[1])
    return step, ((fine[0] - step * coarse[0]) / 2, (fine[1] - step * coarse[1]) / 2)


def area_matrix(fine: int, coarse: int, step: float, offset: float) -> torch.Tensor:
    """(coarse, fine) matrix of the share of each coarse cell that each fine pixel covers."""
    left = offset + step * torch.arange(coarse, dtype=torch.float64)[:, None]
    pixel = torch.arange(fine, dtype=torch.float64)[None, :]
    overlap = torch.minimum(left + step, pixel + 1) - torch.maximum(left, pixel)
    return (overlap.clamp_(min=0) / step).float()


def cubic_matrix(fine: int, coarse: int, step: float, offset: float) -> torch.Tensor:
    """(fine, coarse) matrix of cubic interpolation (Keys 1981, a = -1/2), edges repeated; wider if step < 1."""
    width = max(1.0, 1.0 / step)
    centre = (torch.arange(fine, dtype=torch.float64) + 0.5 - offset) / step - 0.5
    reach = int(2 * width) + 2
    taps = centre.floor().long()[:, None] + torch.arange(1 - reach, reach + 1)[None, :]
    x = ((centre[:, None] - taps) / width).abs()
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    weight = torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
    weight /= weight.sum(dim=1, keepdim=True)
    matrix = torch.zeros(fine, coarse, dtype=torch.float64)
    return matrix.scatter_add_(1, taps.clamp(0, coarse - 1), weight).float()
