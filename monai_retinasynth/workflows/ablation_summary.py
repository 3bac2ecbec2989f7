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
"""The result of an ablation: figures averaged over seeds in one table, figures and curves in one picture."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from scipy import stats

from ..metrics.result_files import mean_and_sd
from ..utils.atomic_file import atomic_write
from ..utils.errors import ConfigError
from .ablation import ablation_runs
from .ablation_picture import Curve, read_curves, write_ablation_picture
from .ablation_table import ablation_markdown, print_ablation
from .stage_record import StageRecord, changed_settings
from .workflow_run_stage import DIVERGED_NAME

__all__ = ["summarise_ablation"]

# below three seeds a standard deviation is no measure to compare with
_SEEDS_FOR_SD = 3


def summarise_ablation(
    root: str,
    rows: Sequence[Mapping[str, Any]],
    seeds: Sequence[int],
    figures: Mapping[str, str],
    curves: Mapping[str, str] | None,
    output_dir: str,
    base: str | None = None,
    title: str = "Ablation",
    smoothing: int = 5,
    noted: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Gather the runs of `ablation_stages`, print a table, and write ``ablation.json``, ``.md`` and ``.png``.

    Args:
        root: folder with one folder a run, ``<row>_seed<seed>``.
        rows: see `ablation_stages`.
        seeds: see `ablation_stages`.
        figures: title -> file in the run's folder and place in it, ``summary/summary.json::scores::0::f1``.
        curves: title -> folder of TensorBoard events in the run's folder and tag,
            ``training/tensorboard::loss/g_loss``. None or empty for figures only.
        output_dir: folder for the three files.
        base: name of the row that the others are compared with; None for the first.
        title: title of table and picture.
        smoothing: entries in the running mean of the curves; 1 for none.
        noted: what else ``ablation.json`` is to say, such as the workflow's files and the overrides of the base.

    Returns:
        the content of ``ablation.json``. ``chance_in_base_sd``: how far, in units of the base's sd, a single run with
        the settings of the base is from its mean in 95 % of cases, by the seed alone (Student's t). Below ``rows`` ->
        row: ``overrides``, ``seeds``, ``figures`` (title -> ``mean``, ``sd`` over seeds, ``n``, ``values``; a run with
        NaN there counts as diverged and has None), ``differences`` (title -> ``absolute`` and ``in_base_sd``, None
        with fewer than three base seeds), ``minutes`` of all stages of a run, ``diverged_seeds``, and ``changes``: the
        settings that differ from the base's in the records of the stages.

    Raises:
        ConfigError: when runs, figures or curves are missing (all are named), or `base` is no row.
    """
    folders = {row: {s: Path(root, f) for s, f in runs.items()} for row, runs in ablation_runs(rows, seeds).items()}
    base = base or next(iter(folders))
    if base not in folders:
        raise ConfigError(f"base names {base}, which is no row of the ablation; the rows are {list(folders)}")
    console = Console(soft_wrap=True)
    values, drawn = _read(folders, figures, curves or {})
    summary: dict[str, Any] = {"title": title, **(noted or {}), "base": base, "smoothing": smoothing}
    summary.update(chance_in_base_sd=_chance(len(folders[base])), rows={})
    for row in rows:
        name = row["name"]
        runs = folders[name]
        # a network of NaN can draw pictures, and so have figures: the curves tell as well. A single figure without a
        # value may be undefined for this run
        diverged = [
            seed
            for i, seed in enumerate(runs)
            if all(v[i] is None for v in values[name].values())
            or any(not curve.finite for curve in drawn[name][seed].values())
        ]
        summary["rows"][name] = {
            "title": row.get("title") or name.replace("_", " "),
            "overrides": row.get("overrides") or {},
            "seeds": list(runs),
            "figures": {key: mean_and_sd(v) for key, v in values[name].items()},
            "minutes": mean_and_sd([_minutes(folder) for folder in runs.values()]),
            "diverged_seeds": diverged,
        }
    for name, entry in summary["rows"].items():
        entry["differences"] = {
            key: _difference(figure, summary["rows"][base]["figures"][key]) for key, figure in entry["figures"].items()
        }
        entry["changes"] = {} if name == base else _changes(folders[base], folders[name], name, console)
    _write(Path(output_dir, "ablation.json"), json.dumps(summary, indent=2, allow_nan=False) + "\n")
    _write(Path(output_dir, "ablation.md"), ablation_markdown(summary))
    picture = Path(output_dir, "ablation.png")
    write_ablation_picture(picture, summary, drawn)
    print_ablation(summary, console)
    for line in (f"table:   {Path(output_dir, 'ablation.md')}", f"picture: {picture}"):
        console.print(line, highlight=False, markup=False)
    return summary


def _read(
    folders: Mapping[str, Mapping[int, Path]], figures: Mapping[str, str], curves: Mapping[str, str]
) -> tuple[dict[str, dict[str, list[float | None]]], dict[str, dict[int, dict[str, Curve]]]]:
    """Figures (row -> title -> one a seed) and curves (row -> seed -> title) of all runs."""
    every = [folder for runs in folders.values() for folder in runs.values()]
    problems = [f"run {folder} does not exist" for folder in every if not folder.is_dir()]
    if not problems:
        values = {
            row: {
                title: [_figure(f, where, title, problems) for f in runs.values()] for title, where in figures.items()
            }
            for row, runs in folders.items()
        }
        drawn = {
            row: {seed: _curves(folder, curves, problems) for seed, folder in runs.items()}
            for row, runs in folders.items()
        }
    if problems:
        raise ConfigError(
            f"the ablation lacks {len(problems)} of its results:\n  " + "\n  ".join(problems) + "\n"
            "run the workflow again to finish its runs, or correct the places given as figures and curves"
        )
    return values, drawn


def _curves(folder: Path, curves: Mapping[str, str], problems: list[str]) -> dict[str, Curve]:
    diverged = (folder / DIVERGED_NAME).is_file()
    drawn = read_curves(folder, curves, [] if diverged else problems)
    # a run can diverge before anything is logged
    nothing = Curve(np.zeros(1), np.full(1, np.nan))
    return {title: drawn.get(title, nothing) for title in curves} if diverged else drawn


def _figure(folder: Path, where: str, title: str, problems: list[str]) -> float | None:
    """One figure of a run, None for NaN or infinity; what is missing is added to `problems`."""
    file, *keys = where.split("::")
    path = folder / file
    if (folder / DIVERGED_NAME).is_file():
        return None
    if not path.is_file():
        problems.append(f"{title}: {path} does not exist")
        return None
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        for key in keys:
            found = found[int(key)] if isinstance(found, list) else found[key]
        # JSON has no NaN, so writers that keep to it put null
        number = math.nan if found is None else float(found)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        problems.append(f"{title}: {path} has no number at {'::'.join(keys) or 'its top'} ({error!r})")
        return None
    return number if math.isfinite(number) else None


def _difference(figure: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, float | None]:
    if figure["mean"] is None or base["mean"] is None:
        return {"absolute": None, "in_base_sd": None}
    absolute = figure["mean"] - base["mean"]
    known = base["n"] >= _SEEDS_FOR_SD and base["sd"]
    return {"absolute": absolute, "in_base_sd": absolute / base["sd"] if known else None}


def _chance(seeds: int) -> float | None:
    """Half the width of the 95 % prediction interval for one more run, in units of the sd over `seeds` runs."""
    return float(stats.t.ppf(0.975, seeds - 1)) * math.sqrt(1 + 1 / seeds) if seeds >= _SEEDS_FOR_SD else None


def _records(folder: Path) -> dict[str, dict[str, Any]]:
    """Records of the stages of a run by name, without those that a later run replaced."""
    paths = (p for p in sorted(folder.glob("*/stage.json")) if ".replaced-" not in p.parent.name)
    return {p.parent.name: record for p in paths if (record := StageRecord(p.parent).read()) is not None}


def _minutes(folder: Path) -> float | None:
    minutes = [float(record["minutes"]) for record in _records(folder).values() if "minutes" in record]
    return sum(minutes) if minutes else None


def _settings(folder: Path) -> dict[str, dict[str, Any]]:
    """Settings of every stage of a run, comparable with those of another folder."""
    own = (str(folder), str(folder.resolve()))

    def placeless(value: Any) -> Any:
        for text in own if isinstance(value, str) else ():
            value = value.replace(text, "<run>")
        return value

    return {
        stage: {key: placeless(v) for key, v in record["settings"].items() if not key.startswith("stage ")}
        for stage, record in _records(folder).items()
    }


def _changes(base: Mapping[int, Path], runs: Mapping[int, Path], name: str, console: Console) -> dict[str, list[str]]:
    """What differs from the base with the same seed, by stages: ``{"d_norm: batch -> none": ["training"]}``."""
    seed = next((s for s in runs if s in base), None)
    if seed is None:
        return {}
    before, after = _settings(base[seed]), _settings(runs[seed])
    if not before or not after:
        return {}
    changes: dict[str, list[str]] = {}
    for stage in sorted(set(before) & set(after)):
        for line in changed_settings(before[stage], after[stage]):
            changes.setdefault(line, []).append(stage)
        known, used = ({key.split("::")[0] for key in side[stage]} for side in (before, after))
        for key in sorted(used - known):
            console.print(
                f"row {name} sets {key}, which {stage} of the base does not have; is it misspelt?", style="yellow"
            )
    if not changes:
        console.print(f"row {name} has the settings of the base: its overrides change nothing", style="yellow")
    return changes


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text.encode())
