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
"""Scores of organ segmentation on disk (JSON and CSV) and on the console (a table)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from monai_retinasynth.metrics.result_files import print_whole_table, read_result_entry, write_json_and_csv

__all__ = ["ORGAN_RESULTS_STEM", "print_organ_results", "read_organ_results", "write_organ_results"]

#: file name of the two files without ending
ORGAN_RESULTS_STEM = "organs"
_SCORES = ("jaccard", "dice", "accuracy")
_COLUMNS = ("run", "organ", "case_id", *_SCORES)


def write_organ_results(
    results: Mapping[str, Mapping[str, Any]], output_dir: str | os.PathLike, stem: str = ORGAN_RESULTS_STEM
) -> tuple[Path, Path]:
    """
    Write `<stem>.json` and `<stem>.csv`.

    Args:
        results: report of `OrganSegmentationReport.compute` by name of the run.
        output_dir: folder for the two files, made when missing.
        stem: file name without ending.

    Returns:
        tuple: paths of the JSON file (`organs`: name of the run -> report) and of the CSV file (for each run and organ
        or group a row with case `pooled`, one with case `mean`, then one a case).

    Raises:
        DataError: when a file cannot be written.
    """
    return write_json_and_csv({"organs": results}, _COLUMNS, _csv_rows(results), output_dir, stem)


def read_organ_results(path: str | os.PathLike) -> dict[str, dict[str, Any]]:
    """
    The reports of a JSON file that `write_organ_results` made, by name of the run.

    Raises:
        DataError: when the file is missing or is no such file.
    """
    return read_result_entry(path, "organs", "organ segmentation results")


def print_organ_results(
    results: Mapping[str, Mapping[str, Any]], title: str = "Organ segmentation", console: Console | None = None
) -> None:
    """Print one row a run and organ, group of organs, and all organs."""
    table = Table(
        title=title,
        caption="Each organ against its own mask. Mean ± sd over images with the organ in prediction or truth.",
    )
    for heading in ("run", "organ"):
        table.add_column(heading, no_wrap=True)
    for heading in ("images", "mean Jaccard", "mean Dice", "pooled Jaccard", "pooled Dice", "pixel accuracy"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, report in results.items():
        for organ, scores in {**report["organs"], **report["groups"]}.items():
            table.add_row(
                name,
                organ,
                f"{scores['images_scored']} of {report['images']}",
                *(_with_spread(scores, key) for key in ("jaccard", "dice")),
                *(_number(scores[key]) for key in _SCORES),
            )
        every = report["all_organs"]
        means = (_number(every[key]) for key in ("jaccard_mean", "dice_mean"))
        table.add_row(name, "all organs", str(report["images"]), *means, "", "", _number(every["accuracy"]))
    print_whole_table(table, console)


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"


def _with_spread(scores: Mapping[str, Any], key: str) -> str:
    spread = scores[f"{key}_sd"]
    return _number(scores[f"{key}_mean"]) + ("" if spread is None else f" ± {spread:.3f}")


def _csv_rows(results: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for name, report in results.items():
        for organ, scores in {**report["organs"], **report["groups"]}.items():
            common = {"run": name, "organ": organ}
            yield {**common, "case_id": "pooled", **{key: scores[key] for key in _SCORES}}
            # the accuracy is that of all pixels together, so it has no second mean
            yield {**common, "case_id": "mean", **{key: scores[f"{key}_mean"] for key in ("jaccard", "dice")}}
            for case in report["per_case"]:
                yield {**common, "case_id": case["case_id"], **case["organs"][organ]}
