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
"""Label maps at a lower resolution without losing thin vessels: class coverage instead of one class per pixel.

Reduced to a quarter of its width, a two-pixel vessel has no pixel of its own any more: nearest-neighbour reduction
tears it apart and a majority vote deletes it. Here every coarse pixel holds the share of its area that each class
covers (exact area averaging of the one-hot map), so the vessel keeps its mass as a probability. Going back up, bicubic
interpolation and an arg-max draw it again as a thin line; a weight on the thin class, calibrated on the training maps,
makes up for what blurring took from it, and following the ridges of its probability joins thin branches again.

A map is fitted to the target's aspect ratio by adding class 0 evenly on two sides, in continuous coordinates: no
rounding to whole pixels, hence the way back crops exactly what was added.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends

from ..utils.errors import DataError
from .fit_grid import area_matrix, cubic_matrix, fit_grid
from .link_thin_class import link_thin_class

__all__ = [
    "ExpandClassProbabilitiesD",
    "ExpandClassProbabilitiesDict",
    "ExpandClassProbabilitiesd",
    "ReduceLabelMapD",
    "ReduceLabelMapDict",
    "ReduceLabelMapd",
    "calibrate_class_weights",
    "expand_class_probabilities",
    "reduce_label_map",
]


def reduce_label_map(index: torch.Tensor, num_classes: int, size: Sequence[int]) -> torch.Tensor:
    """Share of every class in each pixel of a smaller grid.

    Args:
        index: class indices, shape (1, X, Y).
        num_classes: number of classes C.
        size: (x, y) of the result; another aspect ratio than X / Y is reached by adding class 0 evenly on two sides.

    Returns:
        float32 probabilities, shape (C, x, y), sum 1 in each pixel.

    Raises:
        DataError: When a value is no class.
    """
    if index.ndim != 3 or index.shape[0] != 1:
        raise ValueError(f"expected a label map of shape (1, X, Y), got {tuple(index.shape)}")
    highest = int(index.max())
    if highest >= num_classes or int(index.min()) < 0:
        raise DataError(f"the label map holds the value {highest}, there are {num_classes} classes")
    step, offsets = fit_grid(index.shape[1:], size)
    along_x = area_matrix(index.shape[1], int(size[0]), step, offsets[0]).to(index.device)
    along_y = area_matrix(index.shape[2], int(size[1]), step, offsets[1]).to(index.device)
    # classes 1.. by averaging, class 0 is the rest: what lies beyond the map's border counts as class 0
    classes = torch.arange(1, num_classes, device=index.device)[:, None, None]
    others = along_x @ (index == classes).float() @ along_y.T
    coverage = torch.cat([(1 - others.sum(dim=0, keepdim=True)).clamp_(min=0), others])
    return coverage / coverage.sum(dim=0, keepdim=True)


def expand_class_probabilities(
    prob: torch.Tensor,
    size: Sequence[int],
    class_weights: Sequence[float] | None = None,
    thin_class: int | None = None,
    ridge_level: float = 0.15,
) -> torch.Tensor:
    """Label map of class probabilities at another, usually finer, resolution: the way back from `reduce_label_map`.

    Args:
        prob: probabilities, shape (C, x, y).
        size: (X, Y) of the label map; what another aspect ratio added on two sides is cropped.
        class_weights: weight of each class in the arg-max, see `calibrate_class_weights`; None for equal weights.
        thin_class: class whose thin branches the arg-max breaks into dashes; they are joined along their ridges, see
            `link_thin_class`. None leaves the arg-max as it is.
        ridge_level: probability down to which ridges of `thin_class` are followed.

    Returns:
        uint8 class indices, shape (1, X, Y).
    """
    fine = _interpolate(prob, size)
    weighted = fine
    if class_weights is not None:
        if len(class_weights) != prob.shape[0]:
            raise ValueError(f"{prob.shape[0]} classes need as many class_weights, got {len(class_weights)}")
        weighted = fine * torch.as_tensor(class_weights, dtype=fine.dtype, device=fine.device)[:, None, None]
    label = weighted.argmax(dim=0).to(torch.uint8)
    if thin_class is not None:
        share = fine[thin_class] / fine.sum(dim=0).clamp_min(1e-6)
        linked = link_thin_class(label.cpu().numpy(), share.cpu().numpy(), thin_class, ridge_level)
        label = torch.from_numpy(linked).to(label.device)
    return label[None]


def calibrate_class_weights(
    label_maps: Iterable[torch.Tensor],
    size: Sequence[int],
    num_classes: int,
    thin_class: int,
    candidates: Sequence[float] | None = None,
) -> list[float]:
    """Weights with which reducing the maps to `size` and expanding them again keeps the thin class best.

    Args:
        label_maps: real maps (the training ones), shape (1, X, Y) each.
        size: (x, y) of the reduced maps.
        num_classes: number of classes C.
        thin_class: class whose Dice, pooled over the maps, is made as large as possible.
        candidates: weights to try; None for 0.5 to 3 in steps of 4 %.

    Returns:
        C weights, all 1 but that of the thin class.

    Raises:
        DataError: When there is no map, or none holds the thin class.
    """
    weights = torch.tensor(candidates if candidates is not None else [0.5 * 1.04**k for k in range(46)])
    overlap, drawn, true = torch.zeros(len(weights)), torch.zeros(len(weights)), 0.0
    for index in label_maps:
        fine = _interpolate(reduce_label_map(index, num_classes, size), index.shape[1:])
        others = torch.cat([fine[:thin_class], fine[thin_class + 1 :]]).amax(dim=0)
        # the thin class wins where weight > others / thin
        needed = torch.where(fine[thin_class] > 0, others / fine[thin_class].clamp_min(1e-12), torch.inf)
        target = index[0] == thin_class
        needed_all, needed_true = needed.flatten().sort().values, needed[target].sort().values
        drawn += torch.searchsorted(needed_all, weights)
        overlap += torch.searchsorted(needed_true, weights)
        true += float(target.sum())
    if true == 0:
        raise DataError(f"cannot calibrate the weight of class {thin_class}: no label map given holds it")
    result = [1.0] * num_classes
    result[thin_class] = float(weights[torch.argmax(2 * overlap / (drawn + true))])
    return result


def _interpolate(prob: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    if prob.ndim != 3:
        raise ValueError(f"expected probabilities of shape (C, x, y), got {tuple(prob.shape)}")
    step, offsets = fit_grid(size, prob.shape[1:])
    along_x = cubic_matrix(int(size[0]), prob.shape[1], step, offsets[0]).to(prob.device)
    along_y = cubic_matrix(int(size[1]), prob.shape[2], step, offsets[1]).to(prob.device)
    return (along_x @ prob.float() @ along_y.T).clamp_(min=0)


class ReduceLabelMapd(MapTransform):
    """Dictionary form of `reduce_label_map`: label maps (1, X, Y) become class probabilities (C, x, y).

    Args:
        keys: keys of label maps.
        num_classes: number of classes C.
        size: (x, y).
        allow_missing_keys: whether a missing key is passed over.
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self, keys: KeysCollection, num_classes: int, size: Sequence[int], allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.num_classes = num_classes
        self.size = tuple(size)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = reduce_label_map(torch.as_tensor(d[key]), self.num_classes, self.size)
        return d


class ExpandClassProbabilitiesd(MapTransform):
    """Dictionary form of `expand_class_probabilities`: probabilities (C, x, y) become label maps (1, X, Y).

    Args:
        keys: keys of class probabilities.
        size: (X, Y).
        class_weights: weight of each class, or None.
        thin_class: class whose branches are joined along their ridges, or None.
        ridge_level: probability down to which ridges are followed.
        evidence_key: key for the probability of a class at the label map's size, float32 (1, X, Y), as `RepairTreed`
            takes it; None for none.
        evidence_class: which class; None for `thin_class`.
        allow_missing_keys: whether a missing key is passed over.
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        keys: KeysCollection,
        size: Sequence[int],
        class_weights: Sequence[float] | None = None,
        thin_class: int | None = None,
        ridge_level: float = 0.15,
        evidence_key: str | None = None,
        evidence_class: int | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.size = tuple(size)
        self.class_weights = class_weights
        self.thin_class = thin_class
        self.ridge_level = ridge_level
        self.evidence_key = evidence_key
        self.evidence_class = thin_class if evidence_class is None else evidence_class
        if evidence_key is not None and self.evidence_class is None:
            raise ValueError("evidence_key needs evidence_class, or thin_class: whose probability it is")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key in self.key_iterator(d):
            prob = torch.as_tensor(d[key])
            d[key] = expand_class_probabilities(prob, self.size, self.class_weights, self.thin_class, self.ridge_level)
            if self.evidence_key is not None:
                fine = _interpolate(prob, self.size)
                share = fine[self.evidence_class] / fine.sum(dim=0).clamp_min(1e-6)
                d[self.evidence_key] = share[None].clamp(0, 1)
        return d


ReduceLabelMapD = ReduceLabelMapDict = ReduceLabelMapd
ExpandClassProbabilitiesD = ExpandClassProbabilitiesDict = ExpandClassProbabilitiesd
