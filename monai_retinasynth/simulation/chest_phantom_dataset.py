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
"""Writes a data set of chest phantoms: radiographs, label maps and organ masks of simulated chests."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .._version import __version__
from ..data.chest_folder import chest_case_files, is_chest_case_finished, write_chest_case
from ..data.datalist import SECTIONS, write_datalist
from ..data.prepared_folder import settle_folder
from ..data.training_fraction import choose_training_cases
from ..utils.errors import ConfigError
from .chest_phantom import ChestPhantom

__all__ = ["write_chest_phantom_dataset"]

_SETTINGS_NAME = "chest_phantom.json"


def write_chest_phantom_dataset(
    output_dir: str | os.PathLike,
    size: int = 256,
    num_training: int = 20,
    num_validation: int = 4,
    num_test: int = 8,
    seed: int = 0,
    source: str = "synthetic",
    fraction: float = 1.0,
    fraction_seed: int = 0,
    progress: bool = True,
    overwrite: bool = False,
) -> Path:
    """Write `images/chest_00000.png`, `labels/chest_00000.png`, `masks/heart/chest_00000.png`, ... and `datalist.json`.

    The folder has the form of `prepare_jsrt_scr`. Cases are numbered through training, validation and test; number i is
    case i of the seed. A second call goes on where the first one stopped and leaves finished cases alone.

    Args:
        output_dir: folder of the data set, made when missing.
        size: edge of the pictures in pixels.
        num_training: cases of the training section.
        num_validation: cases of the validation section.
        num_test: cases of the test section.
        seed: seed of the phantom.
        source: `"real"` where the phantom stands in for real chests, `"synthetic"` where it is generated data.
        fraction: share of the training section that is kept, above 0 and at most 1; the other sections stay the same,
            see `choose_training_cases`.
        fraction_seed: seed of that choice.
        progress: show a progress bar.
        overwrite: replace a chest phantom set of other settings in the folder.

    Returns:
        path of `datalist.json`.

    Raises:
        ConfigError: when a count is negative, all are 0, `source` is unknown, or `size` or `fraction` is out of range.
        DataError: when the fraction leaves no case, the folder holds phantoms of other settings, or a file cannot be
            written.
    """
    counts = dict(zip(SECTIONS, (num_training, num_validation, num_test)))
    if min(counts.values()) < 0 or sum(counts.values()) == 0:
        raise ConfigError(f"a phantom data set needs one case at least and no negative count, got {counts}")
    if source not in ("real", "synthetic"):
        raise ConfigError(f"source must be 'real' or 'synthetic', got {source!r}")
    phantom = ChestPhantom(size, seed)
    settings = {
        "simulation": "ChestPhantom",
        "seed": phantom.seed,
        "size": phantom.size,
        "package_version": __version__,
    }
    cases: dict[str, list[dict[str, Any]]] = {}
    start = 0
    for section, count in counts.items():
        cases[section] = [_case(index, source, settings) for index in range(start, start + count)]
        start += count
    if num_training or fraction != 1.0:
        where = "the chest phantom's training section"
        cases["training"] = choose_training_cases(cases["training"], None, fraction, fraction_seed, where)

    folder = Path(output_dir)
    if overwrite:
        _remove_others(folder, settings)
    settle_folder(folder, _SETTINGS_NAME, settings, tuple(settings))
    listed = [case for section in cases.values() for case in section]
    for case in tqdm(listed, desc="phantom chests", disable=not progress, unit="chest"):
        if not is_chest_case_finished(folder, case["case_id"], phantom.size):
            write_chest_case(folder, case["case_id"], *phantom.pair(case["provenance"]["index"]))
    provenance = {**settings, "fraction": float(fraction), "fraction_seed": int(fraction_seed)}
    extra = {"size": phantom.size, "provenance": provenance}
    return write_datalist(folder, cases, phantom.label_set, "chest phantom", extra)


def _case(index: int, source: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    case_id = f"chest_{index:05d}"
    provenance = {**settings, "index": index}
    return {**chest_case_files(case_id), "case_id": case_id, "source": source, "provenance": provenance}


def _remove_others(folder: Path, settings: Mapping[str, Any]) -> None:
    """Remove phantoms of other settings; the note of their settings goes last, so that a stopped call is seen."""
    note = folder / _SETTINGS_NAME
    if not note.is_file():
        return
    try:
        if json.loads(note.read_text(encoding="utf-8")) == settings:
            return
    except ValueError:
        pass  # an unreadable note is one of other settings
    stale = [folder / "datalist.json", *folder.glob("*/chest_*.png"), *folder.glob("masks/*/chest_*.png"), note]
    for path in stale:
        path.unlink(missing_ok=True)
