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
"""A picture with label maps and photographs by grade of diabetic retinopathy, to look at."""

from __future__ import annotations

import os

import numpy as np

from ..data import load_cases
from ..utils.errors import DataError
from ..utils.image_io import image_grid, read_label_map, read_rgb, write_rgb
from ..utils.label_set import get_label_set

__all__ = ["write_grade_sheet"]


def write_grade_sheet(
    dataset_dir: str, path: str | os.PathLike, pairs_a_grade: int = 3, label_set: str = "fundus_lesion"
) -> None:
    """Write a PNG with a column pair (label map, photograph) for each grade of a data set.

    Args:
        dataset_dir: data set of pairs with a ``datalist.json`` in which every case has a grade.
        path: PNG file to write.
        pairs_a_grade: pairs below each other, the first ones of each grade; the column of a grade with fewer ends
            in black.
        label_set: name of the label set.

    Raises:
        DataError: when a case has no grade or no photograph.
    """
    labels = get_label_set(label_set)
    by_grade: dict[int, list[dict]] = {}
    for case in load_cases(dataset_dir, "all"):
        missing = [key for key in ("grade", "image") if key not in case]
        if missing:
            raise DataError(f"case {case['case_id']} of {dataset_dir} has no {missing[0]}; a sheet by grade needs it")
        by_grade.setdefault(int(case["grade"]), []).append(case)
    rows: list[list[np.ndarray]] = [[] for _ in range(min(pairs_a_grade, max(map(len, by_grade.values()))))]
    for grade in sorted(by_grade):
        for k, row in enumerate(rows):
            if k < len(by_grade[grade]):
                case = by_grade[grade][k]
                row += [labels.colorize(read_label_map(case["label"], labels)), read_rgb(case["image"])]
            else:
                row += [np.zeros_like(rows[0][-2]), np.zeros_like(rows[0][-1])]
    titles = [text for grade in sorted(by_grade) for text in (f"grade {grade}", "photograph")]
    write_rgb(path, image_grid(rows, titles=titles))
