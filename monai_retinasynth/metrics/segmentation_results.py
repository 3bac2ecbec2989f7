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

import csv
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from monai_retinasynth.metrics.vessel_segmentation import CONVENTIONS, SCORE_NAMES
from monai_retinasynth.utils.atomic_file import atomic_write
from monai_retinasynth.utils.errors import DataError

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
    json_path, csv_path = Path(output_dir, f"{stem}.json"), Path(output_dir, f"{stem}.csv")
    document = {"conventions": CONVENTION_TEXT, "segmentation": results}
    # allow_nan=False: a file that other programs cannot read is worse than an error here
    texts = {json_path: json.dumps(document, indent=2, allow_nan=False) + "\n", csv_path: _csv_text(results)}
    for path, text in texts.items():
        with atomic_write(path) as file:
            file.write(text.encode("utf-8"))
    return json_path, csv_path


def read_segmentation_results(path: str | os.PathLike) -> dict[str, dict[str, Any]]:
    """
    The reports of a JSON file that `write_segmentation_results` made, by name of the run.

    Raises:
        DataError: when the file is missing or is no such file.
    """
    try:
        results = json.loads(Path(path).read_text(encoding="utf-8"))["segmentation"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read as segmentation results ({error}); run the evaluation again") from error
    return dict(results)


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
    console = console or Console()
    # a narrow window, or no terminal at all, must not cut numbers: the table takes the width it needs
    width = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    Console(file=console.file, width=max(width, console.width), force_terminal=console.is_terminal).print(table)


def _number(value: float | None, digits: int = 4) -> str:
    return "n/a" if value is None else f"{value:.{digits}f}"


def _csv_text(results: Mapping[str, Mapping[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, ["run", "convention", "case_id", "threshold", *SCORE_NAMES], lineterminator="\n")
    writer.writeheader()
    for name, report in results.items():
        common = {"run": name, "threshold": report["threshold"]}
        for convention in CONVENTIONS:
            writer.writerow({**common, "convention": convention, "case_id": "pooled", **report[convention]})
        for case in report["per_case"]:
            for convention in CONVENTIONS:
                writer.writerow({**common, "convention": convention, "case_id": case["case_id"], **case[convention]})
    return buffer.getvalue()
