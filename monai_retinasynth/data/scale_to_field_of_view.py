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
"""A data set whose photographs show the eye at one size: the field of view of every camera gets the same diameter.

A vessel is a few pixels wide, how many depends on the camera, and a network knows vessels by their width. So a user's
photographs are scaled to the size that the network was trained at, and so are those of a second data set that it is
tested on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .._version import __version__
from ..transforms.load_fundus_case import LoadFundusCased
from ..utils.errors import ConfigError, DataError
from ..utils.image_io import read_label_map, to_picture, write_label_map
from ..utils.label_set import LabelSet, get_label_set
from .cases import detect_layout, load_cases
from .datalist import write_datalist
from .photograph_origin import data_origin, photograph_notes
from .prepared_folder import drop_outdated, settle_folder, write_cases
from .second_observer import SECOND_OBSERVER_KEY, second_observer_cases

__all__ = ["scale_to_field_of_view"]

_SETTINGS_NAME = "scaled.json"


def scale_to_field_of_view(
    dataset_dir: str | os.PathLike,
    output_dir: str | os.PathLike,
    diameter: float = 540.0,
    label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
    layout: str = "auto",
    val_count: int = 2,
    split: str | None = None,
    training_cases: int | Sequence[str] | None = None,
    choice_count: int = 0,
    all_as_test: bool = False,
    tolerance: float = 0.02,
    progress: bool = True,
) -> Path:
    """Write `images/<case>.png`, `labels/<case>.png` and `datalist.json` with the field of view of every eye scaled.

    Proportions are kept. Photographs and label maps change size as `LoadFundusCased` does it with a `spatial_size`:
    photographs by area averaging, each pixel of the label map to the class with the largest share. A second observer's
    masks, where there are any, are carried along. A second call goes on where the first one stopped, and
    makes the cases anew whose files have changed.

    Args:
        dataset_dir: folder of the data set.
        output_dir: folder of the new one, made when missing.
        diameter: diameter of the disc that has the area of the field of view, in pixels; DRIVE's is 540.
        label_set: label set of the label maps, or its name.
        layout: see `load_cases`.
        val_count: number of training cases held out for validation.
        split: named split of CHASE_DB1, None for its default.
        training_cases: take only these of the training cases, by case_id, or the first so many; None for all.
        choice_count: write so many of the validation cases, the first ones, as the test section in place of the data
            set's own test cases, which are not even opened: for choices that the test must not make.
        all_as_test: write all cases as the test section: a camera that is only tested on.
        tolerance: a photograph that would change by no more than this share keeps its pixels.
        progress: show a progress bar.

    Returns:
        path of `datalist.json`.

    Raises:
        ConfigError: When the diameter is below 16 pixels, or the choice of cases cannot be made.
        DataError: When a case has no photograph or has organ masks, a file cannot be read, or the folder holds other
            cases.
    """
    if diameter < 16:
        raise ConfigError(f"diameter must be 16 pixels or more, got {diameter}")
    labels = get_label_set(label_set)
    layout = detect_layout(dataset_dir) if layout == "auto" else layout
    data = {"layout": layout, "val_count": int(val_count), "split": split}
    cases = _chosen(dataset_dir, data, training_cases, int(choice_count), all_as_test)
    for case in (case for listed in cases.values() for case in listed):
        if "masks" in case or "image" not in case:
            raise DataError(f"case {case['case_id']} of {dataset_dir} is no photograph of an eye with its label map")
    folder = Path(output_dir)
    origin = data_origin(dataset_dir, **data)
    chosen = {section: [str(case["case_id"]) for case in listed] for section, listed in cases.items()}
    settings = {
        "diameter": float(diameter),
        "tolerance": float(tolerance),
        "label_set": labels.name,
        "origin": origin,
        "cases": chosen,
        "package_version": __version__,
    }
    settle_folder(folder, _SETTINGS_NAME, settings, ("diameter", "tolerance", "label_set", "origin", "cases"))
    scale = _Scale(labels, float(diameter), float(tolerance))
    # only test cases have one that is of use
    second = _second_observer(dataset_dir, data, choice_count, all_as_test)
    second = {str(case["case_id"]): second[str(case["case_id"])] for case in cases["test"] if case["case_id"] in second}
    drop_outdated(
        folder,
        [case for listed in cases.values() for case in listed],
        {f"{SECOND_OBSERVER_KEY}/{name}.png": files for name, files in second.items()},
    )
    written = write_cases(folder, cases, labels, scale, None, "scale", progress)
    for section, listed in written.items():
        for case, note in zip(listed, photograph_notes(dataset_dir, layout, cases[section])):
            case["provenance"] = note
            if section == "test" and case["case_id"] in second:
                case[SECOND_OBSERVER_KEY] = f"{SECOND_OBSERVER_KEY}/{case['case_id']}.png"
                _write_second(folder, case, second[case["case_id"]], labels)
    name = f"{origin.get('name', layout)} with fields of view of {diameter:g} px"
    extra = {"field_of_view_diameter": float(diameter), "provenance": {"origin": origin}}
    return write_datalist(folder, written, labels, name, extra)


class _Scale:
    """A case from its files, at the size at which its field of view has the diameter."""

    def __init__(self, labels: LabelSet, diameter: float, tolerance: float) -> None:
        self.labels, self.diameter, self.tolerance = labels, diameter, tolerance

    def __call__(self, case: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        loaded = LoadFundusCased(self.labels)(case)
        area = int(torch.count_nonzero(loaded["label"] != self.labels.index("outside")))
        if not area:
            raise DataError(f"case {case['case_id']}: the label map has no field of view, so it cannot be scaled")
        scale = self.diameter / (2 * np.sqrt(area / np.pi))
        if abs(scale - 1) <= self.tolerance:
            return loaded
        size = [max(1, round(side * scale)) for side in loaded["label"].shape[1:]]
        return LoadFundusCased(self.labels, spatial_size=size)(case)


def _chosen(
    dataset_dir: str | os.PathLike,
    data: Mapping[str, Any],
    training_cases: int | Sequence[str] | None,
    choice_count: int,
    all_as_test: bool,
) -> dict[str, list[dict[str, Any]]]:
    """Section of the new data set -> its cases."""

    def load(section: str) -> list[dict[str, Any]]:
        return load_cases(dataset_dir, section, data["layout"], None, data["val_count"], data["split"])

    if all_as_test:
        if training_cases is not None or choice_count:
            raise ConfigError("all_as_test leaves no training and no validation: give neither with it")
        return {"test": load("all")}
    cases = {"training": load("training")}
    if data["val_count"] or data["layout"] == "datalist":
        cases["validation"] = load("validation")
    if choice_count:
        held = cases.get("validation", [])
        if not 0 < choice_count < len(held):
            raise ConfigError(
                f"choice_count is {choice_count}, {len(held)} cases are held out for validation: raise val_count above "
                "it, one case at least is needed for the threshold"
            )
        cases["validation"], cases["test"] = held[choice_count:], held[:choice_count]
    else:
        cases["test"] = load("test")
    if training_cases is not None:
        cases["training"] = _selected(cases["training"], training_cases, str(dataset_dir))
    return cases


def _selected(cases: list[dict[str, Any]], wanted: int | Sequence[str], where: str) -> list[dict[str, Any]]:
    if isinstance(wanted, int):
        if not 0 < wanted <= len(cases):
            raise ConfigError(f"training_cases is {wanted}, {where} has {len(cases)} training cases")
        return cases[:wanted]
    by_id = {str(case["case_id"]): case for case in cases}
    unknown = [name for name in wanted if name not in by_id]
    if unknown or not wanted or len(set(wanted)) < len(wanted):
        raise ConfigError(
            f"training_cases is {list(wanted)}; name different training cases of {where}: {', '.join(by_id)}"
        )
    return [by_id[name] for name in wanted]


def _second_observer(
    dataset_dir: str | os.PathLike, data: Mapping[str, Any], choice_count: int, all_as_test: bool
) -> dict[str, dict[str, Any]]:
    own = "all" if all_as_test else "validation" if choice_count else "test"
    return second_observer_cases(dataset_dir, own, **data)


def _write_second(folder: Path, case: Mapping[str, Any], files: Mapping[str, Any], labels: LabelSet) -> None:
    """The second observer's label map at the size of the first one's."""
    path = folder / case[SECOND_OBSERVER_KEY]
    size = read_label_map(folder / case["label"], labels).shape
    try:
        if read_label_map(path, labels).shape == size:
            return
    except DataError:
        pass  # missing or half written
    label = LoadFundusCased(labels, spatial_size=size[::-1])(files)["label"]
    write_label_map(path, to_picture(label)[..., 0].astype(np.uint8), labels)
