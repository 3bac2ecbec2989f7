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
"""Photographs as log ratios to their background: the share of the light that structures take, in dark and bright."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

__all__ = ["LEVEL_OFFSET", "log_ratio_to_background"]

#: grey levels added before a ratio is taken, so that it is bounded and noise in the dark does not count
LEVEL_OFFSET = 8.0

_SOFT = 2.0  # pixels at a field of view of 540


def log_ratio_to_background(
    photograph: np.ndarray, background: np.ndarray, field_of_view: np.ndarray, scale: float
) -> np.ndarray:
    """Logarithm of a photograph over its background, which is smoothed: its texture under structures is made up.

    Args:
        photograph: (C, X, Y), values 0..255.
        background: (C, X, Y), the same without structures.
        field_of_view: (X, Y) bool; what lies outside is not smoothed in.
        scale: diameter of the field of view over 540 pixels.

    Returns:
        (C, X, Y) float32.
    """
    inside = np.asarray(field_of_view, dtype=np.float32)
    cover = np.maximum(gaussian_filter(inside, _SOFT * scale), 1e-3)
    result = np.empty(np.shape(photograph), dtype=np.float32)
    for plane, over, under in zip(result, photograph, background):
        base = gaussian_filter(np.asarray(under, dtype=np.float32) * inside, _SOFT * scale) / cover
        plane[:] = np.log((np.asarray(over, dtype=np.float32) + LEVEL_OFFSET) / (base + LEVEL_OFFSET))
    return result
