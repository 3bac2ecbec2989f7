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
from pathlib import Path

from monai_retinasynth.utils.errors import DataError
from monai_retinasynth.utils.image_io import IMAGE_SUFFIXES, list_images

__all__ = ["list_photographs"]


def list_photographs(folder: str | os.PathLike) -> list[dict[str, str]]:
    """
    The image files directly in a folder, sorted by name.

    Args:
        folder: folder of photographs of any sizes and formats.

    Returns:
        list: `{"image": path, "case_id": file name without ending}`.

    Raises:
        DataError: the folder is missing or holds no image, or two files differ in their ending only.
    """
    if folder is None or not Path(folder).is_dir():
        raise DataError(f"folder of photographs not found: {folder}; give it with --dataset_dir <folder>")
    paths = list_images(folder)
    if not paths:
        raise DataError(f"no image in {folder} (looked for {', '.join(IMAGE_SUFFIXES)}, not in its sub-folders)")
    first: dict[str, Path] = {}
    for path in paths:
        other = first.setdefault(path.stem, path)
        if other != path:
            raise DataError(f"{other} and {path} would be written to one result file; rename one of them")
    return [{"image": str(path), "case_id": path.stem} for path in paths]
