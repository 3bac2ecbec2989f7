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
"""What a person wants to see when a translation workflow ends: fidelity, vessels found again, pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ..metrics import read_segmentation_results
from ..utils.atomic_file import atomic_write
from ..utils.errors import DataError
from .stage_record import StageRecord

__all__ = ["summarise_translation"]

_VESSEL_SCORES = ("f1", "sensitivity", "specificity", "auc")
_COLUMNS = {"mse_pm1": "MSE [-1, 1]", "mse_01": "MSE [0, 1]", "ssim": "SSIM", "psnr": "PSNR dB"}


def summarise_translation(root: str, output_dir: str, vessel_rows: Sequence[str]) -> dict[str, Any]:
    """Gather the results of a translation workflow below `root`, print them, and write ``summary.json``.

    Args:
        root: output folder of the workflow; it holds ``translation_evaluation/fidelity.json``.
        output_dir: folder for the summary.
        vessel_rows: rows of the fidelity table (and "real") in whose pictures this run looked for vessels; each has a
            ``vessels_<row>/segmentation.json``.

    Returns:
        the content of ``summary.json``: ``fidelity`` (row -> figures), ``vessels`` (row -> F1, sensitivity,
        specificity, AUC, all inside the field of view), ``minutes`` (stage -> minutes), ``context``.

    Raises:
        DataError: when an evaluation is missing.
    """
    folder, console = Path(root), Console(soft_wrap=True)
    source = folder / "translation_evaluation" / "fidelity.json"
    if not source.is_file():
        raise DataError(f"{source} is missing: the evaluation of the translator did not run; run the workflow again")
    evaluation = json.loads(source.read_text())
    vessels = {}
    for row in vessel_rows:
        (report,) = read_segmentation_results(folder / f"vessels_{row}" / "segmentation.json").values()
        vessels[row] = {name: report["fov"][name] for name in _VESSEL_SCORES}
    records = {p.parent.name: StageRecord(p.parent).read() for p in sorted(folder.glob("*/stage.json"))}
    minutes = {
        name: record["minutes"]
        for name, record in records.items()
        if record is not None and record["status"] == "finished" and ".replaced-" not in name
    }
    summary = {
        "fidelity": evaluation["rows"],
        "vessels": vessels,
        "minutes": minutes,
        "context": evaluation["context"],
    }
    path = Path(output_dir, "summary.json")
    with atomic_write(path) as file:
        file.write((json.dumps(summary, indent=2, allow_nan=False) + "\n").encode())
    _print(summary, console)
    for line in (
        f"summary:           {path}",
        f"pictures:          {folder / 'translation_evaluation'}",
        f"training pictures: {folder / 'translation_training' / 'pictures'}",
        f"TensorBoard:       tensorboard --logdir {folder}",
    ):
        console.print(line, highlight=False, markup=False)
    return summary


def _print(summary: dict[str, Any], console: Console) -> None:
    table = Table(title="Test photographs, per image, then averaged")
    table.add_column("row", overflow="fold")  # names share their beginnings
    for title in [*_COLUMNS.values(), "vessel F1 in the FOV"]:
        table.add_column(title, justify="right")
    for row in dict.fromkeys([*summary["fidelity"], *summary["vessels"]]):
        figures, vessel = summary["fidelity"].get(row), summary["vessels"].get(row)
        cells = [_number(figures[key]) if figures else "" for key in _COLUMNS]
        table.add_row(row, *cells, f"{vessel['f1']:.4f}" if vessel else "")
    console.print(table)


def _number(value: float | None) -> str:
    # PSNR of a picture without error is infinite, which JSON does not know
    return "inf" if value is None else f"{value:.4f}"
