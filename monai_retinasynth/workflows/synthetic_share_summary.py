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
"""One table of lesion segmentation: a row for each share of synthetic training images, mean and sd over seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..metrics import LESION_RESULTS_STEM, OPERATING_POINTS, read_lesion_results
from ..metrics.result_files import mean_and_sd, print_whole_table
from ..utils.atomic_file import atomic_write
from ..utils.errors import ConfigError, DataError
from .share_stages import share_run_names
from .stage_record import StageRecord

__all__ = ["summarise_synthetic_shares"]

_AT_POINT = ("precision_mean", "recall_mean", "f1_mean", "precision", "recall", "f1")
_CURVE = ("auprc_mean", "auprc")
_HEADINGS = {
    "precision_mean": "mean precision",
    "recall_mean": "mean recall",
    "f1_mean": "mean F1",
    "auprc_mean": "mean AUPRC",
    "precision": "pooled precision",
    "recall": "pooled recall",
    "f1": "pooled F1",
    "auprc": "pooled AUPRC",
}


def summarise_synthetic_shares(
    output_dir: str,
    root: str,
    shares: Sequence[float],
    seeds: Sequence[int],
    target: str | None = None,
    paper: Mapping[str, float] | Sequence[float | None] | None = None,
    point: str = "chosen",
    paper_lesion: str | None = None,
) -> dict[str, Any]:
    """Read the evaluations of `share_stages` below `root`, print a table and write ``summary.json``.

    Args:
        output_dir: folder for the summary.
        root: output folder of the workflow, with ``evaluation_share<per cent>_seed<seed>``.
        shares: shares of synthetic training images, the rows.
        seeds: the seeds of every row.
        target: name of a lesion class; None for all that were evaluated, a table each.
        paper: F1 that a paper gives (mean over images), shown beside the rows: one number (or None)
            a share in their order, or per cent -> number (``{"25": 0.4965}``). Nothing is computed from it.
        paper_lesion: the class whose table gets that column; None for the first.
        point: which threshold the scores are for, a key of `OPERATING_POINTS`: "chosen" or "half".

    Returns:
        the content of ``summary.json``: ``lesions``: class -> a list of rows with ``share``, ``seeds``, ``images``,
        ``images_with_lesion``, ``paper_f1`` (where given) and for each score (``precision_mean``, ``recall_mean``,
        ``f1_mean``, ``auprc_mean``: over images; ``precision``, ``recall``, ``f1``, ``auprc``: pooled pixels) ``mean``,
        ``sd`` (the sample's, None for one seed), ``n`` and ``values`` (one a seed, None where a score does not exist);
        ``point``, ``minutes`` (stage -> minutes).

    Raises:
        ConfigError: when `point`, `shares`, `seeds` or `paper` is not as described.
        DataError: when an evaluation is missing, or has no such class.
    """
    if point not in OPERATING_POINTS:
        raise ConfigError(f"point is {point!r}; choose one of {', '.join(OPERATING_POINTS)}")
    names = share_run_names(shares, seeds)
    beside = _paper_column(paper, shares)
    reports = {
        share: [_read(Path(root, f"evaluation_{name}", f"{LESION_RESULTS_STEM}.json")) for name in runs.values()]
        for share, runs in names.items()
    }
    found = list(reports[shares[0]][0]["classes"])
    lesions = [target] if target else found
    tables: dict[str, list[dict[str, Any]]] = {}
    for lesion in lesions:
        tables[lesion] = []
        for share, of_seeds in reports.items():
            if missing := [r for r in of_seeds if lesion not in r["classes"]]:
                raise DataError(
                    f"the evaluation of share {share:g} has no class {lesion}, it has {list(missing[0]['classes'])}; "
                    "run the workflow again"
                )
            row = {"share": share, "seeds": list(seeds), **_row([r["classes"][lesion] for r in of_seeds], point)}
            row["images"] = of_seeds[0]["images"]
            if lesion == (paper_lesion or lesions[0]) and share in beside:
                row["paper_f1"] = beside[share]
            tables[lesion].append(row)
    summary = {"point": point, "point_is": OPERATING_POINTS[point], "lesions": tables, "minutes": _minutes(root, names)}
    path = Path(output_dir, "summary.json")
    with atomic_write(path) as file:
        file.write((json.dumps(summary, indent=2, allow_nan=False) + "\n").encode())
    console = Console(soft_wrap=True)
    for lesion, rows in tables.items():
        _print(lesion, rows, point, console)
    console.print(f"summary table: {path}", highlight=False, markup=False)
    return summary


def _read(path: Path) -> dict[str, Any]:
    (report,) = read_lesion_results(path).values()
    return report


def _row(scores: Sequence[Mapping[str, Any]], point: str) -> dict[str, Any]:
    at = [score[point] or {} for score in scores]
    return {
        "images_with_lesion": scores[0]["images_with_lesion"],
        **{key: mean_and_sd([values.get(key) for values in at]) for key in _AT_POINT},
        **{key: mean_and_sd([score[key] for score in scores]) for key in _CURVE},
    }


def _paper_column(
    paper: Mapping[str, float] | Sequence[float | None] | None, shares: Sequence[float]
) -> dict[float, float]:
    if paper is None:
        return {}
    if not isinstance(paper, Mapping):
        if len(paper) != len(shares):
            raise ConfigError(f"paper has {len(paper)} numbers for {len(shares)} shares; give one (or null) for each")
        return {share: value for share, value in zip(shares, paper) if value is not None}
    by_percent = {f"{100 * share:g}": share for share in shares}
    # shares that this table leaves out are no error: it comes after all trainings
    return {by_percent[str(key)]: value for key, value in paper.items() if str(key) in by_percent}


def _minutes(root: str, names: Mapping[float, Mapping[int, str]]) -> dict[str, float]:
    minutes = {}
    for name in (name for runs in names.values() for name in runs.values()):
        for stage in (f"segmentation_{name}", f"evaluation_{name}"):
            record = StageRecord(Path(root, stage)).read()
            if record is not None and record["status"] == "finished":
                minutes[stage] = record["minutes"]
    return minutes


def _print(lesion: str, rows: Sequence[Mapping[str, Any]], point: str, console: Console) -> None:
    count = f"{rows[0]['images_with_lesion']} of {rows[0]['images']}"
    table = Table(
        title=escape(f"Segmentation of {lesion} on the test images ({count} have it)"),
        caption=escape(f"Mean ± sd over the seeds, at {OPERATING_POINTS[point]}. AUPRC needs no threshold."),
    )
    table.add_column("synthetic", justify="right", no_wrap=True)
    table.add_column("seeds", justify="right", no_wrap=True)
    for heading in _HEADINGS.values():
        table.add_column(heading, justify="right")
    with_paper = any("paper_f1" in row for row in rows)
    if with_paper:
        table.add_column("mean F1, paper", justify="right")
    for row in rows:
        cells = [_cell(row[key]) for key in _HEADINGS]
        if with_paper:
            cells.append(f"{row['paper_f1']:.4f}" if "paper_f1" in row else "")
        table.add_row(f"{100 * row['share']:g} %", str(len(row["seeds"])), *cells)
    print_whole_table(table, console)


def _cell(score: Mapping[str, Any]) -> str:
    if score["mean"] is None:
        return "n/a"
    return f"{score['mean']:.4f}" + ("" if score["sd"] is None else f" ± {score['sd']:.4f}")
