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
"""Photographs with label maps as a data set folder of one size, small enough to train on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._version import __version__
from ..transforms.load_fundus_case import LoadFundusCased
from ..utils.errors import ConfigError, DataError
from ..utils.label_set import LabelSet, get_label_set
from .cases import detect_layout, load_cases
from .datalist import write_datalist
from .photograph_origin import data_origin, photograph_notes
from .prepared_folder import drop_outdated, settle_folder, write_cases

__all__ = ["resize_dataset"]

_SETTINGS_NAME = "resized.json"


def resize_dataset(
    dataset_dir: str | os.PathLike,
    output_dir: str | os.PathLike,
    size: int = 256,
    label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
    layout: str = "auto",
    val_count: int = 2,
    split: str | None = None,
    progress: bool = True,
) -> Path:
    """Write `images/<case>.png`, `labels/<case>.png` and `datalist.json` with all three sections, squares of one size.

    Photographs and label maps are reduced as `LoadFundusCased` does it with a `spatial_size`: by area, proportions not
    kept, each pixel of the label map to the class with the largest share. A label map that the data set does not have
    is composed of its vessel mask and field of view. A second call goes on where the first one stopped, and makes the
    cases anew whose files have changed.

    Args:
        dataset_dir: folder of the data set.
        output_dir: folder of the new one, made when missing.
        size: edge of the pictures in pixels.
        label_set: label set of the label maps, or its name.
        layout: see `load_cases`.
        val_count: number of training cases held out for validation.
        split: named split of CHASE_DB1, None for its default.
        progress: show a progress bar.

    Returns:
        path of `datalist.json`.

    Raises:
        ConfigError: When the size is below 16 pixels.
        DataError: When a case lacks its files or photograph or has organ masks, a file cannot be read, or the folder
            holds other cases.
    """
    if size < 16:
        raise ConfigError(f"size must be 16 pixels or more, got {size}")
    labels = get_label_set(label_set)
    layout = detect_layout(dataset_dir) if layout == "auto" else layout
    sections = ("training", "validation", "test") if val_count or layout == "datalist" else ("training", "test")
    cases = {section: load_cases(dataset_dir, section, layout, None, val_count, split) for section in sections}
    if any("masks" in case for listed in cases.values() for case in listed):
        raise DataError(
            f"the cases of {dataset_dir} have organ masks of their own, which would be lost here; use prepare_jsrt_scr "
            "or prepare_radiographs with another size"
        )
    folder = Path(output_dir)
    origin = data_origin(dataset_dir, layout, val_count, split)
    settings = {"size": int(size), "label_set": labels.name, "origin": origin, "package_version": __version__}
    settle_folder(folder, _SETTINGS_NAME, settings, ("size", "label_set", "origin"))
    drop_outdated(folder, [case for listed in cases.values() for case in listed])
    written = write_cases(folder, cases, labels, LoadFundusCased(labels, spatial_size=size), size, "resize", progress)
    for section, listed in written.items():
        for entry, note in zip(listed, photograph_notes(dataset_dir, layout, cases[section])):
            entry["provenance"] = note
    name = f"{origin.get('name', layout)} at {size} px"
    return write_datalist(folder, written, labels, name, {"size": int(size), "provenance": {"origin": origin}})
