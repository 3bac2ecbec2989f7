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
"""The answer of the multi-stage workflow: figures of all ways to generate, mean and sd over seeds, and their cost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..metrics import ORGAN_GROUPS, ORGAN_RESULTS_STEM, read_organ_results, read_segmentation_results
from ..metrics.result_files import mean_and_sd, print_whole_table
from ..utils.atomic_file import atomic_write
from ..utils.errors import DataError
from .compare_ways import compare_ways
from .multi_stage import multi_stage_runs, multi_stage_tag
from .stage_record import StageRecord

__all__ = ["summarise_multi_stage"]

_VESSELS = ("f1", "auc", "accuracy", "sensitivity", "specificity", "f1_per_image_mean", "cldice")
_TITLES = {
    "real": "REAL",
    "real_same_steps": "REAL, same steps",
    "synth": "SYNTH",
    "synth_then_real": "SYNTH then REAL",
}


def summarise_multi_stage(
    output_dir: str,
    root: str,
    fractions: Sequence[float],
    seeds: Sequence[int],
    ways: Sequence[str] = ("single", "two", "three"),
    networks: Sequence[str] = ("unet",),
    generator_seeds: Sequence[int] | None = None,
    budget: Mapping[str, Any] | None = None,
    title: str | None = None,
    allow_missing: bool = False,
) -> dict[str, Any]:
    """Read the evaluations of `multi_stage_stages` below `root`, print tables and write ``summary.json``.

    Figures of organs: ``jaccard_<organ>`` and ``dice_<organ>`` for each organ and group of organs (means over images),
    ``jaccard`` and ``dice`` (means over organs), ``accuracy`` of pixels. Figures of vessels: those inside the field of
    view, and ``whole_f1`` and ``whole_auc`` of all pixels.

    Args:
        output_dir: folder for the summary.
        root: output folder of the workflow, with ``evaluation_<network>_<run>_<per cent>pct_seed<seed>``.
        fractions: shares of the real training data.
        seeds: seeds of the segmentation networks.
        ways: ways to generate, see `multi_stage_runs`.
        networks: segmentation networks.
        generator_seeds: seeds of the generators; None for `seeds`.
        budget: what was equal in all ways, in plain values; stored as it is.
        title: title of the tables.
        allow_missing: leave out what a run that is not finished has not made yet, instead of an error.

    Returns:
        the content of ``summary.json``: ``fractions``: fraction ("1.0") -> network -> run -> figure -> ``mean``, ``sd``
        (the sample's, None for one seed), ``n`` and ``values`` (one a seed); ``answer``: fraction -> network -> what
        `compare_ways` says of the main figure (``f1`` or ``jaccard``); ``minutes``: fraction -> way -> the same of all
        stages of generation together, a value for each generator seed; ``cost``: content of ``cost/cost.json``, None
        without; ``budget``, ``seeds``, ``generator_seeds``, ``missing`` (names of the stages that were left out).

    Raises:
        DataError: when an evaluation or a stage of generation is missing, or no evaluation is there at all.
    """
    missing: list[str] = []
    generator_seeds = list(seeds if generator_seeds is None else generator_seeds)
    figures: dict[str, Any] = {}
    minutes: dict[str, Any] = {}
    for fraction in fractions:
        figures[str(float(fraction))] = {
            network: _runs(Path(root), network, multi_stage_runs(ways), fraction, seeds, missing)
            for network in networks
        }
        minutes[str(float(fraction))] = {
            way: mean_and_sd([_minutes(Path(root), way, fraction, seed, missing) for seed in generator_seeds])
            for way in ways
        }
    found = [runs for of_networks in figures.values() for runs in of_networks.values() if runs]
    if missing and not (allow_missing and found):
        raise DataError(
            f"{Path(root, missing[0])} has no result ({len(missing)} such stages in all); run the workflow again, it "
            "goes on where it stopped"
            + ("" if allow_missing else ", or set allow_missing for a table of what is there")
        )
    main = "jaccard" if "jaccard" in next(iter(found[0].values())) else "f1"
    cost = Path(root, "cost", "cost.json")
    summary = {
        "fractions": figures,
        "answer": {
            fraction: {network: compare_ways(runs, ways, main) for network, runs in of_networks.items()}
            for fraction, of_networks in figures.items()
        },
        "minutes": minutes,
        "cost": json.loads(cost.read_text(encoding="utf-8")) if cost.is_file() else None,
        "budget": None if budget is None else dict(budget),
        "seeds": list(seeds),
        "generator_seeds": generator_seeds,
        "missing": missing,
    }
    path = Path(output_dir, "summary.json")
    with atomic_write(path) as file:
        file.write((json.dumps(summary, indent=2, allow_nan=False) + "\n").encode())
    console = Console(soft_wrap=True)
    for network in networks:
        _print(summary, network, title or "Segmentation of the real test images", console)
    console.print(f"summary table: {path}", highlight=False, markup=False)
    return summary


def _runs(
    root: Path, network: str, runs: Sequence[str], fraction: float, seeds: Sequence[int], missing: list[str]
) -> dict[str, dict[str, Any]]:
    """Run -> figure -> mean and sd; names of what is not there are added to `missing`."""
    result: dict[str, dict[str, Any]] = {}
    for run in runs:
        folders = [root / f"evaluation_{network}_{run}_{multi_stage_tag(fraction, seed)}" for seed in seeds]
        scores = [_figures(folder) for folder in folders]
        missing += [folder.name for folder, score in zip(folders, scores) if not score]
        if any(scores):
            keys = dict.fromkeys(key for score in scores for key in score)
            result[run] = {key: mean_and_sd([score.get(key) for score in scores]) for key in keys}
    return result


def _figures(folder: Path) -> dict[str, float | None]:
    """The figures of one evaluation, none where there is no evaluation."""
    organs, vessels = folder / f"{ORGAN_RESULTS_STEM}.json", folder / "segmentation.json"
    if organs.is_file():
        (report,) = read_organ_results(organs).values()
        every = {**report["groups"], **report["organs"]}
        return {
            **{f"{key}_{name}": every[name][f"{key}_mean"] for key in ("jaccard", "dice") for name in _in_order(every)},
            "jaccard": report["all_organs"]["jaccard_mean"],
            "dice": report["all_organs"]["dice_mean"],
            "accuracy": report["all_organs"]["accuracy"],
        }
    if vessels.is_file():
        (report,) = read_segmentation_results(vessels).values()
        inside = {key: report["fov"][key] for key in _VESSELS}
        return {**inside, **{f"whole_{key}": report["whole"][key] for key in ("f1", "auc")}}
    return {}


def _in_order(names: Mapping[str, Any]) -> list[str]:
    """Groups and single organs that are in none first: these are the columns of the literature."""
    inside = {organ for group in names for organ in ORGAN_GROUPS.get(group, ())}
    # lungs, heart, clavicles: a group stands where its first organ does
    order = {organ: place for place, organ in enumerate(names)}
    main = sorted(
        (n for n in names if n not in inside), key=lambda n: order.get(ORGAN_GROUPS.get(n, (n,))[0], order[n])
    )
    return [*main, *(name for name in names if name in inside)]


def _minutes(root: Path, way: str, fraction: float, seed: int, missing: list[str]) -> float | None:
    """Minutes of all stages of generation of a way and seed."""
    tag = multi_stage_tag(fraction, seed)
    total = 0.0
    names = sorted(path.name for path in root.glob(f"{way}_*_{tag}") if path.is_dir())
    last = f"{way}_set_{tag}"
    if last not in names:
        names.append(last)
    for name in names:
        record = StageRecord(root / name).read()
        if record is None or record["status"] != "finished":
            missing.append(name)
            return None
        total += record["minutes"]
    return total


def _print(summary: Mapping[str, Any], network: str, title: str, console: Console) -> None:
    tables = {fraction: of_networks[network] for fraction, of_networks in summary["fractions"].items()}
    columns = _columns([figures for runs in tables.values() for figures in runs.values()])
    seeds, generators = _seeds(summary["seeds"]), _seeds(summary["generator_seeds"])
    # a spread without that of the generators is a narrower one
    spread = (
        seeds
        if seeds == generators
        else (f"{seeds} of the segmentation networks; generators and choice of cases: {generators}")
    )
    table = Table(title=escape(f"{title} ({network})"), caption=f"Mean ± sd over {spread}.")
    table.add_column("real data", justify="right", no_wrap=True)
    table.add_column("trained on", no_wrap=True)
    for column in columns:
        table.add_column(column.removesuffix("_mean").replace("_", " "), justify="right", no_wrap=True)
    for fraction, runs in tables.items():
        for run, figures in runs.items():
            table.add_row(f"{100 * float(fraction):g} %", _title(run), *(_cell(figures[c]) for c in columns))
        table.add_section()
    print_whole_table(table, console)
    for fraction, of_networks in summary["answer"].items():
        for answer in of_networks[network].values():
            console.print(f"{100 * float(fraction):g} % of the data, {answer['text']}", highlight=False, markup=False)


def _seeds(seeds: Sequence[int]) -> str:
    return f"{len(seeds)} seed{'s'[: len(seeds) > 1]}"


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The figures that a table shows: of organs the Jaccard indices that the literature gives."""
    if not rows or "jaccard" not in rows[0]:
        return list(_VESSELS)
    names = [key.removeprefix("jaccard_") for key in rows[0] if key.startswith("jaccard_")]
    inside = {organ for group in names for organ in ORGAN_GROUPS.get(group, ())}
    return [*(f"jaccard_{name}" for name in names if name not in inside), "jaccard", "dice", "accuracy"]


def _title(run: str) -> str:
    if run in _TITLES:
        return _TITLES[run]
    way, kind = run.split("_", 1)
    return f"{way}-stage, {_TITLES[kind]}"


def _cell(score: Mapping[str, Any]) -> str:
    if score["mean"] is None:
        return "n/a"
    return f"{score['mean']:.4f}" + ("" if score["sd"] is None else f" ± {score['sd']:.4f}")
