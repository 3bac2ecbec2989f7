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
"""What generation reads from the real training set: its label maps (to calibrate the decoding) and its colours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from monai.data import Dataset
from monai.transforms import Transform

from ..transforms.fov_colour import FieldOfViewColour
from ..transforms.load_fundus_case import LoadFundusCased
from ..utils.distributed import process_rank, process_world
from ..utils.errors import ConfigError, DataError
from .cases import load_cases

__all__ = ["LabelMapDataset", "load_label_maps", "training_colours"]


def load_label_maps(
    dataset_dir: str,
    section: str = "training",
    layout: str = "auto",
    label_set: str = "fundus_vessel",
    num_cases: int | None = None,
    val_count: int = 2,
    split: str | None = None,
) -> list[torch.Tensor]:
    """Label maps of a data set.

    Args:
        dataset_dir: folder of the data set.
        section: "training", "validation", "test" or "all".
        layout: layout of the folder, see `load_cases`.
        label_set: name of the label set.
        num_cases: read only so many.
        val_count: number of training cases held out for validation.
        split: named split of CHASE_DB1, None for its default.

    Returns:
        one uint8 tensor of shape (1, X, Y) a case.
    """
    load = LoadFundusCased(label_set=label_set)
    cases = load_cases(dataset_dir, section, layout, num_cases, val_count, split)
    return [load(case)["label"] for case in cases]


def training_colours(
    dataset_dir: str,
    layout: str = "auto",
    label_set: str = "fundus_vessel",
    num_cases: int | None = None,
    val_count: int = 2,
    split: str | None = None,
    spatial_size: Sequence[int] | int | None = None,
) -> list[list[float]]:
    """Colours of the training photographs, as `FieldOfViewColour` measures them, one list of six numbers each.

    Args:
        dataset_dir: folder of the real data set.
        layout: layout of the folder, see `load_cases`.
        label_set: name of the label set.
        num_cases: read only so many.
        val_count: number of training cases held out for validation.
        split: named split of CHASE_DB1, None for its default.
        spatial_size: (X, Y) to which photographs are resized before, as in training; None keeps their size.
    """
    load, colour = LoadFundusCased(label_set=label_set, spatial_size=spatial_size), FieldOfViewColour()
    colours = []
    for case in load_cases(dataset_dir, "training", layout, num_cases, val_count, split):
        loaded = load(case)
        colours.append(colour(loaded["image"], loaded["label"]).tolist())
    return colours


class LabelMapDataset(Dataset):
    """Numbered label maps to be translated to photographs, sharded over the ranks of `torch.distributed`.

    Items are the cases of the folder with ``index``, the number of the case in the folder's order, so that case i gets
    the same colour and file name whatever the number of ranks. Photographs are left out, but where the label map is
    composed of a vessel mask alone and the field of view must be derived from the photograph.

    Args:
        dataset_dir: folder of label maps: a data set with a ``datalist.json`` or a bare folder of label map files.
        section: section of the data set.
        layout: layout of the folder, see `load_cases`.
        transform: transform of an item.
        skip: called with an index; true where the result is already there.
        photographs: keep the photographs, to give each eye its own colour.
        photographs_per_map: items made of each label map, numbered one after another, to be given different styles and
            colours.
        num_cases: take the first so many cases of the section only; None for all.
        val_count: number of training cases held out for validation.
        split: named split of CHASE_DB1, None for its default.
        num_items: so many items in all instead, going through the cases again and again; None for
            `photographs_per_map` of each.

    Attributes:
        grades: grade of each item of the whole set, None where it has none.

    Raises:
        ConfigError: when `photographs_per_map` or `num_items` is not positive.
        DataError: when `photographs` are asked for and the cases have none.
    """

    def __init__(
        self,
        dataset_dir: str,
        section: str = "all",
        layout: str = "auto",
        transform: Transform | None = None,
        skip: Callable[[int], bool] | None = None,
        photographs: bool = False,
        photographs_per_map: int = 1,
        num_cases: int | None = None,
        val_count: int = 2,
        split: str | None = None,
        num_items: int | None = None,
    ) -> None:
        for name, number in (("photographs_per_map", photographs_per_map), ("num_items", num_items)):
            if number is not None and number < 1:
                raise ConfigError(f"{name} must be at least 1, got {number}")
        found = load_cases(dataset_dir, section, layout, num_cases, val_count, split)
        if num_items is None:
            cases = [case for case in found for _ in range(photographs_per_map)]
        else:
            cases = [found[i % len(found)] for i in range(num_items)]
        if photographs and "image" not in cases[0]:
            raise DataError(
                f"the label maps in {dataset_dir} come without photographs, so the eyes have no colour of their own; "
                "take colours of the training set instead (colour: sampled or mean)"
            )
        self.all_indices = list(range(len(cases)))
        self.grades = [case.get("grade") for case in cases]
        rank, world = process_rank(), process_world()
        items = [
            {**(case if photographs or _needs_photograph(case) else _without_photograph(case)), "index": i}
            for i, case in enumerate(cases)
            if i % world == rank and not (skip is not None and skip(i))
        ]
        super().__init__(items, transform)


def _needs_photograph(case: Mapping[str, Any]) -> bool:
    """Whether the field of view is known from nothing else."""
    return "label" not in case and "fov" not in case


def _without_photograph(case: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in case.items() if key != "image"}
