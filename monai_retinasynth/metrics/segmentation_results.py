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
"""Segmentation scores on disk (JSON and CSV, written whole or not at all) and on the console (a table)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from monai_retinasynth.metrics.result_files import print_whole_table, read_result_entry, write_json_and_csv
from monai_retinasynth.metrics.vessel_segmentation import CONVENTIONS, SCORE_NAMES

__all__ = ["print_segmentation_results", "read_segmentation_results", "write_segmentation_results"]

CONVENTION_TEXT = {"fov": "pixels inside the field of view", "whole": "all pixels of the image"}


def write_segmentation_results(
    results: Mapping[str, Mapping[str, Any]], output_dir: str | os.PathLike, stem: str = "segmentation"
) -> tuple[Path, Path]:
    """
    Write `<stem>.json` and `<stem>.csv`.

    Args:
        results: report of `VesselSegmentationReport.compute` by name of the run, such as REAL, SYNTH, SYNTH then REAL.
        output_dir: folder for the two files, made when missing.
        stem: file name without ending.

    Returns:
        tuple: paths of the JSON file (`conventions` and `segmentation`: name -> report) and of the CSV file (one row a
        run and convention with case `pooled`, then one row a case).

    Raises:
        DataError: when a file cannot be written.
    """
    document = {"conventions": CONVENTION_TEXT, "segmentation": results}
    columns = ("run", "convention", "case_id", "threshold", *SCORE_NAMES)
    return write_json_and_csv(document, columns, _csv_rows(results), output_dir, stem)


def read_segmentation_results(path: str | os.PathLike) -> dict[str, dict[str, Any]]:
    """
    The reports of a JSON file that `write_segmentation_results` made, by name of the run.

    Raises:
        DataError: when the file is missing or is no such file.
    """
    return read_result_entry(path, "segmentation", "segmentation results")


def print_segmentation_results(
    results: Mapping[str, Mapping[str, Any]], title: str = "Vessel segmentation", console: Console | None = None
) -> None:
    """Print one row a run and convention; scores in per cent would hide the third digit, so they stay fractions."""
    table = Table(title=title, caption="F1 to specificity: pooled pixels. clDice: mean over images.")
    for heading in ("run", "pixels", "images", "threshold", "AUC", "F1", "accuracy", "sens.", "spec."):
        table.add_column(heading, justify="left" if heading in ("run", "pixels") else "right", no_wrap=True)
    table.add_column("F1 per image", justify="right", no_wrap=True)
    table.add_column("clDice", justify="right", no_wrap=True)
    for name, report in results.items():
        for convention in CONVENTIONS:
            scores = report[convention]
            table.add_row(
                name,
                "in FOV" if convention == "fov" else "whole image",
                str(report["images"]),
                _number(report["threshold"], 3),
                *(_number(scores[key]) for key in ("auc", "f1", "accuracy", "sensitivity", "specificity")),
                f"{_number(scores['f1_per_image_mean'])} ± {_number(scores['f1_per_image_sd'])}",
                _number(scores["cldice"]),
            )
    print_whole_table(table, console)


def _number(value: float | None, digits: int = 4) -> str:
    return "n/a" if value is None else f"{value:.{digits}f}"


def _csv_rows(results: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for name, report in results.items():
        common = {"run": name, "threshold": report["threshold"]}
        for convention in CONVENTIONS:
            yield {**common, "convention": convention, "case_id": "pooled", **report[convention]}
        for case in report["per_case"]:
            for convention in CONVENTIONS:
                yield {**common, "convention": convention, "case_id": case["case_id"], **case[convention]}
