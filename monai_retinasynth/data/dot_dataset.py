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
"""Dot maps of a data set, each beside the label map it was made of: what the first two of three stages learn from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ..transforms.dot_map import LabelMapToDotsd, dot_label_set
from ..transforms.load_fundus_case import LoadFundusCased
from ..utils.image_io import to_picture, write_label_map
from ..utils.label_set import LabelSet, get_label_set
from .cases import load_cases
from .datalist import write_datalist
from .prepared_folder import settle_folder
from .training_origin import dataset_origins

__all__ = ["write_dot_dataset"]

_SETTINGS_NAME = "dots.json"


def write_dot_dataset(
    dataset_dir: str | os.PathLike | Mapping[str, Any] | Sequence[Any],
    output_dir: str | os.PathLike,
    label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
    dots: Mapping[str, Any] | None = None,
    section: str = "training",
    layout: str = "auto",
    val_count: int = 2,
    split: str | None = None,
    allow_empty: bool = False,
    progress: bool = True,
) -> Path:
    """Write `labels/<case>.png` (dot map), `targets/<case>.png` (its label map) and `datalist.json`.

    Args:
        dataset_dir: the data set with label maps, as `load_cases` takes it.
        output_dir: folder of the new one, made when missing.
        label_set: label set of its label maps, or its name; the dot maps have `dot_label_set` of it.
        dots: arguments of `label_map_to_dots`, such as `radius` or `spacing`.
        section: section whose cases are taken; they become the training section.
        layout: see `load_cases`.
        val_count: number of training cases held out for validation.
        split: named split of CHASE_DB1, None for its default.
        allow_empty: whether a case whose dot map has no dots is let through.
        progress: show a progress bar.

    Returns:
        path of `datalist.json`, whose cases have `label`, `target`, `case_id` and `source`.

    Raises:
        ConfigError: When the arguments of the dots cannot work.
        DataError: When a case has no objects and thus no dots (names it), a file cannot be read, or the folder holds
            dot maps of other settings.
    """
    labels = get_label_set(label_set)
    options = json.loads(json.dumps(dict(dots or {})))  # as the folder's settings hold them
    classes = {key: options[key] for key in ("point_classes", "skeleton_classes", "merge", "spacing") if key in options}
    dot_labels = dot_label_set(labels, **classes)
    cases = load_cases(dataset_dir, section, layout, None, val_count, split)
    folder = Path(output_dir)
    settings = {"label_set": labels.to_dict(), "dots": options, "training_data": dataset_origins(dataset_dir)}
    settle_folder(folder, _SETTINGS_NAME, settings, tuple(settings))
    load, to_dots = LoadFundusCased(labels), LabelMapToDotsd("label", labels, "dots", allow_empty, **options)
    written = []
    for case in tqdm(cases, desc="dot maps", disable=not progress, unit="case"):
        needed = {key: value for key, value in case.items() if key != "image" or "label" not in case}
        loaded = to_dots(load(needed))
        files = {"label": f"labels/{case['case_id']}.png", "target": f"targets/{case['case_id']}.png"}
        write_label_map(folder / files["target"], _picture(loaded["label"]), labels)
        write_label_map(folder / files["label"], _picture(loaded["dots"]), dot_labels)
        written.append({**files, "case_id": case["case_id"], "source": case["source"]})
    extra = {"target_label_set": labels.to_dict(), "provenance": {"dots": options, "origin": settings["training_data"]}}
    return write_datalist(folder, {"training": written}, dot_labels, f"dots of {labels.name}", extra)


def _picture(label: torch.Tensor) -> np.ndarray:
    return to_picture(label)[..., 0]
