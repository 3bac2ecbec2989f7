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
"""The square around the field of view, in which photographs of any camera show the eye at the same place and size."""

from __future__ import annotations

import numpy as np

__all__ = ["cut_out", "square_around"]


def square_around(fov: np.ndarray) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of the smallest square around a field of view, which lies in its middle.

    Args:
        fov: field of view, bool, shape (H, W).

    Returns:
        first row and the one after the last, and columns likewise; the square may reach beyond the picture where the
        camera's sensor cut the field off.
    """
    spans = [np.flatnonzero(fov.any(axis=axis))[[0, -1]] for axis in (1, 0)]
    side = max(int(last - first) + 1 for first, last in spans)
    starts = [(int(first + last) + 1 - side) // 2 for first, last in spans]
    return (starts[0], starts[0] + side), (starts[1], starts[1] + side)


def cut_out(picture: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
    """Rows and columns of a picture, shape (H, W) or (H, W, C); 0 beyond it."""
    result = np.zeros((rows[1] - rows[0], columns[1] - columns[0], *picture.shape[2:]), dtype=picture.dtype)
    top, left = max(rows[0], 0), max(columns[0], 0)
    inside = picture[top : rows[1], left : columns[1]]
    result[top - rows[0] :, left - columns[0] :][: inside.shape[0], : inside.shape[1]] = inside
    return result
