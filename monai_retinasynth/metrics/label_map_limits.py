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
"""What range label maps of thin structures have: limits from the training maps, for maps that a generator drew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import stats

from ..utils.errors import ConfigError, DataError
from ..utils.image_io import to_picture
from ..utils.label_set import LabelSet, get_label_set
from .morphometry import vessel_morphometry

__all__ = ["LIMITED_FIGURES", "LabelMapLimits", "measure_label_map_limits"]

#: figures of `vessel_morphometry` that have limits; beside them the overlap of the fields of view
LIMITED_FIGURES = ("density", "skeleton_length", "components")
_LEAST_SPREAD = 0.05  # of the mean: maps that are all alike still leave room
_GRID = 256
_ONE_MAP = 0.5  # of the mean, where one map alone says nothing of the spread


@dataclass(frozen=True)
class LabelMapLimits:
    """Least and most of each figure.

    Args:
        label_set: label set of the maps.
        structure_class: name of the thin structures.
        limits: name of a figure -> (least, most).
        field_of_view: bool (256, 256), what lies in the field of view of most training maps, whatever their size.
        least_overlap: least intersection over union with it.
    """

    label_set: LabelSet
    structure_class: str
    limits: Mapping[str, tuple[float, float]]
    field_of_view: np.ndarray
    least_overlap: float

    def faults(self, label: torch.Tensor) -> list[str]:
        """Why a label map is none of these.

        Args:
            label: class indices, (1, X, Y).

        Returns:
            for each figure beyond its limits a sentence that begins with its name; none for a map within all.
        """
        index = to_picture(torch.as_tensor(label))[..., 0]
        inside = index != 0
        if not inside.any():
            return ["field_of_view is missing"]
        found = []
        overlap = _overlap(_on_grid(inside), self.field_of_view)
        if overlap < self.least_overlap:
            found.append(f"field_of_view overlaps that of the training maps by {overlap:.3f}")
        figures = vessel_morphometry(index == self.label_set.index(self.structure_class), inside)
        for name, (least, most) in self.limits.items():
            if not least <= figures[name] <= most:
                found.append(f"{name} {figures[name]:.4g} is not {least:.4g} to {most:.4g}")
        return found


def measure_label_map_limits(
    label_maps: Iterable[torch.Tensor],
    label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
    structure_class: str = "vessel",
    confidence: float = 0.999,
) -> LabelMapLimits:
    """Limits within which another map like these lies with so much confidence.

    They are the prediction interval of a normal distribution (Student's t for n - 1 degrees of freedom, wider by
    sqrt(1 + 1 / n)): the fewer the maps, the wider. The overlap of the fields of view has a lower limit alone.

    Args:
        label_maps: training maps, (1, X, Y) each.
        label_set: their label set, or its name.
        structure_class: name of the thin structures.
        confidence: 0.5 to 1, 1 excluded.

    Returns:
        the limits.

    Raises:
        ConfigError: when the confidence is out of range.
        DataError: when there is no map, one has no field of view, or none shows the structures.
    """
    if not 0.5 <= confidence < 1:
        raise ConfigError(f"confidence must be 0.5 to 1, 1 excluded, got {confidence}")
    labels = get_label_set(label_set)
    maps = [to_picture(torch.as_tensor(label))[..., 0] for label in label_maps]
    if not maps or not all((item != 0).any() for item in maps):
        raise DataError(
            f"limits are measured on one training map or more, each with a field of view; got {len(maps)}, "
            f"{sum(not (item != 0).any() for item in maps)} of them without"
        )
    structure = labels.index(structure_class)
    if not any((item == structure).any() for item in maps):
        raise DataError(f"none of the {len(maps)} training maps shows {structure_class}; there is no range to keep to")
    figures = [vessel_morphometry(item == structure, item != 0) for item in maps]
    limits = {name: _interval([item[name] for item in figures], confidence) for name in LIMITED_FIGURES}
    fields = [_on_grid(item != 0) for item in maps]
    usual = np.mean(fields, axis=0) > 0.5
    least = _interval([_overlap(field, usual) for field in fields], confidence)[0]
    return LabelMapLimits(labels, structure_class, limits, usual, least)


def _on_grid(mask: np.ndarray) -> np.ndarray:
    rows, columns = (((np.arange(_GRID) + 0.5) * side / _GRID).astype(int) for side in mask.shape)
    return mask[np.ix_(rows, columns)]


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max(int((one | other).sum()), 1))


def _interval(values: list[float], confidence: float) -> tuple[float, float]:
    mean, count = float(np.mean(values)), len(values)
    if count == 1:
        reach = _ONE_MAP * abs(mean)
    else:
        spread = max(float(np.std(values, ddof=1)), _LEAST_SPREAD * abs(mean))
        reach = float(stats.t.ppf(0.5 + confidence / 2, count - 1)) * spread * np.sqrt(1 + 1 / count)
    return max(0.0, mean - reach), mean + reach
