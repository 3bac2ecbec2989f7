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
"""Centre-line Dice of thin tubular structures: does the prediction keep every vessel connected, whatever its width?"""

from __future__ import annotations

import numpy as np
from skimage.morphology import skeletonize

__all__ = ["centerline_dice"]


def centerline_dice(pred: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None) -> float:
    """
    clDice of Shit et al., "clDice - a Novel Topology-Preserving Loss Function for Tubular Structure Segmentation",
    CVPR 2021, https://arxiv.org/abs/2003.07311, equations 1 and 2: the harmonic mean of topology precision (the part of
    the predicted skeleton that lies in the true vessels) and topology sensitivity (the part of the true skeleton that
    lies in the predicted vessels).

    Args:
        pred: predicted vessels, bool (H, W).
        target: true vessels, bool (H, W).
        mask: pixels to look at, bool (H, W); both maps are cleared outside it before their skeletons are taken.

    Returns:
        float: 0 to 1. Two empty maps agree (1.0); one empty map beside one that is not scores 0.0.

    Raises:
        ValueError: when the shapes differ.
    """
    pred, target = np.asarray(pred, dtype=bool), np.asarray(target, dtype=bool)
    if pred.shape != target.shape or pred.ndim != 2 or (mask is not None and np.shape(mask) != pred.shape):
        raise ValueError(
            f"clDice needs (H, W) maps of one shape, got prediction {pred.shape}, target {target.shape}"
            + ("" if mask is None else f", mask {np.shape(mask)}")
        )
    if mask is not None:
        mask = np.asarray(mask, dtype=bool)
        pred, target = pred & mask, target & mask
    if not pred.any() or not target.any():
        return float(pred.any() == target.any())
    pred_skeleton, target_skeleton = skeletonize(pred), skeletonize(target)
    precision = np.count_nonzero(pred_skeleton & target) / np.count_nonzero(pred_skeleton)
    sensitivity = np.count_nonzero(target_skeleton & pred) / np.count_nonzero(target_skeleton)
    total = precision + sensitivity
    return float(2 * precision * sensitivity / total) if total else 0.0
