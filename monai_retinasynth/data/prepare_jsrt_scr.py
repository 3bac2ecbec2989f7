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
"""JSRT's radiographs and SCR's organ masks as a data set folder, small enough to train on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from .._version import __version__
from ..utils.errors import ConfigError
from ..utils.image_io import open_image
from ..utils.label_set import CHEST_ORGAN
from .chest_folder import (
    check_chest_size,
    chest_case_files,
    is_chest_case_finished,
    reduce_chest_case,
    write_chest_case,
)
from .datalist import write_datalist
from .jsrt_scr import list_jsrt_scr_cases
from .prepare_lesions import read_two_valued_mask
from .prepared_folder import settle_folder
from .training_fraction import choose_training_cases

__all__ = ["prepare_jsrt_scr"]

_NAME = "JSRT with SCR organs"
_SETTINGS_NAME = "jsrt_scr.json"
_REFERENCE = (
    "J. Shiraishi et al., AJR 174:71-74, 2000 (radiographs); B. van Ginneken et al., Medical Image Analysis 10:19-40, "
    "2006 (masks); reduced, masks composed to label maps"
)


def prepare_jsrt_scr(
    jsrt_dir: str | os.PathLike | None,
    output_dir: str | os.PathLike,
    size: int = 256,
    split: str = "odd_even",
    val_count: int = 24,
    num_cases: int | None = None,
    fraction: float = 1.0,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Write `images/JPCLN001.png`, `labels/JPCLN001.png`, `masks/heart/JPCLN001.png`, ... and `datalist.json`.

    Radiographs (8-bit grey) and masks (0 and 255) are reduced by area averaging; a pixel belongs to an organ when half
    of it or more does. The label map, of the label set `chest_organ`, is composed of the reduced masks. A second call
    goes on where the first one stopped, and other splits or fractions for the same size reuse its pictures.

    Args:
        jsrt_dir: folder that holds `images` and `masks`, see `list_jsrt_scr_cases`.
        output_dir: folder of the data set, made when missing.
        size: edge of the pictures in pixels.
        split: which of SCR's folds trains, `"odd_even"` or `"even_odd"`.
        val_count: number of radiographs of the training fold held out for validation.
        num_cases: number of cases of the training section, chosen by the seed; None for all. Validation and test stay
            whole.
        fraction: share of the training section instead, above 0 and at most 1; smaller shares are parts of larger
            ones, see `choose_training_cases`.
        seed: seed of that choice.
        progress: show a progress bar.

    Returns:
        path of `datalist.json`; each case has `image`, `label`, `masks` (organ -> file), `case_id` and `source`.

    Raises:
        ConfigError: When no folder is given, or `size`, `num_cases` or `fraction` is out of range.
        DataError: When a file is missing or unreadable, a mask is empty or holds other values than two, sizes differ,
            the fraction leaves no case, or the folder holds cases of another size; names the file.
    """
    if not jsrt_dir:
        raise ConfigError("no folder of JSRT is given; set jsrt_dir to the one that holds images and masks")
    check_chest_size(size)
    cases = {
        section: list_jsrt_scr_cases(jsrt_dir, section, val_count, split)
        for section in ("training", "validation", "test")
    }
    where = f"section 'training' of JSRT in {jsrt_dir}"
    cases["training"] = choose_training_cases(cases["training"], num_cases, fraction, seed, where)
    folder = Path(output_dir)
    settings = {"name": _NAME, "size": int(size), "label_set": CHEST_ORGAN.name, "package_version": __version__}
    settle_folder(folder, _SETTINGS_NAME, settings, ("name", "size", "label_set"))
    written: dict[str, list[dict[str, Any]]] = {section: [] for section in cases}
    with tqdm(total=sum(map(len, cases.values())), desc="JSRT", disable=not progress, unit="radiograph") as bar:
        for section, listed in cases.items():
            for case in listed:
                if not is_chest_case_finished(folder, case["case_id"], size):
                    write_chest_case(folder, case["case_id"], *_reduce(case, size))
                kept = {"case_id": case["case_id"], "source": case["source"]}
                written[section].append({**chest_case_files(case["case_id"]), **kept})
                bar.update()
    provenance = {
        "origin": "JSRT, SCR",
        "split": split,
        "val_count": int(val_count),
        "num_cases": num_cases,
        "fraction": float(fraction),
        "seed": int(seed),
    }
    extra = {"size": int(size), "reference": _REFERENCE, "licence": "research use only", "provenance": provenance}
    return write_datalist(folder, written, CHEST_ORGAN, _NAME, extra)


def _reduce(case: Mapping[str, Any], size: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Radiograph, uint8 (size, size), and bool masks of that size."""
    radiograph = np.asarray(open_image(case["image"], "L"))
    masks = {organ: read_two_valued_mask(path) for organ, path in case["masks"].items()}
    return reduce_chest_case(radiograph, masks, size, case["image"], case["masks"])
