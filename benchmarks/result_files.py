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
"""What the scripts that gather finished runs for the documentation share: the run's circumstances, and the file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from monai_retinasynth.utils import atomic_write

__all__ = ["commit", "machine", "result_parser", "stage_minutes", "write_results"]


def machine() -> str:
    """The machine in words."""
    model = platform.processor() or platform.machine()
    if os.path.isfile("/proc/cpuinfo"):
        names = [
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ]
        model = names[0] if names else model
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{os.cpu_count()} cores {model}, {device}, Python {platform.python_version()}, torch {torch.__version__}"


def commit() -> str:
    """The commit of the checkout that this script belongs to."""
    folder = Path(__file__).resolve().parent
    return subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()


def stage_minutes(run: Path) -> dict[str, float]:
    """Stage -> minutes."""
    records = sorted(path for path in run.glob("*/stage.json") if ".replaced-" not in path.parent.name)
    return {path.parent.name: json.loads(path.read_text())["minutes"] for path in records}


def result_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the arguments that say how a run was made: `--command`, `--commit`, `--note`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", action="append", required=True, help="a command that made the run")
    parser.add_argument("--commit", help="the commit that made the run, when it is not the present one")
    parser.add_argument("--note", action="append", default=[], help="a sentence on how the run was made")
    return parser


def write_results(path: Path, results: Mapping[str, Any]) -> None:
    """Write the results file, whole or not at all."""
    with atomic_write(path) as file:
        file.write((json.dumps(results, indent=2, allow_nan=False) + "\n").encode())
    print(f"written: {path}")
