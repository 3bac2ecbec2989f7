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
"""The chest phantom: simulated chests with five organs, and the radiographs of them.

Shapes and grey levels are set roughly to what JSRT with SCR's masks measures. Mean and spread over cases, of the 247
radiographs and of 60 phantoms, both at 128 pixels (area in percent of the picture; lungs without clavicles for the grey
level):

==================== ============ ============ ========== ============
structure            area JSRT    area phantom grey JSRT  grey phantom
==================== ============ ============ ========== ============
right lung           16.9 +- 3.0  16.3 +- 2.7  172 +- 15  168 +- 16
left lung            13.7 +- 2.7  13.1 +- 2.3  169 +- 17  171 +- 16
heart                9.1 +- 1.4   9.3 +- 1.6   225 +- 9   228 +- 8
right clavicle       0.98 +- 0.19 0.96 +- 0.18 188 +- 16  183 +- 14
left clavicle        0.97 +- 0.19 0.94 +- 0.17 186 +- 16  186 +- 15
clavicles over lung  1.72 +- 0.34 1.70 +- 0.29 184 +- 16  180 +- 15
clavicles elsewhere  0.23 +- 0.10 0.20 +- 0.13 213 +- 13  220 +- 10
background           60.1 +- 6.1  61.1 +- 5.0  196 +- 15  196 +- 16
==================== ============ ============ ========== ============

Grey levels spread inside a lung by 22 in JSRT and 21 in the phantom. Measured with::

    prepare_jsrt_scr("JSRT-SCR", "jsrt", size=128)
    write_chest_phantom_dataset("phantom", size=128, num_training=60, num_validation=0, num_test=0, seed=0)
    chest_statistics("jsrt"), chest_statistics("phantom")
"""

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
