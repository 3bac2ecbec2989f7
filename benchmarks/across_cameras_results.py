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
run writes it. The table of a run with `choice_count`, whose test eyes are training eyes held out for choices, stands
beside with the synthetic row that it names, so that no test set names it. Example::

    python benchmarks/across_cameras_results.py docs/results/across_cameras.json \
        --run "DRIVE to CHASE_DB1=runs/across_cameras_drive" --run "2 eyes=runs/across_cameras_drive_2_eyes" \
        --choices "DRIVE=runs/across_cameras_drive_choices" --command "python -m monai.bundle run ..."

The same tables of the home camera alone, as the pages of the two-stage system show them: `--camera home`. With
`--keep`, runs of the file as it is stay where they are not given anew, each with the commands, the commit, the machine
and the notes that it was made with.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
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
        # one row may be compared with another control than the next, and over fewer seeds
        best = row["minus_best_control"].get("f1")
        figures["best control"] = best and f"{best['other']}, seeds {', '.join(str(seed) for seed in best['seeds'])}"
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


_CIRCUMSTANCES = ("commands", "commit", "machine", "notes")
_KEPT = ("runs", "choices")


def with_earlier_runs(results: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """The results and, after their runs, those of an earlier file that they do not have."""
    if missing := sorted({*_CIRCUMSTANCES, *_KEPT} - set(earlier)):
        raise SystemExit(f"the earlier file has no {', '.join(missing)}: it was not written by this script")
    circumstances = {key: earlier[key] for key in _CIRCUMSTANCES}
    joined = dict(results)
    for part in _KEPT:
        kept = {name: {"made_with": circumstances, **content} for name, content in earlier[part].items()}
        joined[part] = {**results[part], **{name: kept[name] for name in kept if name not in results[part]}}
    return joined


def gather(
    runs: Mapping[str, Path], chosen: Mapping[str, Path], arguments: argparse.Namespace
) -> dict[str, Any]:
    """The content of the results file."""
    results: dict[str, Any] = {
        "commands": arguments.command,
        "commit": arguments.commit or commit(),
        "machine": machine(),
        "notes": arguments.note,
        "runs": {},
    }
    for name, run in runs.items():
        if is_for_choices(run):
            raise SystemExit(f"{run} was run with choice_count, it tests on training eyes: give it with --choices")
        summary = read_summary(run)
        cameras = {key: summary["cameras"][key] for key in wanted_cameras(arguments.camera, summary, run)}
        minutes = summary["minutes"]
        results["runs"][name] = {
            "seeds": summary["seeds"],
            "tables": {camera: table(content, len(summary["seeds"])) for camera, content in cameras.items()},
            "images": {camera: content["images"] for camera, content in cameras.items()},
            "patients": {camera: content["patients"] for camera, content in cameras.items()},
            "comparison": {camera: content["rows"] for camera, content in cameras.items()},
            "fidelity": summary.get("fidelity", {}),
            "missing": [name for name in summary["missing"] if any(f"_on_{c}_seed" in name for c in cameras)],
            "minutes": {"total": round(sum(minutes.values()), 1), "stages": minutes},
        }
    results["choices"] = {name: choices(run) for name, run in chosen.items()}
    return results


def read_summary(run: Path) -> dict[str, Any]:
    """The summary of a run of the workflow."""
    path = run / "summary" / "summary.json"
    if not path.is_file():
        raise SystemExit(f"{path} does not exist: run the workflow in {run}, or --run_id summarise with its settings")
    return json.loads(path.read_text())


def wanted_cameras(wanted: Sequence[str] | None, summary: Mapping[str, Any], run: Path) -> list[str]:
    """Those of the cameras of a run that are wanted."""
    if missing := sorted(set(wanted or ()) - set(summary["cameras"])):
        raise SystemExit(f"{run} has no results on {', '.join(missing)}, only on {', '.join(summary['cameras'])}")
    return list(wanted or summary["cameras"])


def is_for_choices(run: Path) -> bool:
    """Whether the test eyes of a run are training eyes held out for choices."""
    homes = [path for path in run.glob("home*/stage.json") if re.fullmatch(r"home(_eyes\d+)?", path.parent.name)]
    return any(json.loads(path.read_text())["settings"].get("choice_count") for path in homes)


def choices(run: Path) -> dict[str, Any]:
    """The table of a run with `choice_count`, on eyes held out for choices, and the synthetic rows that it names."""
    if not is_for_choices(run):
        raise SystemExit(f"{run} was not run with choice_count, so its test eyes may choose nothing; see --choices")
    summary = read_summary(run)
    content = summary["cameras"]["home"]
    synthetic = {row: figures for row, figures in content["rows"].items() if not figures["control"]}
    named = {
        score: max(synthetic, key=lambda row, key=key: synthetic[row][key]["mean"]) if synthetic else None
        for score, key in (("F1", "f1"), ("AUC", "auc"))
    }
    return {
        "seeds": summary["seeds"],
        "images": content["images"],
        "named": {score: content["rows"][row]["title"] if row else None for score, row in named.items()},
        "table": table(content, len(summary["seeds"])),
        "comparison": content["rows"],
        "missing": summary["missing"],
    }


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
    parser.add_argument(
        "--choices",
        action="append",
        type=named_run,
        default=[],
        help="name=output folder of a run with choice_count, whose table names a row",
    )
    parser.add_argument("--camera", action="append", help="only the tables of this camera, such as home")
    parser.add_argument("--keep", action="store_true", help="keep the runs of the file that are not given anew")
    arguments = parser.parse_args()
    results = gather(dict(arguments.run), dict(arguments.choices), arguments)
    if arguments.keep and arguments.output.is_file():
        results = with_earlier_runs(results, json.loads(arguments.output.read_text()))
    write_results(arguments.output, results)


if __name__ == "__main__":
    main()
