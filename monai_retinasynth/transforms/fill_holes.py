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
way to the next one smoothly, by how much it sees. What a scale has found counts as known for the next one, as in the
pull-push interpolation of Gortler et al. (The lumigraph, 1996): the border of a hole tells its middle, not the wide
surroundings. The level so found is defined inside and outside of the holes alike; what the photograph has beyond it,
grain and fine texture, is copied to a hole from the nearest known place.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

__all__ = ["fill_holes"]

_GRID_SIGMA = 1.5  # of every Gaussian, in steps of its grid; the finest step is a pixel at a field of view of 540
_NEAREST_COPY = 8.0  # pixels at a field of view of 540 from which texture is copied at least
_SEEN = (0.02, 0.25)  # weight of what a scale sees below which it does not count, and from which it counts fully
_MOST_TEXTURE = 95.0  # percentile of its amplitude that copied texture is held to: edges and spots stay where they are


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
    step = max(1, round(scale))
    weight = np.where(known, trust, 0.0).astype(np.float32)
    weights = _weights(_to_grid(weight, step))
    x, y = np.nonzero(target)
    # beside a hole the level is one-sided, and what lies beyond it no texture
    share = _blurred(_to_grid(known.astype(np.float32), 2 * step))
    amid = known & (_to_pixels(share, 2 * step, known.shape) > 0.9)
    source = _texture_source(amid if amid.any() else known, x, y, scale, seed)
    copied = np.flatnonzero(source >= 0)
    from_x, from_y = np.divmod(source[copied], known.shape[1])
    filled = np.empty((picture.shape[0], len(x)), dtype=np.float32)
    for channel in range(picture.shape[0]):  # one at a time: large photographs
        plane = picture[channel].astype(np.float32)
        scales = _scales(_to_grid(plane * weight, step), weights)
        smooth = torch.full((1, 1, 1, 1), float(plane[known].mean()))
        for value, seen in zip(reversed(scales[1:]), reversed(weights[1:])):
            smooth = _finer(smooth, value, seen)
        level = _finer(smooth, scales[0], weights[0])
        filled[channel] = _to_pixels(level, step, known.shape)[x, y]
        texture = plane[from_x, from_y] - _to_pixels(smooth, 2 * step, known.shape)[from_x, from_y]
        most = np.percentile(np.abs(texture), _MOST_TEXTURE) if len(copied) else 0.0
        filled[channel, copied] += texture.clip(-most, most)
    return filled


def _to_pixels(plane: torch.Tensor, step: int, shape: tuple[int, int]) -> np.ndarray:
    """A plane (1, 1, X', Y') on a grid of `step` pixels, at every pixel of a picture of this shape."""
    plane = F.interpolate(plane, scale_factor=step, mode="bilinear") if step > 1 else plane
    return plane[0, 0, : shape[0], : shape[1]].numpy()


def _to_grid(plane: np.ndarray, step: int) -> torch.Tensor:
    """Means of squares of `step` pixels, (1, 1, X', Y'); what the last squares lack is 0."""
    x, y = plane.shape
    padded = F.pad(torch.from_numpy(plane)[None, None], (0, -y % step, 0, -x % step))
    return F.avg_pool2d(padded, step) if step > 1 else padded


def _blurred(plane: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(gaussian_filter(plane[0, 0].numpy(), _GRID_SIGMA, mode="constant"))[None, None]


def _halved(plane: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(F.pad(plane, (0, plane.shape[3] % 2, 0, plane.shape[2] % 2)), 2)


def _weights(weight: torch.Tensor) -> list[torch.Tensor]:
    """Weight of what every scale sees, the finest first; the grid halves from scale to scale, down to a few pixels."""
    weights = [_blurred(weight)]
    while max(weights[-1].shape[2:]) > 4:
        weights.append(_blurred(_halved(_found(weights[-1]))))
    return weights


def _scales(total: torch.Tensor, weights: list[torch.Tensor]) -> list[torch.Tensor]:
    """Normalised convolution at every scale, of known pixels times their weight."""
    scales = []
    for weight in weights:
        scales.append(_blurred(total) / weight.clamp(min=1e-6))
        total = _halved(scales[-1] * _found(weight))
    return scales


def _found(weight: torch.Tensor) -> torch.Tensor:
    """How far a scale is taken as found, 0..1, for a weight of what it sees."""
    low, high = _SEEN
    share = ((weight - low) / (high - low)).clamp(0, 1)
    return share * share * (3 - 2 * share)


def _finer(level: torch.Tensor, value: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The level with a finer scale in its place where that has found one."""
    if level.shape[2] == 1 == level.shape[3]:
        level = level.expand_as(value)
    elif level.shape != value.shape:
        level = F.interpolate(level, scale_factor=2, mode="bilinear")[..., : value.shape[2], : value.shape[3]]
    return torch.lerp(level, value, _found(weight))


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
