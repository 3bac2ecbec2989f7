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
"""The table of the across-camera workflow: rows by cameras, mean and spread over seeds, differences with intervals."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ..metrics.fidelity_results import print_fidelity_results, read_fidelity_results
from ..metrics.paired_bootstrap import paired_bootstrap, patient_of_case, pooled_auc, pooled_f1
from ..metrics.result_files import mean_and_sd, print_whole_table
from ..metrics.segmentation_results import read_segmentation_results
from ..utils.atomic_file import atomic_write
from ..utils.errors import DataError
from .across_cameras import evaluation_name
from .second_observer_scores import SECOND_OBSERVER_NAME
from .stage_record import StageRecord

__all__ = ["summarise_across_cameras"]

_SCORES = ("f1", "best_f1", "auc", "f1_per_image_mean", "sensitivity", "specificity")
_COMPARED = ("f1", "auc")


@dataclass(frozen=True)
class _Run:
    """What an evaluation left."""

    scores: Mapping[str, float]
    threshold: float
    cases: tuple[str, ...]
    counts: np.ndarray  # (cases, 3)
    histograms: np.ndarray  # (cases, 2, classes)

    def adding_up(self, measure: str) -> np.ndarray:
        return self.counts if measure == "f1" else self.histograms


def summarise_across_cameras(
    root: str | os.PathLike,
    output_dir: str | os.PathLike,
    rows: Mapping[str, Mapping[str, Any]],
    cameras: Sequence[str],
    seeds: Sequence[int],
    num_samples: int = 2000,
) -> dict[str, Any]:
    """Read the evaluations below `root` that are finished, print a table a camera and write ``summary.json``.

    Scores are those inside the field of view, pixels of all images pooled. A row is compared with `real`, and with the
    best of the controls on that camera, over the seeds that both have: 95 % paired bootstrap intervals over patients of
    the mean of the seeds. In a run that is not finished the best control is found among those that have most of the
    row's seeds, by the mean over these alone, so that a single lucky seed is not taken for the best.

    Args:
        root: output folder of the workflow.
        output_dir: folder for ``summary.json``.
        rows: the rows, see `across_cameras_rows`.
        cameras: names of the cameras.
        seeds: the seeds of every row.
        num_samples: draws of the bootstrap.

    Returns:
        the content of ``summary.json``: ``cameras``: camera -> ``images``, ``patients``, ``second_observer`` (F1, or
        None) and ``rows``: row -> ``title``, ``control``, ``seeds`` (finished ones), for each score ``mean``, ``sd``,
        ``n`` and ``values``, ``threshold``, and ``minus_real`` and ``minus_best_control``: ``f1`` and ``auc`` ->
        ``difference``, ``low``, ``high``, ``seeds``, ``other``; ``fidelity``: translator -> picture (``generated``,
        ``background``, ``measured``, ...) -> figures on the home test eyes, each on its own background; ``missing``:
        evaluations that are not finished; ``minutes``.

    Raises:
        DataError: when no evaluation is finished, or the evaluations of a camera are not of the same images.
    """
    folder = Path(root)
    summary: dict[str, Any] = {"seeds": list(seeds), "cameras": {}, "missing": []}
    for camera in cameras:
        runs: dict[str, dict[int, _Run]] = {}
        for row in rows:
            for seed in seeds:
                name = evaluation_name(row, camera, seed)
                if _is_finished(folder / name):
                    runs.setdefault(row, {})[seed] = _read(folder / name)
                else:
                    summary["missing"].append(name)
        if runs:
            summary["cameras"][camera] = {
                **_of_camera(camera, runs, rows, num_samples),
                "second_observer": _second_observer(folder / f"second_observer_{camera}"),
            }
    if not summary["cameras"]:
        raise DataError(f"{folder} holds no finished evaluation of the rows {', '.join(rows)}; run the workflow first")
    summary["fidelity"] = {
        path.parent.name.removeprefix("fidelity_"): read_fidelity_results(path)
        for path in sorted(folder.glob("fidelity_*/fidelity.json"))
        if ".replaced-" not in path.parent.name and _is_finished(path.parent)
    }
    records = {path.parent.name: StageRecord(path.parent).read() for path in sorted(folder.glob("*/stage.json"))}
    summary["minutes"] = {
        name: record["minutes"]
        for name, record in records.items()
        if record is not None and record["status"] == "finished" and ".replaced-" not in name
    }
    path = Path(output_dir, "summary.json")
    with atomic_write(path) as file:
        file.write((json.dumps(summary, indent=2, allow_nan=False) + "\n").encode())
    console = Console(soft_wrap=True)
    for camera, content in summary["cameras"].items():
        _print(camera, content, seeds, console)
    for name, fidelity in summary["fidelity"].items():
        title = f"Home test eyes on their own background, translator {name}"
        print_fidelity_results(fidelity, title=title, console=console)
    if summary["missing"]:
        console.print(f"not finished: {len(summary['missing'])} evaluations", style="yellow")
    console.print(f"summary table: {path}", highlight=False, markup=False)
    return summary


def _is_finished(stage: Path) -> bool:
    record = StageRecord(stage).read()
    return record is not None and record["status"] == "finished"


def _read(stage: Path) -> _Run:
    (report,) = read_segmentation_results(stage / "segmentation.json").values()
    with np.load(stage / "segmentation_histograms.npz") as file:
        cases = tuple(str(name) for name in file["case_id"])
        histograms = np.stack([file["vessel"], file["background"]], axis=1)
    if cases != tuple(case["case_id"] for case in report["per_case"]):
        raise DataError(f"{stage}: scores and histograms are not of the same cases; delete the folder to redo it")
    counts = np.array([[case["counts"][key] for key in ("tp", "fp", "fn")] for case in report["per_case"]])
    return _Run(report["fov"], float(report["threshold"]), cases, counts, histograms)


def _of_camera(
    camera: str, runs: Mapping[str, Mapping[int, _Run]], rows: Mapping[str, Mapping[str, Any]], num_samples: int
) -> dict[str, Any]:
    all_cases = {run.cases for of_row in runs.values() for run in of_row.values()}
    if len(all_cases) > 1:
        raise DataError(f"the evaluations on {camera} are not of the same images; run the workflow again")
    (cases,) = all_cases
    patients = [patient_of_case(case) for case in cases]
    table: dict[str, Any] = {}
    for row, of_row in runs.items():
        table[row] = {
            "title": str(rows[row].get("title", row)),
            "control": bool(rows[row].get("control", False)),
            "seeds": list(of_row),
            **{score: mean_and_sd([run.scores[score] for run in of_row.values()]) for score in _SCORES},
            "threshold": mean_and_sd([run.threshold for run in of_row.values()]),
        }
    for row in table:
        for key in ("minus_real", "minus_best_control"):
            table[row][key] = {}
            for measure in _COMPARED:
                other = "real" if key == "minus_real" else _best_control(row, runs, rows, measure)
                is_control = table[row]["control"] and key == "minus_best_control"
                if other in runs and other != row and not is_control:
                    table[row][key][measure] = _compare(runs[row], runs[other], other, patients, measure, num_samples)
    return {"images": len(cases), "patients": len(set(patients)), "rows": table}


def _best_control(
    row: str, runs: Mapping[str, Mapping[int, _Run]], rows: Mapping[str, Mapping[str, Any]], measure: str
) -> str | None:
    """The control that a row is compared with: of those that share most of its seeds, the best on these."""
    shared = {
        name: [run.scores[measure] for seed, run in of_row.items() if seed in runs[row]]
        for name, of_row in runs.items()
        if rows[name].get("control", False)
    }
    known = {name: [value for value in values if value is not None] for name, values in shared.items()}
    candidates = {name: (len(values), float(np.mean(values))) for name, values in known.items() if values}
    return max(candidates, key=lambda name: candidates[name]) if candidates else None


def _compare(
    of_row: Mapping[int, _Run],
    of_other: Mapping[int, _Run],
    other: str,
    patients: Sequence[str],
    measure: str,
    num_samples: int,
) -> dict[str, Any] | None:
    seeds = [seed for seed in of_row if seed in of_other]
    if not seeds or len(set(patients)) < 2:
        return None
    statistic: Callable[[np.ndarray], np.ndarray] = pooled_f1 if measure == "f1" else pooled_auc
    values = (np.stack([runs[seed].adding_up(measure) for seed in seeds]) for runs in (of_row, of_other))
    return {**paired_bootstrap(*values, patients, statistic, num_samples), "seeds": seeds, "other": other}


def _second_observer(stage: Path) -> float | None:
    path = stage / SECOND_OBSERVER_NAME
    return json.loads(path.read_text())["f1"] if path.is_file() else None


def _print(camera: str, content: Mapping[str, Any], seeds: Sequence[int], console: Console) -> None:
    observer = content["second_observer"]
    table = Table(
        title=f"Tested on {camera}: {content['images']} images of {content['patients']} patients",
        caption="Inside the field of view, pixels pooled; F1 at the threshold of the home validation eyes. "
        + (f"Second observer: F1 {observer:.4f}. " if observer is not None else "")
        + "Differences with 95 % paired bootstrap intervals over patients.",
    )
    table.add_column("trained on", no_wrap=True)
    for heading in ("seeds", "F1", "best F1", "AUC", "F1 minus real", "minus best control", "AUC minus best control"):
        table.add_column(heading, justify="right", no_wrap=True)
    for figures in content["rows"].values():
        table.add_row(
            figures["title"] + (" (control)" if figures["control"] else ""),
            f"{len(figures['seeds'])} of {len(seeds)}",
            *(_spread(figures[score]) for score in ("f1", "best_f1", "auc")),
            _interval(figures["minus_real"].get("f1"), seeds),
            _interval(figures["minus_best_control"].get("f1"), seeds, names=True),
            _interval(figures["minus_best_control"].get("auc"), seeds, names=True),
        )
    print_whole_table(table, console)


def _spread(score: Mapping[str, Any]) -> str:
    if score["mean"] is None:
        return "n/a"
    return f"{score['mean']:.4f}" + ("" if score["sd"] is None else f" ± {score['sd']:.4f}")


def _interval(compared: Mapping[str, Any] | None, seeds: Sequence[int], names: bool = False) -> str:
    if compared is None:
        return ""
    text = f"{compared['difference']:+.4f} [{compared['low']:+.4f}, {compared['high']:+.4f}]"
    if names:
        text += f" {compared['other']}"
    if len(compared["seeds"]) < len(seeds):
        text += f" (seed {', '.join(str(seed) for seed in compared['seeds'])})"
    return text
