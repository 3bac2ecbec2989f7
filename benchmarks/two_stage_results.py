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
"""Gathers a finished two-stage run into the small JSON file that the documentation reads.

python benchmarks/two_stage_results.py runs/two_stage_drive docs/results/two_stage_drive.json --command "..." --seed 0

Tables over several seeds, with intervals, come from runs of the workflow across_cameras, of which the home camera is
taken: --table "18 eyes=runs/across_cameras_drive".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from across_cameras_results import named_run, read_summary, table
from result_files import commit, machine, result_parser, write_results  # beside this script

_SOURCES = {"gan": "GAN maps", "simulation": "simulated maps", "folder": "maps of a folder"}


def tables_at_home(runs: Mapping[str, Path]) -> dict[str, Any]:
    """Name of a run of across_cameras -> its seeds, and row -> figures on the home test eyes."""
    summaries = {name: read_summary(run) for name, run in runs.items()}
    return {
        name: {
            "seeds": summary["seeds"],
            "images": summary["cameras"]["home"]["images"],
            "table": table(summary["cameras"]["home"], len(summary["seeds"])),
            "comparison": summary["cameras"]["home"]["rows"],
        }
        for name, summary in summaries.items()
    }


def gather(run: Path, command: list[str], seed: int, notes: list[str], made_by: str) -> dict[str, Any]:
    """The content of the results file."""
    summary = json.loads((run / "summary" / "summary.json").read_text())
    segmentation = {}
    for title, report in summary["segmentation"].items():
        name = title
        for key, words in _SOURCES.items():
            name = name.replace(f"({key}", f"({words}")
        segmentation[name] = {
            "iterations": " + ".join(str(number) for number in summary["iterations"][title]) or None,
            "threshold": report["threshold"],
            "images": report["images"],
            "fov": report["fov"],
            "whole": report["whole"],
        }
    label_maps: dict[str, Any] = {}
    for source, audit in summary["label_maps"].items():
        nearest = audit["nearest_neighbour"]
        measures = ("mean", "sd")
        label_maps["real training maps"] = {
            **{k: {m: v[m] for m in measures} for k, v in audit["real"].items()},
            "nearest_neighbour_dice_mean": nearest["real_among_themselves"]["mean"],
            "nearest_neighbour_dice_max": nearest["real_among_themselves"]["max"],
        }
        label_maps[_SOURCES[source]] = {
            **{k: {m: v[m] for m in measures} for k, v in audit["generated"].items()},
            "nearest_neighbour_dice_mean": nearest["dice_mean"],
            "nearest_neighbour_dice_max": nearest["dice_max"],
            "share_of_copies": nearest["share_above_threshold"],
            "nearest_other_generated_dice_mean": nearest["generated_among_themselves"]["mean"],
            "maps": audit["generated_maps"],
            "maps_without_vessels": audit["generated_maps_without_vessels"],
        }
    return {
        "commands": command,
        "commit": made_by,
        "machine": machine(),
        "seeds": [seed],
        "minutes": {**summary["minutes"], "total": round(sum(summary["minutes"].values()), 1)},
        "notes": notes,
        "segmentation": segmentation,
        "second_observer": {key: summary["second_observer"].get(key) for key in ("f1", "images")},
        "label_maps": label_maps,
    }


def main() -> None:
    parser = result_parser(__doc__)
    parser.add_argument("run", type=Path, help="output folder of the workflow")
    parser.add_argument("output", type=Path, help="JSON file to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--table", action="append", type=named_run, default=[], help="name=output folder of a run of across_cameras"
    )
    arguments = parser.parse_args()
    results = gather(arguments.run, arguments.command, arguments.seed, arguments.note, arguments.commit or commit())
    write_results(arguments.output, {**results, "tables": tables_at_home(dict(arguments.table))})


if __name__ == "__main__":
    main()
