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
"""Do the phantom's vessel maps look like DRIVE's? Measures both alike and prints the table, and what a pair costs.

    python benchmarks/phantom_morphometry.py
    python benchmarks/phantom_morphometry.py --dataset_dir DRIVE --num_phantoms 60 --seed 7

Ends with status 1 when a mean lies more than two standard deviations from DRIVE's.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from monai_retinasynth.metrics.morphometry import (
    MORPHOMETRY_KEYS,
    compare_morphometry,
    morphometry_table,
    vessel_morphometry,
)
from monai_retinasynth.simulation import FundusPhantom
from monai_retinasynth.utils.image_io import list_images, read_mask

# 20 training eyes of DRIVE (Staal et al., IEEE Trans. Med. Imaging 23(4):501-509, 2004), first manual segmentation,
# inside the supplied field of view, native 565 x 584 pixels; mean and population standard deviation by
# `vessel_morphometry`
DRIVE_TRAINING = {
    "density": {"mean": 0.125, "sd": 0.018},
    "skeleton_length": {"mean": 17.9, "sd": 2.5},
    "mean_width": {"mean": 3.53, "sd": 0.18},
    "bifurcations": {"mean": 161.0, "sd": 45.0},
    "end_points": {"mean": 103.0, "sd": 30.0},
    "components": {"mean": 3.6, "sd": 3.9},
    "fractal_dimension": {"mean": 1.251, "sd": 0.038},
}
DRIVE_SIZE = (584, 565)


def measure_drive(dataset_dir: str) -> dict[str, dict[str, float]]:
    """Measure the training eyes of a DRIVE folder (`training/1st_manual`, `training/mask`)."""
    manual = list_images(f"{dataset_dir}/training/1st_manual")
    masks = list_images(f"{dataset_dir}/training/mask")
    if not manual or len(manual) != len(masks):
        raise SystemExit(
            f"{len(manual)} vessel maps and {len(masks)} masks below {dataset_dir}/training: is this DRIVE?"
        )
    return morphometry_table((read_mask(vessel), read_mask(fov)) for vessel, fov in zip(manual, masks))


def time_pairs(size: int | tuple[int, int], seed: int, count: int) -> list[float]:
    """CPU seconds of each of `count` labelled pairs."""
    phantom, times = FundusPhantom(size, seed), []
    for index in range(count):
        start = time.process_time()
        phantom.pair(index)
        times.append(time.process_time() - start)
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset_dir", help="DRIVE folder, measured instead of taking the figures noted in this file")
    parser.add_argument("--num_phantoms", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timed_pairs", type=int, default=3, help="pairs timed at each size; 0 for none")
    parser.add_argument("--json", help="also write the figures to this file")
    arguments = parser.parse_args()

    console = Console()
    real = measure_drive(arguments.dataset_dir) if arguments.dataset_dir else DRIVE_TRAINING
    phantom = FundusPhantom(DRIVE_SIZE, arguments.seed)
    fov = phantom.field_of_view()
    vessels = [phantom.label_map(index) == 2 for index in range(arguments.num_phantoms)]
    generated = morphometry_table((vessel, fov) for vessel in vessels)
    single = [vessel_morphometry(vessel, fov) for vessel in vessels]
    inside = {
        key: np.array([abs(row[key] - real[key]["mean"]) <= 2 * real[key]["sd"] for row in single])
        for key in MORPHOMETRY_KEYS
    }
    rows = compare_morphometry(generated, real)

    origin = f"measured in {arguments.dataset_dir}" if arguments.dataset_dir else "reference figures"
    title = f"{len(vessels)} phantoms (seed {arguments.seed}) and DRIVE training, 565 x 584 px"
    table = Table(
        title=title, caption=f"DRIVE: {origin}; mean: within 2 sd or not; single: share of phantoms within 2 sd"
    )
    for heading in ("figure", "DRIVE", "phantom", "off by", "mean", "single"):
        table.add_column(heading, justify="left" if heading == "figure" else "right", no_wrap=True)
    for row in rows:
        table.add_row(
            row["name"],
            f"{row['real_mean']:.4g}±{row['real_sd']:.2g}",
            f"{row['generated_mean']:.4g}±{row['generated_sd']:.2g}",
            f"{row['deviation']:+.2f} sd",
            "in" if row["within"] else "OUT",
            f"{inside[row['name']].mean():.0%}",
        )
    console.print(table)
    whole = float(np.all(list(inside.values()), axis=0).mean())
    console.print(f"phantoms within 2 sd in every figure: {whole:.0%}")

    seconds = {}
    if arguments.timed_pairs:
        timing = Table(title="CPU seconds for one labelled pair")
        for heading in ("size", "mean", "largest"):
            timing.add_column(heading, justify="right", min_width=10)
        for size in (128, 256, 512, DRIVE_SIZE, 1024):
            times = time_pairs(size, arguments.seed, arguments.timed_pairs)
            name = f"{size[1]} x {size[0]}" if isinstance(size, tuple) else f"{size} x {size}"
            seconds[name] = float(np.mean(times))
            timing.add_row(name, f"{np.mean(times):.2f}", f"{np.max(times):.2f}")
        console.print(timing)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            figures = {
                row["name"]: {
                    "DRIVE training": {"mean": row["real_mean"], "sd": row["real_sd"]},
                    "phantom": {"mean": row["generated_mean"], "sd": row["generated_sd"]},
                    "deviation in sd": row["deviation"],
                    "single phantoms within 2 sd": float(inside[row["name"]].mean()),
                }
                for row in rows
            }
            settings = {"num_phantoms": arguments.num_phantoms, "seed": arguments.seed, "size": list(DRIVE_SIZE)}
            report = {**settings, "figures": figures, "all_within": whole, "seconds_per_pair": seconds}
            json.dump(report, file, indent=2)
            file.write("\n")
    return 0 if all(row["within"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
