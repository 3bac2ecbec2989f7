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
"""Label maps with the optic disc in other places, as a data set that the translator draws eyes for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..transforms.load_fundus_case import LoadFundusCased
from ..transforms.move_structure import mirror_disc, move_disc
from ..utils.errors import ConfigError, DataError
from ..utils.image_io import to_picture, write_label_map
from ..utils.label_set import LabelSet, get_label_set
from .cases import load_cases
from .datalist import write_datalist

__all__ = ["write_moved_discs"]


def write_moved_discs(
    dataset_dir: str | os.PathLike,
    output_dir: str | os.PathLike,
    moves: Mapping[str, str | Sequence[float]],
    section: str = "test",
    num_cases: int | None = None,
    image_size: Sequence[int] | None = None,
    label_set: str | LabelSet = "fundus_disc_vessel",
) -> Path:
    """Write a label map `labels/<case>_<move>.png` for every case and move, and `datalist.json`.

    Args:
        dataset_dir: data set with optic discs, see `merge_vessels`.
        output_dir: folder of the new data set, which has label maps only.
        moves: name -> `"mirror"`, the disc on the other side, or a distance to the right and one down, as shares of the
            field of view's width; `[0, 0]` leaves the map as it is.
        section: section that the cases are taken from; it is theirs in the new data set too.
        num_cases: take the first so many cases; None for all.
        image_size: (X, Y) of the label maps, the size that the translator was trained at; None keeps theirs.
        label_set: label set of the maps.

    Returns:
        path of `datalist.json`.

    Raises:
        ConfigError: When there is no move, or one is neither "mirror" nor two numbers.
        DataError: When a label map has no disc, or it leaves the field of view; names case and move.
    """
    if not moves:
        raise ConfigError('no move is given; set moves to something like {"mirrored": "mirror", "raised": [0, -0.1]}')
    for name, move in moves.items():
        if move != "mirror" and (isinstance(move, str) or len(move) != 2):
            raise ConfigError(f'the move {name!r} is "mirror" or [share to the right, share down], not {move!r}')
    labels = get_label_set(label_set)
    load = LoadFundusCased(label_set=labels, spatial_size=image_size)
    folder = Path(output_dir)
    written: list[dict[str, Any]] = []
    for case in load_cases(dataset_dir, section, num_cases=num_cases, val_count=0):
        label_map = to_picture(load({"label": case["label"], "case_id": case["case_id"]})["label"])[..., 0]
        for name, move in moves.items():
            identifier = f"{case['case_id']}_{name}"
            try:
                moved = _moved(label_map, move, labels)
            except DataError as exception:
                raise DataError(f"case {case['case_id']} of {dataset_dir}, move {name!r}: {exception}") from exception
            path = f"labels/{identifier}.png"
            write_label_map(folder / path, moved, labels)
            written.append({"label": path, "case_id": identifier, "source": "synthetic"})
    return write_datalist(folder, {section: written}, labels, "optic discs placed by hand")


def _moved(label_map: np.ndarray, move: str | Sequence[float], labels: LabelSet) -> np.ndarray:
    if isinstance(move, str):
        return mirror_disc(label_map, labels)
    inside = np.flatnonzero((label_map != labels.index("outside")).any(axis=0))
    if not inside.size:
        raise DataError("the label map has no field of view: every pixel lies outside")
    width = int(inside[-1] - inside[0]) + 1
    return move_disc(label_map, [share * width for share in move], labels)
