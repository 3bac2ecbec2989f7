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
"""IDRiD's grading photographs, cut to the field of view and made small enough to train on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .._version import __version__
from ..transforms.square_photograph import square_photograph
from ..utils.errors import ConfigError, DataError
from ..utils.image_io import read_rgb, write_rgb
from .grading_list import write_grading_list
from .idrid_grading import left_out_idrid_grading, list_idrid_grading_cases
from .prepared_folder import settle_folder

__all__ = ["prepare_idrid_grading"]

_SETTINGS_NAME = "idrid_grading.json"
_REFERENCE = (
    "P. Porwal et al., Indian Diabetic Retinopathy Image Dataset, Data 3(3):25, 2018; CC BY 4.0 "
    "(https://creativecommons.org/licenses/by/4.0/); cropped, reduced"
)


def prepare_idrid_grading(
    output_dir: str | os.PathLike | None,
    idrid_dir: str | os.PathLike | None,
    size: int = 256,
    val_count: int = 0,
    exclude: Sequence[str] = (),
    progress: bool = True,
) -> Path:
    """Write `images/training_IDRiD_001.png`, ..., `images/test_IDRiD_001.png`, ... and `grading.json`.

    Each photograph is cropped to the square around its field of view, with black ground where the camera's sensor cut
    the field off, and reduced by area averaging. What is left out of training, and why, is in the list under
    `left_out` (see `list_idrid_grading_cases`). A second call goes on where the first one stopped; pictures are reused
    when only `val_count` or `exclude` differ.

    Args:
        output_dir: folder of the data set, made when missing.
        idrid_dir: folder that holds IDRiD's `B. Disease Grading (768x510)` or `B. Disease Grading`.
        size: edge of the pictures in pixels.
        val_count: number of training photographs that become the section validation, of each grade its share. 0 leaves
            the choice to the training.
        exclude: names of training photographs to leave out, see `list_idrid_grading_cases`.
        progress: show a progress bar.

    Returns:
        path of `grading.json`.

    Raises:
        ConfigError: When a folder is not given, or `size` is too small for an eye.
        DataError: When the data are not complete, a file is unreadable or shows no field of view, or the folder holds
            photographs of another size; names the file.
    """
    if not idrid_dir:
        raise ConfigError("no folder of IDRiD is given; set idrid_dir to the one that holds 'B. Disease Grading'")
    if not output_dir:
        raise ConfigError("no folder for the prepared photographs is given; set output_dir")
    if size < 16:
        raise ConfigError(f"size must be 16 pixels or more, got {size}")
    sections = {
        section: list_idrid_grading_cases(idrid_dir, section, val_count, exclude)
        for section in (("training", "validation", "test") if val_count else ("training", "test"))
    }
    left_out = left_out_idrid_grading(idrid_dir, exclude)
    folder = Path(output_dir)
    provenance = {"origin": "IDRiD, B. Disease Grading", "size": int(size), "package_version": __version__}
    settle_folder(folder, _SETTINGS_NAME, provenance, ("origin", "size"))
    written: dict[str, list[dict[str, Any]]] = {section: [] for section in sections}
    with tqdm(total=sum(map(len, sections.values())), desc="IDRiD grading", disable=not progress, unit="eye") as bar:
        for section, listed in sections.items():
            for case in listed:
                written[section].append(_write_case(case, folder, size))
                bar.update()
    extra = {"provenance": provenance, "reference": _REFERENCE, "left_out": left_out}
    return write_grading_list(folder, written, "IDRiD grading", extra)


def _write_case(case: dict[str, Any], folder: Path, size: int) -> dict[str, Any]:
    name = f"images/{case['case_id']}.png"
    if not _finished(folder / name, size):
        photograph = read_rgb(case["image"])
        try:
            write_rgb(folder / name, square_photograph(photograph, size))
        except DataError as exception:
            raise DataError(f"{case['image']}: {exception}") from exception
    return {**case, "image": name}


def _finished(path: Path, size: int) -> bool:
    try:
        return read_rgb(path).shape[:2] == (size, size)
    except DataError:
        return False
