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
"""Polygons and smooth curves on the pixel grid: how much of each pixel a shape covers.

Points are (x, y) in edges of the square picture, x to the right and y down, so a shape is the same at every size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw
from scipy.interpolate import CubicSpline, PchipInterpolator

__all__ = ["band", "fill_polygons", "smooth_curve"]

_OVERSAMPLING = 4


def smooth_curve(points: np.ndarray, count: int = 100, closed: bool = False) -> np.ndarray:
    """(count, 2) points of a smooth curve through (N, 2) control points; a closed one ends where it began.

    Open curves never swing beyond their control points.
    """
    points = np.asarray(points, dtype=float)
    if closed:
        points = np.concatenate([points, points[:1]])
    along = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    stations = np.linspace(0.0, along[-1], count)
    if closed:
        return CubicSpline(along, points, bc_type="periodic")(stations)
    return PchipInterpolator(along, points)(stations)


def band(line: np.ndarray, half_width: float | np.ndarray) -> np.ndarray:
    """(2 N, 2) outline of the band around a line of (N, 2) points, of one half width or one for each point."""
    tangent = np.gradient(line, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    aside = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) * np.reshape(half_width, (-1, 1))
    return np.concatenate([line + aside, (line - aside)[::-1]])


def fill_polygons(polygons: Iterable[np.ndarray], size: int, values: Sequence[float] | None = None) -> np.ndarray:
    """Share of each pixel that the union of the polygons covers.

    Args:
        polygons: outlines, (N, 2) each; parts outside the picture are cut off.
        size: edge of the picture in pixels.
        values: value of each polygon in 0..1 in place of 1; a later polygon lies on top.

    Returns:
        float32, shape (size, size), 0..1.
    """
    edge = size * _OVERSAMPLING
    canvas = Image.new("L", (edge, edge))
    draw = ImageDraw.Draw(canvas)
    for number, polygon in enumerate(polygons):
        value = 1.0 if values is None else values[number]
        draw.polygon([tuple(point) for point in np.asarray(polygon) * edge - 0.5], fill=round(255 * value))
    return np.asarray(canvas.reduce(_OVERSAMPLING), dtype=np.float32) / np.float32(255.0)
