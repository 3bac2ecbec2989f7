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
"""The table of an ablation: on the console and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

__all__ = ["ablation_markdown", "print_ablation"]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _cell(figure: Mapping[str, Any], difference: Mapping[str, Any]) -> tuple[str, str]:
    """Mean and sd, and the difference from the base where it can be told in units of its sd."""
    if figure["mean"] is None:
        return "diverged", ""
    text = _number(figure["mean"]) + (f" ± {figure['sd']:.2g}" if figure["sd"] is not None else "")
    if (lost := len(figure["values"]) - figure["n"]) > 0:
        text += f" ({lost} of {len(figure['values'])} diverged)"
    units = difference["in_base_sd"]
    return text, "" if not units else f"{units:+.1f} sd"


def _lines(summary: Mapping[str, Any]) -> list[tuple[str, str, list[tuple[str, str]], str]]:
    """Title, seeds, cells and minutes of every row."""
    lines = []
    for entry in summary["rows"].values():
        cells = [_cell(figure, entry["differences"][key]) for key, figure in entry["figures"].items()]
        seeds = ", ".join(f"{s} (diverged)" if s in entry["diverged_seeds"] else str(s) for s in entry["seeds"])
        minutes = entry["minutes"]["mean"]
        lines.append((entry["title"], seeds, cells, "-" if minutes is None else f"{minutes:.1f}"))
    return lines


def _caption(summary: Mapping[str, Any]) -> str:
    base = summary["rows"][summary["base"]]
    text = "mean ± sd over the seeds; minutes are those of one run, all its stages."
    if summary["chance_in_base_sd"] is not None:
        name, seeds, chance = base["title"], len(base["seeds"]), summary["chance_in_base_sd"]
        text += (
            f" In units of sd: the difference from {name}, whose sd is over {seeds} seeds; by the seed alone, a single "
            f"run would be within ±{chance:.1f} sd in 95 % of cases."
        )
    return text


def ablation_markdown(summary: Mapping[str, Any]) -> str:
    """The table as a Markdown page, with the settings in which the rows differ from the base, and the picture."""
    headings = ["row", "seeds", *next(iter(summary["rows"].values()))["figures"], "minutes"]
    lines = [f"# {summary['title']}", "", f"| {' | '.join(headings)} |", "| --- " * len(headings) + "|"]
    for title, seeds, cells, minutes in _lines(summary):
        texts = [f"{text} ({units})" if units else text for text, units in cells]
        lines.append(f"| {' | '.join([title, seeds, *texts, minutes])} |")
    lines += ["", _caption(summary), "", "Settings that differ from the base:", ""]
    for entry in summary["rows"].values():
        for change, stages in entry["changes"].items():
            lines.append(f"- {entry['title']}: `{change}` ({', '.join(stages)})")
    return "\n".join([*lines, "", "![figures and curves](ablation.png)", ""])


def print_ablation(summary: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the table; below each figure its difference from the base."""
    console = console or Console()
    table = Table(title=escape(summary["title"]), caption=escape(_caption(summary)))
    for heading in ("row", "seeds", *next(iter(summary["rows"].values()))["figures"], "minutes"):
        table.add_column(escape(heading), justify="left" if heading in ("row", "seeds") else "right", no_wrap=True)
    for title, seeds, cells, minutes in _lines(summary):
        shown = (f"{text}\n[dim]{units}[/]" if units else text for text, units in cells)
        table.add_row(escape(title), seeds, *shown, minutes)
    # a narrow window, or no terminal at all, must not cut numbers: the table takes the width it needs
    width = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    Console(file=console.file, width=max(width, console.width), force_terminal=console.is_terminal).print(table)
