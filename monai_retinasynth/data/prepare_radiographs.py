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
"""Radiographs of one's own, DICOM, NIfTI, png or tif, with organ masks, as a data set folder to train on."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from .._version import __version__
from ..transforms.radiograph_reader import check_display, read_levels
from ..utils.errors import ConfigError, DataError
from ..utils.image_io import IMAGE_SUFFIXES
from ..utils.label_set import CHEST_ORGAN
from .chest_folder import (
    check_chest_size,
    chest_case_files,
    is_chest_case_finished,
    reduce_chest_case,
    write_chest_case,
)
from .datalist import write_datalist
from .prepare_lesions import read_two_valued_mask
from .prepared_folder import settle_folder
from .radiograph_folder import list_radiograph_cases
from .training_fraction import choose_training_cases

__all__ = ["prepare_radiographs"]

_SETTINGS_NAME = "radiographs.json"
_PIXELS = np.arange(4).reshape(2, 2)  # shows how a picture is turned


def prepare_radiographs(
    radiograph_dir: str | os.PathLike,
    masks_dir: str | os.PathLike,
    output_dir: str | os.PathLike,
    size: int = 256,
    test: float | Sequence[str] = 0.2,
    validation: float | Sequence[str] = 0.1,
    patient: str | None = None,
    seed: int = 0,
    fraction: float = 1.0,
    fraction_seed: int = 0,
    window: str | None = None,
    value_range: Sequence[float] | None = None,
    masks_as_stored: bool = False,
    name: str = "radiographs",
    progress: bool = True,
) -> Path:
    """Write `images/a.png`, `labels/a.png`, `masks/heart/a.png`, ... and `datalist.json`, as `prepare_jsrt_scr` does.

    Radiographs are read by `read_radiograph`, upright and bone light. Pictures that are not square are padded with
    black, then all are reduced by area averaging, the picture to 8 bits. Masks hold 0 and one other value. Nothing of
    a DICOM header is passed on; cases are called as their files, so see that file names tell of no person. A second
    call goes on where the first one stopped.

    Args:
        radiograph_dir: folder of the radiographs, see `list_radiograph_cases`.
        masks_dir: folder with a folder of masks for each organ of `CHEST_ORGANS`, called as the radiographs.
        output_dir: folder of the data set, made when missing.
        size: edge of the pictures in pixels.
        test: share of the patients for the test section, from 0 to below 1 (rounded, one at least unless 0), or the
            names of its radiographs, without `.dcm` or the like.
        validation: the same for the validation section.
        patient: regular expression found in the name of each radiograph; what it finds, or its first group, is the
            patient, all of whose radiographs go into one section. None: each radiograph is a patient.
        seed: seed of the choice of patients.
        fraction: share of the training section that is kept, see `choose_training_cases`; the others stay the same.
        fraction_seed: seed of that choice.
        window: see `read_radiograph`.
        value_range: see `read_radiograph`.
        masks_as_stored: masks are drawn on the stored pixels of the radiograph, and are turned as it is. Without it
            they have an orientation of their own (NIfTI, DICOM), or lie on radiographs that need no turning.
        name: name of the data set.
        progress: show a progress bar.

    Returns:
        path of `datalist.json`.

    Raises:
        ConfigError: When a setting is out of range.
        DataError: When a file is missing or cannot be used, a mask is empty, of another size or turned otherwise than
            its radiograph, a section would be empty, a patient is in two, or the folder holds cases of other settings.
    """
    check_chest_size(size)
    check_display(window, value_range)
    cases = list_radiograph_cases(radiograph_dir, masks_dir, [output_dir])
    sections = _divide(cases, {"test": test, "validation": validation}, patient, seed, str(radiograph_dir))
    where = f"the training section of {radiograph_dir}"
    sections["training"] = choose_training_cases(sections["training"], None, fraction, fraction_seed, where)
    reading = {
        "window": window,
        "value_range": None if value_range is None else [float(level) for level in value_range],
        "masks_as_stored": bool(masks_as_stored),
    }
    decisive = {"name": name, "size": int(size), "label_set": CHEST_ORGAN.name, **reading}
    folder = Path(output_dir)
    settle_folder(folder, _SETTINGS_NAME, {**decisive, "package_version": __version__}, tuple(decisive))
    written: dict[str, list[dict[str, Any]]] = {section: [] for section in sections}
    with tqdm(total=sum(map(len, sections.values())), desc=name, disable=not progress, unit="radiograph") as bar:
        for section, listed in sections.items():
            for case in listed:
                if not is_chest_case_finished(folder, case["case_id"], size):
                    write_chest_case(folder, case["case_id"], *_reduce(case, size, **reading))
                kept = {"case_id": case["case_id"], "source": case["source"]}
                written[section].append({**chest_case_files(case["case_id"]), **kept})
                bar.update()
    provenance = {"seed": int(seed), "fraction": float(fraction), "fraction_seed": int(fraction_seed), **reading}
    return write_datalist(folder, written, CHEST_ORGAN, name, {"size": int(size), "provenance": provenance})


def _divide(
    cases: Sequence[Mapping[str, Any]],
    held: Mapping[str, float | Sequence[str]],
    patient: str | None,
    seed: int,
    where: str,
) -> dict[str, list[Mapping[str, Any]]]:
    """Cases by section: those named, then shares of the other patients; the rest is for training."""
    patients = {case["name"]: _patient(case["name"], patient) for case in cases}
    section_of: dict[str, str] = {}
    for section, wanted in held.items():
        if isinstance(wanted, (int, float)):
            continue
        for name in [wanted] if isinstance(wanted, str) else wanted:
            if name not in patients:
                raise DataError(f"{section} names {name!r}, which is no radiograph of {where}; names have no .dcm")
            if section_of.setdefault(patients[name], section) != section:
                raise DataError(f"patient {patients[name]!r} ({name}) is named for two sections; choose one")
    everyone = sorted(set(patients.values()))
    order = [everyone[i] for i in np.random.default_rng([abs(int(seed)), int(seed < 0)]).permutation(len(everyone))]
    free = [one for one in order if one not in section_of]
    for section, share in held.items():
        if not isinstance(share, (int, float)):
            continue
        if isinstance(share, bool) or not 0.0 <= share < 1.0:
            raise ConfigError(f"{section} must be a share from 0 to below 1, or names of radiographs, got {share}")
        count = max(math.floor(len(everyone) * share + 0.5), 1) if share else 0
        section_of.update(dict.fromkeys(free[:count], section))
        free = free[count:]
    if not free:
        raise DataError(
            f"{len(cases)} radiographs of {len(everyone)} patients in {where} leave none to train on with "
            f"{dict(held)}; add radiographs or lower the shares"
        )
    section_of.update(dict.fromkeys(free, "training"))
    return {
        section: [case for case in cases if section_of[patients[case["name"]]] == section]
        for section in ("training", "validation", "test")
    }


def _patient(name: str, pattern: str | None) -> str:
    if pattern is None:
        return name
    try:
        match = re.search(pattern, name)
    except re.error as exception:
        raise ConfigError(f"patient {pattern!r} is no regular expression: {exception}") from exception
    found = match and (match[1] if match.re.groups else match[0])
    if not found:
        raise DataError(f"patient {pattern!r} finds nothing in the name {name!r}; correct it, or rename the file")
    return found


def _reduce(
    case: Mapping[str, Any], size: int, window: str | None, value_range: Sequence[float] | None, masks_as_stored: bool
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Radiograph, uint8 (size, size), and bool masks of that size."""
    levels = read_levels(case["image"], window)
    radiograph = levels.upright().to_unit(case["image"], value_range)
    masks = {}
    for organ, path in case["masks"].items():
        mask, turned = _read_mask(path)
        if not masks_as_stored and not np.array_equal(turned, levels.turn(_PIXELS)):
            raise DataError(
                f"{case['image']} and its mask {path} do not say the same about which way up they are. If the mask is "
                "drawn on the stored pixels, set masks_as_stored=True; else correct the orientation in one of the files"
            )
        masks[organ] = levels.turn(mask)
    return reduce_chest_case(255.0 * radiograph, masks, size, case["image"], case["masks"])


def _read_mask(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Mask as stored, bool (H, W), and how the file wants it turned, `_PIXELS` where it does not."""
    if path.lower().endswith(IMAGE_SUFFIXES):
        return read_two_valued_mask(path), _PIXELS
    levels = read_levels(path)
    background = levels.black if levels.inverted else 0
    values = np.unique(levels.values)
    if len(values) > 2 or background not in (values[0], values[-1]):
        shown = ", ".join(f"{value:g}" for value in values[:6]) + (", ..." if len(values) > 6 else "")
        raise DataError(
            f"unexpected values in the mask {path}: {shown}. A mask holds {background:g} and one other value, with "
            f"{background:g} where the organ is not; store one organ in a file"
        )
    return levels.values != background, levels.turn(_PIXELS)
