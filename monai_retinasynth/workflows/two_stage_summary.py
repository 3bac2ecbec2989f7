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
"""What a person wants to see when the two-stage workflow ends: scores, pictures, and where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from ..metrics import print_segmentation_results, read_segmentation_results
from ..utils.atomic_file import atomic_write
from ..utils.errors import DataError
from .contact_sheet import write_contact_sheet
from .stage_record import StageRecord

__all__ = ["summarise_two_stage"]

_RUN_NAMES = {"real": "REAL", "synthetic": "SYNTH", "synthetic_then_real": "SYNTH then REAL"}


def summarise_two_stage(
    root: str, output_dir: str, label_maps_from: str, label_set: str = "fundus_vessel"
) -> dict[str, Any]:
    """Gather the results of all stages below `root`, print them, and write ``summary.json`` and ``contact_sheet.png``.

    Results of earlier runs with another source of label maps in the same folder are shown beside the present ones.

    Args:
        root: output folder of the workflow.
        output_dir: folder for the summary.
        label_maps_from: source of the label maps of this run: "gan", "simulation" or "folder".
        label_set: name of the label set.

    Returns:
        the content of ``summary.json``: ``segmentation`` (name of the run -> scores), ``label_maps`` (source -> audit),
        ``minutes`` (stage -> minutes).

    Raises:
        DataError: when a result of this run is missing.
    """
    folder = Path(root)
    console = Console(soft_wrap=True)
    segmentation: dict[str, Any] = {}
    for name, title in _RUN_NAMES.items():
        for path in sorted(folder.glob(f"evaluation_{name}*/segmentation.json")):
            source = path.parent.name.removeprefix(f"evaluation_{name}").removeprefix("_")
            if source not in ("", "gan", "simulation", "folder"):
                continue
            if source not in ("", label_maps_from) and _older(path.parent, folder / "translation_training"):
                console.print(f"{path.parent.name} left out: it was made with an earlier translator", style="yellow")
                continue
            key = f"{title} ({source})" if source else title
            (segmentation[key],) = read_segmentation_results(path).values()
    if "REAL" not in segmentation or not any(label_maps_from in key for key in segmentation):
        raise DataError(f"{folder} holds no evaluation for label maps from {label_maps_from}; run the workflow again")
    audits = {
        path.parent.name.removeprefix("label_map_audit_"): json.loads(path.read_text())
        for path in sorted(folder.glob("label_map_audit_*/audit.json"))
        if ".replaced-" not in path.parent.name
    }
    minutes = {}
    for stage in sorted(p.parent for p in folder.glob("*/stage.json") if ".replaced-" not in p.parent.name):
        record = StageRecord(stage).read()
        if record is not None and record["status"] == "finished":
            minutes[stage.name] = record["minutes"]
    summary = {"segmentation": segmentation, "label_maps": audits, "minutes": minutes}
    summary_path = Path(output_dir, "summary.json")
    with atomic_write(summary_path) as file:
        file.write((json.dumps(summary, indent=2) + "\n").encode())
    sheet = Path(output_dir, f"contact_sheet_{label_maps_from}.png")
    write_contact_sheet(str(folder / f"synthetic_set_{label_maps_from}"), sheet, label_set=label_set)

    print_segmentation_results(segmentation, title="Vessel segmentation on the real test images", console=console)
    for line in (
        f"summary table:     {summary_path}",
        f"contact sheet:     {sheet}",
        f"synthetic set:     {folder / f'synthetic_set_{label_maps_from}' / 'datalist.json'}",
        f"training pictures: {folder / 'translation_training' / 'pictures'}",
        f"TensorBoard:       tensorboard --logdir {folder}",
    ):
        console.print(line, highlight=False, markup=False)
    return summary


def _older(stage: Path, other: Path) -> bool:
    records = StageRecord(stage).read(), StageRecord(other).read()
    return None not in records and records[0]["written"] < records[1]["written"]
