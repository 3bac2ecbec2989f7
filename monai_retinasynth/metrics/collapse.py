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
"""Does a generator of label maps repeat itself, or its training maps? Distances between maps of many classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

__all__ = ["collapse_figures", "label_map_dice"]


def label_map_dice(
    maps: Sequence[np.ndarray],
    references: Sequence[np.ndarray] | None,
    structures: Sequence[int],
    size: int = 128,
    tolerance: float = 1 / 64,
    augment: bool = False,
) -> np.ndarray:
    """Similarity of every label map with every reference: Dice of the structures, with a tolerance of position.

    Each structure class of a map is a mask by itself. The mask is padded to a square (centred) and brought to `size`,
    where a pixel belongs to the structure that it holds any bit of, so that no lesion is lost; then it is dilated by a
    disc of radius `tolerance * size`, so that lesions of a pixel meet when they are near each other and not only when
    they coincide. The similarity of two maps is the Dice of these masks, averaged over the structures that either of
    the maps has; a structure that one of them lacks counts as 0, and two maps without any structure are equal (1).
    Every structure weighs the same, whatever its area: microaneurysms as much as the optic disc.

    The default tolerance, 1/64 of the width, is about an eighth of the diameter of an optic disc.

    Args:
        maps: label maps (class indices), shape (H, W) each; sizes may differ.
        references: maps to compare with; None for `maps` themselves.
        structures: class indices that are compared; usually all but those of the background.
        size: edge of the square on which maps are compared, in pixels.
        tolerance: radius of the dilation, as a share of `size`; at least one pixel, unless it is 0.
        augment: take the largest similarity over the eight flips and right-angle rotations of a map.

    Returns:
        float64 matrix (number of maps, number of references), values 0 to 1.

    Raises:
        ValueError: when there are no maps or structures, a map is not two-dimensional, or a number is out of range.
    """
    _check(structures, size, tolerance)
    if len(maps) == 0 or (references is not None and len(references) == 0):
        raise ValueError("nothing to compare: give one map and one reference at least")
    masks = _dilated_masks(maps, structures, size, tolerance)
    others = masks if references is None else _dilated_masks(references, structures, size, tolerance)
    return _dice(masks, others, augment)


def collapse_figures(
    maps: Sequence[np.ndarray],
    references: Sequence[np.ndarray],
    structures: Sequence[int],
    size: int = 128,
    tolerance: float = 1 / 64,
    augment: bool = True,
    quantile: float = 0.05,
    near_duplicate_distance: float | None = None,
) -> dict[str, Any]:
    """Signs that the generator of `maps` has collapsed, or copied, each beside what real maps show.

    The distance of two maps is one minus their similarity by `label_map_dice`. Generated maps are compared with each
    other upright. They are compared with the training maps in the eight poses too where `augment` is set, since
    training turns and flips its maps.

    A map is a *near-duplicate* when another map of its set is closer than a threshold, and a *copy* when it is more
    similar to a training map than a second threshold. No distance is right for every data set, tolerance and size, so
    the thresholds come from the real maps: `quantile` of these have a neighbour so close, among different eyes. A
    generator as varied as its training set therefore shows about that share, 0.05, and only what is clearly above it
    means repetition. Neighbours get nearer as a set grows: compare sets of about the same number of maps.

    Among the 54 training maps of IDRiD, with the defaults, two maps are 0.90 apart on average and the nearest other one
    0.74 (at least 0.60); thresholds are a distance of 0.65 and a similarity of 0.38. 64 maps take about a second.

    Args:
        maps: generated label maps, see `label_map_dice`; two or more.
        references: the training maps; two or more.
        structures: see `label_map_dice`.
        size: see `label_map_dice`.
        tolerance: see `label_map_dice`.
        augment: look for training maps in all eight poses.
        quantile: share of the real maps that is closer to its neighbour than the thresholds.
        near_duplicate_distance: threshold to use instead of that of the real maps, such as one that several
            experiments share.

    Returns:
        ``size``, ``tolerance_px``, ``quantile``, ``augment``, ``near_duplicate_distance`` and ``copy_dice`` (the
        thresholds), and for each of ``generated`` and ``real``: ``maps``; ``pairwise_distance_mean`` and ``_sd`` over
        all pairs; ``nearest_distance_mean`` and ``_min`` over the nearest other map of the set;
        ``near_duplicate_share``; ``training_dice_mean`` and ``_max`` (similarity with the nearest training map; of a
        real map, the nearest other one) and ``copy_share``. All are plain numbers.

    Raises:
        ValueError: as `label_map_dice`, and when a set has fewer than two maps.
    """
    _check(structures, size, tolerance)
    if min(len(maps), len(references)) < 2:
        raise ValueError(
            f"collapse is measured on two generated and two real maps at least, not {len(maps)} and {len(references)}"
        )
    if not 0.0 <= quantile <= 1.0:
        raise ValueError(f"quantile must be between 0 and 1, not {quantile}")
    generated = _dilated_masks(maps, structures, size, tolerance)
    real = _dilated_masks(references, structures, size, tolerance)
    within = {name: np.maximum(1.0 - _dice(m, m), 0.0) for name, m in (("generated", generated), ("real", real))}
    to_training = {"generated": _dice(generated, real, augment), "real": _dice(real, real, augment)}
    np.fill_diagonal(to_training["real"], -1.0)  # every real map is its own copy
    nearest = {name: (d + 2.0 * np.eye(len(d))).min(axis=1) for name, d in within.items()}
    found = {name: similarity.max(axis=1) for name, similarity in to_training.items()}
    closeness = float(np.quantile(nearest["real"], quantile))
    if near_duplicate_distance is not None:
        closeness = float(near_duplicate_distance)
    copy_dice = float(np.quantile(found["real"], 1.0 - quantile))
    result: dict[str, Any] = {
        "size": size,
        "tolerance_px": _radius(size, tolerance),
        "quantile": quantile,
        "augment": augment,
        "near_duplicate_distance": closeness,
        "copy_dice": copy_dice,
    }
    for name, distances in within.items():
        pairs = distances[np.triu_indices(len(distances), k=1)]
        result[name] = {
            "maps": len(distances),
            "pairwise_distance_mean": float(pairs.mean()),
            "pairwise_distance_sd": float(pairs.std()),
            "nearest_distance_mean": float(nearest[name].mean()),
            "nearest_distance_min": float(nearest[name].min()),
            # a set of equal maps has distance 0 everywhere, also where the real maps' threshold is 0
            "near_duplicate_share": float(np.mean((nearest[name] < closeness) | (nearest[name] <= _EQUAL))),
            "training_dice_mean": float(found[name].mean()),
            "training_dice_max": float(found[name].max()),
            "copy_share": float(np.mean((found[name] > copy_dice) | (found[name] >= 1.0 - _EQUAL))),
        }
    return result


#: distances up to this are rounding
_EQUAL = 1e-6


def _check(structures: Sequence[int], size: int, tolerance: float) -> None:
    if len(structures) == 0:
        raise ValueError("no structures to compare; give the class indices of one structure at least")
    if size < 1 or not 0.0 <= tolerance < 0.5:
        raise ValueError(f"size must be at least 1 and tolerance in [0, 0.5), not {size} and {tolerance}")


def _radius(size: int, tolerance: float) -> int:
    return max(1, round(tolerance * size)) if tolerance > 0 else 0


def _dilated_masks(maps: Sequence[np.ndarray], structures: Sequence[int], size: int, tolerance: float) -> np.ndarray:
    """(n, structures, size, size) bool."""
    radius = _radius(size, tolerance)
    offsets = np.arange(-radius, radius + 1)
    disc = torch.from_numpy((offsets[:, None] ** 2 + offsets[None] ** 2 <= radius**2).astype(np.float32))
    wanted = np.asarray(structures)[:, None, None]
    planes = []
    for item in maps:
        full = torch.from_numpy(_square(item)[None] == wanted).float()
        small = F.adaptive_max_pool2d(full, size)
        planes.append((F.conv2d(small[:, None], disc[None, None], padding=radius)[:, 0] > 0.5).numpy())
    return np.stack(planes)


def _square(label_map: np.ndarray) -> np.ndarray:
    label_map = np.asarray(label_map)
    if label_map.ndim != 2:
        raise ValueError(f"a label map has shape (H, W), not {label_map.shape}")
    edge = max(label_map.shape)
    before = [(edge - side) // 2 for side in label_map.shape]
    return np.pad(label_map, [(b, edge - side - b) for b, side in zip(before, label_map.shape)])


def _dice(maps: np.ndarray, others: np.ndarray, augment: bool = False) -> np.ndarray:
    """(n, m) mean Dice over the structures of either map, the best of the poses of the first."""
    totals = maps.sum(axis=(2, 3))[:, None] + others.sum(axis=(2, 3))[None]  # (n, m, structures)
    present = (totals > 0).sum(axis=2)
    best = np.zeros(present.shape)
    for flipped in (False, True) if augment else (False,):
        for turns in range(4 if augment else 1):
            posed = np.rot90(maps[..., ::-1] if flipped else maps, turns, axes=(2, 3))
            similarity = np.zeros(present.shape)
            for k in np.flatnonzero(maps.any(axis=(0, 2, 3)) & others.any(axis=(0, 2, 3))):
                rows, columns = (s[:, k].reshape(len(s), -1).astype(np.float32) for s in (posed, others))
                # numbers of pixels, exact in float32
                similarity += 2.0 * (rows @ columns.T) / np.maximum(totals[..., k], 1)
            best = np.maximum(best, similarity / np.maximum(present, 1))
    return np.where(present > 0, best, 1.0)
