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
"""A folder of photographs without masks, as inference reads it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from monai_retinasynth.utils.errors import DataError
from monai_retinasynth.utils.image_io import IMAGE_SUFFIXES

__all__ = ["list_photographs"]


def list_photographs(folder: str | os.PathLike, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> list[dict[str, str]]:
    """
    The image files directly in a folder, sorted by name; hidden files are left out.

    Args:
        folder: folder of photographs of any sizes and formats.
        suffixes: endings of the files that count, lower case; add `NIFTI_SUFFIXES` and `DICOM_SUFFIXES` for
            radiographs.

    Returns:
        list: `{"image": path, "case_id": file name without ending}`.

    Raises:
        DataError: the folder is missing or holds no image, or two files differ in their ending only.
    """
    if folder is None or not Path(folder).is_dir():
        raise DataError(f"folder of photographs not found: {folder}; give it with --dataset_dir <folder>")
    first: dict[str, Path] = {}
    for path in sorted(p for p in Path(folder).iterdir() if not p.name.startswith(".")):
        # the longest one: .nii.gz, not .gz
        suffix = max((end for end in suffixes if path.name.lower().endswith(end)), key=len, default=None)
        if suffix is None:
            continue
        other = first.setdefault(path.name[: -len(suffix)], path)
        if other != path:
            raise DataError(f"{other} and {path} would be written to one result file; rename one of them")
    if not first:
        raise DataError(f"no image in {folder} (looked for {', '.join(suffixes)}, not in its sub-folders)")
    return [{"image": str(path), "case_id": name} for name, path in first.items()]
