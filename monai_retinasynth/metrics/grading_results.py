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
"""Grading scores on disk (JSON and CSV, written whole or not at all) and on the console (a table)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from monai_retinasynth.metrics.grading import GRADING_SCORES
from monai_retinasynth.metrics.result_files import csv_text, print_whole_table, read_result_entry, write_json_and_csv
from monai_retinasynth.utils.atomic_file import atomic_write
from monai_retinasynth.utils.errors import DataError

__all__ = ["print_grading_results", "read_grading_results", "write_grade_predictions", "write_grading_results"]

_NEEDED = ("images", *GRADING_SCORES, "confusion_matrix")


def write_grading_results(
    results: Mapping[str, Mapping[str, Any]], output_dir: str | os.PathLike, stem: str = "grading"
) -> tuple[Path, Path]:
    """
    Write `<stem>.json` and `<stem>.csv`.

    Args:
        results: report of `GradingReport.compute` by name of the run, such as REAL.
        output_dir: folder for the two files, made when missing.
        stem: file name without ending.

    Returns:
        tuple: paths of the JSON file (`grading`: name -> report) and of the CSV file (one row an image: run, case_id,
        grade, predicted, and a probability for each grade).

    Raises:
        DataError: when a file cannot be written.
    """
    rows = [{"run": name, **case} for name, report in results.items() for case in report["per_case"]]
    return write_json_and_csv({"grading": results}, *_flat(rows), output_dir, stem)


def write_grade_predictions(path: str | os.PathLike, rows: Sequence[Mapping[str, Any]]) -> Path:
    """
    Write one row an image.

    Args:
        path: CSV file.
        rows: plain values by column; `probabilities` (a list) becomes the columns `probability_0`, `probability_1`, ...
            All rows have the same keys.

    Returns:
        Path: the file.

    Raises:
        DataError: when the file cannot be written.
    """
    path = Path(path)
    with atomic_write(path) as file:
        file.write(csv_text(*_flat(rows)).encode("utf-8"))
    return path


def _flat(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns, and rows with a column for each grade's probability."""
    flat = []
    for row in rows:
        probabilities = {f"probability_{grade}": f"{p:.6f}" for grade, p in enumerate(row["probabilities"])}
        flat.append({**{key: value for key, value in row.items() if key != "probabilities"}, **probabilities})
    return list(flat[0]) if flat else [], flat


def read_grading_results(path: str | os.PathLike) -> dict[str, dict[str, Any]]:
    """
    The reports of a JSON file that `write_grading_results` made, by name of the run.

    Raises:
        DataError: when the file is missing or is no such file.
    """
    results = read_result_entry(path, "grading", "grading results")
    reports = [report if isinstance(report, Mapping) else {} for report in results.values()]
    missing = sorted({key for report in reports for key in _NEEDED if key not in report})
    if missing or not results:
        raise DataError(
            f"{path} cannot be read as grading results (it lacks {missing or 'every run'}); run the evaluation again"
        )
    return results


def print_grading_results(
    results: Mapping[str, Mapping[str, Any]],
    title: str = "Grading of diabetic retinopathy",
    console: Console | None = None,
) -> None:
    """Print one row a run with the scores and their intervals, and each run's confusion matrix."""
    console = console or Console()
    confidence = next(iter(results.values()))["bootstrap"]["confidence"]
    table = Table(title=escape(title), caption=f"in brackets: {confidence:.0%} interval over images (bootstrap)")
    for heading in ("run", "images", "accuracy", "quadratic kappa", "balanced accuracy"):
        table.add_column(heading, justify="left" if heading == "run" else "right", no_wrap=True)
    for name, report in results.items():
        cells = (_score(report[key], report[f"{key}_interval"]) for key in GRADING_SCORES)
        table.add_row(escape(name), str(report["images"]), *cells)
    print_whole_table(table, console)
    for name, report in results.items():
        matrix = report["confusion_matrix"]
        shown = Table(title=f"{escape(name)}: true grade by predicted grade")
        for heading in ("true", *map(str, range(len(matrix))), "recall"):
            shown.add_column(heading, justify="right", no_wrap=True)
        for grade, row in enumerate(matrix):
            recall = f"{row[grade] / sum(row):.3f}" if sum(row) else "n/a"
            shown.add_row(str(grade), *map(str, row), recall)
        print_whole_table(shown, console)


def _score(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None or interval is None:
        return "n/a"
    return f"{value:.4f} ({interval[0]:.3f} to {interval[1]:.3f})"
