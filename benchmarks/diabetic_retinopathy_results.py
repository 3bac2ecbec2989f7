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
"""Gather the figures of the diabetic retinopathy workflows into docs/results/diabetic_retinopathy.json.

Example::

    python benchmarks/diabetic_retinopathy_results.py docs/results/diabetic_retinopathy.json \
        --run runs/diabetic_retinopathy_idrid --collapse runs/diabetic_retinopathy_collapse \
        --grading runs/diabetic_retinopathy_grading --command "python -m monai.bundle run ..."
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from result_files import commit, machine, result_parser, stage_minutes, write_results  # beside this script

_SCORES = ("precision_mean", "recall_mean", "f1_mean", "auprc_mean", "precision", "recall", "f1", "auprc")


def share_rows(run: Path, lesion: str) -> dict[str, dict[str, Any]]:
    """``"25 %"`` -> the scores of the share, each with mean and sd over the seeds."""
    summary = json.loads((run / "summary" / "summary.json").read_text())
    rows: dict[str, dict[str, Any]] = {}
    for row in summary["lesions"][lesion]:
        scores = {key: {"mean": row[key]["mean"], "sd": row[key]["sd"]} for key in _SCORES}
        scores["seeds"] = row["seeds"]
        paper = {"paper_f1": row["paper_f1"]} if row.get("paper_f1") is not None else {}
        rows[f"{100 * row['share']:g} %"] = {**scores, **paper}
    return rows


def collapse_rows(ablation: Path) -> dict[str, dict[str, Any]]:
    """Row of the collapse table -> its figures."""
    rows = json.loads((ablation / "summary" / "ablation.json").read_text())["rows"]
    return {name: {**row["figures"], "seeds": row["seeds"]} for name, row in rows.items()}


def grading_rows(run: Path) -> dict[str, dict[str, Any]]:
    """Row of the grading table -> accuracy and quadratic kappa, each with mean and sd over the seeds."""
    rows = json.loads((run / "summary" / "grading_summary.json").read_text())["grading"]
    keys = ("accuracy", "quadratic_kappa", "balanced_accuracy")
    return {
        name: {
            "images": row["images"],
            "seeds": row["seeds"],
            **{key: {"mean": row[key]["mean"], "sd": row[key]["sd"]} for key in keys},
        }
        for name, row in rows.items()
    }


def gather(arguments: argparse.Namespace) -> dict[str, Any]:
    """The content of the results file."""
    results: dict[str, Any] = {
        "commands": arguments.command,
        "commit": arguments.commit or commit(),
        "machine": machine(),
        "notes": arguments.note,
        "exudates": share_rows(arguments.run, "hard_exudate"),
        "minutes": {"run": stage_minutes(arguments.run)},
    }
    collapse = arguments.run / "label_map_collapse_gan" / "collapse.json"
    results["label_maps"] = {
        name: json.loads(collapse.read_text())[name] for name in ("generated", "real") if collapse.is_file()
    }
    if arguments.lesions is not None:
        summary = json.loads((arguments.lesions / "summary" / "summary.json").read_text())
        results["lesions"] = {lesion: share_rows(arguments.lesions, lesion) for lesion in summary["lesions"]}
        results["minutes"]["lesions"] = stage_minutes(arguments.lesions)
    if arguments.collapse is not None:
        results["collapse"] = collapse_rows(arguments.collapse)
        results["minutes"]["collapse"] = {
            run.name: stage_minutes(run) for run in sorted(arguments.collapse.glob("*_seed*")) if run.is_dir()
        }
    if arguments.grading is not None:
        results["grading"] = grading_rows(arguments.grading)
        results["minutes"]["grading"] = stage_minutes(arguments.grading)
    return results


def main() -> None:
    parser = result_parser(__doc__)
    parser.add_argument("output", type=Path, help="JSON file to write")
    parser.add_argument("--run", type=Path, required=True, help="output folder of the workflow diabetic_retinopathy")
    parser.add_argument("--lesions", type=Path, help="such a folder with segmentation_recipe idrid_lesions")
    parser.add_argument("--collapse", type=Path, help="output folder of diabetic_retinopathy_collapse")
    parser.add_argument("--grading", type=Path, help="output folder of diabetic_retinopathy_grading")
    arguments = parser.parse_args()
    write_results(arguments.output, gather(arguments))


if __name__ == "__main__":
    main()
