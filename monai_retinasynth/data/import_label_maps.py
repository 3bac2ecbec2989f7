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
"""Taking over label maps that the user brings, as a data set that the next stage reads."""

from __future__ import annotations

from ..utils.errors import ConfigError, DataError
from .cases import load_cases
from .synthetic_set_writer import SyntheticSetWriter
from .training_references import load_label_maps

__all__ = ["import_label_maps"]


def import_label_maps(label_maps_dir: str | None, output_dir: str, label_set: str = "fundus_vessel") -> None:
    """Copy label maps from a folder into a data set with a ``datalist.json``, checking each; grades are kept.

    Args:
        label_maps_dir: folder of label map files (class indices, e.g. palette PNG), or a data set with a datalist.
        output_dir: folder of the new data set.
        label_set: name of the label set that the indices belong to.

    Raises:
        ConfigError: when no folder is given.
        DataError: when the folder has no label map, or a file holds values that are no class of the label set.
    """
    if not label_maps_dir:
        raise ConfigError("label maps are to come from a folder, but none is given; add --label_maps_dir FOLDER")
    maps = load_label_maps(label_maps_dir, "all", label_set=label_set)
    if not maps:
        raise DataError(
            f"no label map found in {label_maps_dir}; put palette or grey PNG files with class indices there"
        )
    writer = SyntheticSetWriter(
        output_dir,
        label_set=label_set,
        name="label maps of the user",
        provenance={"origin": "user"},
        image_required=False,
    )
    for index, label in enumerate(maps):
        if not writer.exists(index):
            writer.write(index, label=label)
    writer.finalize(indices=range(len(maps)), grades=[case.get("grade") for case in load_cases(label_maps_dir, "all")])
