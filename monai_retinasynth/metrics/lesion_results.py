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
"""Scores of lesion segmentation on disk (JSON and CSV) and on the console (a table)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from monai_retinasynth.metrics.lesion_segmentation import OPERATING_POINTS
from monai_retinasynth.metrics.result_files import print_whole_table, read_result_entry, write_json_and_csv

__all__ = ["LESION_RESULTS_STEM", "print_lesion_results", "read_lesion_results", "write_lesion_results"]

#: file name of the two files without ending
LESION_RESULTS_STEM = "lesion_segmentation"
_COLUMNS = ("run", "lesion", "case_id", "point", "threshold", "precision", "recall", "f1", "auprc")


def write_lesion_results(
    results: Mapping[str, Mapping[str, Any]], output_dir: str | os.PathLike, stem: str = LESION_RESULTS_STEM
) -> tuple[Path, Path]:
    """
    Write `<stem>.json` and `<stem>.csv`.

    Args:
        results: report of `LesionSegmentationReport.compute` by name of the run.
        output_dir: folder for the two files, made when missing.
        stem: file name without ending.

    Returns:
        tuple: paths of the JSON file (`points` and `lesions`: name -> report) and of the CSV file (for each run, lesion
        and operating point a row with case `pooled`, one with case `mean`, then one a case).

    Raises:
        DataError: when a file cannot be written.
    """
    document = {"points": OPERATING_POINTS, "lesions": results}
    return write_json_and_csv(document, _COLUMNS, _csv_rows(results), output_dir, stem)


def read_lesion_results(path: str | os.PathLike) -> dict[str, dict[str, Any]]:
    """
    The reports of a JSON file that `write_lesion_results` made, by name of the run.

    Raises:
        DataError: when the file is missing or is no such file.
    """
    return read_result_entry(path, "lesions", "lesion segmentation results")


def print_lesion_results(
    results: Mapping[str, Mapping[str, Any]], title: str = "Lesion segmentation", console: Console | None = None
) -> None:
    """Print one row a run, lesion and operating point."""
    table = Table(
        title=title,
        caption="Pixels inside the field of view. Mean: over images with true or predicted pixels, recall and AUPRC "
        "over images with true ones.",
    )
    for heading in ("run", "lesion"):
        table.add_column(heading, no_wrap=True)
    for group, headings in (
        ("", ("images", "threshold")),
        ("mean ", ("precision", "recall", "F1", "AUPRC")),
        ("pooled ", ("precision", "recall", "F1", "AUPRC")),
    ):
        for heading in headings:
            table.add_column(f"{group}{heading}", justify="right", no_wrap=not group)
    for name, report in results.items():
        for lesion, scores in report["classes"].items():
            for point in OPERATING_POINTS:
                at = scores[point] or {}
                threshold = scores["threshold"] if point == "chosen" else 0.5
                spread = "" if at.get("f1_sd") is None else f" ± {at['f1_sd']:.3f}"
                table.add_row(
                    name,
                    lesion,
                    f"{scores['images_with_lesion']} of {report['images']}",
                    _number(threshold, 4),
                    *(_number(at.get(key)) for key in ("precision_mean", "recall_mean")),
                    _number(at.get("f1_mean")) + spread,
                    _number(scores["auprc_mean"]),
                    *(_number(at.get(key)) for key in ("precision", "recall", "f1")),
                    _number(scores["auprc"]),
                )
    print_whole_table(table, console)


def _number(value: float | None, digits: int = 4) -> str:
    return "n/a" if value is None else f"{value:.{digits}f}"


def _csv_rows(results: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for name, report in results.items():
        for lesion, scores in report["classes"].items():
            for point in OPERATING_POINTS:
                at = scores[point]
                if at is None:
                    continue
                threshold = scores["threshold"] if point == "chosen" else 0.5
                common = {"run": name, "lesion": lesion, "point": point, "threshold": threshold}
                keys = ("precision", "recall", "f1")
                yield {**common, "case_id": "pooled", "auprc": scores["auprc"], **{key: at[key] for key in keys}}
                means = {key: at[f"{key}_mean"] for key in keys}
                yield {**common, "case_id": "mean", "auprc": scores["auprc_mean"], **means}
                for case in report["per_case"]:
                    own = case["classes"][lesion]
                    yield {**common, "case_id": case["case_id"], "auprc": own["auprc"], **own[point]}
