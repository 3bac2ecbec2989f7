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
"""No validation or test eye may be among those that something was learnt from: backgrounds, the look of vessels."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..transforms.vessel_appearance import VesselAppearance
from ..utils.errors import DataError, EmptySectionError
from .cases import detect_layout, list_sources, load_cases
from .datalist import DATALIST_NAME, load_datalist
from .photograph_origin import data_origin, origin_root, photograph_notes

__all__ = ["find_held_out_eye", "note_eyes", "refuse_held_out_eyes", "refuse_held_out_synthetic"]


def refuse_held_out_eyes(
    appearance: VesselAppearance,
    dataset_dir: str | os.PathLike | Mapping[str, Any] | Sequence[Any],
    layout: str = "auto",
    val_count: int = 2,
    split: str | None = None,
) -> VesselAppearance:
    """Make sure that no validation or test eye of a data set is among those whose vessels were measured.

    Args:
        appearance: what `measure_vessel_appearance` gives.
        dataset_dir: the data set that is trained and tested on, see `refuse_held_out_backgrounds`.
        layout: see `load_cases`.
        val_count: number of its training cases held out for validation.
        split: named split of CHASE_DB1, None for its default.

    Returns:
        `appearance`.

    Raises:
        DataError: When one is, or the appearance does not say whose it is; and see `refuse_held_out_backgrounds`.
    """
    if not appearance.origin:
        raise DataError(
            f"the appearance of vessels of {', '.join(appearance.eyes)} does not say which photographs these are. "
            "Measure it again with measure_vessel_appearance"
        )
    if found := find_held_out_eye(appearance.origin, dataset_dir, layout, val_count, split):
        raise DataError(
            f"{found} is among the eyes whose vessels were measured: what is painted with them has seen it. Measure "
            "training eyes only, with the val_count, split and section of the run (here "
            f"val_count={val_count}, split={split})"
        )
    return appearance


def refuse_held_out_synthetic(
    synthetic_dir: str | os.PathLike | Mapping[str, Any] | Sequence[Any],
    dataset_dir: str | os.PathLike | Mapping[str, Any] | Sequence[Any],
    layout: str = "auto",
    val_count: int = 2,
    split: str | None = None,
) -> None:
    """Make sure that no validation or test eye of a data set was painted into synthetic photographs.

    A set that was painted on backgrounds notes whose they are and whose vessels were measured (`eyes` of its
    provenance); one that was not has none, and is passed over.

    Args:
        synthetic_dir: synthetic data set, or several as `load_cases` takes them.
        dataset_dir: the data set that is trained and tested on, see `refuse_held_out_backgrounds`, as are `layout`,
            `val_count` and `split`.

    Raises:
        DataError: When one was; names it. When a section of the data set cannot be read.
    """
    for source in list_sources(synthetic_dir):
        folder = Path(source["dataset_dir"])
        if not (folder / DATALIST_NAME).is_file():
            continue  # no set that this package painted
        provenance = load_datalist(folder).get("provenance")
        eyes = provenance.get("eyes") if isinstance(provenance, Mapping) else None
        if eyes and (found := find_held_out_eye(eyes, dataset_dir, layout, val_count, split)):
            raise DataError(
                f"{found} is among the eyes that the synthetic set {folder} was painted with: a network trained on it "
                f"has seen that eye. Paint it with training eyes only, with the val_count and split of this run (here "
                f"val_count={val_count}, split={split})"
            )


def note_eyes(
    dataset_dir: str | os.PathLike | Mapping[str, Any] | Sequence[Any],
    section: str,
    photographs: Sequence[str],
    layout: str = "auto",
    val_count: int = 2,
    split: str | None = None,
) -> list[dict[str, Any]]:
    """What is noted of eyes that something is learnt from, for `find_held_out_eye`.

    Args:
        dataset_dir: see `load_cases`, as are `layout`, `val_count` and `split`.
        section: section of the eyes.
        photographs: paths of those of its photographs that are used.

    Returns:
        the dictionaries of `photograph_notes`, each with the `data_set` that the eye comes from.
    """
    used, notes = set(photographs), []
    for source in list_sources(dataset_dir):
        folder, own, data_set = _settled(source, layout, val_count, split)
        cases = load_cases({**source, "layout": own["layout"]}, section, own["layout"], None, val_count, split)
        cases = [case for case in cases if case.get("image") in used]
        notes += [{**note, "data_set": data_set} for note in photograph_notes(folder, own["layout"], cases)]
    return notes


def find_held_out_eye(
    seen: Sequence[Mapping[str, Any]],
    dataset_dir: str | os.PathLike | Mapping[str, Any] | Sequence[Any],
    layout: str = "auto",
    val_count: int = 2,
    split: str | None = None,
) -> str | None:
    """Look for a validation or test eye of a data set among others.

    An eye is known by the digest of its photograph, the original one where it was scaled. Where one of both digests is
    not known to be the original's (a data set that was prepared in another way), the name decides as well, if both
    data sets come from the same one.

    Args:
        seen: eyes as `photograph_notes` describes them, each with the `data_set` that it comes from.
        dataset_dir: folder of the data set, or a list or dictionaries as `load_cases` takes them; of a dictionary,
            `section`, `num_cases` and `fraction` are not looked at, since what it leaves out is held out as well.
        layout: see `load_cases`.
        val_count: number of its training cases held out for validation.
        split: named split of CHASE_DB1, None for its default.

    Returns:
        section, name and data set of the first one found, with its other name; None where there is none.

    Raises:
        DataError: When a section cannot be read; one that the data set does not have is passed over.
    """
    digests = {note["photograph_sha256"]: note["case_id"] for note in seen if "photograph_sha256" in note}
    names = {(note["data_set"], note["case_id"]) for note in seen}
    unsure = {(note["data_set"], note["case_id"]) for note in seen if not note.get("is_original")}
    for source in list_sources(dataset_dir):
        folder, own, data_set = _settled(source, layout, val_count, split)
        if own["layout"] == "label_maps":
            continue  # no photographs
        for section in ("validation", "test"):
            try:
                cases = load_cases(folder, section, **own)
            except EmptySectionError:
                continue
            for note in photograph_notes(folder, own["layout"], cases):
                found = digests.get(note.get("photograph_sha256"))
                same_name = (data_set, note["case_id"]) in (unsure if note.get("is_original") else names)
                if found is None and same_name:
                    found = note["case_id"]
                if found is not None:
                    return f"{section} eye {note['case_id']} of {folder} (as {found})"
    return None


def _settled(
    source: Mapping[str, Any], layout: str, val_count: int, split: str | None
) -> tuple[str | os.PathLike, dict[str, Any], str]:
    """Folder of a source, layout, val_count and split that hold for it, and the data set that it comes from."""
    own = {"layout": layout, "val_count": val_count, "split": split}
    own |= {key: source[key] for key in own if key in source}
    folder = source["dataset_dir"]
    if own["layout"] == "auto":
        own["layout"] = detect_layout(folder)
    return folder, own, origin_root(data_origin(folder, **own))
