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
"""A sheet of label maps beside their photographs, to be looked at."""

from __future__ import annotations

import os

import numpy as np

from ..data import load_cases
from ..utils.image_io import image_grid, read_label_map, read_rgb, write_rgb
from ..utils.label_set import get_label_set

__all__ = ["write_contact_sheet"]


def write_contact_sheet(
    dataset_dir: str,
    path: str | os.PathLike,
    num_pairs: int = 12,
    pairs_a_row: int = 3,
    label_set: str = "fundus_vessel",
) -> None:
    """Write a PNG with label maps in the colours of their set, each beside its photograph.

    Args:
        dataset_dir: data set of pairs with a ``datalist.json``.
        path: PNG file to write.
        num_pairs: pairs on the sheet at most, the first ones of the data set.
        pairs_a_row: pairs in a row.
        label_set: name of the label set.
    """
    labels = get_label_set(label_set)
    pictures: list[np.ndarray] = []
    for case in load_cases(dataset_dir, "all")[:num_pairs]:
        pictures += [labels.colorize(read_label_map(case["label"], labels)), read_rgb(case["image"])]
    width = 2 * pairs_a_row
    rows = [pictures[i : i + width] for i in range(0, len(pictures), width)]
    write_rgb(path, image_grid(rows, titles=["label map", "photograph"] * min(pairs_a_row, max(1, len(pictures) // 2))))
