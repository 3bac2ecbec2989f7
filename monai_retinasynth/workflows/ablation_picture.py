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
"""The picture of an ablation: every figure as a row of dots, every training curve as a panel with a line a row."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ..utils.atomic_file import atomic_write

__all__ = ["Curve", "read_curves", "running_mean", "write_ablation_picture"]

_BASE_COLOUR = "#000000"
# the base is black, so none of these is grey; after them the same colours come again with dashes
_COLOURS = ("#d62728", "#1f77b4", "#2ca02c", "#ff7f0e", "#9467bd", "#17becf", "#8c564b", "#e377c2", "#bcbd22")
_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))
_STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e5e5",
    "grid.linewidth": 0.6,
    "axes.edgecolor": "#888888",
}
_WIDTH = 12.0  # inches
# from which ratio between the largest and the smallest value on an axis is logarithmic
_LOGARITHMIC_FROM = 50.0


class Curve(NamedTuple):
    """One scalar of a training: iterations and values, both of shape (N,)."""

    steps: np.ndarray
    values: np.ndarray

    @property
    def finite(self) -> bool:
        """Whether the training never met NaN or infinity."""
        return bool(np.isfinite(self.values).all())


def read_curves(run: str | os.PathLike, curves: Mapping[str, str], problems: list[str]) -> dict[str, Curve]:
    """Read scalars of a run from its TensorBoard events.

    Args:
        run: folder of the run.
        curves: title -> folder of events below `run` and tag, ``training/tensorboard::loss/g_loss``.
        problems: gets a line for each curve that is missing.

    Returns:
        title -> curve, without those that are missing. Where a resumed training logged an iteration twice, the later
        entry counts.
    """
    events: dict[str, EventAccumulator] = {}
    found: dict[str, Curve] = {}
    for title, where in curves.items():
        below, _, tag = where.partition("::")
        folder = Path(run, below)
        if not list(folder.glob("events.out.tfevents.*")):
            problems.append(f"{title}: {folder} has no TensorBoard events")
            continue
        if below not in events:
            events[below] = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 1})
            events[below].Reload()
        tags = events[below].Tags()["scalars"]
        if tag not in tags:
            problems.append(f"{title}: the events in {folder} have no tag {tag!r}; they have {sorted(tags)}")
            continue
        values = {event.step: event.value for event in events[below].Scalars(tag)}
        steps = sorted(values)
        found[title] = Curve(np.array(steps), np.array([values[step] for step in steps], dtype=float))
    return found


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """Mean over `window` neighbours (N,) -> (N,); at the ends over those that there are."""
    if not len(values):
        return values
    kernel = np.ones(min(window, len(values)))
    return np.convolve(values, kernel, mode="same") / np.convolve(np.ones(len(values)), kernel, mode="same")


def write_ablation_picture(
    path: str | os.PathLike, summary: Mapping[str, Any], curves: Mapping[str, Mapping[int, Mapping[str, Curve]]]
) -> None:
    """Write the PNG.

    Args:
        path: file to write.
        summary: what `summarise_ablation` returns.
        curves: row -> seed -> title -> curve; empty for a picture of the figures only.
    """
    rows = summary["rows"]
    names = [summary["base"], *(name for name in rows if name != summary["base"])]
    others = [n for n in names if n != summary["base"]]
    styles = {
        name: {"color": _COLOURS[i % len(_COLOURS)], "linestyle": _DASHES[i // len(_COLOURS) % len(_DASHES)]}
        for i, name in enumerate(others)
    }
    styles[summary["base"]] = {"color": _BASE_COLOUR, "linestyle": "-"}
    titles = list(rows[summary["base"]]["figures"])
    panels = list(next(iter(curves.get(summary["base"], {}).values()), {}))
    figure_columns, curve_columns = (
        min(len(titles), 5),
        3 if len(panels) % 2 and len(panels) > 1 else min(2, len(panels)),
    )
    heights = [
        (0.25 * len(names) + 0.9) * math.ceil(len(titles) / figure_columns) if titles else 0,
        2.9 * math.ceil(len(panels) / curve_columns) + 0.2 + 0.2 * math.ceil(len(names) / 4) if panels else 0,
    ]
    with rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, sum(heights) + 0.9), dpi=130, layout="constrained")
        FigureCanvasAgg(figure)
        figure.get_layout_engine().set(w_pad=0.1, h_pad=0.06)
        figure.suptitle(summary["title"], fontsize=13, fontweight="bold")
        kept = [height for height in heights if height]
        parts = iter(np.atleast_1d(figure.subfigures(len(kept), 1, height_ratios=kept)) if kept else [])
        if titles:
            _draw_figures(next(parts), figure_columns, titles, names, rows, styles)
        if panels:
            _draw_curves(next(parts), curve_columns, panels, names, summary, curves, styles)
        figure.supxlabel(_caption(summary, curves, bool(titles)), fontsize=8, color="#444444")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
    with atomic_write(path) as file:
        file.write(buffer.getvalue())


def _draw_figures(
    part: SubFigure,
    columns: int,
    titles: Sequence[str],
    names: Sequence[str],
    rows: Mapping[str, Any],
    styles: Mapping[str, Mapping[str, Any]],
) -> None:
    """Dots: one a seed; the upright line: the mean; the band: the base's mean ± sd."""
    grid = part.subplots(math.ceil(len(titles) / columns), columns, sharey=True, squeeze=False)
    base = rows[names[0]]["figures"]
    for axes, title in zip(grid.flat, titles):
        axes.set_title(title)
        mean, sd = base[title]["mean"], base[title]["sd"]
        if mean is not None and sd is not None:
            axes.axvspan(mean - sd, mean + sd, color="#000000", alpha=0.1, linewidth=0)
        for place, name in enumerate(names):
            result, colour = rows[name]["figures"][title], styles[name]["color"]
            known = [v for v in result["values"] if v is not None]
            axes.plot(known, [place] * len(known), "o", color=colour, markersize=4.5, alpha=0.6, markeredgewidth=0)
            if result["mean"] is not None:
                axes.plot([result["mean"]], [place], "|", color=colour, markersize=13, markeredgewidth=2)
            if len(known) < len(result["values"]):
                text = "diverged" if not known else f"{len(result['values']) - len(known)} diverged"
                # in the middle of the panel's width, whatever its values are
                axes.text(
                    0.5, place, text, transform=axes.get_yaxis_transform(), color=colour, ha="center", va="center"
                )
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.tick_params(axis="y", length=0)
    grid[0, 0].set_yticks(range(len(names)), [rows[name]["title"] for name in names])
    grid[0, 0].set_ylim(len(names) - 0.4, -0.6)
    for axes in grid[:, 0]:
        for label, name in zip(axes.get_yticklabels(), names):
            label.set_color(styles[name]["color"])
    for axes in list(grid.flat)[len(titles) :]:
        axes.set_visible(False)


def _draw_curves(
    part: SubFigure,
    columns: int,
    panels: Sequence[str],
    names: Sequence[str],
    summary: Mapping[str, Any],
    curves: Mapping[str, Mapping[int, Mapping[str, Curve]]],
    styles: Mapping[str, Mapping[str, Any]],
) -> None:
    grid = part.subplots(math.ceil(len(panels) / columns), columns, sharex=True, squeeze=False)
    for axes, title in zip(grid.flat, panels):
        axes.set_title(title)
        axes.margins(x=0.01)
        shown = []
        # the base last, so that no line hides it
        for name in [*names[1:], names[0]]:
            smooth = [_smoothed(run[title], summary["smoothing"]) for run in curves[name].values()]
            if name == names[0] and len(smooth) > 1:
                for steps, values in smooth:
                    axes.plot(steps, values, color="#000000", linewidth=0.7, alpha=0.45)
            steps, values = _mean_curve(smooth)
            axes.plot(steps, values, linewidth=2.0 if name == names[0] else 1.3, **styles[name])
            for run, (run_steps, run_values) in zip(curves[name].values(), smooth):
                if not run[title].finite and len(run_steps):
                    axes.plot(run_steps[-1:], run_values[-1:], "X", color=styles[name]["color"], markersize=8, zorder=5)
            shown.append(values)
        _scale(axes, np.concatenate(shown))
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    part.supxlabel("iteration", fontsize=9)
    handles = []
    for name in names:
        label = summary["rows"][name]["title"] + (" (diverged)" if summary["rows"][name]["diverged_seeds"] else "")
        handles.append(Line2D([], [], label=label, linewidth=2.2 if name == names[0] else 1.6, **styles[name]))
    part.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 4), frameon=False, fontsize=9)


def _smoothed(curve: Curve, window: int) -> tuple[np.ndarray, np.ndarray]:
    """The running mean up to the first value that is no number."""
    end = len(curve.values) if curve.finite else int(np.argmin(np.isfinite(curve.values)))
    return curve.steps[:end], running_mean(curve.values[:end], window)


def _mean_curve(curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the seeds at the iterations that all of them have."""
    common = curves[0][0]
    for steps, _ in curves[1:]:
        common = np.intersect1d(common, steps)
    if not len(common):
        return common, np.zeros(0)
    return common, np.mean([values[np.isin(steps, common)] for steps, values in curves], axis=0)


def _scale(axes: Axes, values: np.ndarray) -> None:
    if len(values) and values.min() > 0 and values.max() / values.min() > _LOGARITHMIC_FROM:
        axes.set_yscale("log")


def _caption(
    summary: Mapping[str, Any], curves: Mapping[str, Mapping[int, Mapping[str, Curve]]], with_figures: bool
) -> str:
    base = summary["rows"][summary["base"]]
    several = len(base["seeds"]) > 1
    parts = []
    if with_figures:
        parts.append(
            "Figures: dots are seeds, upright lines their mean"
            + (f"; the grey band is {base['title']} ± sd over {len(base['seeds'])} seeds." if several else ".")
        )
    first = next((c for seeds in curves.values() for run in seeds.values() for c in run.values()), None)
    if first is not None:
        spacing = int(np.median(np.diff(first.steps))) if len(first.steps) > 1 else 1
        window = summary["smoothing"]
        smoothing = f"running mean over {window} entries ({window * spacing} iterations)" if window > 1 else "as logged"
        thin = f"; thin lines are the seeds of {base['title']}" if several else ""
        diverged = any(row["diverged_seeds"] for row in summary["rows"].values())
        parts.append(f"Curves: {smoothing}{thin}{'; a cross: NaN from here on' if diverged else ''}.")
    return "\n".join(parts)
