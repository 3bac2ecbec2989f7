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
import re
from pathlib import Path
from typing import Any

from rich.console import Console

from ..metrics import print_segmentation_results, read_segmentation_results
from ..utils.atomic_file import atomic_write
from ..utils.errors import DataError
from .contact_sheet import write_contact_sheet
from .second_observer_scores import SECOND_OBSERVER_NAME
from .stage_record import StageRecord

__all__ = ["summarise_two_stage"]

_RUN_NAMES = {
    "real": "REAL",
    "real_as_synthetic": "REAL, as many steps as SYNTH",
    "real_same_steps": "REAL of equal steps",
    "synthetic": "SYNTH",
    "synthetic_then_real": "SYNTH then REAL",
    "mixed": "half REAL, half SYNTH",
}
_MADE_BY = r"(?P<source>gan|simulation|folder)(?:_(?P<painter>background|measured|transplant))?"
_EVALUATION = re.compile(rf"evaluation_(?P<run>{'|'.join(_RUN_NAMES)})(?:_{_MADE_BY})?")
_PAINTER_NAMES = {"background": ", on backgrounds", "measured": ", measured", "transplant": ", transplanted"}


def summarise_two_stage(root: str, output_dir: str, made_by: str, label_set: str = "fundus_vessel") -> dict[str, Any]:
    """Gather the results of all stages below `root`, print them, and write ``summary.json`` and a contact sheet.

    Results of earlier runs with other label maps or another painter in the same folder are shown beside the present
    ones.

    Args:
        root: output folder of the workflow.
        output_dir: folder for the summary.
        made_by: source of the label maps of this run, "gan", "simulation" or "folder", with "_background", "_measured"
            or "_transplant" when they are painted on backgrounds.
        label_set: name of the label set.

    Returns:
        the content of ``summary.json``: ``segmentation`` (name of the run -> scores), ``iterations`` (name of the run
        -> those of the networks that follow one another in it), ``label_maps`` (source -> audit), ``second_observer``
        (its scores; F1 None where there is none), ``minutes`` (stage -> minutes).

    Raises:
        DataError: when a result of this run is missing.
    """
    folder = Path(root)
    console = Console(soft_wrap=True)
    found: dict[tuple[int, str], Any] = {}
    iterations: dict[str, list[int]] = {}
    is_complete = False
    for path in sorted(folder.glob("evaluation_*/segmentation.json")):
        match = _EVALUATION.fullmatch(path.parent.name)
        if match is None:
            continue
        run, source, painter = match["run"], match["source"], match["painter"]
        own = source is not None and path.parent.name == f"evaluation_{run}_{made_by}"
        learnt = {None: "translation_training", "background": "translation_training_background"}
        training = folder / learnt.get(painter, "backgrounds")
        if source is not None and not own and _older(path.parent, training):
            console.print(f"{path.parent.name} left out: it was made with an earlier translator", style="yellow")
            continue
        is_complete |= own
        title = _RUN_NAMES[run] + (f" ({source}{_PAINTER_NAMES.get(painter or '', '')})" if source else "")
        (found[list(_RUN_NAMES).index(run), title],) = read_segmentation_results(path).values()
        iterations[title] = _iterations(path.parent)
    segmentation = {title: found[order, title] for order, title in sorted(found)}
    if "REAL" not in segmentation or not is_complete:
        raise DataError(f"{folder} holds no evaluation for {made_by}; run the workflow again")
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
    observer = folder / "second_observer" / SECOND_OBSERVER_NAME
    second = json.loads(observer.read_text()) if observer.is_file() else {"f1": None}
    summary = {
        "segmentation": segmentation,
        "iterations": {title: iterations[title] for title in segmentation},
        "label_maps": audits,
        "second_observer": second,
        "minutes": minutes,
    }
    summary_path = Path(output_dir, "summary.json")
    with atomic_write(summary_path) as file:
        file.write((json.dumps(summary, indent=2) + "\n").encode())
    sheet = Path(output_dir, f"contact_sheet_{made_by}.png")
    write_contact_sheet(str(folder / f"synthetic_set_{made_by}"), sheet, label_set=label_set)

    print_segmentation_results(segmentation, title="Vessel segmentation on the real test images", console=console)
    steps = (f"{title} {' + '.join(map(str, numbers))}" for title, numbers in summary["iterations"].items())
    console.print(f"iterations: {'; '.join(steps)}", highlight=False, markup=False)
    if second["f1"] is not None:
        console.print(f"second observer: F1 {second['f1']:.4f} inside the field of view, {second['images']} images")
    for line in (
        f"summary table:     {summary_path}",
        f"contact sheet:     {sheet}",
        f"synthetic set:     {folder / f'synthetic_set_{made_by}' / 'datalist.json'}",
        f"training pictures: {folder / 'translation_training*' / 'pictures'}",
        f"TensorBoard:       tensorboard --logdir {folder}",
    ):
        console.print(line, highlight=False, markup=False)
    return summary


def _older(stage: Path, other: Path) -> bool:
    records = StageRecord(stage).read(), StageRecord(other).read()
    return None not in records and records[0]["written"] < records[1]["written"]


def _iterations(evaluation: Path) -> list[int]:
    """Iterations of the network that an evaluation is of, after those of the one that it started from."""
    record = StageRecord(evaluation).read()
    if record is None:
        return []
    start = record["settings"].get("pretrained")
    before = _iterations(Path(start).parents[1]) if start else []
    return [*before, int(record["settings"]["max_iterations"])]
