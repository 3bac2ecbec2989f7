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
"""What each way to generate costs: parameters, operations, peak memory and time of all its trainings."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..utils.atomic_file import atomic_write
from ..utils.errors import ConfigError
from .stage import BundleStage, WorkflowStage

__all__ = ["generation_trainings", "measure_generation_cost"]

_WORKER = "monai_retinasynth.workflows.training_cost"
_ENTRY = {"name", "config_files", "overrides"}
FLOPS_TEXT = (
    "operations of convolutions and matrix products as torch counts them, a multiplication and an addition are two"
)


def generation_trainings(
    stages: Sequence[WorkflowStage], ways: Sequence[str], tag: str
) -> dict[str, list[dict[str, Any]]]:
    """The trainings among the stages of a comparison, in the form that `measure_generation_cost` takes.

    Args:
        stages: stages of `multi_stage_stages`.
        ways: names of the ways.
        tag: end of the names of the stages to take, see `multi_stage_tag`.

    Returns:
        way -> trainings of its generators: ``name``, ``config_files``, ``overrides``.

    Raises:
        ConfigError: when a way has no such stage.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for way in ways:
        found[way] = [
            {
                "name": stage.name.removesuffix(f"_{tag}"),
                "config_files": list(stage.config_files),
                "overrides": copy.deepcopy(stage.overrides),
            }
            for stage in stages
            if isinstance(stage, BundleStage)
            and stage.name.startswith(f"{way}_")
            and stage.name.endswith(f"training_{tag}")
        ]
        if not found[way]:
            raise ConfigError(f"no stage {way}_..._training_{tag} among {[stage.name for stage in stages]}")
    return found


def measure_generation_cost(
    output_dir: str | os.PathLike, ways: Mapping[str, Sequence[Mapping[str, Any]]], iterations: int = 4
) -> dict[str, Any]:
    """Measure every training of every way in a process of its own, and write ``cost.json``.

    Args:
        output_dir: folder for ``cost.json``.
        ways: way -> its trainings, each ``{"name": ..., "config_files": [...], "overrides": {...}}``; the data set that
            each names must be there. See `generation_trainings`.
        iterations: iterations of each training, the first of which is not timed; 2 or more.

    Returns:
        the content of ``cost.json``: ``ways``: way -> ``parameters`` of its generators, ``trained_parameters`` (with
        the discriminators), ``flops_per_case`` (forwards of all generators for one case), ``peak_memory_gib`` (the
        largest of its trainings), ``seconds_per_image`` and ``training_flops_per_image`` (training -> number), and
        ``stages``: training -> all figures of `measure_training_cost`; ``machine``: ``cpus``, ``threads``, ``torch``,
        ``device``; ``flops``: what is counted.

    Raises:
        ConfigError: when the arguments are not as described, or a training cannot be measured.
    """
    if iterations < 2:
        raise ConfigError(f"iterations is {iterations}; it takes 2 or more, as the first is not timed")
    _check(ways)
    measured = {
        way: {entry["name"]: _measure_apart(entry, iterations) for entry in entries} for way, entries in ways.items()
    }
    every = [figures for stages in measured.values() for figures in stages.values()]
    document = {
        "ways": {way: _sums(stages) for way, stages in measured.items()},
        "machine": {
            "cpus": os.cpu_count(),
            "threads": every[0]["threads"],
            "torch": torch.__version__,
            "device": every[0]["device"],
        },
        "flops": FLOPS_TEXT,
    }
    with atomic_write(Path(output_dir, "cost.json")) as file:
        file.write((json.dumps(document, indent=2, allow_nan=False) + "\n").encode())
    return document


def _check(ways: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    if not ways or not all(ways.values()):
        raise ConfigError(f"give one way or more, each with one training or more; got {list(ways)}")
    for way, entries in ways.items():
        for entry in entries:
            if set(entry) - _ENTRY or not {"name", "config_files"} <= set(entry):
                raise ConfigError(f"a training of {way} has {sorted(entry)}; it takes {', '.join(sorted(_ENTRY))}")
        names = [entry["name"] for entry in entries]
        if len(set(names)) < len(names):
            raise ConfigError(f"two trainings of {way} have the same name: {names}")


def _measure_apart(entry: Mapping[str, Any], iterations: int) -> dict[str, Any]:
    stage = {
        "config_files": [str(file) for file in entry["config_files"] if file],
        "overrides": dict(entry.get("overrides") or {}),
        "iterations": iterations,
    }
    try:
        text = json.dumps(stage)
    except TypeError as error:
        raise ConfigError(f"training {entry['name']}: its overrides are no plain values ({error})") from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "cost.json")
        command = [sys.executable, "-m", _WORKER, str(path)]
        process = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        if process.returncode or not path.is_file():
            reason = (process.stderr.strip() or process.stdout.strip() or "no message").splitlines()[-1]
            raise ConfigError(
                f"the cost of training {entry['name']} cannot be measured, its process ended with "
                f"{process.returncode}: {reason}. Check its settings and that its data set is there"
            )
        return dict(json.loads(path.read_text()))


def _sums(stages: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    every = stages.values()
    return {
        "parameters": sum(s["parameters"] for s in every),
        "trained_parameters": sum(s["parameters"] + s["discriminator_parameters"] for s in every),
        "flops_per_case": sum(s["flops_per_case"] for s in every),
        "peak_memory_gib": max(s["peak_memory_gib"] for s in every),
        "seconds_per_image": {name: s["seconds_per_image"] for name, s in stages.items()},
        "training_flops_per_image": {name: s["training_flops_per_image"] for name, s in stages.items()},
        "stages": {name: dict(s) for name, s in stages.items()},
    }
