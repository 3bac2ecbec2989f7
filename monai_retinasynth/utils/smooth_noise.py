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
"""Smooth noise on the picture's grid, tied to places of the eye and not to pixels."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import RectBivariateSpline

__all__ = ["smooth_noise"]


def smooth_noise(x: np.ndarray, y: np.ndarray, wavelength: float, rng: np.random.Generator) -> np.ndarray:
    """(H, W) smooth noise of about unit variance on the grid of x and y, with details of the given size."""
    half = (
        int(np.ceil(2.0 / wavelength)) + 2
    )  # covers positions up to 1 field radius; beyond, the field repeats its edge
    nodes = np.arange(-half, half + 1) * (wavelength / 2.0)
    values = rng.normal(size=(len(nodes), len(nodes)))
    spline = RectBivariateSpline(nodes, nodes, values, kx=3, ky=3)
    return spline(np.clip(y, nodes[0], nodes[-1]), np.clip(x, nodes[0], nodes[-1])).astype(np.float32) * np.float32(1.4)
