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
"""What is lost when the label maps of a data set are reduced to ridges and drawn again, without any network.

python benchmarks/ridge_round_trip.py DRIVE --sizes 128 256
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from monai_retinasynth.data import load_label_maps
from monai_retinasynth.metrics import vessel_morphometry
from monai_retinasynth.transforms import LabelMapToRidge, RidgeToLabelMap, calibrate_ridge_level
from monai_retinasynth.utils import FUNDUS_VESSEL, to_picture


def round_trips(dataset_dir: str, size: int) -> dict[str, float]:
    """Means over the training maps: Dice, pieces before and after, and vessel pixels after over those before."""
    maps = load_label_maps(dataset_dir, "training")
    level = calibrate_ridge_level(maps, (size, size), FUNDUS_VESSEL)
    forth = LabelMapToRidge(FUNDUS_VESSEL, (size, size))
    figures = []
    for label in maps:
        back = RidgeToLabelMap(FUNDUS_VESSEL, label.shape[1:], level)(forth(label))
        before, after = (to_picture(item)[..., 0] == FUNDUS_VESSEL.index("vessel") for item in (label, back))
        dice = 2 * (before & after).sum() / max(int(before.sum() + after.sum()), 1)
        pieces = [vessel_morphometry(item)["components"] for item in (before, after)]
        figures.append((dice, *pieces, after.sum() / max(int(before.sum()), 1)))
    names = ("dice", "pieces_before", "pieces_after", "pixels_ratio")
    return {"level": level, **dict(zip(names, np.mean(figures, axis=0).tolist()))}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset_dir", help="data set with vessel masks")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256], help="edges of the fields in pixels")
    parsed = parser.parse_args(arguments)
    table = Table("size", "level", "Dice", "pieces before", "pieces after", "pixels after / before")
    for size in parsed.sizes:
        found = round_trips(parsed.dataset_dir, size)
        table.add_row(str(size), *(f"{value:.3g}" for value in found.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
