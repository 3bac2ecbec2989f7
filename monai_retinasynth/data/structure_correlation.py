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
"""Blurred structures of label maps on one coarse grid, in which every field of view has the same size and place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, gaussian_filter

from ..transforms.field_of_view import field_of_view_scale
from .extended_background import field_of_view_centre

__all__ = [
    "CELL",
    "CELLS",
    "FIELD_RADIUS",
    "fovea_place",
    "mirrored_plane",
    "spectrum",
    "standardised",
    "structures_on_grid",
]

CELLS = 128  # along each side of the grid
CELL = 5.0  # size of a cell in pixels at a field of view of 540
FIELD_RADIUS = 270.0  # in the same pixels

_BLUR = 12.0  # pixels at a field of view of 540
_BARE = 0.1  # blurred structures below this share of their maximum count as none
_FOVEA_SIGMA = 25.0  # pixels at a field of view of 540


def structures_on_grid(label_map: np.ndarray, classes: Sequence[int], zoom: float = 1.0) -> np.ndarray:
    """Blurred structures of a label map, (cells, cells), the centre of the field of view in the middle.

    At a zoom of 1.5 the label map is of a field of view that 1.5 times as wide a one on the grid contains.
    """
    inside = label_map > 0
    scale = field_of_view_scale(inside) * zoom
    cells = []
    for axis, centre in zip(np.nonzero(np.isin(label_map, classes)), field_of_view_centre(inside)):
        cells.append(np.floor((axis - centre) / (scale * CELL) + CELLS / 2).astype(np.int64).clip(0, CELLS - 1))
    counts = np.bincount(cells[0] * CELLS + cells[1], minlength=CELLS**2).reshape(CELLS, CELLS)
    return gaussian_filter(counts / (scale * CELL) ** 2, _BLUR / CELL, mode="constant")


def _radius() -> np.ndarray:
    """Distance of every cell from the middle of the grid, in pixels at a field of view of 540."""
    along = (np.arange(CELLS) - (CELLS - 1) / 2) * CELL
    return np.hypot(along[:, None], along[None, :])


def standardised(plane: np.ndarray, zoom: float = 1.0) -> np.ndarray:
    """A plane of mean 0 over the field of view, 0 outside, and length 1."""
    disc = _radius() <= FIELD_RADIUS / zoom
    plane = np.where(disc, plane - plane[disc].mean(), 0.0)
    return plane / max(float(np.linalg.norm(plane)), 1e-9)


def fovea_place(structures: np.ndarray) -> np.ndarray:
    """Place of the fovea, of length 1: the middle of the largest disc without structures in the inner field."""
    bare = (structures < _BARE * structures.max()) & (_radius() <= FIELD_RADIUS)
    room = np.where(_radius() <= 150, distance_transform_edt(bare), 0.0)
    x, y = np.unravel_index(int(room.argmax()), room.shape)
    along = np.arange(CELLS)
    squares = (along[:, None] - x) ** 2 + (along[None, :] - y) ** 2
    place = np.exp(-squares / (2 * (_FOVEA_SIGMA / CELL) ** 2))
    return place / np.linalg.norm(place)


def mirrored_plane(plane: np.ndarray, mirrored: tuple[bool, bool]) -> np.ndarray:
    """The plane mirrored along X and Y, or neither, as a view."""
    return np.flip(plane, [axis for axis, mirror in enumerate(mirrored) if mirror])


def spectrum(plane: np.ndarray) -> torch.Tensor:
    """Fourier transform of a plane, as `torch.fft.rfft2` gives it."""
    return torch.fft.rfft2(torch.from_numpy(np.ascontiguousarray(plane, dtype=np.float32)))
