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
"""Audit of generated label maps: morphometry against real maps, and whether they are copies of training maps."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from ..data import load_datalist, load_label_maps
from ..data.datalist import DATALIST_NAME
from ..metrics import aligned_nearest_dice, compare_morphometry, morphometry_table, nearest_neighbour_dice
from ..metrics import copy_threshold as copy_threshold_of
from ..transforms import WarpStructures
from ..utils.atomic_file import atomic_write
from ..utils.errors import DataError
from ..utils.image_io import to_picture
from ..utils.label_set import LabelSet, get_label_set

__all__ = ["audit_label_maps"]


def audit_label_maps(
    generated_dir: str,
    real_dir: str,
    output_dir: str,
    layout: str = "auto",
    label_set: str = "fundus_vessel",
    copy_threshold: float = 0.35,
    max_angle_deg: int = 10,
    val_count: int = 2,
    split: str | None = None,
    align: bool = False,
) -> dict[str, Any]:
    """Compare generated label maps with the real training maps and write ``audit.json``.

    Morphometry is measured inside the field of view at native pixels. Nearest-neighbour Dice is taken over eight
    flips and right-angle rotations, each turned by up to `max_angle_deg`, as the training of stage 1 turns them; real
    training maps among themselves give the yardstick.

    Args:
        generated_dir: data set of generated label maps.
        real_dir: real data set; its training section is compared with.
        output_dir: folder for ``audit.json``.
        layout: layout of `real_dir`, see `load_cases`.
        label_set: name of the label set; it must have the classes "vessel" and "outside".
        max_angle_deg: largest rotation of the augmentation of stage 1, see `nearest_neighbour_dice`.
        val_count: number of training cases held out for validation, see `load_cases`.
        split: named split of CHASE_DB1, see `load_cases`.
        copy_threshold: a map whose nearest-neighbour Dice is above it counts as a copy.
        align: compare with training maps after alignment too, which takes some seconds a map.

    Returns:
        the content of ``audit.json``: ``generated`` and ``real`` (mean and sd of each measure), ``nearest_neighbour``,
        and where the generation noted it, ``repair`` (means over the maps of the figures of `RepairCounts`) and
        ``drawn`` (share of drawings that were refused, maps that no attempt made acceptable, the most frequent faults);
        with `align`, ``aligned``: Dice after alignment with the nearest training map, of the generated maps, of real
        ones among themselves and of planted copies, `copy_threshold` and `copies`, or why there is no threshold.
    """
    labels = get_label_set(label_set)

    def vessel_and_fov(label: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        index = to_picture(label)[..., 0]
        return index == labels.index("vessel"), index != labels.index("outside")

    generated = [vessel_and_fov(m) for m in load_label_maps(generated_dir, "all", label_set=label_set)]
    training = load_label_maps(
        real_dir, "training", layout=layout, label_set=label_set, val_count=val_count, split=split
    )
    real = [vessel_and_fov(m) for m in training]
    # a map without retina has no density; it is counted, not measured
    measurable = [(vessel, fov) for vessel, fov in generated if fov.any() and vessel.any()]
    if not measurable:
        raise DataError(
            f"none of the {len(generated)} label maps in {generated_dir} shows a vessel; train stage 1 for longer"
        )
    nearest = nearest_neighbour_dice([v for v, _ in measurable], [v for v, _ in real], max_angle_deg=max_angle_deg)
    # maps that resemble each other more than real ones do: the generator knows few trees (mode collapse)
    among = {
        name: nearest_neighbour_dice([v for v, _ in maps], max_angle_deg=max_angle_deg) if len(maps) > 1 else None
        for name, maps in (("real", real), ("generated", measurable))
    }
    report = {
        "generated": morphometry_table(measurable),
        "real": morphometry_table(real),
        "generated_maps": len(generated),
        "generated_maps_without_vessels": len(generated) - len(measurable),
        "nearest_neighbour": {
            "dice_mean": nearest["mean"],
            "dice_max": nearest["max"],
            "copy_threshold": copy_threshold,
            "max_angle_deg": max_angle_deg,
            "share_above_threshold": float(np.mean(np.asarray(nearest["per_map"]) > copy_threshold)),
            **{
                f"{name}_among_themselves": None if found is None else {k: found[k] for k in ("mean", "max")}
                for name, found in among.items()
            },
        },
    }
    report.update(_noted(generated_dir))
    if align:
        report["aligned"] = _aligned([v for v, _ in measurable], training, labels)
    with atomic_write(Path(output_dir, "audit.json")) as file:
        file.write((json.dumps(report, indent=2) + "\n").encode())
    _print(report)
    return report


def _aligned(generated: list[np.ndarray], training: list[torch.Tensor], labels: LabelSet) -> dict[str, Any]:
    """Nearest training map after alignment, beside real maps among themselves and training maps warped on purpose."""
    vessel = labels.index("vessel")
    real = [to_picture(label)[..., 0] == vessel for label in training]
    warp = WarpStructures(labels, ["vessel"])
    warped = [to_picture(warp(None, label, seed)[0])[..., 0] == vessel for seed, label in enumerate(training)]
    dice = {
        "generated": [copy.dice for copy in aligned_nearest_dice(generated, real)],
        "real_among_themselves": [copy.dice for copy in aligned_nearest_dice(real)] if len(real) > 1 else [],
        "planted_copies": [copy.dice for copy in aligned_nearest_dice(warped, real)],
    }
    found: dict[str, Any] = {
        name: {"mean": float(np.mean(values)), "max": float(np.max(values)), "min": float(np.min(values))}
        for name, values in dice.items()
        if values
    }
    if not dice["real_among_themselves"]:
        return {**found, "no_threshold": "one real map alone does not say how much others resemble it"}
    try:
        threshold = copy_threshold_of(dice["planted_copies"], dice["real_among_themselves"])
    except ValueError as error:
        return {**found, "no_threshold": str(error)}
    copies = int(np.sum(np.asarray(dice["generated"]) >= threshold))
    return {**found, "copy_threshold": threshold, "copies": copies}


def _noted(generated_dir: str) -> dict[str, Any]:
    """What the generation noted of its maps, see `RepairTree` and `RedrawingInferer`."""
    if not Path(generated_dir, DATALIST_NAME).is_file():
        return {}
    notes = [case.get("notes", {}) for case in load_datalist(generated_dir)["training"]]
    found: dict[str, Any] = {}
    repaired = [note["repair"] for note in notes if "repair" in note]
    if repaired:
        found["repair"] = {name: float(np.mean([counts[name] for counts in repaired])) for name in repaired[0]}
    drawn = [note["drawn"] for note in notes if "drawn" in note]
    if drawn:
        refused = [reason for note in drawn for reason in note["refused"]]
        # of "density 0.3 is not ..." the first word says which figure
        figures = Counter(fault.split()[0] for reason in refused for fault in reason.split("; "))
        found["drawn"] = {
            "attempts": sum(note["attempts"] for note in drawn),
            "refused": len(refused),
            "share_refused": len(refused) / sum(note["attempts"] for note in drawn),
            "maps_not_accepted": sum(not note["accepted"] for note in drawn),
            "faults": dict(figures.most_common()),
        }
    return found


def _print(report: dict[str, Any]) -> None:
    table = Table(title="Morphometry of label maps (mean ± sd)")
    for column in ("measure", "real training maps", "generated maps", "distance in real sd"):
        table.add_column(column, justify="left" if column == "measure" else "right")
    for row in compare_morphometry(report["generated"], report["real"]):
        table.add_row(
            str(row["name"]).replace("_", " "),
            f"{row['real_mean']:.3f} ± {row['real_sd']:.3f}",
            f"{row['generated_mean']:.3f} ± {row['generated_sd']:.3f}",
            f"{row['deviation']:+.1f}",
        )
    console = Console()
    console.print(table)
    nearest = report["nearest_neighbour"]
    console.print(
        f"nearest training map: Dice {nearest['dice_mean']:.3f} on average, {nearest['dice_max']:.3f} at most; "
        f"{nearest['share_above_threshold']:.0%} above {nearest['copy_threshold']} (copies)",
        highlight=False,
    )
    if "no_threshold" in report.get("aligned", {}):
        console.print(f"copies after alignment were not told: {report['aligned']['no_threshold']}", highlight=False)
    if "copies" in report.get("aligned", {}):
        aligned = report["aligned"]
        console.print(
            f"after alignment: Dice {aligned['generated']['max']:.3f} at most with a training map (real maps among "
            f"themselves {aligned['real_among_themselves']['max']:.3f}, planted copies at least "
            f"{aligned['planted_copies']['min']:.3f}); {aligned['copies']} above {aligned['copy_threshold']:.3f} "
            "(copies)",
            highlight=False,
        )
    if "repair" in report:
        console.print(
            f"repaired: {report['repair']['share_added']:.1%} of the vessel pixels added, "
            f"{report['repair']['share_removed']:.1%} removed, from {report['repair']['pieces']:.1f} pieces a map",
            highlight=False,
        )
    if "drawn" in report:
        console.print(
            f"refused: {report['drawn']['share_refused']:.1%} of the drawings; {report['drawn']['maps_not_accepted']} "
            "maps stayed outside the limits of the training maps",
            highlight=False,
        )
    if nearest["generated_among_themselves"] is not None:
        console.print(
            f"nearest other generated map: Dice {nearest['generated_among_themselves']['mean']:.3f} on average "
            "(far above that of real maps: the generator repeats itself)",
            highlight=False,
        )
