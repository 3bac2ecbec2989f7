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
"""Filling holes of a photograph from what surrounds them: level by normalised convolution, texture from a near place.

Normalised convolution (Knutsson and Westin, 1993) is the mean of the known pixels under a Gaussian. A narrow Gaussian
sees nothing in the middle of a wide hole, so it is done at growing scales, each on a coarser grid, and a scale gives
way to the next one smoothly, by how much it sees. The level so found is defined inside and outside of the holes alike;
what the photograph has beyond it, grain and fine texture, is copied to a hole from the nearest known place.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

__all__ = ["fill_holes"]

_FINEST_SIGMA = 3.0  # pixels at a field of view of 540: what is smaller is texture
_GRID_SIGMA = 1.5  # the same Gaussian in steps of the grid it is computed on
_NEAREST_COPY = 8.0  # pixels at a field of view of 540 from which texture is copied at least
_SEEN = (0.05, 0.35)  # share of known pixels below which a scale does not count, and from which it counts fully


def fill_holes(
    picture: np.ndarray, known: np.ndarray, trust: np.ndarray, target: np.ndarray, scale: float = 1.0, seed: int = 0
) -> np.ndarray:
    """What the picture would look like at some places, told from the known ones.

    Args:
        picture: shape (C, X, Y), any real type.
        known: bool, shape (X, Y): pixels that level and texture are taken from.
        trust: weight of a known pixel in the level, shape (X, Y), 0..1 and above 0 somewhere; unknown ones count as 0.
        target: bool, shape (X, Y): pixels wanted.
        scale: size of the structures in the picture, 1 where a field of view has a diameter of 540 pixels.
        seed: seed of the places that texture is copied from.

    Returns:
        float32 values of the target pixels in the order of `np.nonzero(target)`, shape (C, number of pixels).
    """
    channels = picture.shape[0]
    step = max(1, round(scale * _FINEST_SIGMA / _GRID_SIGMA))
    weight = np.where(known, trust, 0.0).astype(np.float32)
    grid_known = _to_grid(known.astype(np.float32), step)
    seen, weights = _pyramid(grid_known), _pyramid(_to_grid(weight, step))
    x, y = np.nonzero(target)
    source = _texture_source(known, x, y, scale, seed)
    copied = source >= 0
    source_x, source_y = np.divmod(source[copied], known.shape[1])
    filled = np.empty((channels, len(x)), dtype=np.float32)
    for channel in range(channels):  # one at a time: large photographs
        plane = picture[channel].astype(np.float32)
        level = _level(_pyramid(_to_grid(plane * weight, step)), weights, seen, plane[weight > 0].mean())
        level = F.interpolate(level, scale_factor=step, mode="bilinear")[0, 0].numpy() if step > 1 else level[0, 0]
        filled[channel] = level[x, y]
        filled[channel, copied] += plane[source_x, source_y] - level[source_x, source_y]
    return filled


def _to_grid(plane: np.ndarray, step: int) -> torch.Tensor:
    """Means of squares of `step` pixels, (1, 1, X', Y'); what the last squares lack is 0."""
    x, y = plane.shape
    padded = F.pad(torch.from_numpy(plane)[None, None], (0, -y % step, 0, -x % step))
    return F.avg_pool2d(padded, step) if step > 1 else padded


def _pyramid(plane: torch.Tensor) -> list[torch.Tensor]:
    """The blurred plane, on grids of half the size each, down to a few pixels."""
    planes = []
    while True:
        planes.append(torch.from_numpy(gaussian_filter(plane[0, 0].numpy(), _GRID_SIGMA, mode="constant"))[None, None])
        if max(plane.shape[2:]) <= 4:
            return planes
        x, y = plane.shape[2:]
        plane = F.avg_pool2d(F.pad(plane, (0, y % 2, 0, x % 2)), 2)


def _level(
    sums: list[torch.Tensor], weights: list[torch.Tensor], seen: list[torch.Tensor], mean: float
) -> torch.Tensor:
    """Normalised convolution at every scale, from the coarsest on replaced by the finer one where that sees enough."""
    low, high = _SEEN
    level = torch.full_like(sums[-1], float(mean))
    for total, weight, share in zip(reversed(sums), reversed(weights), reversed(seen)):
        if level.shape != total.shape:
            level = F.interpolate(level, scale_factor=2, mode="bilinear")[..., : total.shape[2], : total.shape[3]]
        counts = ((share - low) / (high - low)).clamp(0, 1)
        counts = torch.where(weight > 1e-6, counts * counts * (3 - 2 * counts), 0.0)
        level = level + counts * (total / weight.clamp(min=1e-6) - level)
    return level


def _texture_source(known: np.ndarray, x: np.ndarray, y: np.ndarray, scale: float, seed: int) -> np.ndarray:
    """Flat index of the known pixel that lends its texture to each pixel (x, y); -1 where none is found.

    Whole stretches of a hole share one displacement, so that grain stays grain; nearer places come first.
    """
    rng = np.random.default_rng(seed)
    source = np.full(len(x), -1, dtype=np.int64)
    waiting = np.arange(len(x))
    radius = _NEAREST_COPY * scale
    while len(waiting) and radius < 2 * max(known.shape):
        turn = rng.uniform(0, math.pi / 4)
        for eighth in rng.permutation(8):
            angle = turn + eighth * math.pi / 4
            from_x = x[waiting] + round(radius * math.cos(angle))
            from_y = y[waiting] + round(radius * math.sin(angle))
            inside = (from_x >= 0) & (from_x < known.shape[0]) & (from_y >= 0) & (from_y < known.shape[1])
            found = np.flatnonzero(inside)
            found = found[known[from_x[found], from_y[found]]]
            source[waiting[found]] = from_x[found] * known.shape[1] + from_y[found]
            left = np.ones(len(waiting), dtype=bool)
            left[found] = False
            waiting = waiting[left]
        radius *= 1.4
    return source
