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
"""Draws vessel trees as a signed distance field, from which label maps and photographs are taken.

Every vessel is resampled along a Catmull-Rom spline about once a pixel; each sample is a short capsule that is stamped
into the field by a minimum, all samples of one size at once. The distance is exact below the pixel, so edges can be
anti-aliased, and vessels are drawn no thinner than one pixel, so the thinnest stay unbroken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .vessel_tree import VesselTree

__all__ = ["VesselField", "draw_vessels"]

_MARGIN = 1.5  # pixels beyond the wall that are still measured, for anti-aliasing


@dataclass(frozen=True)
class VesselField:
    """Vessels on the pixel grid, float32 (H, W) each.

    Args:
        distance: to the nearest vessel wall in pixels, negative inside; at most 1.5.
        offset: distance from the centre line over the radius, of the vessel nearest to the pixel.
        radius: its radius in pixels as grown, which may be under half a pixel; 0 away from vessels.
        faint: bool, whether that vessel is too faint there to be labelled.
    """

    distance: np.ndarray
    offset: np.ndarray
    radius: np.ndarray
    faint: np.ndarray

    def mask(self) -> np.ndarray:
        """(H, W) bool: what an annotator would mark."""
        # a hair above 0: a thin vessel that runs exactly between two rows touches pixel centres with its walls only
        return (self.distance < 1e-3) & ~self.faint


def draw_vessels(
    tree: VesselTree, size: tuple[int, int], pixels_per_unit: float, min_radius: float = 0.0
) -> VesselField:
    """Draw a tree.

    Args:
        tree: the vessels.
        size: (H, W) of the picture; the origin of the tree is its centre.
        pixels_per_unit: radius of the field of view in pixels.
        min_radius: vessels thinner than this, in pixels, are left out from there to their tips.

    Returns:
        the field.
    """
    samples = [_sample_path(tree, path, size, pixels_per_unit, min_radius) for path in tree.paths()]
    samples = [item for item in samples if len(item)]
    shape = (int(size[0]), int(size[1]))
    distance = np.full(shape[0] * shape[1], _MARGIN, dtype=np.float32)
    offset = np.full_like(distance, np.inf)
    radius = np.zeros_like(distance)
    faint = np.zeros(distance.shape, dtype=bool)
    if samples:
        stamps = _stamps(np.concatenate(samples), shape)
        for index, value, *_ in stamps:
            np.minimum.at(distance, index, value)
        for index, value, ratio, true_radius, is_faint in stamps:
            won = value == distance[index]
            offset[index[won]] = ratio[won]
            radius[index[won]] = true_radius[won]
            faint[index[won]] = is_faint[won]
    return VesselField(*(item.reshape(shape) for item in (distance, offset, radius, faint)))


def _sample_path(
    tree: VesselTree, path: np.ndarray, size: tuple[int, int], scale: float, min_radius: float
) -> np.ndarray:
    """(K, 7) columns x, y, unit tangent, half spacing along it, radius (pixels), and 1 where faint."""
    radii = tree.radii[path] * scale
    radii[0] = min(radii[0], radii[min(1, len(radii) - 1)])  # a side branch starts with its own width, not its parent's
    thin = np.flatnonzero(radii < min_radius)
    stop = int(thin[0]) if len(thin) else len(path)
    if stop < 2:
        return np.zeros((0, 7))
    path, radii = path[:stop], radii[:stop]
    points = tree.positions[path] * scale + (np.array([size[1], size[0]]) - 1) / 2.0
    before = np.concatenate([2 * points[:1] - points[1:2], points[:-1]])
    after = np.concatenate([points[1:], 2 * points[-1:] - points[-2:-1]])
    tangent = 0.5 * (after - before)
    steps = max(int(np.ceil(np.linalg.norm(np.diff(points, axis=0), axis=1).max())), 1)
    time = ((np.arange(steps) + 0.5) / steps)[None, :, None]
    start, end, leave, arrive = points[:-1, None], points[1:, None], tangent[:-1, None], tangent[1:, None]
    square, cube = time**2, time**3
    curve = (
        (2 * cube - 3 * square + 1) * start
        + (cube - 2 * square + time) * leave
        + (3 * square - 2 * cube) * end
        + (cube - square) * arrive
    )
    slope = (
        (6 * square - 6 * time) * start
        + (3 * square - 4 * time + 1) * leave
        + (6 * time - 6 * square) * end
        + (3 * square - 2 * time) * arrive
    )
    speed = np.maximum(np.linalg.norm(slope, axis=-1, keepdims=True), 1e-6)
    width = (radii[:-1, None, None] * (1 - time) + radii[1:, None, None] * time) * np.ones_like(speed)
    faint = tree.faint[path[1:], None, None] * np.ones_like(speed)
    return np.concatenate([curve, slope / speed, 0.5 * speed / steps, width, faint], axis=-1).reshape(-1, 7)


def _stamps(samples: np.ndarray, shape: tuple[int, int]) -> list[tuple[np.ndarray, ...]]:
    """Flat pixel index, distance to the wall, offset over radius, radius and faint near samples, by stamp size."""
    samples = samples.astype(np.float32)
    reach = np.ceil(np.maximum(samples[:, 5], 0.5) + _MARGIN).astype(np.int64)
    stamps = []
    for extent in np.unique(reach):
        group = samples[reach == extent][:, :, None]
        around = np.arange(-extent, extent + 1)
        dy, dx = (item.ravel() for item in np.meshgrid(around, around, indexing="ij"))
        column = np.rint(group[:, 0]).astype(np.int64) + dx
        row = np.rint(group[:, 1]).astype(np.int64) + dy
        away_x, away_y = column - group[:, 0], row - group[:, 1]
        along = away_x * group[:, 2] + away_y * group[:, 3]
        along = np.clip(along, -group[:, 4], group[:, 4])
        away = np.hypot(away_x - along * group[:, 2], away_y - along * group[:, 3]).astype(np.float32)
        drawn = np.maximum(group[:, 5], np.float32(0.5))
        value = away - drawn
        inside = (value < _MARGIN) & (column >= 0) & (column < shape[1]) & (row >= 0) & (row < shape[0])
        true_radius = np.broadcast_to(group[:, 5], away.shape)
        faint = np.broadcast_to(group[:, 6] > 0.5, away.shape)
        pixel = row * shape[1] + column
        stamps.append(tuple(item[inside] for item in (pixel, value, away / drawn, true_radius, faint)))
    return stamps
