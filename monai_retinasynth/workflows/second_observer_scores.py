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
"""How well a second person's vessels agree with the first one's, on the test eyes that the networks are scored on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..data.cases import load_cases
from ..data.second_observer import second_observer_cases
from ..metrics.vessel_segmentation import confusion_counts, confusion_scores
from ..transforms.load_fundus_case import LoadFundusCased
from ..utils.atomic_file import atomic_write
from ..utils.errors import DataError
from ..utils.image_io import to_picture
from ..utils.label_set import get_label_set

__all__ = ["SECOND_OBSERVER_NAME", "score_second_observer"]

#: file that `score_second_observer` writes
SECOND_OBSERVER_NAME = "second_observer.json"


def score_second_observer(
    dataset_dir: str | os.PathLike,
    output_dir: str | os.PathLike,
    section: str = "test",
    layout: str = "auto",
    val_count: int = 2,
    split: str | None = None,
    label_set: str = "fundus_vessel",
) -> dict[str, Any]:
    """Score the second observer's vessels against the first one's, pixels pooled, inside the field of view.

    Args:
        dataset_dir: folder of the data set.
        output_dir: folder for ``second_observer.json``.
        section: see `load_cases`, as are `layout`, `val_count` and `split`.
        label_set: label set of the label maps.

    Returns:
        the content of the file: `cases` of the section, `images` (how many of them a second observer has drawn), `f1`,
        `accuracy`, `sensitivity`, `specificity` over these (None where there are none), and `per_case`: `case_id` and
        `counts`.

    Raises:
        DataError: when a file cannot be read, or the sizes of two masks differ.
    """
    labels = get_label_set(label_set)
    vessel, outside = labels.index("vessel"), labels.index("outside")
    load = LoadFundusCased(labels)
    cases = load_cases(dataset_dir, section, layout, None, val_count, split)
    second = second_observer_cases(dataset_dir, section, layout, val_count, split)
    found, true, per_case = [], [], []
    for case in cases:
        if case["case_id"] not in second:
            continue
        first_map, second_map = (to_picture(load(c)["label"])[..., 0] for c in (case, second[case["case_id"]]))
        if first_map.shape != second_map.shape:
            raise DataError(f"case {case['case_id']} of {dataset_dir}: the masks of the two observers differ in size")
        inside = first_map != outside
        found.append((second_map == vessel)[inside])
        true.append((first_map == vessel)[inside])
        per_case.append({"case_id": str(case["case_id"]), "counts": confusion_counts(found[-1], true[-1])})
    scores: dict[str, float | None] = dict.fromkeys(("f1", "accuracy", "sensitivity", "specificity"))
    if found:
        scores = dict(confusion_scores(np.concatenate(found), np.concatenate(true)))
    result = {"cases": len(cases), "images": len(per_case), **scores, "per_case": per_case}
    with atomic_write(Path(output_dir, SECOND_OBSERVER_NAME)) as file:
        file.write((json.dumps(result, indent=2, allow_nan=False) + "\n").encode())
    return result
