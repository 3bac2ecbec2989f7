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
"""Affine resampling of a batch that is linear in the pictures, with derivatives of every order.

A discriminator that is penalised for its gradients (R1, WGAN-GP) behind such a resampling needs the derivative of its
backward pass. Sampling at fixed places is linear: its backward is the adjoint, and the backward of that is the sampling
again, so both are written down once here and do not depend on what the installed torch can differentiate twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch.autograd import Function

__all__ = ["affine_warp"]

_MODES = {"bilinear": 0, "nearest": 1}  # numbers of torch's operator


def affine_warp(
    images: torch.Tensor, matrices: torch.Tensor, fill: Sequence[float], mode: str = "bilinear"
) -> torch.Tensor:
    """Move each picture of a batch by its own affine map; pixels that come from outside get the fill.

    The map is in pixels, about the picture's centre: a point at (x, y), in pixels from the centre, moves to
    `matrix @ (x, y, 1)`. Bilinear sampling mixes the fill in at the border, so channels that sum to 1, with a fill that
    sums to 1, still do. Maps of pixels onto pixels (flips, quarter turns, whole shifts) are exact with "nearest".

    On CUDA the backward pass adds up with atomics: equal runs differ there by rounding.

    Args:
        images: shape (B, C, X, Y), float32 or float64.
        matrices: shape (B, 3, 3), from old positions to new ones; not differentiated.
        fill: C values.
        mode: "bilinear" or "nearest".

    Returns:
        tensor of the same shape.
    """
    if images.ndim != 4 or matrices.shape != (len(images), 3, 3) or len(fill) != images.shape[1]:
        raise ValueError(
            f"expected images (B, C, X, Y), matrices (B, 3, 3) and C fill values, got {tuple(images.shape)}, "
            f"{tuple(matrices.shape)} and {len(fill)} values"
        )
    if mode not in _MODES:
        raise ValueError(f"mode must be one of {list(_MODES)}, got {mode!r}")
    size_x, size_y = images.shape[2:]
    back = torch.linalg.inv(matrices.detach().double()).to(images.device, images.dtype)[..., None, None]
    x = (torch.arange(size_x, device=images.device, dtype=images.dtype) - (size_x - 1) / 2)[:, None]
    y = (torch.arange(size_y, device=images.device, dtype=images.dtype) - (size_y - 1) / 2)[None, :]
    from_x = back[:, 0, 0] * x + back[:, 0, 1] * y + back[:, 0, 2]
    from_y = back[:, 1, 0] * x + back[:, 1, 1] * y + back[:, 1, 2]
    # how much of a sampled pixel lies inside: the sum of the weights of its neighbours that exist
    inside = (((size_x + 1) / 2 - from_x.abs()).clamp_(0, 1)) * (((size_y + 1) / 2 - from_y.abs()).clamp_(0, 1))
    if mode == "nearest":
        inside = inside.round_()
    # torch calls the last axis (our Y) x, and both run from -1 to 1 between the outer edges
    grid = torch.stack([from_y * (2 / size_y), from_x * (2 / size_x)], dim=-1)
    return _Sample.apply(images, grid, mode, 1 - inside, tuple(fill))


class _Sample(Function):
    """Pictures at the places of a grid; `outside * fill` is added where the grid leaves the picture."""

    @staticmethod
    def forward(
        ctx: Any, images: torch.Tensor, grid: torch.Tensor, mode: str, outside: Any = None, fill: Sequence[float] = ()
    ) -> torch.Tensor:
        ctx.save_for_backward(grid)
        ctx.mode = mode
        sampled = F.grid_sample(images, grid, mode=mode, padding_mode="zeros", align_corners=False)
        for channel, value in enumerate(fill):
            if value != 0:
                sampled[:, channel].add_(outside, alpha=value)
        return sampled

    @staticmethod
    def backward(ctx: Any, gradients: torch.Tensor) -> tuple:
        return _Adjoint.apply(gradients, *ctx.saved_tensors, ctx.mode), None, None, None, None


class _Adjoint(Function):
    """Values at the places of a grid spread over the pixels that were sampled there."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, grid: torch.Tensor, mode: str) -> torch.Tensor:
        ctx.save_for_backward(grid)
        ctx.mode = mode
        # the pictures themselves are needed for the grid's gradient only; they have the shape of the values
        return torch.ops.aten.grid_sampler_2d_backward(values, values, grid, _MODES[mode], 0, False, [True, False])[0]

    @staticmethod
    def backward(ctx: Any, gradients: torch.Tensor) -> tuple:
        return _Sample.apply(gradients, *ctx.saved_tensors, ctx.mode), None, None
