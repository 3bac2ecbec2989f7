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
"""A folder of radiographs and one of organ masks, as hospitals and challenges have them: any kind of file, one name.

Names are paths in the folder without the kind of file, so `a/7.dcm` has the mask `heart/a/7.png` or `heart/a/7.nii.gz`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..transforms.radiograph_reader import DICOM_SUFFIXES, NIFTI_SUFFIXES
from ..utils.chest_organs import CHEST_ORGANS
from ..utils.errors import DataError
from ..utils.image_io import IMAGE_SUFFIXES

__all__ = ["list_radiograph_cases"]

_SUFFIXES = (*NIFTI_SUFFIXES[::-1], *DICOM_SUFFIXES, *IMAGE_SUFFIXES)  # .nii.gz before .nii


def list_radiograph_cases(
    radiograph_dir: str | os.PathLike, masks_dir: str | os.PathLike, leave_out: Sequence[str | os.PathLike] = ()
) -> list[dict[str, Any]]:
    """Radiographs with a mask of each organ.

    Args:
        radiograph_dir: folder of png, jpg, tif, NIfTI and DICOM files, also in folders below it; DICOM files may have
            any name. `masks_dir`, where it lies below, is left out, and so are files of other kinds.
        masks_dir: folder with a folder for each organ of `CHEST_ORGANS`, in which masks are called as their
            radiographs. Masks without a radiograph are left out.
        leave_out: further folders to be left out.

    Returns:
        case dictionaries with the paths `image` and `masks` (organ -> path), `case_id` (the name, `/` replaced by
        `_`), `name` and `source`, sorted by name.

    Raises:
        DataError: When a folder or a mask is missing, two files have one name, or there is no radiograph; names it.
    """
    root, masks_root = Path(radiograph_dir).absolute(), Path(masks_dir).absolute()
    for folder, what in ((root, "radiographs"), *((masks_root / organ, f"masks of {organ}") for organ in CHEST_ORGANS)):
        if not folder.is_dir():
            raise DataError(f"the {what} were not found: no folder {folder}. Make it, or give the folder above it")
    radiographs = _by_name(root, [masks_root, *(Path(folder).absolute() for folder in leave_out)])
    if not radiographs:
        raise DataError(f"no radiograph (png, jpg, tif, NIfTI or DICOM) in {root}; give the folder that holds them")
    masks = {organ: _by_name(masks_root / organ, []) for organ in CHEST_ORGANS}
    cases: dict[str, dict[str, Any]] = {}
    for name, image in radiographs.items():
        files = {}
        for organ, found in masks.items():
            if name not in found:
                raise DataError(
                    f"no mask of {organ} for {image}: no file {name}.* in {masks_root / organ}. Add it, or take the "
                    "radiograph away"
                )
            files[organ] = str(found[name])
        case_id = name.replace("/", "_")
        if case_id in cases:
            raise DataError(f"{cases[case_id]['image']} and {image} would both become {case_id}; rename one of them")
        named = {"case_id": case_id, "name": name, "source": "real"}
        cases[case_id] = {"image": str(image), "masks": files, **named}
    return list(cases.values())


def _by_name(root: Path, leave_out: Sequence[Path]) -> dict[str, Path]:
    """Files below `root` by their names without the kind of file, sorted."""
    files: dict[str, Path] = {}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        hidden = any(part.startswith(".") for part in relative.parts)
        if hidden or not path.is_file() or any(folder in path.parents for folder in leave_out):
            continue
        suffix = next((end for end in _SUFFIXES if path.name.lower().endswith(end)), None)
        if suffix is None and not _is_dicom(path):
            continue
        name = relative.as_posix()[: -len(suffix)] if suffix else relative.as_posix()
        other = files.setdefault(name, path)
        if other != path:
            raise DataError(f"{other} and {path} are called the same, so masks have no one radiograph; rename one")
    return files


def _is_dicom(path: Path) -> bool:
    """Whether a file of any name is DICOM; the index of a DICOM disk holds no picture."""
    if path.name.upper() == "DICOMDIR":
        return False
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError as exception:
        raise DataError(f"cannot read {path}: {exception.strerror or exception}") from exception
