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
"""Draws eyes of a data set, their backgrounds, and simulated vessels painted on these, beside one another.

python benchmarks/background_sheet.py CHASE_DB1 docs/images/backgrounds_chase_db1.jpg --split 20/8 --view disc
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from monai_retinasynth.data import BackgroundLibrary, load_cases, scale_to_field_of_view, write_background_dataset
from monai_retinasynth.simulation import FundusPhantom, measure_vessel_appearance
from monai_retinasynth.transforms import FitBackgroundd, PaintVesselsd
from monai_retinasynth.utils import read_rgb, to_picture

_GAP = 16  # pixels


def rows(home: Path, backgrounds: Path, phantom: FundusPhantom, count: int, seed: int) -> list[list[np.ndarray]]:
    """`count` different eyes: photograph, background, painted; ordinary arrays (H, W, 3), uint8."""
    options = {"layout": "datalist", "val_count": 0}
    fit = FitBackgroundd(library=BackgroundLibrary(backgrounds), seed=seed)
    paint = PaintVesselsd(appearance=measure_vessel_appearance(home, **options), seed=seed)
    eyes, empty = (
        {case["case_id"]: case["image"] for case in load_cases(folder, "training", **options)}
        for folder in (home, backgrounds)
    )
    found: dict[str, list[np.ndarray]] = {}
    index = 0
    while len(found) < min(count, len(eyes)):
        label, trees = phantom.label_map_and_trees(index)
        case = {"label": torch.from_numpy(label.T[None].copy()), "trees": torch.from_numpy(trees.T[None].copy())}
        case = paint(fit({**case, "index": index}))
        eye = case["background_id"]
        painted = to_picture(case["painted"].round().to(torch.uint8))
        found.setdefault(eye, [read_rgb(eyes[eye]), read_rgb(empty[eye]), painted])
        index += 1
    return list(found.values())


def sheet(pictures: list[list[np.ndarray]], edge: int) -> Image.Image:
    """All pictures, centred in squares of `edge` pixels."""
    step = edge + _GAP
    result = Image.new("RGB", (step * len(pictures[0]) - _GAP, step * len(pictures) - _GAP))
    for y, row in enumerate(pictures):
        for x, picture in enumerate(row):
            image = Image.fromarray(picture)
            image.thumbnail((edge, edge), Image.Resampling.LANCZOS)
            result.paste(image, (x * step + (edge - image.width) // 2, y * step + (edge - image.height) // 2))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset_dir", type=Path)
    parser.add_argument("output", type=Path, help="JPEG or PNG to write")
    parser.add_argument("--split", help="named split of CHASE_DB1")
    parser.add_argument("--view", default="macula", choices=("macula", "disc"), help="of the simulated eyes")
    parser.add_argument("--field-degrees", type=float, default=45.0)
    parser.add_argument("--eyes", type=int, default=3)
    parser.add_argument("--edge", type=int, default=420, help="pixels of each picture in the sheet")
    parser.add_argument("--seed", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home, backgrounds = Path(folder, "home"), Path(folder, "backgrounds")
        scale_to_field_of_view(arguments.dataset_dir, home, diameter=540, split=arguments.split)
        write_background_dataset(home, backgrounds, layout="datalist", val_count=0)
        phantom = FundusPhantom(
            (584, 565), 1000 + arguments.seed, view=arguments.view, field_degrees=arguments.field_degrees
        )
        pictures = rows(home, backgrounds, phantom, arguments.eyes, arguments.seed)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    sheet(pictures, arguments.edge).save(arguments.output, quality=88)
    print(f"written: {arguments.output}")


if __name__ == "__main__":
    main()
