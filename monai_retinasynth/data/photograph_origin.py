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
"""Which data set, and which photograph of it, a case comes from in the end, through copies of other sizes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..utils.file_digest import file_digest
from .datalist import SECTIONS, load_datalist

__all__ = ["data_origin", "origin_root", "photograph_notes"]


def data_origin(dataset_dir: str | os.PathLike, layout: str, val_count: int, split: str | None) -> dict[str, Any]:
    """What a copy of a data set notes of it: how it was read and, where it has a data list, its name and provenance."""
    origin: dict[str, Any] = {"layout": layout, "val_count": int(val_count), "split": split}
    if layout == "datalist":
        content = load_datalist(dataset_dir)
        origin |= {key: content[key] for key in ("name", "provenance") if key in content}
    return origin


def origin_root(origin: Any) -> str:
    """The data set that copies come from in the end: its name (and seed, for phantoms), or its layout.

    Args:
        origin: what `data_origin` gives, or what a data list notes as the origin of its cases.
    """
    if not isinstance(origin, Mapping):
        return str(origin)
    provenance = origin.get("provenance")
    provenance = provenance if isinstance(provenance, Mapping) else {}
    if provenance.get("origin"):
        return origin_root(provenance["origin"])
    name = str(origin["name"] if origin.get("layout") == "datalist" and "name" in origin else origin.get("layout"))
    return f"{name} (seed {provenance['seed']})" if "seed" in provenance else name


def photograph_notes(
    dataset_dir: str | os.PathLike, layout: str, cases: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What a copy of a data set notes of each case, so that the eye is known again whatever became of its photograph.

    Args:
        dataset_dir: folder of the data set.
        layout: its layout, not `"auto"`.
        cases: cases of it, as `load_cases` gives them.

    Returns:
        for each case `case_id`, `photograph_sha256` (of the file, or of the original that a copy has noted; not there
        for cases without a photograph) and `is_original`: whether the digest is known to be of the original.
    """
    noted: dict[str, Mapping[str, Any]] = {}
    copied = False
    if layout == "datalist":
        content = load_datalist(dataset_dir)
        listed = [case for section in SECTIONS for case in content[section]]
        noted = {os.path.abspath(Path(dataset_dir, case["label"])): case.get("provenance") or {} for case in listed}
        provenance = content.get("provenance")
        copied = isinstance(provenance, Mapping) and bool(provenance.get("origin"))
    notes = []
    for case in cases:
        note = {"case_id": str(case["case_id"])}
        before = noted.get(os.path.abspath(case["label"]), {}) if "label" in case else {}
        if "photograph_sha256" in before:
            note |= {key: before[key] for key in ("photograph_sha256", "is_original") if key in before}
        elif "image" in case:
            note |= {"photograph_sha256": file_digest(case["image"]), "is_original": not copied}
        notes.append(note)
    return notes
