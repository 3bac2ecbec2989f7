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
"""Fidelity scores on disk (JSON, written whole or not at all) and on the console (a table)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from monai_retinasynth.metrics.image_fidelity import FIDELITY_FORMS
from monai_retinasynth.utils.atomic_file import atomic_write
from monai_retinasynth.utils.errors import DataError

__all__ = ["print_fidelity_results", "read_fidelity_results", "write_fidelity_results"]

_COLUMNS = {
    "mse_pm1": ("MSE [-1, 1]", 4),
    "mse_01": ("MSE [0, 1]", 5),
    "ssim": ("SSIM", 4),
    "ssim_gaussian": ("SSIM Gaussian", 4),
    "psnr": ("PSNR dB", 2),
    "mse_pm1_fov": ("MSE [-1, 1] in FOV", 4),
    "psnr_fov": ("PSNR in FOV", 2),
    "mse_pm1_structures": ("MSE [-1, 1] structures", 4),
    "psnr_structures": ("PSNR structures", 2),
}


def write_fidelity_results(
    results: Mapping[str, Mapping[str, Any]],
    output_dir: str | os.PathLike,
    context: Mapping[str, Any] | None = None,
    stem: str = "fidelity",
) -> Path:
    """Write `<stem>.json`: `rows` (the results), `forms` (data range and form of each figure), `context`.

    Args:
        results: what `ImageFidelityReport.results` gives.
        output_dir: folder of the file, made when missing.
        context: what was evaluated (data set, section, checkpoint, seed, ...), plain values.
        stem: file name without ending.

    Returns:
        path of the file.

    Raises:
        DataError: When the file cannot be written.
    """
    path = Path(output_dir, f"{stem}.json")
    document = {"context": dict(context or {}), "forms": FIDELITY_FORMS, "rows": results}
    # allow_nan=False: a file that other programs cannot read is worse than an error here
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    with atomic_write(path) as file:
        file.write(text.encode("utf-8"))
    return path


def read_fidelity_results(path: str | os.PathLike) -> dict[str, dict[str, Any]]:
    """The rows of a file that `write_fidelity_results` made, by name.

    Raises:
        DataError: When the file is missing or is no such file.
    """
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8"))["rows"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read as fidelity results ({error}); run the evaluation again") from error
    return dict(rows)


def print_fidelity_results(
    results: Mapping[str, Mapping[str, Any]], title: str = "Image fidelity", console: Console | None = None
) -> None:
    """Print one line a row, each figure as mean ± standard deviation over the pictures."""
    table = Table(title=title, caption="Mean ± sd over pictures, whole picture unless in FOV. SSIM: uniform window 7.")
    table.add_column("row", no_wrap=True)
    table.add_column("images", justify="right", no_wrap=True)
    shown = {key: column for key, column in _COLUMNS.items() if any(key in row for row in results.values())}
    for heading, _ in shown.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in results.items():
        cells = (_cell(row, key, digits) for key, (_, digits) in shown.items())
        table.add_row(name, str(row["num_images"]), *cells)
    console = console or Console()
    # a narrow window, or no terminal at all, must not cut numbers: the table takes the width it needs
    width = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    Console(file=console.file, width=max(width, console.width), force_terminal=console.is_terminal).print(table)


def _cell(row: Mapping[str, Any], key: str, digits: int) -> str:
    if key not in row:
        return "n/a"
    if row[key] is None:
        return "inf"
    return f"{row[key]:.{digits}f} ± {row[f'{key}_sd']:.{digits}f}"
