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
"""Scores as files and tables in one manner: JSON and CSV written whole or not at all, tables that are never cut."""

from __future__ import annotations

import csv
import io
import json
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from monai_retinasynth.utils.atomic_file import atomic_write
from monai_retinasynth.utils.errors import DataError

__all__ = ["csv_text", "mean_and_sd", "print_whole_table", "read_result_entry", "write_json_and_csv"]


def write_json_and_csv(
    document: Mapping[str, Any],
    columns: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
    output_dir: str | os.PathLike,
    stem: str,
) -> tuple[Path, Path]:
    """
    Write `<stem>.json` and `<stem>.csv`.

    Args:
        document: content of the JSON file, plain values, finite numbers.
        columns: headings of the CSV file.
        rows: rows of the CSV file by heading; a missing one is left empty.
        output_dir: folder for the two files, made when missing.
        stem: file name without ending.

    Returns:
        tuple: paths of the JSON file and of the CSV file.

    Raises:
        DataError: when a file cannot be written.
    """
    json_path, csv_path = Path(output_dir, f"{stem}.json"), Path(output_dir, f"{stem}.csv")
    # allow_nan=False: a file that other programs cannot read is worse than an error here
    texts = {json_path: json.dumps(document, indent=2, allow_nan=False) + "\n", csv_path: csv_text(columns, rows)}
    for path, text in texts.items():
        with atomic_write(path) as file:
            file.write(text.encode("utf-8"))
    return json_path, csv_path


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """The text of a CSV file with these headings; a missing value is left empty."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def read_result_entry(path: str | os.PathLike, key: str, what: str) -> dict[str, Any]:
    """
    The entry `key` of a JSON file of results.

    Args:
        path: the file.
        key: the entry, a dictionary.
        what: what the file should hold, for the message.

    Raises:
        DataError: when the file is missing or is no such file.
    """
    try:
        return dict(json.loads(Path(path).read_text(encoding="utf-8"))[key])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read as {what} ({error}); run the evaluation again") from error


def mean_and_sd(values: Sequence[float | None]) -> dict[str, Any]:
    """Mean and sample standard deviation over the runs of several seeds.

    Args:
        values: a figure of each run; None where it has none, which is left out.

    Returns:
        dict: `mean` (None without values), `sd` (None below two), `n` (how many count) and `values` as given.
    """
    known = [value for value in values if value is not None]
    return {
        "mean": statistics.fmean(known) if known else None,
        "sd": statistics.stdev(known) if len(known) > 1 else None,
        "n": len(known),
        "values": list(values),
    }


def print_whole_table(table: Table, console: Console | None = None) -> None:
    """Print a table in the width that it needs: a narrow window, or no terminal at all, must not cut numbers."""
    console = console or Console()
    width = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    Console(file=console.file, width=max(width, console.width), force_terminal=console.is_terminal).print(table)
