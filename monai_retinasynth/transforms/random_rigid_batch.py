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
"""Flips and small rotations of a whole batch on its device."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

__all__ = ["RandomFlipRotateBatch"]


class RandomFlipRotateBatch:
    """Flip and rotate every map of a batch by itself, in one resampling.

    Sampling is bilinear; what is turned in from beyond the border becomes class 0. Maps that get no rotation (because
    `max_angle_deg` is 0) keep their exact values. Random numbers come from torch's global generator.

    Args:
        flip_prob: probability of a flip along each of `flip_axes`.
        max_angle_deg: rotation angles are uniform in -max..max degrees, about the centre.
        flip_axes: spatial axes that may be flipped: 0 is X (left and right), 1 is Y.
        fill_channel: channel that is 1 where the border was turned in, and the others 0; None repeats the border's
            values instead (photographs).
        num_classes: with a `fill_channel`, how many of the first channels belong to a label map; what follows them is
            an image, whose border is repeated. None for all.
    """

    def __init__(
        self,
        flip_prob: float = 0.5,
        max_angle_deg: float = 10.0,
        flip_axes: Sequence[int] = (0, 1),
        fill_channel: int | None = 0,
        num_classes: int | None = None,
    ) -> None:
        if not 0 <= flip_prob <= 1:
            raise ValueError(f"flip_prob must lie in 0..1, got {flip_prob}")
        if any(axis not in (0, 1) for axis in flip_axes):
            raise ValueError(f"flip_axes holds 0 (X) and 1 (Y), got {tuple(flip_axes)}")
        self.flip_prob = flip_prob
        self.max_angle_deg = max_angle_deg
        self.flip_axes = tuple(flip_axes)
        self.fill_channel = fill_channel
        self.num_classes = num_classes

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """
        Args:
            batch: shape (B, C, X, Y).

        Returns:
            batch of the same shape and type.
        """
        if batch.ndim != 4:
            raise ValueError(f"expected a batch of shape (B, C, X, Y), got {tuple(batch.shape)}")
        count, _, size_x, size_y = batch.shape
        flips = torch.rand(count, 2, device=batch.device) < self.flip_prob
        angles = (torch.rand(count, device=batch.device) * 2 - 1) * math.radians(self.max_angle_deg)
        for axis in self.flip_axes:
            chosen = flips[:, axis].view(count, 1, 1, 1)
            batch = torch.where(chosen, batch.flip(axis + 2), batch)
        if self.max_angle_deg == 0:
            return batch
        # grid_sample calls the last axis (our Y) x; both run from -1 to 1, so pixels need the aspect ratio
        cos, sin, zero = torch.cos(angles), torch.sin(angles), torch.zeros_like(angles)
        first = torch.stack([cos, -sin * size_x / size_y, zero], dim=1)
        second = torch.stack([sin * size_y / size_x, cos, zero], dim=1)
        grid = F.affine_grid(torch.stack([first, second], dim=1), list(batch.shape), align_corners=False)
        if self.fill_channel is None:
            return _sample(batch, grid, "border")
        turned = _sample(batch[:, : self.num_classes], grid, "zeros")
        turned[:, self.fill_channel] += 1 - _sample(torch.ones_like(batch[:, :1]), grid, "zeros")[:, 0]
        if turned.shape[1] == batch.shape[1]:
            return turned
        return torch.cat([turned, _sample(batch[:, self.num_classes :], grid, "border")], dim=1)


def _sample(maps: torch.Tensor, grid: torch.Tensor, padding: str) -> torch.Tensor:
    sampled = F.grid_sample(maps.float(), grid, mode="bilinear", padding_mode=padding, align_corners=False)
    return sampled.to(maps.dtype)
