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
"""A folder of prepared cases that a second call goes on with: its settings, and which cases are finished."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ..utils.atomic_file import atomic_write
from ..utils.errors import DataError
from ..utils.file_digest import files_digest
from ..utils.image_io import read_label_map, read_rgb, to_picture, write_grey, write_label_map, write_rgb
from ..utils.label_set import LabelSet

__all__ = ["drop_outdated", "is_finished", "settle_folder", "write_cases", "write_pair"]

_SOURCES_NAME = "sources.json"


def settle_folder(folder: Path, settings_name: str, settings: Mapping[str, Any], decisive: Sequence[str]) -> None:
    """Note the settings in the folder, and refuse one that was filled with others.

    Args:
        folder: the folder, made when missing.
        settings_name: name of the file for the settings.
        settings: plain values for JSON.
        decisive: keys in which an earlier call must agree.

    Raises:
        DataError: When it does not.
    """
    path = folder / settings_name
    if path.is_file():
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            earlier = "unreadable"
        if not isinstance(earlier, dict) or any(earlier.get(key) != settings[key] for key in decisive):
            raise DataError(
                f"{folder} holds cases of other settings ({earlier}, wanted {dict(settings)}): choose another "
                "output_dir, or remove the folder"
            )
        return
    with atomic_write(path) as file:
        file.write(json.dumps(dict(settings), indent=2).encode("utf-8") + b"\n")


def drop_outdated(
    folder: Path, cases: Iterable[Mapping[str, Any]], second: Mapping[str, Mapping[str, Any]] | None = None
) -> None:
    """Remove the pictures of cases whose files are not those that an earlier call read, so that they are made anew.

    Args:
        folder: the folder of prepared cases.
        cases: case dictionaries with `image`, `label`, `vessel` and `fov` as far as they have them.
        second: more case dictionaries, by the path in the folder of what is made of them.
    """
    path = folder / _SOURCES_NAME
    try:
        earlier = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        earlier = {}  # none, or a damaged one: nothing that is there is known to be right
    wanted = {f"images/{case['case_id']}.png": case for case in cases} | dict(second or {})
    digests = {
        name: files_digest(case[key] for key in ("image", "label", "vessel", "fov") if key in case)
        for name, case in wanted.items()
    }
    for name, digest in digests.items():
        if earlier.get(name) != digest:
            (folder / name).unlink(missing_ok=True)
    with atomic_write(path) as file:
        file.write(json.dumps(digests, indent=2).encode("utf-8") + b"\n")


def write_pair(image: Path, label: Path, photograph: np.ndarray, label_map: np.ndarray, label_set: LabelSet) -> None:
    """Write a photograph (H, W, 3 or 1) and its label map; the photograph comes last: its presence means finished."""
    image.unlink(missing_ok=True)
    write_label_map(label, label_map, label_set)
    if photograph.shape[2] == 1:
        write_grey(image, photograph[..., 0])
    else:
        write_rgb(image, photograph)


def is_finished(image: Path, label: Path, label_set: LabelSet, size: int | None) -> bool:
    """Whether an earlier call wrote both pictures of a case, whole and of this size (None: both of the same)."""
    try:
        shapes = read_label_map(label, label_set).shape, read_rgb(image).shape[:2]
    except DataError:
        return False
    return all(shape == (shapes[0] if size is None else (size, size)) for shape in shapes)


def write_cases(
    folder: Path,
    cases: Mapping[str, Sequence[Mapping[str, Any]]],
    label_set: LabelSet,
    load: Callable[[Mapping[str, Any]], Mapping[str, torch.Tensor]],
    size: int | None,
    desc: str,
    progress: bool,
) -> dict[str, list[dict[str, Any]]]:
    """Write `images/<case>.png` and `labels/<case>.png` of all cases that are not finished.

    Args:
        folder: the data set.
        cases: section -> case dictionaries, see `load_cases`.
        label_set: label set of the label maps.
        load: gives `image` (3 or 1, X, Y), 0..255, and `label` (1, X, Y) of a case dictionary.
        size: edge of the pictures, where all are squares of one size.
        desc: what the progress bar says.
        progress: show it.

    Returns:
        section -> entries for `write_datalist`.
    """
    written: dict[str, list[dict[str, Any]]] = {section: [] for section in cases}
    with tqdm(total=sum(map(len, cases.values())), desc=desc, disable=not progress, unit="case") as bar:
        for section, listed in cases.items():
            for case in listed:
                files = {"image": f"images/{case['case_id']}.png", "label": f"labels/{case['case_id']}.png"}
                image, label = folder / files["image"], folder / files["label"]
                if not is_finished(image, label, label_set, size):
                    loaded = load(case)
                    photograph, label_map = (to_picture(loaded[key]).astype(np.uint8) for key in ("image", "label"))
                    write_pair(image, label, photograph, label_map[..., 0], label_set)
                kept = {key: case[key] for key in ("case_id", "source", "grade") if key in case}
                written[section].append({**files, **kept})
                bar.update()
    return written
