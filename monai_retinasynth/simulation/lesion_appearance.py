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
"""Paints the lesions of diabetic retinopathy on a fundus, where a label map says that they are.

Blood absorbs as in the vessels, green and blue most: microaneurysms are small dark red dots, haemorrhages have a soft
edge, and a thick pool hides what lies under it. Hard exudates (lipid) reflect yellow with a sharp edge. Soft exudates
(swollen nerve fibres) are pale, veil the vessels, and fade out. Colours are set by eye, relative to the colour of the
fundus; patterns are drawn in field radii, so lesions look the same at every size.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from ..utils.label_set import FUNDUS_LESION
from ..utils.smooth_noise import smooth_noise

__all__ = ["paint_lesions"]

_TYPICAL_FUNDUS = np.array([187.0, 97.0, 57.0])


def paint_lesions(
    fundus: np.ndarray, label_map: np.ndarray, pixels_per_unit: float, rng: np.random.Generator
) -> np.ndarray:
    """Paint the lesion classes of a label map; other classes are left as they are.

    Args:
        fundus: (H, W, 3) light from the fundus, in the units of a photograph, about 0 to 255.
        label_map: (H, W) class indices of the label set `fundus_lesion`, simulated or not.
        pixels_per_unit: radius of the field of view in pixels.
        rng: source of chance; the same number of draws is taken whatever the map holds.

    Returns:
        (H, W, 3) the fundus with lesions.

    Raises:
        ValueError: when the shapes do not match.
    """
    if label_map.shape != fundus.shape[:2]:
        raise ValueError(f"label_map is {label_map.shape}, but the fundus is {fundus.shape[:2]} wide and high")
    height, width = label_map.shape
    x = ((np.arange(width) - (width - 1) / 2.0) / pixels_per_unit).astype(np.float32)
    y = ((np.arange(height) - (height - 1) / 2.0) / pixels_per_unit).astype(np.float32)
    coarse, fine = smooth_noise(x, y, 0.16, rng), smooth_noise(x, y, 0.045, rng)
    fluff = smooth_noise(x, y, 0.03, rng)
    strength = float(np.exp(rng.normal(0.0, 0.08)))
    retina = label_map == FUNDUS_LESION.index("retina")
    tone = np.median(fundus[retina], axis=0) / _TYPICAL_FUNDUS if retina.any() else np.ones(3)

    fundus = _with_soft_exudates(fundus, label_map, pixels_per_unit, tone, fluff)
    fundus = _with_haemorrhages(fundus, label_map, pixels_per_unit, strength * (1.0 + 0.12 * coarse + 0.12 * fine))
    fundus = _with_hard_exudates(fundus, label_map, pixels_per_unit, tone, fine)
    return _with_microaneurysms(fundus, label_map, pixels_per_unit, strength * (1.0 + 0.15 * fine))


def _coverage(label_map: np.ndarray, name: str, sigma: float) -> np.ndarray | None:
    """(H, W) how much of a class covers each pixel, its edge blurred; `None` where the map has none of it."""
    mask = label_map == FUNDUS_LESION.index(name)
    return gaussian_filter(mask.astype(np.float32), sigma) if mask.any() else None


def _with_soft_exudates(
    fundus: np.ndarray, label_map: np.ndarray, pixels_per_unit: float, tone: np.ndarray, fluff: np.ndarray
) -> np.ndarray:
    coverage = _coverage(label_map, "soft_exudate", 0.011 * pixels_per_unit)
    if coverage is None:
        return fundus
    pale = np.array([228.0, 196.0, 156.0]) * (0.5 + 0.5 * tone)
    opacity = np.clip(coverage**1.3 * (0.76 + 0.12 * fluff), 0.0, 0.95)
    return fundus + (pale - fundus) * opacity[..., None]


def _with_haemorrhages(
    fundus: np.ndarray, label_map: np.ndarray, pixels_per_unit: float, strength: np.ndarray
) -> np.ndarray:
    coverage = _coverage(label_map, "haemorrhage", max(0.006 * pixels_per_unit, 0.45))
    if coverage is None:
        return fundus
    inside = distance_transform_edt(label_map == FUNDUS_LESION.index("haemorrhage")) / pixels_per_unit
    thick = gaussian_filter(1.0 - np.exp(-((inside / 0.035) ** 2)), 0.006 * pixels_per_unit)
    plain = np.stack([gaussian_filter(fundus[..., band], 0.05 * pixels_per_unit) for band in range(3)], axis=-1)
    fundus = fundus + (plain - fundus) * (0.95 * thick)[..., None]  # a pool hides the vessels behind it
    depth = np.clip(coverage * strength * (0.78 + 0.22 * thick), 0.0, 1.0)
    return fundus * (1.0 - depth[..., None] * np.array([0.40, 0.78, 0.72]))


def _with_hard_exudates(
    fundus: np.ndarray, label_map: np.ndarray, pixels_per_unit: float, tone: np.ndarray, fine: np.ndarray
) -> np.ndarray:
    coverage = _coverage(label_map, "hard_exudate", 0.3)
    if coverage is None:
        return fundus
    yellow = np.array([248.0, 204.0, 108.0]) * (0.55 + 0.45 * tone) * (1.0 + 0.07 * fine)[..., None]
    return fundus + (yellow - fundus) * (0.92 * coverage)[..., None]


def _with_microaneurysms(
    fundus: np.ndarray, label_map: np.ndarray, pixels_per_unit: float, strength: np.ndarray
) -> np.ndarray:
    coverage = _coverage(label_map, "microaneurysm", max(0.0025 * pixels_per_unit, 0.4))
    if coverage is None:
        return fundus
    depth = np.clip(1.15 * coverage * strength, 0.0, 1.0)
    return fundus * (1.0 - depth[..., None] * np.array([0.34, 0.66, 0.58]))
