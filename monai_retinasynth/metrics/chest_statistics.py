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
"""How large and how bright the organs of a chest data set are: the figures a simulated or generated set must meet."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..data.datalist import SECTIONS, load_datalist
from ..utils.chest_organs import CHEST_ORGANS
from ..utils.errors import DataError
from ..utils.image_io import open_image, read_mask

__all__ = ["chest_statistics"]


def chest_statistics(dataset_dir: str | os.PathLike) -> dict[str, dict[str, float]]:
    """Mean and spread over all cases of the area and the grey level of each organ.

    Lungs count without the clavicles over them. Beside the five organs there are `clavicles_over_lung`,
    `clavicles_elsewhere` and `background` (what is no organ).

    Args:
        dataset_dir: data set folder with radiographs and organ masks, such as `prepare_jsrt_scr` writes.

    Returns:
        structure -> `area` (share of the picture, of an organ's own mask), `area_sd`, `grey` (0..255), `grey_sd` (of
        the cases' means) and `grey_within` (mean of the standard deviations inside the structure).

    Raises:
        DataError: When the data list has no case, or a case has no radiograph or lacks an organ mask.
    """
    folder = Path(dataset_dir)
    content = load_datalist(folder)
    figures: dict[str, list[tuple[float, float, float]]] = {}
    for case in (case for section in SECTIONS for case in content[section]):
        masks = {organ: case.get("masks", {}).get(organ) for organ in CHEST_ORGANS}
        if "image" not in case or None in masks.values():
            raise DataError(f"case {case['case_id']} in {folder} lacks its radiograph or one of its organ masks")
        grey = np.asarray(open_image(folder / case["image"], "L"), dtype=float)
        organs = {organ: read_mask(folder / path) for organ, path in masks.items()}
        for name, (shown, whole) in _structures(organs).items():
            if shown.any():
                row = (float(whole.mean()), float(grey[shown].mean()), float(grey[shown].std()))
                figures.setdefault(name, []).append(row)
    if not figures:
        raise DataError(f"the data list of {folder} has no case")
    return {name: _summary(np.array(rows)) for name, rows in figures.items()}


def _structures(organs: dict[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Structure -> where its grey level is taken, and its own mask."""
    lungs = organs["right_lung"] | organs["left_lung"]
    clavicles = organs["right_clavicle"] | organs["left_clavicle"]
    found = {name: (mask & ~clavicles if "lung" in name else mask, mask) for name, mask in organs.items()}
    found["clavicles_over_lung"] = (clavicles & lungs,) * 2
    found["clavicles_elsewhere"] = (clavicles & ~lungs,) * 2
    found["background"] = (~(lungs | clavicles | organs["heart"]),) * 2
    return found


def _summary(rows: np.ndarray) -> dict[str, float]:
    area, grey, within = rows.mean(axis=0)
    area_sd, grey_sd, _ = rows.std(axis=0)
    values = {"area": area, "area_sd": area_sd, "grey": grey, "grey_sd": grey_sd, "grey_within": within}
    return {name: float(value) for name, value in values.items()}
