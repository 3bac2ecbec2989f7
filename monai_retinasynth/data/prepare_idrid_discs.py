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
"""IDRiD's photographs with their optic discs, cut to the field of view and made small enough to train on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from .._version import __version__
from ..transforms.field_of_view import derive_field_of_view
from ..transforms.fov_square import cut_out, square_around
from ..transforms.resample_area import resample_area
from ..utils.errors import ConfigError, DataError
from ..utils.image_io import from_picture, read_mask, read_rgb, to_picture
from ..utils.label_set import FUNDUS_DISC_VESSEL
from .datalist import write_datalist
from .idrid import list_idrid_segmentation_cases
from .prepared_folder import is_finished, settle_folder, write_pair

__all__ = ["prepare_idrid_discs"]

_SETTINGS_NAME = "idrid_discs.json"
_REFERENCE = (
    "P. Porwal et al., Indian Diabetic Retinopathy Image Dataset, Data 3(3):25, 2018; CC BY 4.0; cropped, reduced"
)


def prepare_idrid_discs(
    idrid_dir: str | os.PathLike | None, output_dir: str | os.PathLike, size: int = 512, progress: bool = True
) -> Path:
    """Write `images/IDRiD_01.png`, `labels/IDRiD_01.png`, ... and `datalist.json` (training 54, test 27).

    Each photograph is cropped to the square around its field of view, with black ground where the camera's sensor cut
    the field off, and reduced by area averaging. A pixel of the label map is inside the field of view, and of the
    disc, where more than half of it is. The label set is `fundus_disc_vessel`; vessels are still missing, see
    `merge_vessels`. A second call goes on where the first one stopped.

    Args:
        idrid_dir: folder that holds IDRiD's `A. Segmentation`, or that folder itself.
        output_dir: folder of the data set, made when missing.
        size: edge of the pictures in pixels.
        progress: show a progress bar.

    Returns:
        path of `datalist.json`.

    Raises:
        ConfigError: When no folder is given, or `size` is too small for an eye.
        DataError: When a photograph has no disc mask, a file is unreadable, sizes differ, or the folder holds cases of
            another size; names the file.
    """
    if not idrid_dir:
        raise ConfigError("no folder of IDRiD is given; set idrid_dir to the one that holds 'A. Segmentation'")
    if size < 16:
        raise ConfigError(f"size must be 16 pixels or more, got {size}")
    cases = {
        section: list_idrid_segmentation_cases(idrid_dir, section, val_count=0, structures=["optic_disc"])
        for section in ("training", "test")
    }
    for case in (case for listed in cases.values() for case in listed):
        if "optic_disc" not in case["masks"]:
            raise DataError(
                f"{case['case_id']} has no optic disc mask ({case['case_id']}_OD.tif) beside its photograph "
                f"{case['image']}. Add the mask, or take the photograph away"
            )
    folder = Path(output_dir)
    provenance = {"origin": "IDRiD, A. Segmentation", "size": int(size), "package_version": __version__}
    settle_folder(folder, _SETTINGS_NAME, provenance, ("origin", "size"))
    written: dict[str, list[dict[str, Any]]] = {section: [] for section in cases}
    with tqdm(total=sum(map(len, cases.values())), desc="IDRiD", disable=not progress, unit="eye") as bar:
        for section, listed in cases.items():
            for case in listed:
                written[section].append(_write_case(case, folder, size))
                bar.update()
    extra = {"provenance": provenance, "reference": _REFERENCE}
    return write_datalist(folder, written, FUNDUS_DISC_VESSEL, "IDRiD with optic discs", extra)


def _write_case(case: dict[str, Any], folder: Path, size: int) -> dict[str, Any]:
    names = {"image": f"images/{case['case_id']}.png", "label": f"labels/{case['case_id']}.png"}
    image_path, label_path = folder / names["image"], folder / names["label"]
    if not is_finished(image_path, label_path, FUNDUS_DISC_VESSEL, size):
        write_pair(image_path, label_path, *_reduce(case, size), FUNDUS_DISC_VESSEL)
    return {**names, "case_id": case["case_id"], "source": case["source"]}


def _reduce(case: dict[str, Any], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Photograph (size, size, 3) and label map (size, size), uint8."""
    image_path, disc_path = case["image"], case["masks"]["optic_disc"]
    photograph, disc = read_rgb(image_path), read_mask(disc_path)
    if photograph.shape[:2] != disc.shape:
        raise DataError(
            f"sizes differ: {image_path} is {photograph.shape[1]} x {photograph.shape[0]}, {disc_path} is "
            f"{disc.shape[1]} x {disc.shape[0]} (width x height). Give each photograph a mask of its own size"
        )
    try:
        fov = derive_field_of_view(photograph)
    except DataError as exception:
        raise DataError(f"{image_path}: {exception}") from exception
    rows, columns = square_around(fov)
    reduced = resample_area(from_picture(cut_out(photograph, rows, columns)), (size, size))
    photograph = to_picture(reduced.round().to(torch.uint8))
    fov, disc = (
        to_picture(resample_area(from_picture(cut_out(mask, rows, columns)), (size, size)) > 0.5)[..., 0]
        for mask in (fov, disc)
    )
    if not (fov & disc).any():
        raise DataError(
            f"unexpected values in the optic disc mask {disc_path}: nothing of it is left inside the field of view of "
            f"{image_path} at {size} pixels. Correct the mask, or take the pair away"
        )
    label = np.where(fov, FUNDUS_DISC_VESSEL.index("retina"), FUNDUS_DISC_VESSEL.index("outside"))
    label[fov & disc] = FUNDUS_DISC_VESSEL.index("optic_disc")
    return photograph, label.astype(np.uint8)
