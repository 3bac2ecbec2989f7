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
"""Gather a finished run of the multi-stage workflow into docs/results/multi_stage_<name>.json.

Example::

    python benchmarks/multi_stage_results.py runs/multi_stage_jsrt docs/results/multi_stage_jsrt.json \
        --command "python -m monai.bundle run ..."
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from result_files import commit, machine, result_parser, stage_minutes, write_results  # beside this script

_REAL = {"real": "REAL", "real_same_steps": "REAL same steps"}
_COST = ("parameters", "trained_parameters", "flops_per_case", "peak_memory_gib")
_TRAINING_COST = (
    "parameters",
    "discriminator_parameters",
    "flops_per_case",
    "training_flops_per_image",
    "seconds_per_image",
    "peak_memory_gib",
    "memory_before_gib",
)
_FLOPS = {"flops_per_case": "gflop_per_case", "training_flops_per_image": "training_gflop_per_image"}


def segmentation(fractions: Mapping[str, Any]) -> dict[str, Any]:
    """Fraction -> network -> REAL, REAL same steps, and way -> synth, synth_then_real -> the figures."""
    result: dict[str, Any] = {}
    for fraction, networks in fractions.items():
        for network, runs in networks.items():
            rows = result.setdefault(fraction, {}).setdefault(network, {})
            for run, figures in runs.items():
                scores = {key: without_values(score) for key, score in figures.items()}
                if run in _REAL:
                    rows[_REAL[run]] = scores
                else:
                    way, kind = run.split("_", 1)
                    rows.setdefault(f"{way}-stage", {})[kind] = scores
    return result


def without_values(score: Mapping[str, Any]) -> dict[str, Any]:
    """Mean, sd and n of a score, the seeds' own values left out."""
    return {key: score[key] for key in ("mean", "sd", "n")}


def cost_rows(cost: Mapping[str, Any]) -> dict[str, Any]:
    """Way -> its sums, way -> training -> its figures, the machine, and what is counted."""
    ways = {f"{way}-stage": figures for way, figures in cost["ways"].items()}
    return {
        "ways": {way: in_giga(figures, _COST) for way, figures in ways.items()},
        "trainings": {
            way: {
                name.split("_", 1)[1].replace("_", " "): {
                    "training_size": " x ".join(map(str, own["training_size"])),
                    **in_giga(own, _TRAINING_COST),
                }
                for name, own in figures["stages"].items()
            }
            for way, figures in ways.items()
        },
        "machine": cost["machine"],
        "flops": cost["flops"],
    }


def in_giga(figures: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """These figures, operations in 10^9."""
    return {_FLOPS.get(key, key): figures[key] / 1e9 if key in _FLOPS else figures[key] for key in keys}


def gather(arguments: argparse.Namespace) -> dict[str, Any]:
    """The content of the results file."""
    summary = json.loads((arguments.run / "summary" / "summary.json").read_text())
    minutes = stage_minutes(arguments.run)
    return {
        "commands": arguments.command,
        "commit": arguments.commit or commit(),
        "machine": machine(),
        "notes": arguments.note,
        "seeds": summary["seeds"],
        "generator_seeds": summary["generator_seeds"],
        "budget": summary["budget"],
        "missing": summary["missing"],
        "results": segmentation(summary["fractions"]),
        "answer": {
            fraction: {
                network: {kind: answer["text"] for kind, answer in kinds.items()} for network, kinds in networks.items()
            }
            for fraction, networks in summary["answer"].items()
        },
        "comparison": summary["answer"],
        "cost": None if summary["cost"] is None else cost_rows(summary["cost"]),
        "generation_minutes": {
            fraction: {f"{way}-stage": without_values(score) for way, score in ways.items()}
            for fraction, ways in summary["minutes"].items()
        },
        "minutes": {"total": round(sum(minutes.values()), 1), "stages": minutes},
    }


def main() -> None:
    parser = result_parser(__doc__)
    parser.add_argument("run", type=Path, help="output folder of the workflow multi_stage")
    parser.add_argument("output", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    write_results(arguments.output, gather(arguments))


if __name__ == "__main__":
    main()
