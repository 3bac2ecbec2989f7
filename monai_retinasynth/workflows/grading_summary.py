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
"""The result of grading with and without synthetic photographs: each row over its seeds, in one table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..metrics import GRADING_SCORES, read_grading_results
from ..metrics.result_files import mean_and_sd
from ..utils.atomic_file import atomic_write
from ..utils.errors import ConfigError, DataError

__all__ = ["summarise_grading"]


def summarise_grading(
    output_dir: str,
    root: str,
    rows: Sequence[str] | Mapping[str, str],
    seeds: Sequence[int],
    results: str = "evaluation_{row}_seed{seed}/grading.json",
) -> dict[str, Any]:
    """Gather the evaluations of all rows and seeds below `root`, print them, and write ``grading_summary.json``.

    Args:
        output_dir: folder for the summary.
        root: folder of the evaluations.
        rows: names of the rows, such as ``["real", "real_and_synthetic"]``; or name -> title.
        seeds: seeds of each row.
        results: where in `root` the results of a row and seed lie.

    Returns:
        the content of the file: below ``grading`` -> row: ``title``, ``seeds``, ``images``, for each of accuracy,
        quadratic_kappa and balanced_accuracy ``mean``, ``sd`` (None for one seed), ``n`` and ``values`` over the seeds
        (None where a score is not defined, left out of mean and sd), and ``confusion_matrix``, the sum over the seeds.

    Raises:
        ConfigError: when there are no rows or seeds, or one is named twice.
        DataError: when results are missing (all are named), or were taken on different images.
    """
    titles = dict(rows) if isinstance(rows, Mapping) else {row: row.replace("_", " ") for row in rows}
    if not titles or not seeds or len(titles) < len(rows) or len(set(seeds)) < len(seeds):
        raise ConfigError(
            f"name at least one row and one seed, and each once; got rows {list(rows)}, seeds {list(seeds)}"
        )
    paths = {(row, seed): Path(root, results.format(row=row, seed=seed)) for row in titles for seed in seeds}
    if len(set(paths.values())) < len(paths):
        raise ConfigError(f"results is {results!r}, which is one file for several runs; put {{row}} and {{seed}} in it")
    if missing := [str(path) for path in paths.values() if not path.is_file()]:
        raise DataError("results of the grading are missing; run these evaluations again:\n  " + "\n  ".join(missing))
    reports = {key: _only_report(path) for key, path in paths.items()}
    images = {key: report["images"] for key, report in reports.items()}
    if len(set(images.values())) > 1:
        shown = ", ".join(f"{paths[key]}: {count}" for key, count in images.items())
        raise DataError(
            f"the rows were tested on different numbers of images ({shown}); evaluate all on the same section"
        )
    grading: dict[str, Any] = {}
    for row, title in titles.items():
        found = [reports[row, seed] for seed in seeds]
        grading[row] = {
            "title": title,
            "seeds": list(seeds),
            "images": found[0]["images"],
            **{score: mean_and_sd([report[score] for report in found]) for score in GRADING_SCORES},
            "confusion_matrix": np.sum([report["confusion_matrix"] for report in found], axis=0).tolist(),
        }
    summary = {"grading": grading}
    path = Path(output_dir, "grading_summary.json")
    with atomic_write(path) as file:
        file.write((json.dumps(summary, indent=2, allow_nan=False) + "\n").encode())
    console = Console(soft_wrap=True)
    _print(grading, console)
    console.print(f"summary: {path}", highlight=False, markup=False)
    return summary


def _only_report(path: Path) -> dict[str, Any]:
    reports = read_grading_results(path)
    if len(reports) != 1:
        raise DataError(
            f"{path} holds {len(reports)} runs, {list(reports)}; one was expected. Evaluate each run by itself"
        )
    return next(iter(reports.values()))


def _print(grading: Mapping[str, Mapping[str, Any]], console: Console) -> None:
    images = next(iter(grading.values()))["images"]
    table = Table(title=f"Grades of {images} real test photographs", caption="mean ± standard deviation over the seeds")
    table.add_column("trained on", overflow="fold")
    for heading in ("seeds", *(score.replace("_", " ") for score in GRADING_SCORES)):
        table.add_column(heading, justify="right")
    for entry in grading.values():
        table.add_row(escape(entry["title"]), str(len(entry["seeds"])), *(_cell(entry[s]) for s in GRADING_SCORES))
    console.print(table)


def _cell(figure: Mapping[str, Any]) -> str:
    if figure["mean"] is None:
        return "n/a"
    return f"{figure['mean']:.4f}" + ("" if figure["sd"] is None else f" ± {figure['sd']:.4f}")
