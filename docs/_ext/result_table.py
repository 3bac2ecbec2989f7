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
"""The directive ``result-table``: a table read from a JSON file at build time, so that no figure is copied by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.application import Sphinx

__all__ = ["ResultTable", "format_figure", "setup"]


def format_figure(value: Any) -> str:
    """One figure as text: numbers with four significant digits, ``{"mean": m, "sd": s}`` as "m ± s"."""
    if isinstance(value, dict) and "mean" in value:
        return " ± ".join(format_figure(value[k]) for k in ("mean", "sd") if value.get(k) is not None)
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


class ResultTable(Directive):
    """Rows are the entries below ``:path:`` (keys joined by "/"), columns the keys of their values.

    With ``:inner:``, the values are taken from below that key. With ``:pairs:``, the table has two columns, nested keys
    and their values. With ``:nested:``, a row is whatever holds figures, however deep, called by all keys above it.
    ``:omit:`` names keys to leave out, ``:columns:`` the columns and their order. Where the file does not exist, the
    page says so instead.
    """

    required_arguments = 1
    final_argument_whitespace = False
    option_spec = {
        "path": directives.unchanged_required,
        "inner": directives.unchanged_required,
        "heading": directives.unchanged_required,
        "pairs": directives.flag,
        "nested": directives.flag,
        "columns": directives.unchanged_required,
        "omit": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        environment = self.state.document.settings.env
        relative, absolute = environment.relfn2path(self.arguments[0])
        environment.note_dependency(relative)
        if not Path(absolute).is_file():
            return [nodes.note("", nodes.paragraph(text=f"{relative} is not there: no figures are stored."))]
        data: Any = json.loads(Path(absolute).read_text(encoding="utf-8"))
        try:
            for key in filter(None, self.options.get("path", "").split("/")):
                data = data[key]
            data = {k: v for k, v in data.items() if k not in self.options.get("omit", "").split()}
            if "pairs" in self.options:
                rows = self._pairs(data)
            elif "nested" in self.options:
                rows = self._nested(data)
            else:
                rows = {k: self._row(v) for k, v in data.items()}
        except (KeyError, TypeError, AttributeError) as error:
            raise self.error(f"result-table: {relative} has no entries at {self.options}: {error!r}") from error
        columns = list(dict.fromkeys(key for row in rows.values() for key in row))
        if chosen := self.options.get("columns", "").split():
            if unknown := [name for name in chosen if name not in columns]:
                raise self.error(f"result-table: {relative} has no columns {unknown}, only {columns}")
            columns = chosen
        table = [[self.options.get("heading", ""), *columns]]
        table += [[name, *(format_figure(row.get(c)) for c in columns)] for name, row in rows.items()]
        return [self._table(table)]

    def _row(self, value: Any) -> dict[str, Any]:
        if inner := self.options.get("inner"):
            value = value[inner]
        return self._figures(value)

    def _pairs(self, value: Any, name: str = "") -> dict[str, dict[str, Any]]:
        if not isinstance(value, dict) or "mean" in value:
            return {name: {"value": value}}
        rows: dict[str, dict[str, Any]] = {}
        for key, item in value.items():
            rows.update(self._pairs(item, f"{name} / {key}" if name else key))
        return rows

    def _nested(self, value: Any, name: str = "") -> dict[str, dict[str, Any]]:
        figures = self._figures(value)
        if figures or not value:
            return {name: figures} if figures else {}
        rows: dict[str, dict[str, Any]] = {}
        for key, item in value.items():
            rows.update(self._nested(item, f"{name} / {key}" if name else key))
        return rows

    @staticmethod
    def _figures(value: Any) -> dict[str, Any]:
        return {k: v for k, v in value.items() if not isinstance(v, dict) or "mean" in v}

    @staticmethod
    def _table(cells: list[list[str]]) -> nodes.table:
        group = nodes.tgroup(cols=len(cells[0]))
        group += [nodes.colspec(colwidth=20) for _ in cells[0]]
        rows = [nodes.row("", *(nodes.entry("", nodes.paragraph(text=c)) for c in row)) for row in cells]
        group += nodes.thead("", rows[0])
        group += nodes.tbody("", *rows[1:])
        return nodes.table("", group)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive with Sphinx."""
    app.add_directive("result-table", ResultTable)
    return {"parallel_read_safe": True}
