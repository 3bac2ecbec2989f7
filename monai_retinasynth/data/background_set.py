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
"""Backgrounds as a data set: photographs without their structures, each with the label map of its own eye."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from .._version import __version__
from ..transforms.load_fundus_case import LoadFundusCased
from ..transforms.remove_structures import RemoveStructuresd, background_classes
from ..utils.errors import ConfigError, DataError
from ..utils.file_digest import file_digest
from ..utils.label_set import LabelSet, get_label_set
from .cases import detect_layout, load_cases
from .datalist import DATALIST_NAME, SECTIONS, load_datalist, write_datalist
from .held_out_eyes import find_held_out_eye
from .photograph_origin import data_origin, origin_root, photograph_notes
from .prepared_folder import drop_outdated, settle_folder, write_cases
from .training_origin import dataset_origins

__all__ = [
    "background_eyes",
    "background_origin",
    "list_backgrounds",
    "refuse_held_out_backgrounds",
    "write_background_dataset",
]

_SETTINGS_NAME = "backgrounds.json"


def write_background_dataset(
    dataset_dir: str | os.PathLike,
    output_dir: str | os.PathLike,
    label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
    classes: Sequence[str] | None = None,
    layout: str = "auto",
    section: str = "training",
    num_cases: int | None = None,
    val_count: int = 2,
    split: str | None = None,
    image_size: Sequence[int] | int | None = None,
    image_channels: int = 3,
    margin: float = 3.0,
    rim: float = 8.0,
    seed: int = 0,
    allow_absent: bool = False,
    progress: bool = True,
) -> Path:
    """Write `images/<case>.png` (the background), `labels/<case>.png` (the label map of the eye) and `datalist.json`.

    The label map tells the field of view and what the eye had: backgrounds are fitted by it. Each entry of the list
    notes the eye, and the digest of the photograph's file, so that `refuse_held_out_backgrounds` finds it again. A
    second call goes on where the first one stopped, and makes the cases anew whose files have changed.

    Args:
        dataset_dir: folder of the data set.
        output_dir: folder of the new one, made when missing.
        label_set: label set of the label maps, or its name.
        classes: names of the classes to take out; None for all but the first two.
        layout: see `load_cases`.
        section: section of the eyes; they become the training section of the new data set.
        num_cases: take the first so many only; None for all.
        val_count: number of training cases held out for validation, which are no training cases.
        split: named split of CHASE_DB1, None for its default.
        image_size: (X, Y), or one number for both; None keeps the size of the files.
        image_channels: 3 for colours, 1 for grey levels.
        margin: see `remove_structures`.
        rim: see `remove_structures`.
        seed: see `remove_structures`.
        allow_absent: whether eyes without a pixel of the classes are taken, see `RemoveStructures`.
        progress: show a progress bar.

    Returns:
        path of `datalist.json`.

    Raises:
        ConfigError: When the output folder is the data set's own, or the label set lacks a class.
        DataError: When a case has no photograph, two have one name, a file cannot be read or used, or the folder holds
            other cases.
    """
    labels = get_label_set(label_set)
    if Path(output_dir).absolute() == Path(dataset_dir).absolute():
        raise ConfigError(f"output_dir must be a folder of its own, {output_dir} is the data set that is read")
    chosen = [labels.class_names[index] for index in background_classes(labels, classes)]
    layout = detect_layout(dataset_dir) if layout == "auto" else layout
    cases = load_cases(dataset_dir, section, layout, num_cases, val_count, split)
    for name, count in Counter(str(case["case_id"]) for case in cases).items():
        if count > 1:
            raise DataError(f"{count} cases of {dataset_dir} are called {name}; give each a name of its own")
    if bare := [case["case_id"] for case in cases if "image" not in case]:
        raise DataError(f"case {bare[0]} of {dataset_dir} has no photograph to make a background of")
    folder = Path(output_dir)
    origin = data_origin(dataset_dir, layout, val_count, split)
    settings = {
        "label_set": labels.name,
        "classes": chosen,
        "section": section,
        "cases": [str(case["case_id"]) for case in cases],
        "image_size": image_size if image_size is None or isinstance(image_size, int) else list(image_size),
        "image_channels": int(image_channels),
        "margin": float(margin),
        "rim": float(rim),
        "seed": int(seed),
        "origin": origin,
        "package_version": __version__,
    }
    settle_folder(folder, _SETTINGS_NAME, settings, [key for key in settings if key != "package_version"])
    remove = RemoveStructuresd("image", labels, chosen, "label", "image", margin, rim, seed, allow_absent)
    load = LoadFundusCased(labels, image_dtype="uint8", spatial_size=image_size, image_channels=image_channels)

    def background(case: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        return remove(load(case))

    drop_outdated(folder, cases)
    written = write_cases(folder, {"training": cases}, labels, background, None, "background", progress)
    for entry, note in zip(written["training"], photograph_notes(dataset_dir, layout, cases)):
        entry["provenance"] = note
    kept = ("classes", "section", "image_channels", "margin", "rim", "origin")
    provenance = {"kind": "backgrounds", **{key: settings[key] for key in kept}}
    return write_datalist(folder, written, labels, f"backgrounds of {origin_root(origin)}", {"provenance": provenance})


def list_backgrounds(
    folder: str | os.PathLike,
    label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
    num_backgrounds: int | None = None,
    image_channels: int = 3,
) -> list[dict[str, Any]]:
    """Cases of a background set, which must be one.

    Args:
        folder: data set that `write_background_dataset` wrote.
        label_set: label set that its label maps must have.
        num_backgrounds: take the first so many only; None for all.
        image_channels: 3 for colours, 1 for grey levels.

    Returns:
        case dictionaries of `load_cases`; `case_id` is the eye's name in the data set that it comes from.

    Raises:
        DataError: When the folder is no background set, is empty, holds too few, or has another label set or modality.
    """
    folder, labels = Path(folder), get_label_set(label_set)
    content = _load_backgrounds(folder)
    provenance = _background_provenance(folder, content)
    if not content["training"]:
        raise DataError(f"the background set {folder} has no photograph. Write it again with write_background_dataset")
    if provenance["image_channels"] != image_channels:
        have, needed = (
            "grey levels (1 channel)" if n == 1 else f"colours ({n} channels)"
            for n in (provenance["image_channels"], image_channels)
        )
        raise DataError(
            f"the backgrounds in {folder} have {have}, {needed} are needed. Write them from photographs of the right "
            "kind, with image_channels"
        )
    declared = get_label_set(content["label_set"])
    if declared.class_names != labels.class_names:
        raise DataError(
            f"the label maps of the backgrounds in {folder} have the classes {list(declared.class_names)}, those of "
            f"label set {labels.name!r} are {list(labels.class_names)}. Write backgrounds with label_set={labels.name}"
        )
    if num_backgrounds is not None and not 1 <= num_backgrounds <= len(content["training"]):
        raise DataError(
            f"{num_backgrounds} backgrounds are asked for (num_backgrounds), {folder} has {len(content['training'])}. "
            "Write more, or ask for 1 to as many"
        )
    names = {case["case_id"]: case["provenance"]["case_id"] for case in content["training"]}
    cases = load_cases(folder, "all", "datalist")[:num_backgrounds]
    if bare := [case["case_id"] for case in cases if "image" not in case]:
        raise DataError(f"background {bare[0]} of {folder} has no photograph. Write the set again")
    return [{**case, "case_id": names.get(case["case_id"], case["case_id"])} for case in cases]


def refuse_held_out_backgrounds(
    backgrounds: str | os.PathLike,
    dataset_dir: str | os.PathLike | Mapping[str, Any] | Sequence[Any],
    layout: str = "auto",
    val_count: int = 2,
    split: str | None = None,
) -> str | os.PathLike:
    """Make sure that no validation or test eye of a data set is among the backgrounds.

    An eye is found by the digest of its photograph, and copies of another size by that of the original, see
    `find_held_out_eye`.

    Args:
        backgrounds: data set that `write_background_dataset` wrote.
        dataset_dir: the data set that is trained and tested on, or several as `load_cases` takes them.
        layout: see `load_cases`.
        val_count: number of its training cases held out for validation.
        split: named split of CHASE_DB1, None for its default.

    Returns:
        `backgrounds`.

    Raises:
        DataError: When one is; names it. When a section of the data set cannot be read.
    """
    if found := find_held_out_eye(background_eyes(backgrounds), dataset_dir, layout, val_count, split):
        raise DataError(
            f"{found} is among the backgrounds in {backgrounds}: what is trained on them has seen it. Write "
            "backgrounds of training eyes only, with the val_count, split and section of the run (here "
            f"val_count={val_count}, split={split})"
        )
    return backgrounds


def background_eyes(folder: str | os.PathLike) -> list[dict[str, Any]]:
    """Whose backgrounds a set holds, as `find_held_out_eye` takes it.

    Args:
        folder: data set of backgrounds.

    Raises:
        DataError: When the folder is none, or does not say whose they are.
    """
    content = _load_backgrounds(Path(folder))
    data_set = origin_root(_background_provenance(Path(folder), content)["origin"])
    return [{**case["provenance"], "data_set": data_set} for case in content["training"]]


def background_origin(folder: str | os.PathLike) -> dict[str, Any]:
    """What a synthetic set notes of the backgrounds that it was painted into: which set, and whose eyes they are.

    Args:
        folder: data set of backgrounds.

    Returns:
        `name`, `provenance` where there is one, `digest` (of its `datalist.json`, 16 hexadecimal digits) and
        `case_ids`.

    Raises:
        DataError: When the folder holds no `datalist.json`, or it cannot be read.
    """
    content = _load_backgrounds(Path(folder))
    digest = file_digest(Path(folder) / DATALIST_NAME)[:16]
    names = [str(case["case_id"]) for section in SECTIONS for case in content[section] if "case_id" in case]
    return {**dataset_origins(folder)[0], "digest": digest, "case_ids": names}


def _load_backgrounds(folder: Path) -> dict[str, Any]:
    if not (folder / DATALIST_NAME).is_file():
        raise DataError(
            f"no backgrounds in {folder}: it has no {DATALIST_NAME}. Write them with write_background_dataset"
        )
    return load_datalist(folder)


def _background_provenance(folder: Path, content: Mapping[str, Any]) -> Mapping[str, Any]:
    provenance = content.get("provenance")
    traced = all("photograph_sha256" in case.get("provenance", {}) for case in content["training"])
    if not isinstance(provenance, Mapping) or provenance.get("kind") != "backgrounds" or not traced:
        raise DataError(
            f"{folder} is a data set, but not one of backgrounds: its {DATALIST_NAME} does not say whose photographs "
            "they are made of. Write it with write_background_dataset"
        )
    return provenance
