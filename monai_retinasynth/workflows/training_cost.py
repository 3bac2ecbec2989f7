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
"""What one training of a GAN bundle costs: parameters, operations, memory and time, measured in the present process.

Run as ``python -m monai_retinasynth.workflows.training_cost RESULT < STAGE`` in a process of its own, so that the peak
memory is that of this training alone.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.data import DataLoader
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

__all__ = ["FlopCount", "measure_training_cost"]

#: what saves and draws is no part of an iteration
_LEFT_OUT = ("TrainingCheckpoint", "ImageGridHandler", "TrainingProgressBar")
_STATUS = Path("/proc/self/status")


class FlopCount(TorchDispatchMode):
    """Counts floating point operations while it is entered, by the formulas of `torch.utils.flop_counter`.

    Those are convolutions, matrix products and attention, a multiplication and an addition being two operations;
    nothing else counts. Backward passes and gradient penalties do (torch's own `FlopCounterMode` follows modules and
    refuses `torch.autograd.grad` within an iteration).
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=output)
        return output


def measure_training_cost(
    config_files: Sequence[str], overrides: Mapping[str, Any] | None = None, iterations: int = 4
) -> dict[str, Any]:
    """Train for some iterations at full resolution and measure them.

    The bundle is set up as `BundleStage` does it, with its data, loader and handlers, but for those that save or draw.
    A network that grows is trained at its last resolution. A regulariser that acts at every k-th step only is measured
    in further iterations and counts with a k-th.

    Args:
        config_files: files of the bundle for training, a recipe last.
        overrides: settings that replace those of the files.
        iterations: iterations of each kind, the first of which is not timed; 2 or more.

    Returns:
        dict: ``parameters`` and ``discriminator_parameters``; ``flops_per_case``: one forward of the generator for a
        whole case, and ``case_size`` (pixels); ``training_size`` (pixels) and ``batch_size`` of an iteration;
        ``training_flops_per_image``: of an iteration, a share for each real image that the discriminator is shown;
        ``seconds_per_image``: the median iteration, reading included, shared in the same way; ``peak_memory_gib``: of
        the GPU's allocations on a GPU, else of the process, which had ``memory_before_gib`` when training began;
        ``device``, ``threads``.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        parser = _parser(config_files, overrides or {}, folder, 64 * iterations)
        trainer = parser.get_parsed_content("train::trainer")
        device = torch.device(trainer.state.device)
        before = _peak_gib(device)
        timing = _Timing(trainer, iterations, device)
        trainer.run()
        networks = {"parameters": trainer.g_network, "discriminator_parameters": trainer.d_network}
        result: dict[str, Any] = {
            **{name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()},
            **timing.figures(),
            "memory_before_gib": round(before, 3),
            "training_size": list(trainer.state.output["reals"].shape[-2:]),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
            "threads": torch.get_num_threads(),
        }
        if parser.get("crop_size"):
            trainer.state.output = {trainer.input_key: _whole_condition(parser).to(device)}
        trainer.g_network.eval()
        with FlopCount() as count:
            fakes = trainer.preview(trainer.g_network, 1)
        return {**result, "flops_per_case": count.total, "case_size": list(fakes.shape[-2:])}


class _Timing:
    """Handlers that switch the regularisers, take the time of each iteration and count the operations of the last.

    The kinds of iteration are one without the lazy regularisers and, for each of these, one with it.
    """

    def __init__(self, trainer: Engine, iterations: int, device: torch.device) -> None:
        self.trainer, self.iterations, self.device = trainer, iterations, device
        always = [item for item in trainer.d_regularizers if item[2] == 1]
        lazy = [item for item in trainer.d_regularizers if item[2] > 1]
        self.kinds = [always, *([*always, (name, penalty, 1)] for name, penalty, _ in lazy)]
        self.intervals = [1, *(interval for *_, interval in lazy)]
        self.seconds: list[list[float]] = [[] for _ in self.kinds]
        self.flops: list[int] = []
        self.peak = 0.0
        self.number = 0
        self.counting = ExitStack()
        trainer.add_event_handler(Events.STARTED, self._grown)
        trainer.add_event_handler(Events.GET_BATCH_STARTED, self._before)
        trainer.add_event_handler(Events.ITERATION_STARTED, self._count)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._after)

    def figures(self) -> dict[str, Any]:
        """What was measured, for one real image."""
        medians = [statistics.median(seconds[1:]) for seconds in self.seconds]
        return {
            "batch_size": self.images,
            "seconds_per_image": self._mean(medians) / self.images,
            "training_flops_per_image": round(self._mean(self.flops) / self.images),
            "peak_memory_gib": round(self.peak, 3),
        }

    def _mean(self, values: Sequence[float]) -> float:
        """Mean of an iteration over the intervals of the lazy regularisers."""
        return values[0] + sum((v - values[0]) / k for v, k in zip(values[1:], self.intervals[1:]))

    def _grown(self, engine: Engine) -> None:
        if getattr(engine, "growth", None) is not None:
            engine.state.images_seen = engine.growth.total_images

    def _before(self, engine: Engine) -> None:
        timed = self.iterations * len(self.kinds)
        counted = self.number - timed
        self.kind = self.number // self.iterations if counted < 0 else counted
        engine.d_regularizers = self.kinds[self.kind]
        self.seen = engine.state.images_seen
        self.start = self._now()

    def _count(self, engine: Engine) -> None:
        if self.number >= self.iterations * len(self.kinds):
            self.counter = self.counting.enter_context(FlopCount())

    def _after(self, engine: Engine) -> None:
        self.images = engine.state.images_seen - self.seen
        self.number += 1
        counted = self.number - self.iterations * len(self.kinds)
        if counted <= 0:
            self.seconds[self.kind].append(self._now() - self.start)
            self.peak = _peak_gib(self.device)
        else:
            self.counting.close()
            self.flops.append(self.counter.total)
        if counted == len(self.kinds):
            engine.terminate()

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def _parser(config_files: Sequence[str], overrides: Mapping[str, Any], folder: str, epoch_length: int) -> ConfigParser:
    workflow = ConfigWorkflow(
        config_file=[str(file) for file in config_files],
        meta_file=str(Path(config_files[0]).parent / "metadata.json"),
        workflow_type=None,
        **{**overrides, "output_dir": folder, "train::trainer::epoch_length": epoch_length},
    )
    for handler in workflow.parser["train"]["handlers"]:
        if handler["_target_"].rpartition(".")[2] in _LEFT_OUT:
            handler["_disabled_"] = True
    workflow.initialize()
    return workflow.parser


def _whole_condition(parser: ConfigParser) -> torch.Tensor:
    """What the translator is told of the first case, where it is trained on crops."""
    parser.update({"crop_size": None, "num_cases": 1})
    batch = next(iter(DataLoader(parser.get_parsed_content("train::dataset"), batch_size=1)))
    return parser.get_parsed_content("prepare_batch")(batch)[0]


def _peak_gib(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    if _STATUS.is_file():
        # getrusage would give that of the process which started this one, where that was larger
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)


def main() -> None:
    """Measure the stage that standard input describes, and write the file that the command names."""
    stage = json.load(sys.stdin)
    warnings.filterwarnings("ignore")
    result = measure_training_cost(stage["config_files"], stage["overrides"], stage["iterations"])
    Path(sys.argv[1]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
