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
"""Collapse of a label map generator: variety, copies, and the amounts of lesions by grade, beside the real maps."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

from ..data import load_cases, load_label_maps
from ..metrics import collapse_figures
from ..metrics.lesion_statistics import lesion_statistics
from ..utils.atomic_file import atomic_write
from ..utils.errors import ConfigError, DataError
from ..utils.image_io import to_picture
from ..utils.label_set import LESION_CLASSES, LabelSet, get_label_set

__all__ = ["measure_collapse"]

_BACKGROUND = ("outside", "retina")
_SETS = ("generated", "real")


def measure_collapse(
    output_dir: str,
    generated_dir: str,
    real_dir: str,
    layout: str = "auto",
    label_set: str = "fundus_lesion",
    resolution: int = 128,
    num_samples: int | None = None,
    val_count: int = 2,
    split: str | None = None,
    num_cases: int | None = None,
    tolerance: float = 1 / 64,
    augment: bool = True,
    quantile: float = 0.05,
    near_duplicate_distance: float | None = None,
) -> dict[str, Any]:
    """Compare generated label maps with each other and with the real training maps, and write ``collapse.json``.

    The measures are those of `collapse_figures`, over all classes but outside and retina. Lesions are counted by
    `lesion_statistics` at the size of the files, so write both sets at the same size; a label set without lesions has
    none of their figures.

    Args:
        output_dir: folder for ``collapse.json``.
        generated_dir: data set of generated label maps.
        real_dir: real data set; its training section is compared with.
        layout: layout of `real_dir`, see `load_cases`.
        label_set: name of the label set.
        resolution: edge of the square on which maps are compared, in pixels.
        num_samples: measure the first so many generated maps; None for all. Neighbours get nearer as a set grows, so
            runs that are compared need the same number.
        val_count: number of training cases held out for validation, see `load_cases`.
        split: named split of CHASE_DB1, see `load_cases`.
        num_cases: compare with the first so many real maps, those that the generator was trained on.
        tolerance: see `label_map_dice`.
        augment: see `collapse_figures`.
        quantile: see `collapse_figures`.
        near_duplicate_distance: see `collapse_figures`.

    Returns:
        the content of ``collapse.json``: that of `collapse_figures`, ``label_set``, ``structures`` (the names of the
        classes compared), ``maps_without_structures`` (of each set), ``lesions``: set -> class -> ``count`` and
        ``area_share`` (of the field of view), means over the maps; ``lesion_count_log2_error``: by how many doublings
        the mean counts (plus one) differ from the real ones, the mean over lesion classes and the grades that both sets
        have (over all maps where there are no grades; None without lesion classes); ``by_grade``: grade -> set ->
        ``maps`` and ``lesions``, and ``grade_correlation``: set -> Spearman's rank correlation of the grade with the
        number of lesions. The last two are None where a set has no grades, a correlation also where all are equal.

    Raises:
        DataError: when a set has fewer than two label maps, or `load_cases` finds none.
        ConfigError: when a number is out of range, or the label set has no structures.
    """
    labels = get_label_set(label_set)
    structures = [i for i, name in enumerate(labels.class_names) if name not in _BACKGROUND]
    if not structures:
        raise ConfigError(
            f"label set {labels.name!r} has no classes but {list(labels.class_names)}: nothing to compare"
        )
    sources = {
        "generated": (generated_dir, "all", {"num_cases": num_samples}),
        "real": (
            real_dir,
            "training",
            {"layout": layout, "num_cases": num_cases, "val_count": val_count, "split": split},
        ),
    }
    maps: dict[str, list[np.ndarray]] = {}
    grades: dict[str, list[int] | None] = {}
    for name, (folder, section, options) in sources.items():
        loaded = load_label_maps(folder, section, label_set=label_set, **options)
        maps[name] = [to_picture(item)[..., 0] for item in loaded]
        cases = load_cases(folder, section, **options)
        grades[name] = [int(case["grade"]) for case in cases] if "grade" in cases[0] else None
        if len(loaded) < 2:
            raise DataError(f"{folder} has {len(loaded)} label map in section {section!r}; collapse needs two at least")
    try:
        report = collapse_figures(
            maps["generated"],
            maps["real"],
            structures,
            size=resolution,
            tolerance=tolerance,
            augment=augment,
            quantile=quantile,
            near_duplicate_distance=near_duplicate_distance,
        )
    except ValueError as error:
        raise ConfigError(f"collapse cannot be measured with these settings: {error}") from error
    report.update(
        label_set=labels.name,
        structures=[labels.class_names[i] for i in structures],
        maps_without_structures={
            name: sum(not np.isin(item, structures).any() for item in items) for name, items in maps.items()
        },
    )
    report.update(_lesion_report({name: [_lesions(m, labels) for m in items] for name, items in maps.items()}, grades))
    with atomic_write(Path(output_dir, "collapse.json")) as file:
        file.write((json.dumps(report, indent=2, allow_nan=False) + "\n").encode())
    _print(report, Console())
    return report


def _lesions(label_map: np.ndarray, labels: LabelSet) -> dict[str, tuple[float, float]]:
    """Lesion class -> number of lesions and share of the field of view; empty for a label set without lesions."""
    if not set(LESION_CLASSES) <= set(labels.class_names):
        return {}
    if not (label_map != labels.index("outside")).any():  # a generator can draw no eye at all
        return dict.fromkeys(LESION_CLASSES, (0.0, 0.0))
    found = lesion_statistics(label_map, labels)
    return {name: (found[f"{name}_count"], found[f"{name}_share"]) for name in LESION_CLASSES}


def _lesion_report(
    found: Mapping[str, Sequence[Mapping[str, tuple[float, float]]]], grades: Mapping[str, Sequence[int] | None]
) -> dict[str, Any]:
    overall = {name: _means(items) for name, items in found.items()}
    if any(g is None for g in grades.values()):
        return {
            "lesions": overall,
            "lesion_count_log2_error": _log2_error([overall]),
            "by_grade": None,
            "grade_correlation": None,
        }
    by_grade: dict[str, Any] = {}
    for grade in sorted({g for one in grades.values() for g in one}):  # type: ignore[union-attr]
        entry: dict[str, Any] = {}
        for name in _SETS:
            own = [item for item, g in zip(found[name], grades[name]) if g == grade]  # type: ignore[arg-type]
            entry[name] = {"maps": len(own), "lesions": _means(own) if own else None}
        by_grade[str(grade)] = entry
    in_both = [{name: entry[name]["lesions"] for name in _SETS} for entry in by_grade.values()]
    return {
        "lesions": overall,
        "lesion_count_log2_error": _log2_error([pair for pair in in_both if None not in pair.values()]),
        "by_grade": by_grade,
        "grade_correlation": {
            name: _correlation(grades[name], [sum(count for count, _ in item.values()) for item in found[name]])
            for name in _SETS
        },
    }


def _means(items: Sequence[Mapping[str, tuple[float, float]]]) -> dict[str, dict[str, float]]:
    return {
        name: {
            key: float(np.mean([item[name][place] for item in items]))
            for place, key in enumerate(("count", "area_share"))
        }
        for name in items[0]
    }


def _log2_error(pairs: Sequence[Mapping[str, Mapping[str, Mapping[str, float]]]]) -> float | None:
    errors = [
        abs(math.log2((pair["generated"][name]["count"] + 1.0) / (pair["real"][name]["count"] + 1.0)))
        for pair in pairs
        for name in pair["real"]
    ]
    return float(np.mean(errors)) if errors else None


def _correlation(grades: Sequence[int] | None, counts: Sequence[float]) -> float | None:
    if len(set(grades or ())) < 2 or len(set(counts)) < 2:
        return None
    return float(stats.spearmanr(grades, counts).statistic)


def _print(report: Mapping[str, Any], console: Console) -> None:
    table = Table(title=f"Collapse of label maps, compared at {report['size']} px")
    for column in ("measure", "generated", "real among themselves"):
        table.add_column(column, justify="left" if column == "measure" else "right")
    for key, title in (
        ("maps", "label maps"),
        ("pairwise_distance_mean", "mean pairwise distance"),
        ("nearest_distance_mean", "distance to the nearest other map, mean"),
        ("near_duplicate_share", f"near-duplicates (closer than {report['near_duplicate_distance']:.3f})"),
        ("training_dice_mean", "Dice with the nearest training map, mean"),
        ("training_dice_max", "Dice with the nearest training map, largest"),
        ("copy_share", f"copies (Dice above {report['copy_dice']:.3f})"),
    ):
        table.add_row(title, *(_shown(report[name][key], key) for name in _SETS))
    if report["grade_correlation"] is not None:
        row = (report["grade_correlation"][name] for name in _SETS)
        table.add_row("rank correlation of grade and number of lesions", *(_shown(v, "") for v in row))
    console.print(table)

    names = list(report["lesions"]["real"])
    if not names:
        return
    overall = {name: {"maps": report[name]["maps"], "lesions": report["lesions"][name]} for name in _SETS}
    rows = {**(report["by_grade"] or {}), "all": overall}
    for key, title in (("count", "Mean number of lesions"), ("area_share", "Share of the field of view in %")):
        amounts = Table(title=f"{title}, generated / real")
        for column in ("grade", "maps", *(name.replace("_", " ") for name in names)):
            amounts.add_column(column, justify="left" if column == "grade" else "right", min_width=len(column))
        for grade, entry in rows.items():
            amounts.add_row(
                grade,
                " / ".join(str(entry[name]["maps"]) for name in _SETS),
                *(" / ".join(_amount(entry[side]["lesions"], name, key) for side in _SETS) for name in names),
            )
        console.print(amounts)
    if report["by_grade"] is None:
        console.print("not split by grade: some label maps of one of the sets have none", style="yellow")


def _shown(value: float | None, key: str) -> str:
    if value is None:
        return "-"
    if key == "maps":
        return str(value)
    return f"{value:.0%}" if key.endswith("share") else f"{value:.3f}"


def _amount(lesions: Mapping[str, Mapping[str, float]] | None, name: str, key: str) -> str:
    if lesions is None:
        return "-"
    value = lesions[name][key]
    return f"{100 * value:.2f}" if key == "area_share" else f"{value:.0f}" if value >= 100 else f"{value:.1f}"
