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
"""Figures of the lesions in a label map: how many, how large a share, and haemorrhages by quadrant, grade by grade.

The quadrants are those of the field of view, divided at the middle of its extent. A label map shows no fovea, so this
is what the "4-2-1" rule of the International Clinical Diabetic Retinopathy scale can be held against (Wilkinson et al.,
Ophthalmology 110:1677-1682, 2003; more than 20 haemorrhages in each of four quadrants). Lesions are counted as
connected pieces: where neighbours touch, as they do in a small picture, counts are lower than those of the same eye in
a large one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from skimage.measure import label as connected_pieces

from ..data.estimate_grade import haemorrhages_by_quadrant
from ..utils.errors import DataError
from ..utils.label_set import LESION_CLASSES, LabelSet, get_label_set

__all__ = ["LESION_STATISTICS_KEYS", "lesion_statistics", "lesion_statistics_by_grade"]


LESION_STATISTICS_KEYS = (
    *(f"{name}_{figure}" for name in LESION_CLASSES for figure in ("count", "share")),
    "haemorrhages_in_emptiest_quadrant",
    "vessel_share",
)


def lesion_statistics(
    label_map: np.ndarray, label_set: str | LabelSet | Mapping[str, Any] = "fundus_lesion"
) -> dict[str, float]:
    """Count and measure the lesions of one label map.

    Args:
        label_map: (H, W) class indices.
        label_set: its label set, with the classes `outside`, `vessel` and the four lesions of `fundus_lesion`.

    Returns:
        dict: for each lesion class ``<class>_count``, the number of its 8-connected pieces, and ``<class>_share``, the
        share of the field of view that it covers, 0 to 1; ``haemorrhages_in_emptiest_quadrant``, the least number of
        haemorrhages (by their centroids) in the four quadrants of the field of view; ``vessel_share``.

    Raises:
        DataError: when the map has not two axes, holds no field of view, or the label set lacks one of the classes.
    """
    label_set = get_label_set(label_set)
    label_map = np.asarray(label_map)
    if label_map.ndim != 2:
        raise DataError(f"a label map to measure has shape (H, W), got {label_map.shape}")
    area = np.count_nonzero(label_map != label_set.index("outside"))
    if not area:
        raise DataError("the label map is outside the field of view everywhere: there are no lesions to measure")
    result = {}
    for name in LESION_CLASSES:
        mask = label_map == label_set.index(name)
        _, count = connected_pieces(mask, connectivity=2, return_num=True)
        result[f"{name}_count"] = float(count)
        result[f"{name}_share"] = float(mask.sum() / area)
    result["haemorrhages_in_emptiest_quadrant"] = float(haemorrhages_by_quadrant(label_map, label_set).min())
    result["vessel_share"] = float((label_map == label_set.index("vessel")).sum() / area)
    return result


def lesion_statistics_by_grade(
    label_maps: Iterable[np.ndarray],
    grades: Iterable[int],
    label_set: str | LabelSet | Mapping[str, Any] = "fundus_lesion",
) -> dict[int, dict[str, Any]]:
    """Mean and standard deviation of :func:`lesion_statistics` over the maps of each grade.

    Args:
        label_maps: (H, W) class indices each.
        grades: grade of each map.
        label_set: label set of the maps.

    Returns:
        by grade, lowest first: ``maps`` (how many), and for each of `LESION_STATISTICS_KEYS` ``{"mean", "sd"}``,
        sd with n - 1, 0 for one map.

    Raises:
        DataError: when there are not as many grades as maps, or a map cannot be measured.
    """
    maps, grades = list(label_maps), [int(grade) for grade in grades]
    if len(maps) != len(grades):
        raise DataError(f"each label map needs its grade, got {len(maps)} maps and {len(grades)} grades")
    rows: dict[int, list[dict[str, float]]] = {grade: [] for grade in sorted(set(grades))}
    for label_map, grade in zip(maps, grades):
        rows[grade].append(lesion_statistics(label_map, label_set))
    return {grade: {"maps": len(measured), **_spread(measured)} for grade, measured in rows.items()}


def _spread(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    result = {}
    for key in LESION_STATISTICS_KEYS:
        values = np.array([row[key] for row in rows])
        result[key] = {"mean": float(values.mean()), "sd": float(values.std(ddof=1)) if len(values) > 1 else 0.0}
    return result
