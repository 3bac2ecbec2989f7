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
"""Adding vessels that a segmentation network found to the label maps of a data set that has none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..utils.atomic_file import atomic_write
from ..utils.errors import ConfigError, DataError
from ..utils.image_io import read_label_map, write_label_map
from ..utils.label_set import LabelSet, get_label_set
from .datalist import DATALIST_NAME, SECTIONS, load_datalist, write_datalist

__all__ = ["merge_vessels"]


def merge_vessels(
    dataset_dir: str | os.PathLike,
    vessel_maps_dir: str | os.PathLike,
    output_dir: str | os.PathLike,
    vessel_label_set: str | LabelSet = "fundus_vessel",
) -> Path:
    """Write a data set with the label maps of another one and the vessels of predicted maps over them.

    The inference of the semantic_segmentation bundle, run on the data set's folder of photographs, writes these maps:
    a photograph `IDRiD_01.png` gets the map `IDRiD_01.png`. Vessels outside the field of view are left out.

    Args:
        dataset_dir: data set with a `datalist.json`, whose label set has the classes "outside" and "vessel".
        vessel_maps_dir: folder of label maps, each named as its photograph (or, where there is none, its label map).
        output_dir: folder of the new data set; photographs are copied.
        vessel_label_set: label set of the predicted maps; it must have the class "vessel".

    Returns:
        path of the new `datalist.json`.

    Raises:
        ConfigError: When `output_dir` is one of the two folders that are read.
        DataError: When a case has no predicted map, sizes differ, or a label set lacks a class; names the file.
    """
    source, maps, target = (Path(folder).absolute() for folder in (dataset_dir, vessel_maps_dir, output_dir))
    if target in (source, maps):
        raise ConfigError(f"output_dir must be a folder of its own, {target} is one that is read")
    vessel_labels = get_label_set(vessel_label_set)
    vessel = vessel_labels.index("vessel")
    content = load_datalist(source)
    labels = get_label_set(content["label_set"])
    outside, merged_vessel = labels.index("outside"), labels.index("vessel")
    sections: dict[str, list[dict[str, Any]]] = {}
    names: set[str] = set()
    for section in SECTIONS:
        for case in content[section]:
            map_path = maps / f"{Path(case.get('image', case['label'])).stem}.png"
            if not map_path.is_file():
                raise DataError(
                    f"no predicted label map for case {case['case_id']}: {map_path} not found. Run the inference of "
                    "the semantic_segmentation bundle on the data set's folder of photographs again"
                )
            label = read_label_map(source / case["label"], labels)
            predicted = read_label_map(map_path, vessel_labels)
            if label.shape != predicted.shape:
                raise DataError(
                    f"sizes differ: {source / case['label']} is {label.shape[1]} x {label.shape[0]}, {map_path} is "
                    f"{predicted.shape[1]} x {predicted.shape[0]} (width x height). Predict on the data set's own "
                    "photographs"
                )
            label[(predicted == vessel) & (label != outside)] = merged_vessel
            if case["case_id"] in names:
                raise DataError(f"two cases of {source / DATALIST_NAME} are called {case['case_id']}; rename one")
            names.add(case["case_id"])
            merged = {**case, "label": f"labels/{case['case_id']}.png"}
            write_label_map(target / merged["label"], label, labels)
            if "image" in case:
                merged["image"] = f"images/{case['case_id']}{Path(case['image']).suffix}"
                _copy(source / case["image"], target / merged["image"])
            sections.setdefault(section, []).append(merged)
    if not sections:
        raise DataError(f"{source / DATALIST_NAME} lists no case")
    kept = {key: value for key, value in content.items() if key not in (*SECTIONS, "name", "label_set")}
    extra = {**kept, "vessels": f"predicted, {vessel_labels.name}"}
    return write_datalist(target, sections, labels, f"{content.get('name', source.name)}, vessels predicted", extra)


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise DataError(f"photograph not found: {source}. Write the data set again")
    with atomic_write(target) as file:
        file.write(source.read_bytes())
