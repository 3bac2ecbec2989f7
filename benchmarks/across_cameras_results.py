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
"""Gathers runs of the workflow across_cameras, finished or not, into docs/results/across_cameras.json.

A run that is not finished has a summary too: `python -m monai.bundle run --run_id summarise` with the settings of the
run writes it. Example::

    python benchmarks/across_cameras_results.py docs/results/across_cameras.json \
        --run "DRIVE to CHASE_DB1=runs/across_cameras_drive" --run "2 eyes=runs/across_cameras_drive_2_eyes" \
        --command "python -m monai.bundle run ..."
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from result_files import commit, machine, result_parser, write_results  # beside this script

_SCORES = {"F1": "f1", "best F1": "best_f1", "AUC": "auc"}
_DIFFERENCES = {"REAL": "minus_real", "best control": "minus_best_control"}


def table(camera: Mapping[str, Any], num_seeds: int) -> dict[str, dict[str, Any]]:
    """Row -> column -> figure, as the documentation prints them; the second observer is a row of its own."""
    rows: dict[str, dict[str, Any]] = {}
    for row in camera["rows"].values():
        done = len(row["seeds"])
        figures: dict[str, Any] = {"seeds": done if done == num_seeds else f"{done} of {num_seeds}"}
        figures |= {name: {key: row[score][key] for key in ("mean", "sd")} for name, score in _SCORES.items()}
        for other, key in _DIFFERENCES.items():
            for name, score in (("F1", "f1"), ("AUC", "auc")):
                figures[f"{name} minus {other}"] = interval(row[key].get(score))
        rows[row["title"]] = figures
    if camera["second_observer"] is not None:
        rows["second observer"] = {"F1": camera["second_observer"]}
    return rows


def interval(compared: Mapping[str, Any] | None) -> str | None:
    """A difference and its interval as text."""
    if compared is None:
        return None
    return f"{compared['difference']:+.3f} [{compared['low']:+.3f}, {compared['high']:+.3f}]"


def gather(runs: Mapping[str, Path], arguments: argparse.Namespace) -> dict[str, Any]:
    """The content of the results file."""
    results: dict[str, Any] = {
        "commands": arguments.command,
        "commit": arguments.commit or commit(),
        "machine": machine(),
        "notes": arguments.note,
        "runs": {},
    }
    for name, run in runs.items():
        summary = json.loads((run / "summary" / "summary.json").read_text())
        minutes = summary["minutes"]
        results["runs"][name] = {
            "seeds": summary["seeds"],
            "tables": {camera: table(content, len(summary["seeds"])) for camera, content in summary["cameras"].items()},
            "images": {camera: content["images"] for camera, content in summary["cameras"].items()},
            "patients": {camera: content["patients"] for camera, content in summary["cameras"].items()},
            "comparison": {camera: content["rows"] for camera, content in summary["cameras"].items()},
            "missing": summary["missing"],
            "minutes": {"total": round(sum(minutes.values()), 1), "stages": minutes},
        }
    return results


def named_run(text: str) -> tuple[str, Path]:
    """``DRIVE to CHASE_DB1=runs/across_cameras_drive`` as a pair."""
    name, equals, path = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is no name=folder")
    return name, Path(path)


def main() -> None:
    parser = result_parser(__doc__)
    parser.add_argument("output", type=Path, help="JSON file to write")
    parser.add_argument("--run", action="append", type=named_run, required=True, help="name=output folder of a run")
    arguments = parser.parse_args()
    write_results(arguments.output, gather(dict(arguments.run), arguments))


if __name__ == "__main__":
    main()
