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
"""The chest phantom: simulated chests with five organs, and the radiographs of them."""

from __future__ import annotations

import numpy as np
from skimage.measure import label as connected_parts

from ..transforms.compose_chest_label_map import compose_chest_label_map
from ..utils.errors import ConfigError
from ..utils.label_set import CHEST_ORGAN, LabelSet
from .chest_appearance import paint_radiograph
from .chest_geometry import ChestGeometry
from .polygon_coverage import fill_polygons

__all__ = ["ChestPhantom"]

_MIN_EDGE = 32


class ChestPhantom:
    """Simulated chests: case `i` of seed `s` is always the same chest, and the same pixels for a given size.

    Args:
        size: edge of the square picture in pixels, 32 or more.
        seed: seed of the whole set.

    Raises:
        ConfigError: When the size is too small, or no whole number.
    """

    label_set: LabelSet = CHEST_ORGAN

    def __init__(self, size: int = 256, seed: int = 0) -> None:
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < _MIN_EDGE:
            raise ConfigError(f"size of the chest phantom must be one edge, {_MIN_EDGE} px or more, got {size!r}")
        self.size = int(size)
        self.seed = int(seed)

    def geometry(self, index: int) -> ChestGeometry:
        """Shapes of case `index`."""
        return ChestGeometry.sample(self._rng(index, 0))

    def masks(self, index: int) -> dict[str, np.ndarray]:
        """Organ masks of case `index`: organ of `CHEST_ORGANS` -> (size, size) bool."""
        return self._masks(self.geometry(index))

    def label_map(self, index: int) -> np.ndarray:
        """Label map of case `index`: (size, size) uint8, class indices of `chest_organ`."""
        return compose_chest_label_map(self.masks(index))

    def pair(self, index: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Radiograph, (size, size) uint8 grey, and organ masks of case `index`."""
        geometry = self.geometry(index)
        masks = self._masks(geometry)
        return paint_radiograph(geometry, masks, self._rng(index, 1)), masks

    def _rng(self, index: int, stream: int) -> np.random.Generator:
        return np.random.default_rng([abs(self.seed), int(self.seed < 0), int(index), stream])

    def _masks(self, geometry: ChestGeometry) -> dict[str, np.ndarray]:
        heart = self._fill(geometry.heart)
        masks = {f"{side}_lung": _largest_part(self._fill(geometry.lungs[side]) & ~heart) for side in ("right", "left")}
        masks["heart"] = heart
        masks.update({f"{side}_clavicle": self._fill(geometry.clavicles[side]) for side in ("right", "left")})
        return masks

    def _fill(self, outline: np.ndarray) -> np.ndarray:
        return fill_polygons([outline], self.size) > 0.5


def _largest_part(mask: np.ndarray) -> np.ndarray:
    """The heart may cut a corner off a lung, which nobody would outline."""
    parts = connected_parts(mask, connectivity=1)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return (parts == sizes.argmax()) & mask
