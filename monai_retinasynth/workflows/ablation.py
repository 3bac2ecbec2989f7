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
"""An ablation: runs of one workflow that differ by a few settings each, every row with one or more seeds."""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from ..utils.errors import ConfigError
from .bundle_folder import find_bundles_dir
from .workflow_run_stage import WorkflowRunStage

__all__ = ["ablation_runs", "ablation_stages", "merge_overrides"]

_ROW_KEYS = ("name", "overrides", "seeds", "title", "files")
_GIVEN_ELSEWHERE = {"seed": "give the seeds as seeds", "output_dir": "every run has a folder of its own"}


def ablation_stages(
    config_files: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    base_overrides: Mapping[str, Any] | None = None,
    seeds: Sequence[int] = (0,),
    merge_keys: Collection[str] | None = None,
    dataset_dir: str | None = None,
    bundles_dir: str | None = None,
) -> list[WorkflowRunStage]:
    """One run of a workflow for each row and seed, named ``<row>_seed<seed>``.

    Args:
        config_files: the workflow's JSON file and its overlays; a name without a folder is looked for in
            ``workflows/configs`` of the bundles.
        rows: dictionaries with ``name`` and, where wanted, ``overrides`` (what differs from the base; dictionaries are
            merged into those of the base, or of the workflow where the base has none, all else replaces), ``seeds``
            (instead of the common ones), ``title`` (for the table) and ``files`` (further overlays of the workflow,
            for what overrides cannot say, such as other networks).
        base_overrides: overrides of every run, as on the command line: a dictionary replaces the workflow's.
        seeds: seeds of the rows that name none.
        merge_keys: the keys whose dictionaries are merged; None for all.
        dataset_dir: data set of every run, where neither the base nor the row names one; None for the workflow's own.
        bundles_dir: folder of the bundles, handed on to every run; None to find it.

    Returns:
        the stages, in the order of rows and their seeds.

    Raises:
        ConfigError: when a row is not as described, two rows share a name, a file does not exist, or an override is
            not a setting of the workflow.
    """
    if not config_files:
        raise ConfigError("the ablation names no workflow; give workflow_files, for example ['two_stage.json']")
    _check_free(base_overrides or {}, "the base")
    bundles = bundles_dir or find_bundles_dir()
    names = ablation_runs(rows, seeds)
    stages = []
    for row in rows:
        files = [_locate(file, bundles) for file in (*config_files, *row.get("files", ()))]
        workflow = ConfigParser.load_config_files(files)
        common = {
            **({"bundles_dir": bundles} if "bundles_dir" in workflow else {}),
            **({"dataset_dir": dataset_dir} if dataset_dir is not None else {}),
            **(base_overrides or {}),
        }
        overrides = merge_overrides(common, row.get("overrides") or {}, merge_keys, workflow)
        _check_known({**overrides, "seed": 0}, workflow, f"row {row['name']}", files[0])
        for seed, name in names[row["name"]].items():
            # a copy each: the parser of a run writes into the dictionaries that it is given
            stages.append(WorkflowRunStage(name, files, copy.deepcopy({**overrides, "seed": seed})))
    return stages


def ablation_runs(rows: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> dict[str, dict[int, str]]:
    """Folder names of the runs of an ablation: row -> seed -> ``<row>_seed<seed>``.

    Raises:
        ConfigError: when there are no rows, or one is not as `ablation_stages` describes it.
    """
    if not rows:
        raise ConfigError("the ablation has no rows; give rows, such as [{'name': 'base'}, {'name': ..., ...}]")
    runs: dict[str, dict[int, str]] = {}
    for number, row in enumerate(rows, start=1):
        name = row.get("name") if isinstance(row, Mapping) else None
        if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name) or name.startswith("."):
            raise ConfigError(
                f"row {number} of the ablation needs a name of letters, digits, '_', '-' and '.', since a folder is "
                f"called by it; got {name!r}"
            )
        if unknown := [key for key in row if key not in _ROW_KEYS]:
            raise ConfigError(f"row {name} has the keys {unknown}; a row has {list(_ROW_KEYS)}")
        if name in runs:
            raise ConfigError(f"two rows are called {name}; every row needs a name of its own")
        own = row["seeds"] if row.get("seeds") is not None else seeds
        if not own or len(set(own)) < len(own) or not all(isinstance(s, int) for s in own):
            raise ConfigError(f"row {name} needs one or more different whole numbers as seeds, got {own}")
        _check_free(row.get("overrides") or {}, f"row {name}")
        runs[name] = {seed: f"{name}_seed{seed}" for seed in own}
    return runs


def merge_overrides(
    base: Mapping[str, Any],
    overrides: Mapping[str, Any],
    merge_keys: Collection[str] | None = None,
    workflow: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Overrides of a row on top of those of the base; neither is changed.

    Dictionaries are merged, at every depth; anything else replaces, also a dictionary with ``_target_``, which is an
    object. Where the base has no dictionary of that key and the workflow has, the entries are given by identifiers
    (``translation::d_norm``), so that the others stay as they are in the workflow.

    Args:
        base: overrides of every run.
        overrides: overrides of the row.
        merge_keys: the keys whose dictionaries are merged; None for all.
        workflow: content of the workflow's files; None to merge with `base` only.

    Returns:
        the merged overrides, sorted by key, so that an identifier comes after the dictionary that it changes.
    """
    merged = dict(base)
    for key, value in overrides.items():
        if merge_keys is not None and key not in merge_keys:
            merged[key] = value
        elif key in base:
            merged[key] = _merged(base[key], value)
        else:
            merged.update(_by_identifier(key, (workflow or {}).get(key), value))
    return dict(sorted(merged.items()))


def _both_dictionaries(old: Any, new: Any) -> bool:
    return isinstance(old, Mapping) and isinstance(new, Mapping) and "_target_" not in new


def _merged(old: Any, new: Any) -> Any:
    if not _both_dictionaries(old, new):
        return new
    return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}


def _by_identifier(identifier: str, old: Any, new: Any) -> dict[str, Any]:
    if not _both_dictionaries(old, new):
        return {identifier: new}
    entries: dict[str, Any] = {}
    for key, value in new.items():
        entries.update(_by_identifier(f"{identifier}::{key}", old.get(key), value))
    return entries


def _locate(file: str, bundles_dir: str) -> str:
    path = Path(file).expanduser()
    if path.parent == Path():
        path = Path(bundles_dir, "workflows", "configs", file)
    if not path.is_file():
        available = sorted(p.name for p in path.parent.glob("*.json"))
        raise ConfigError(f"workflow file {path} does not exist; {path.parent} has {available}")
    return str(path.resolve())


def _check_free(overrides: Mapping[str, Any], who: str) -> None:
    for key, remedy in _GIVEN_ELSEWHERE.items():
        if key in overrides:
            raise ConfigError(f"{who} overrides {key}; {remedy}")


def _check_known(overrides: Mapping[str, Any], workflow: Mapping[str, Any], who: str, file: str) -> None:
    """A misspelt setting would make a row that equals the base, and be read as 'makes no difference'."""
    for identifier in overrides:
        key = identifier.split("::")[0]
        if key not in workflow:
            close = difflib.get_close_matches(key, workflow, n=3)
            hint = f"did you mean {' or '.join(close)}?" if close else f"it has {sorted(workflow)}"
            raise ConfigError(f"{who}: {Path(file).name} has no setting {key}; {hint}")
