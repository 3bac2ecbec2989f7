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
"""A chest radiograph in a data set folder: the reduced picture, its label map, and each organ's own mask.

The label map is always composed of the masks beside it, so the two agree; the masks keep what a label map cannot, the
lung under the border of the heart.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..transforms.compose_chest_label_map import compose_chest_label_map
from ..transforms.resample_area import resample_area
from ..utils.chest_organs import CHEST_ORGANS
from ..utils.errors import ConfigError, DataError
from ..utils.image_io import from_picture, open_image, read_label_map, to_picture, write_grey, write_label_map
from ..utils.label_set import CHEST_ORGAN

__all__ = [
    "chest_case_files",
    "check_chest_size",
    "is_chest_case_finished",
    "reduce_chest_case",
    "write_chest_case",
]

_MIN_EDGE = 32


def check_chest_size(size: int) -> None:
    """Refuse an edge at which clavicles would be lost.

    Raises:
        ConfigError: When `size` is below 32 pixels.
    """
    if size < _MIN_EDGE:
        raise ConfigError(f"size must be {_MIN_EDGE} pixels or more, for clavicles are thin, got {size}")


def reduce_chest_case(
    radiograph: np.ndarray, masks: Mapping[str, np.ndarray], size: int, image: str, mask_files: Mapping[str, str]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Reduce a radiograph and its masks by area averaging; a pixel belongs to an organ when half of it or more does.

    A picture that is not square is padded with black on both sides of its shorter axis first, so organs keep their
    proportions.

    Args:
        radiograph: grey picture, shape (H, W), values 0..255 of any type.
        masks: organ of `CHEST_ORGANS` -> bool mask of the same shape.
        size: edge of the reduced pictures in pixels.
        image: file of the radiograph, for messages.
        mask_files: organ -> file of its mask, for messages.

    Returns:
        uint8 radiograph and bool masks, shape (size, size).

    Raises:
        DataError: When sizes differ, a mask is empty, or nothing is left of an organ; names the files.
    """
    reduced = {}
    for organ, mask in masks.items():
        path = mask_files[organ]
        if mask.shape != radiograph.shape:
            raise DataError(
                f"sizes differ: {image} is {radiograph.shape[1]} x {radiograph.shape[0]}, {path} is "
                f"{mask.shape[1]} x {mask.shape[0]} (width x height). Give each radiograph masks of its own size"
            )
        if not mask.any():
            raise DataError(f"the mask of {organ} {path} is empty; outline the organ, or take the radiograph away")
        reduced[organ] = _reduced(mask, size) > 0.5 - 1e-6  # a half counts, whatever the rounding
        if not reduced[organ].any():
            raise DataError(f"nothing is left of {organ} {path} at {size} pixels; raise size, or correct the mask")
    return np.rint(_reduced(radiograph, size)).astype(np.uint8), reduced


def _reduced(picture: np.ndarray, size: int) -> np.ndarray:
    edge = max(picture.shape)
    margins = [((edge - side) // 2, edge - side - (edge - side) // 2) for side in picture.shape]
    return to_picture(resample_area(from_picture(np.pad(picture, margins)), (size, size)))[..., 0]


def chest_case_files(case_id: str) -> dict[str, Any]:
    """`image`, `label` and `masks` (organ -> file) of a case, relative to the folder, as the data list has them."""
    return {
        "image": f"images/{case_id}.png",
        "label": f"labels/{case_id}.png",
        "masks": {organ: f"masks/{organ}/{case_id}.png" for organ in CHEST_ORGANS},
    }


def write_chest_case(folder: Path, case_id: str, radiograph: np.ndarray, masks: Mapping[str, np.ndarray]) -> None:
    """Write the files of a case; the radiograph comes last, so that its presence means finished.

    Args:
        folder: the data set.
        case_id: name of the case.
        radiograph: uint8 grey picture, shape (H, W).
        masks: organ of `CHEST_ORGANS` -> bool mask of the same shape.

    Raises:
        DataError: When an organ is missing or empty, sizes differ, or a file cannot be written.
    """
    files = chest_case_files(case_id)
    try:
        label_map = compose_chest_label_map(masks)
    except DataError as exception:
        raise DataError(f"{case_id}: {exception}") from exception
    if label_map.shape != radiograph.shape:
        raise DataError(f"{case_id}: radiograph {radiograph.shape} and masks {label_map.shape} differ in size")
    (folder / files["image"]).unlink(missing_ok=True)
    for organ, name in files["masks"].items():
        write_grey(folder / name, np.where(masks[organ], np.uint8(255), np.uint8(0)))
    write_label_map(folder / files["label"], label_map, CHEST_ORGAN)
    write_grey(folder / files["image"], radiograph)


def is_chest_case_finished(folder: Path, case_id: str, size: int) -> bool:
    """Whether an earlier call wrote all files of a case, whole and of this size."""
    files = chest_case_files(case_id)
    try:
        sizes = [open_image(folder / name, "L").size for name in (files["image"], *files["masks"].values())]
        sizes.append(read_label_map(folder / files["label"], CHEST_ORGAN).shape)
    except DataError:
        return False
    return all(found == (size, size) for found in sizes)
