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
"""A digest of the data in a folder, by which a workflow notices that they were exchanged."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..data.cases import detect_layout, load_cases
from ..data.datalist import DATALIST_NAME
from ..data.grading_list import GRADING_LIST_NAME, load_graded_cases
from ..data.second_observer import second_observer_cases
from ..transforms.radiograph_reader import DICOM_SUFFIXES, NIFTI_SUFFIXES
from ..utils.errors import DataError
from ..utils.image_io import IMAGE_SUFFIXES
from .stage_record import RECORD_NAME

__all__ = ["folder_signature"]

# of each file; uncompressed photographs are all of one size, and a whole data set takes too long to read
_SIGNATURE_BYTES = 262144
_DATA_SUFFIXES = (*IMAGE_SUFFIXES, *NIFTI_SUFFIXES, *DICOM_SUFFIXES, ".csv")
_SYSTEM_FILES = ("thumbs.db", "desktop.ini", "dicomdir")
# what this package writes into a folder of results or of prepared cases
_WRITTEN_NAMES = (RECORD_NAME, DATALIST_NAME, GRADING_LIST_NAME)


def folder_signature(folder: str | os.PathLike) -> str:
    """Digest of the data in `folder`: names, sizes and beginnings of the files that its cases name.

    Of a data set, these are the files of the cases of all its sections, the masks of a second observer, and the lists
    themselves (`datalist.json`, `grading.json`) without how they are written. Of another folder (label maps, originals
    that are yet to be prepared) they are the pictures and CSV tables in it and its sub-folders. Notes, hidden files,
    what operating systems leave behind, and sub-folders with results or with prepared cases do not count, so that they
    may be put beside the data.

    Args:
        folder: the folder, whether a data set or not.

    Returns:
        the first 16 hexadecimal digits of a SHA-256.

    Raises:
        DataError: when the folder does not exist.
    """
    root = Path(folder).absolute()
    if not root.is_dir():
        raise DataError(f"data set folder {root} does not exist; check the path given as dataset_dir")
    digest = hashlib.sha256()
    for path in _data_files(root):
        digest.update(f"{Path(os.path.relpath(path, root)).as_posix()} {path.stat().st_size}\n".encode())
        with open(path, "rb") as file:
            digest.update(file.read(_SIGNATURE_BYTES))
    for name in (DATALIST_NAME, GRADING_LIST_NAME):
        if (content := _read_list(root / name)) is not None:
            digest.update(f"{name} {json.dumps(content, sort_keys=True)}\n".encode())
    return digest.hexdigest()[:16]


def _data_files(root: Path) -> list[Path]:
    """Files of the cases; of all that look like data where no case is found, or one lacks a file."""
    found: set[Path] = set()
    try:
        graded = (root / GRADING_LIST_NAME).is_file()
        if graded:
            found.update(Path(case["image"]) for case in load_graded_cases(root, "all"))
        if not graded or (root / DATALIST_NAME).is_file():
            layout = detect_layout(root)
            # pictures in no layout, such as radiographs, whose masks lie in sub-folders
            if layout == "label_maps":
                return sorted(_files_like_data(root))
            for case in load_cases(root, "all", layout, val_count=0, partial_grades=True):
                found.update(_paths(case))
            for case in second_observer_cases(root, "all", layout, val_count=0).values():
                found.update(_paths(case))
    except DataError:
        return sorted(_files_like_data(root))
    return sorted(found)


def _paths(case: dict[str, Any]) -> Iterator[Path]:
    for key, value in case.items():
        if key not in ("case_id", "source", "grade", "field_degrees"):
            yield from (Path(path) for path in (value.values() if isinstance(value, dict) else [value]))


def _files_like_data(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        name = path.name.lower()
        if name.startswith((".", "readme")) or name in _SYSTEM_FILES:
            continue
        if path.is_dir():
            if not any((path / written).is_file() for written in _WRITTEN_NAMES):
                yield from _files_like_data(path)
        elif name.endswith(_DATA_SUFFIXES) or _is_dicom(path):
            yield path


def _is_dicom(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(132)[128:] == b"DICM"


def _read_list(path: Path) -> dict[str, Any] | None:
    """Content of a list of cases, without the version that wrote it; what cannot be read as such is told as text."""
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        content = dict(json.loads(text))
    except (ValueError, TypeError):
        return {"unreadable": text}
    content.pop("package_version", None)
    return content
