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
"""Seconds and peak memory of photographs drawn on backgrounds by each painter of the translation bundle.

The photographs are drawn as the bundle does it (configs/inference.json with recipes/drive_background.json): label maps
are read, backgrounds fitted, vessels painted, PNG files written. No real data is needed: phantom eyes stand in for the
training eyes, other phantoms give the label maps with arteries and veins told apart. The learned painter has trained
for one iteration, which is enough to time it.

A case has a process of its own, so that its peak memory is its own; phantoms, their backgrounds and the checkpoint are
made in another one before. ``preparation_seconds`` is what a run does once: backgrounds are decoded and prepared, the
vessels of the training eyes measured, the weights read. ``cpu_seconds`` is the processor time of
drawing, without waiting for other work. Photographs of 4288 x 2848 pixels are drawn whole, not in tiles. The case
``background`` is what `write_background_dataset` takes for one eye, file to file.

Run ``python benchmarks/painting_speed.py --list`` for the cases.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from result_files import commit, machine, write_results  # beside this script

from monai_retinasynth.data import write_background_dataset
from monai_retinasynth.simulation import write_phantom_dataset
from monai_retinasynth.workflows import find_bundles_dir

__all__ = ["CASES", "Case", "measure", "prepare"]

RECIPE = "drive_background"


@dataclass(frozen=True)
class Case:
    """What is timed.

    Args:
        painter: "measured", "gan" or "transplant"; "background" for the writing of backgrounds.
        size: (H, W) of the photographs in pixels.
        eyes: training eyes, of which there are as many backgrounds.
        photographs: how many are drawn.
        listed: whether a run without ``--cases`` has it.
    """

    painter: str
    size: tuple[int, int]
    eyes: int
    photographs: int
    listed: bool = True


CASES = {
    "measured-565x584": Case("measured", (584, 565), 18, 60),
    "gan-565x584": Case("gan", (584, 565), 18, 60),
    "transplant-565x584": Case("transplant", (584, 565), 18, 60, listed=False),
    "background-2848x4288": Case("background", (2848, 4288), 2, 1),
    "measured-2848x4288": Case("measured", (2848, 4288), 2, 1),
    "gan-2848x4288": Case("gan", (2848, 4288), 2, 1),
    "smoke-measured": Case("measured", (112, 96), 2, 2, listed=False),
    "smoke-gan": Case("gan", (112, 96), 2, 2, listed=False),
    "smoke-transplant": Case("transplant", (112, 96), 2, 2, listed=False),
    "smoke-background": Case("background", (112, 96), 2, 1, listed=False),
}


def read_bundle(name: str, folder: Path, **settings: Any) -> ConfigParser:
    """A configuration of the translation bundle with the recipe, for the phantoms in the folder."""
    bundle = Path(find_bundles_dir()) / "label_to_image_translation"
    parser = ConfigParser()
    parser.read_config([str(bundle / "configs" / f"{name}.json"), str(bundle / "recipes" / f"{RECIPE}.json")])
    parser.update({"dataset_dir": str(folder / "eyes"), "layout": "datalist", **settings})
    return parser


def prepare(case: Case, folder: Path) -> None:
    """Write what a case reads: eyes, label maps, backgrounds and a checkpoint. What is there stays."""
    eyes, checkpoint = folder / "eyes", folder / "training" / "models" / "model.pt"
    write_phantom_dataset(eyes, case.size, case.eyes, 1, 0, seed=0, source="real", progress=False)
    if case.painter == "background":
        return
    maps = {"seed": 1, "labels_only": True, "trees": True, "progress": False}
    write_phantom_dataset(folder / "maps", case.size, case.photographs, 0, 0, **maps)
    write_background_dataset(eyes, folder / "backgrounds", layout="datalist", progress=False)
    if case.painter == "gan" and not checkpoint.is_file():
        length = {"num_cases": 1, "epoch_length": 1, "max_epochs": 1, "batch_size": 1}
        crop = [min(256, *case.size) // 16 * 16] * 2
        parser = read_bundle("train", folder, output_dir=str(folder / "training"), crop_size=crop, **length)
        for section in ("initialize", "run"):
            parser.get_parsed_content(section)


def measure(case: Case, folder: Path, num_workers: int = 0, batch_size: int | None = None) -> dict[str, float]:
    """Time a case, whose files `prepare` wrote, in this process.

    Args:
        case: what to time.
        folder: the folder of `prepare`.
        num_workers: processes that load and paint; 0 for none but this one.
        batch_size: photographs that a network draws at once; None for the bundle's own setting.

    Returns:
        photographs, ``preparation_seconds``, ``seconds`` (of all photographs), ``cpu_seconds`` (their processor
        time), ``seconds_per_photograph`` and ``peak_gib`` (of this process, and the largest of its workers added).
    """
    start = time.perf_counter()
    draw: Callable[[], Any]
    with tempfile.TemporaryDirectory(dir=folder) as output:
        if case.painter == "background":
            draw = lambda: write_background_dataset(  # noqa: E731
                folder / "eyes", output, layout="datalist", num_cases=case.photographs, progress=False
            )
        else:
            settings: dict[str, Any] = {"label_maps_dir": str(folder / "maps"), "output_dir": output}
            settings |= {"background": str(folder / "backgrounds"), "translator": case.painter}
            settings |= {"num_workers": num_workers, "num_photographs": case.photographs}
            settings |= {"checkpoint": str(folder / "training" / "models" / "model.pt")}
            settings |= {} if batch_size is None else {"generation_batch_size": batch_size}
            parser = read_bundle("inference", folder, **settings)
            parser.get_parsed_content("initialize")
            *before, drawing = (f"run::{index}" for index in range(len(parser["run"])))
            for identifier in ("evaluator", *before):
                parser.get_parsed_content(identifier)
            draw = lambda: parser.get_parsed_content(drawing)  # noqa: E731
        prepared, used = time.perf_counter(), cpu_seconds()
        draw()
        seconds = time.perf_counter() - prepared
        drawn = len(list(Path(output).glob("images/*.png")))
    if drawn != case.photographs:
        raise SystemExit(f"{drawn} photographs were drawn instead of {case.photographs}")
    return {
        "photographs": drawn,
        "preparation_seconds": prepared - start,
        "seconds": seconds,
        "cpu_seconds": cpu_seconds() - used,
        "seconds_per_photograph": seconds / drawn,
        "peak_gib": peak_gib(),
    }


def cpu_seconds() -> float:
    """Seconds of all cores that this process and its finished children have used."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_gib() -> float:
    """Peak resident memory of this process, and of its largest finished child, whose shared pages count twice."""
    unit = 1 if sys.platform == "darwin" else 1024
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(peaks) * unit / 2**30


def run_apart(step: str, name: str, folder: Path, arguments: argparse.Namespace) -> str:
    """`prepare` or `measure` in a process of its own; what it printed last."""
    command = [sys.executable, __file__, "--worker", step, name, str(folder)]
    command += ["--num-workers", str(arguments.num_workers)]
    for option in ("batch_size", "photographs"):
        if getattr(arguments, option) is not None:
            command += [f"--{option.replace('_', '-')}", str(getattr(arguments, option))]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if process.returncode != 0:
        raise SystemExit(f"{name} ({step}) ended with status {process.returncode}; its messages are above")
    return process.stdout.splitlines()[-1] if process.stdout else ""


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure the chosen cases, print their figures, return what is stored."""
    chosen = arguments.cases or [name for name, case in CASES.items() if case.listed]
    if unknown := [name for name in chosen if name not in CASES]:
        raise SystemExit(f"no such case: {', '.join(unknown)}; there are {', '.join(CASES)}")
    rows: dict[str, dict[str, float]] = {}
    begun_at = commit()  # others may commit while this runs
    with tempfile.TemporaryDirectory() as root:
        for name in chosen:
            folder = Path(root) / "x".join(str(side) for side in CASES[name].size)
            run_apart("prepare", name, folder, arguments)
            figures = json.loads(run_apart("measure", name, folder, arguments))
            rows[name] = {key: round(value, 3) for key, value in figures.items()}
            print(name, rows[name], flush=True)
    return {
        "command": " ".join(["python benchmarks/painting_speed.py", *sys.argv[1:]]),
        "commit": begun_at,
        "machine": machine(),
        "threads": torch.get_num_threads(),
        "num_workers": arguments.num_workers,
        "notes": arguments.note,
        "cases": rows,
    }


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", help="names of cases; all listed ones by default")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and end")
    parser.add_argument("--photographs", type=int, help="draw so many in each case")
    parser.add_argument("--num-workers", type=int, default=0, help="processes that load and paint")
    parser.add_argument("--batch-size", type=int, help="photographs that a network draws at once")
    parser.add_argument("--json", type=Path, help="file to write, for example docs/results/painting_speed.json")
    parser.add_argument("--note", action="append", default=[], help="a sentence on how the figures were taken")
    parser.add_argument("--worker", nargs=3, metavar=("STEP", "CASE", "FOLDER"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    arguments = parse_arguments(argv)
    if arguments.list:
        print("\n".join(name for name, case in CASES.items() if case.listed or not name.startswith("smoke")))
    elif arguments.worker:
        step, name, folder = arguments.worker
        case = CASES[name]
        if arguments.photographs is not None:
            case = Case(case.painter, case.size, max(case.eyes, arguments.photographs), arguments.photographs)
        if step == "prepare":
            prepare(case, Path(folder))
        else:
            print(json.dumps(measure(case, Path(folder), arguments.num_workers, arguments.batch_size)))
    else:
        results = run(arguments)
        if arguments.json:
            write_results(arguments.json, results)


if __name__ == "__main__":
    main()
