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
"""Gathers finished pix2pix runs into the small JSON file that the documentation reads.

python benchmarks/pix2pix_results.py docs/results/pix2pix.json --recipe runs/pix2pix_retina_blood_vessel \
    --best runs/pix2pix_improved --ablation runs/pix2pix_ablation --command "..."
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from result_files import commit, machine, result_parser, write_results  # beside this script

_FIGURES = ("mse_pm1", "mse_01", "ssim", "ssim_gaussian", "psnr", "mse_pm1_fov", "psnr_fov")


def rows_of(summary: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Row of the fidelity table -> its means, with the F1 of the vessels found in its pictures."""
    rows = {}
    for name, figures in summary["fidelity"].items():
        rows[name] = {key: figures[key] for key in _FIGURES if figures.get(key) is not None}
        if name in summary["vessels"]:
            rows[name]["vessel_f1"] = summary["vessels"][name]["f1"]
    return rows


def read_summary(run: Path) -> dict[str, Any]:
    """The ``summary.json`` of a workflow."""
    return json.loads((run / "summary" / "summary.json").read_text())


def gather(arguments: argparse.Namespace) -> dict[str, Any]:
    """The content of the results file."""
    recipe, best = read_summary(arguments.recipe), read_summary(arguments.best)
    recipe_rows, best_rows = rows_of(recipe), rows_of(best)
    results: dict[str, Any] = {
        "commands": arguments.command,
        "commit": arguments.commit or commit(),
        "machine": machine(),
        "seeds": arguments.seed,
        "minutes": {"recipe": recipe["minutes"], "best": best["minutes"]} | dict(arguments.minutes),
        "notes": arguments.note,
        "recipe": recipe_rows["generated"],
        "best": best_rows["generated"],
        "best_own_colour": best_rows["generated_own_colour"],
        "baseline": best_rows["mean_photograph"],
        "baseline_own_colour": best_rows["mean_photograph_own_colour"],
        "baseline_mean_colour": best_rows["mean_colour"],
        "real_photographs": {"vessel_f1": best["vessels"]["real"]["f1"]},
    }
    if arguments.ablation is not None:
        ablation = json.loads((arguments.ablation / "summary" / "ablation.json").read_text())
        results["ablations"] = ablation["rows"]
    for item in arguments.other:
        name, _, path = item.partition("=")
        summary = json.loads(Path(path).read_text())
        results[name] = {
            row: {key: figures[key] for key in _FIGURES if figures.get(key) is not None}
            for row, figures in summary["rows"].items()
        }
    return results


def minutes_of(text: str) -> tuple[str, float]:
    """``best=35.5`` as a pair."""
    name, _, minutes = text.partition("=")
    return name, float(minutes)


def main() -> None:
    parser = result_parser(__doc__)
    parser.add_argument("output", type=Path, help="JSON file to write")
    parser.add_argument("--recipe", type=Path, required=True, help="output folder of the recipe's workflow")
    parser.add_argument("--best", type=Path, required=True, help="output folder of the improved recipe's workflow")
    parser.add_argument("--ablation", type=Path, help="output folder of the ablation workflow")
    parser.add_argument("--other", action="append", default=[], help="name=fidelity.json of a further evaluation")
    parser.add_argument("--seed", action="append", type=int, required=True)
    parser.add_argument(
        "--minutes", action="append", type=minutes_of, default=[], help="name=minutes of a run timed elsewhere"
    )
    arguments = parser.parse_args()
    write_results(arguments.output, gather(arguments))


if __name__ == "__main__":
    main()
