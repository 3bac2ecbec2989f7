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
"""The phantom: labelled retinal photographs from a simulation, without any training data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..utils.errors import ConfigError
from .eye_geometry import EyeGeometry
from .fundus_appearance import paint_fundus
from .vessel_drawing import VesselField, draw_vessels
from .vessel_tree import grow_vessel_trees

__all__ = ["FundusPhantom"]

_OUTSIDE, _RETINA, _VESSEL = 0, 1, 2  # classes of the label set `fundus_vessel`
_MIN_EDGE = 32
_MIN_DRAWN_RADIUS = 0.22  # pixels; a finer vessel would not show in a picture of that size


class FundusPhantom:
    """Simulated eyes: case `i` of seed `s` is always the same eye, and the same pixels for a given size.

    The field of view is a circle in the middle of the picture, 0.955 of the shorter edge wide, as DRIVE's. Lengths of
    the eye are relative to it: a case looks alike at 128 and at 1024 pixels, but for the finest vessels, which a small
    picture cannot show.

    Args:
        size: edge of a square picture, or (H, W), in pixels; 32 at least.
        seed: seed of the whole set.

    Raises:
        ConfigError: when the size is too small or not one or two whole numbers.
    """

    fov_fraction = 0.955

    def __init__(self, size: int | Sequence[int] = 512, seed: int = 0) -> None:
        edges = (size, size) if isinstance(size, (int, np.integer)) else tuple(size)
        if len(edges) != 2 or min(edges) < _MIN_EDGE or any(int(edge) != edge for edge in edges):
            raise ConfigError(
                f"size of the phantom must be one edge or (height, width), {_MIN_EDGE} px or more, got {size}"
            )
        self.size = (int(edges[0]), int(edges[1]))
        self.seed = int(seed)

    @property
    def fov_radius(self) -> float:
        """Radius of the field of view in pixels."""
        return 0.5 * self.fov_fraction * min(self.size)

    def field_of_view(self) -> np.ndarray:
        """(H, W) bool, true inside the field of view."""
        height, width = self.size
        x = np.arange(width) - (width - 1) / 2.0
        y = np.arange(height) - (height - 1) / 2.0
        return np.hypot(x[None, :], y[:, None]) <= self.fov_radius

    def label_map(self, index: int) -> np.ndarray:
        """Label map of case `index`: (H, W) uint8, 0 outside, 1 retina, 2 vessel."""
        _, arteries, veins = self._eye(index)
        return self._compose(arteries, veins)

    def pair(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Photograph (H, W, 3) uint8 RGB and label map (H, W) uint8 of case `index`."""
        geometry, arteries, veins = self._eye(index)
        image = paint_fundus(geometry, arteries, veins, self.fov_radius, self._rng(index, 1))
        return image, self._compose(arteries, veins)

    def _rng(self, index: int, stream: int) -> np.random.Generator:
        return np.random.default_rng([abs(self.seed), int(self.seed < 0), int(index), stream])

    def _eye(self, index: int) -> tuple[EyeGeometry, VesselField, VesselField]:
        rng = self._rng(index, 0)
        geometry = EyeGeometry.sample(rng)
        trees = grow_vessel_trees(geometry, rng)
        arteries, veins = (draw_vessels(tree, self.size, self.fov_radius, _MIN_DRAWN_RADIUS) for tree in trees)
        return geometry, arteries, veins

    def _compose(self, arteries: VesselField, veins: VesselField) -> np.ndarray:
        label = np.full(self.size, _RETINA, dtype=np.uint8)
        label[arteries.mask() | veins.mask()] = _VESSEL
        label[~self.field_of_view()] = _OUTSIDE
        return label
