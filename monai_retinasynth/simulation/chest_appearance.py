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
"""Paints the radiograph of a simulated chest: the rays that cross it, the scatter, and the film.

A sum of path lengths (attenuation times thickness): soft tissue by the depth of the body, lung air taken away, ribs
and clavicles with dense edges, spine, heart, vessels, abdomen. The rays that are left, exp(-path), are mixed with a
broadly blurred part of themselves (scatter), become noisy, and darken a film that saturates at white. Strengths are set
so that organs are as bright as in JSRT (see `chest_phantom`). Everything is drawn in edges of the picture, so a chest
looks the same at every size; only the noise belongs to the pixel.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from ..utils.smooth_noise import smooth_noise
from .chest_geometry import ChestGeometry
from .polygon_coverage import fill_polygons

__all__ = ["paint_radiograph"]


def paint_radiograph(geometry: ChestGeometry, masks: Mapping[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Paint one radiograph.

    Args:
        geometry: shapes of the chest.
        masks: its organ masks on the pixel grid, (size, size) bool, as `ChestPhantom.masks` gives them.
        rng: source of chance.

    Returns:
        uint8 grey picture, shape (size, size): bone and water bright, air dark.
    """
    size = masks["heart"].shape[0]
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = axis[None, :], axis[:, None]
    lung = np.maximum(*(_soft(masks[f"{side}_lung"], 0.003) for side in ("right", "left")))
    heart = _soft(masks["heart"], 0.003)

    path = _soft_tissue(geometry, x, y, size, rng)
    path += _between_lungs(geometry, lung, heart, x, y, rng)
    path += _below_diaphragm(geometry, lung, heart, size, rng)
    path -= _air(masks, x, y, rng)
    path += _bones(geometry, x, y, size)
    path += 0.35 * rng.uniform(0.6, 1.2) * lung * _soft(_vessel_cover(geometry, size), 0.0015)
    path = np.maximum(path * _exposure(rng) + 0.03 * smooth_noise(2 * axis - 1, 2 * axis - 1, 0.5, rng), 0.02)

    rays = np.exp(-path)
    scatter = rng.uniform(0.04, 0.12)
    rays = (1.0 - scatter) * rays + scatter * gaussian_filter(rays, 0.08 * size, mode="nearest")
    white = 244.0 + float(np.clip(rng.normal(0.0, 4.0), -8.0, 8.0))
    # noise comes last: it takes as many numbers as there are pixels, and all before it stays the same at every size
    rays *= 1.0 + 0.011 * rng.normal(size=rays.shape)
    grey = white * (1.0 - np.clip(rays, 0.0, 1.0)) + rng.normal(0.0, 0.5, size=rays.shape)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _exposure(rng: np.random.Generator) -> float:
    return 1.0 + 0.15 * float(np.clip(rng.normal(), -2.0, 2.0))


def _soft(cover: np.ndarray, width: float) -> np.ndarray:
    """The cover with edges as wide as `width` picture edges."""
    return gaussian_filter(cover.astype(np.float32), width * cover.shape[0], mode="nearest")


def _inside(mask: np.ndarray, depth: float) -> np.ndarray:
    """How deep inside the mask: 0 at its edge, near 1 well beyond `depth` picture edges."""
    away = distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1] / mask.shape[0]
    return (1.0 - np.exp(-away / depth)).astype(np.float32)


def _soft_tissue(
    geometry: ChestGeometry, x: np.ndarray, y: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    body = fill_polygons([geometry.body], size)
    depth = _inside(body > 0.5, 0.035)
    # shoulders are deep, the neck is not
    across = 1.87 + 0.35 * np.exp(-(((np.abs(x - geometry.middle) - 0.36) / 0.12) ** 2) - ((y - 0.30) / 0.16) ** 2)
    air = 0.10 + 0.12 * rng.random()
    path = air + body * depth * across
    if rng.random() < 0.45:  # breasts: a soft shadow with a clear lower border
        low, strength = rng.uniform(0.66, 0.76), rng.uniform(0.12, 0.32)
        for sign in (-1.0, 1.0):
            off = ((x - geometry.middle - 0.24 * sign) / 0.19) ** 2 + ((y - low + 0.13) / 0.16) ** 2
            path += strength * body / (1.0 + np.exp(np.clip((off - 1.0) * 14.0, -50, 50)))
    return path


def _between_lungs(
    geometry: ChestGeometry, lung: np.ndarray, heart: np.ndarray, x: np.ndarray, y: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    size = heart.shape[0]
    middle = _soft(fill_polygons([geometry.mediastinum], size), 0.02)
    mediastinum = middle * (1.0 - lung)
    away = np.abs(x - geometry.middle)
    spine = np.exp(-((away / 0.055) ** 4))
    discs = 0.5 + 0.5 * np.cos(2.0 * np.pi * (y / 0.062 + rng.random()))
    trachea = np.exp(-((away / 0.020) ** 4)) / (1.0 + np.exp((y - 0.27) * 40.0))
    hilum = np.exp(-(((away - 0.105) / 0.045) ** 2) - ((y - 0.44) / 0.075) ** 2)
    path = 0.48 * mediastinum + spine * (0.36 + 0.10 * discs) - 0.42 * trachea + 0.22 * hilum * lung
    return path + 0.12 * heart * (0.75 + 0.25 * _inside(heart > 0.5, 0.05))


def _below_diaphragm(
    geometry: ChestGeometry, lung: np.ndarray, heart: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    abdomen = fill_polygons([geometry.abdomen], size)
    path = 1.45 * _soft(abdomen, 0.003) * (0.35 + 0.65 * _inside(abdomen > 0.5, 0.05)) * (1.0 - 0.6 * heart)
    if rng.random() < 0.5:  # air in the stomach
        axis = (np.arange(size, dtype=np.float32) + 0.5) / size
        x0, y0 = geometry.middle + rng.uniform(0.16, 0.26), geometry.lungs["left"][-1, 1] + rng.uniform(0.06, 0.12)
        off = ((axis[None] - x0) / rng.uniform(0.04, 0.08)) ** 2 + ((axis[:, None] - y0) / rng.uniform(0.02, 0.04)) ** 2
        path -= rng.uniform(0.5, 1.2) / (1.0 + np.exp(np.clip((off - 1.0) * 5.0, -50, 50))) * abdomen
    return path


def _air(masks: Mapping[str, np.ndarray], x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the air in the lungs takes away: most in the upper outer fields, less over the diaphragm."""
    texture = 0.025 * smooth_noise(2 * x[0] - 1, 2 * y[:, 0] - 1, 0.06, rng)
    amount = np.zeros(masks["heart"].shape, dtype=np.float32)
    inflation = rng.normal(1.0, 0.05)
    for side in ("right", "left"):
        mask = masks[f"{side}_lung"]
        rows = np.flatnonzero(mask.any(axis=1))
        height = (y - rows[0] / len(mask)) / max((rows[-1] - rows[0]) / len(mask), 1e-6)
        fall = 1.0 - 0.48 * np.clip(height - 0.30, 0.0, 1.0)
        edge = 0.45 + 0.55 * _inside(mask, 0.035)  # the lung is thin at its border
        amount += inflation * 1.49 * _soft(mask, 0.003) * edge * fall * (1.0 + texture)
    return amount


def _bones(geometry: ChestGeometry, x: np.ndarray, y: np.ndarray, size: int) -> np.ndarray:
    """Bones are shells: dense where the ray runs along their wall, less so over the marrow."""
    body = fill_polygons([geometry.body], size)
    path = np.zeros((size, size), dtype=np.float32)
    for outlines, strength in ((geometry.posterior_ribs, 0.36), (geometry.anterior_ribs, 0.22)):
        whole, marrow = (_soft(fill_polygons(outlines[part::2], size), 0.0015) for part in (0, 1))
        if outlines is geometry.anterior_ribs:  # turns into cartilage, which does not show
            whole, marrow = (
                part * np.clip((np.abs(x - geometry.middle) - 0.13) / 0.09, 0, 1) for part in (whole, marrow)
            )
        path += strength * (whole - 0.38 * marrow)
    for side in ("right", "left"):
        bar = fill_polygons([geometry.clavicles[side]], size)
        path += 0.56 * _soft(bar, 0.0015) * (1.0 - 0.25 * _inside(bar > 0.5, 0.012))
        end = _soft(fill_polygons([geometry.shoulder_ends[side]], size), 0.0025)
        path += 0.26 * end * (1.0 - _soft(bar, 0.003))
        path += 0.13 * _soft(fill_polygons([geometry.scapulae[side]], size), 0.003)
    return path * body


def _vessel_cover(geometry: ChestGeometry, size: int) -> np.ndarray:
    return fill_polygons([outline for outline, _ in geometry.vessels], size, [value for _, value in geometry.vessels])
