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
"""Seconds per iteration, peak memory, samples per second: this package against a plain fp32 loop.

The networks, optimizers and losses of a case are those of a stage bundle, with or without its recipe. Two ways of
training them are timed, each in a process of its own, so that the peak memory is its own:

- ``package``: the package's trainer with bf16, channels_last and fused Adam, as the bundle sets them;
- ``reference``: the loop below that anybody would write first: fp32, eager, the generator run once for the
  discriminator's step and once more for its own, gradients into the discriminator in the generator's step, the gradient
  penalty at each step, Adam as it comes.

In a case ``with_data_loading`` (the pix2pix ones, and the segmentation network that stands behind every table of
scores, for which the reference is MONAI's network and loss in the same plain loop) the package's iteration is all that
the bundle does between two batches: it reads a batch (random pictures in a data set folder, through the bundle's own
transforms, cache and loader), makes both steps and calls the handlers of every iteration (averaged weights, losses for
TensorBoard). In the other cases, and in every reference, which has one batch in memory, it is the two steps alone.

Run ``python benchmarks/training_speed.py --list`` for the cases. Data are random; nothing is trained to any use.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser
from monai.data import DataLoader
from rich.console import Console
from rich.table import Column, Table
from torch import Tensor, nn

from monai_retinasynth._version import __version__
from monai_retinasynth.data import SyntheticSetWriter
from monai_retinasynth.engines import LatentGanTrainer, PairedGanTrainer
from monai_retinasynth.inferers import AutocastInferer
from monai_retinasynth.workflows import find_bundles_dir

__all__ = ["CASES", "Case", "measure"]

LATENT, PAIRED = "label_map_generation", "label_to_image_translation"
SEGMENTATION = "semantic_segmentation"
VARIANTS = ("package", "reference")
FIGURES = ("seconds_per_iteration", "peak_gib", "samples_per_second")


@dataclass(frozen=True)
class Case:
    """What is timed: a stage bundle, optionally with a recipe, and settings that replace theirs.

    Args:
        bundle: name of the stage bundle.
        size: side of the square pictures in pixels.
        batch: samples in a step.
        recipe: name of one of the bundle's recipes; None for the widths of the paper.
        settings: keys of the bundle's configuration with other values.
        quick: whether ``--quick`` runs it.
        listed: whether a run without ``--cases`` has it at all.
        with_data_loading: whether the package's time includes the reading of batches, see above.
    """

    bundle: str
    size: int
    batch: int
    recipe: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    quick: bool = False
    listed: bool = True
    with_data_loading: bool = False


# The non-saturating loss with R1, which may be lazy, in place of WGAN-GP, which may not.
LAZY_R1 = {
    "adversarial_loss": "non_saturating",
    "drift": 0.0,
    "d_regularizers": [[{"_target_": "monai_retinasynth.losses.R1Penalty", "gamma": 10.0}, 16]],
}
GLOBAL_GENERATOR = {"use_coordinates": False, "d_num_scales": 2}
TINY_TRANSLATOR = {"channels": 4, "d_channels": 4, "num_downs": 2, "num_res_blocks": 1, "d_num_layers": 2}
HALF_PIX2PIX = {"channels": 32, "max_channels": 256, "d_channels": 32, "d_max_channels": 256}
TINY_PIX2PIX = {"channels": 4, "max_channels": 8, "num_downs": 3, "d_channels": 4, "d_num_layers": 2}
TINY_PAINTER = {"channels": 4, "max_channels": 8, "num_downs": 3, "d_channels": 4, "d_num_layers": 2}
# The 8 one-hot classes of the lesions; two time scales, hinge and feature matching, as in Park et al. 2019.
# Style encoder and noise, which the recipe has too, are left out on both sides.
SPADE = {
    "label_set": "fundus_lesion",
    "use_coordinates": False,
    "network_def": {
        "_target_": "monai_retinasynth.networks.nets.SpatiallyAdaptiveGenerator",
        "in_channels": "@condition_channels",
        "channels": "@channels",
        "max_channels": "@max_channels",
        "num_ups": 5,
    },
    "discriminator_def::spectral_norm": True,
    "d_num_scales": 2,
    "adversarial_loss": "hinge",
    "learning_rate": 1e-4,
    "d_learning_rate": 4e-4,
    "g_optimizer::betas": [0.0, 0.9],
    "d_optimizer::betas": [0.0, 0.9],
    "channels_last": "images",
}
HALF_SPADE = {**SPADE, "channels": 32, "max_channels": 512, "d_channels": 32}
TINY_SPADE = {
    **SPADE,
    "channels": 4,
    "max_channels": 8,
    "network_def": {**SPADE["network_def"], "num_ups": 3, "hidden_channels": 8},
    "d_channels": 4,
    "d_num_layers": 2,
}
TINY_SEGMENTATION = {"channels": [4, 8, 8], "strides": [1, 2, 2]}
TINY_PGGAN = {"latent_size": 8, "base_channels": 64, "max_channels": 8, "min_channels": 4}

CASES = {
    "pix2pixhd-256": Case(PAIRED, 256, 1, settings=GLOBAL_GENERATOR, quick=True),
    "pix2pixhd-512": Case(PAIRED, 512, 1, settings=GLOBAL_GENERATOR),
    "pix2pix-256": Case(PAIRED, 256, 1, recipe="pix2pix", quick=True, with_data_loading=True),
    "spade-64-256": Case(PAIRED, 256, 1, settings=SPADE),
    "spade-32-256": Case(PAIRED, 256, 1, settings=HALF_SPADE, quick=True),
    "pggan-64": Case(LATENT, 64, 4, quick=True),
    "pggan-128": Case(LATENT, 128, 4),
    "pggan-256": Case(LATENT, 256, 4),
    "pggan-r1-64": Case(LATENT, 64, 4, settings=LAZY_R1, quick=True),
    "pggan-r1-128": Case(LATENT, 128, 4, settings=LAZY_R1),
    "pggan-r1-256": Case(LATENT, 256, 4, settings=LAZY_R1),
    "light-label-maps": Case(LATENT, 128, 8, recipe="phantom", quick=True),
    "light-photographs": Case(PAIRED, 128, 4, recipe="phantom", quick=True),
    "light-photographs-drive": Case(PAIRED, 256, 1, recipe="drive"),
    "background-drive": Case(PAIRED, 256, 2, recipe="drive_background", quick=True),
    "light-pix2pix-256": Case(PAIRED, 256, 1, "pix2pix", HALF_PIX2PIX, quick=True, with_data_loading=True),
    "segmentation-drive": Case(SEGMENTATION, 256, 4, recipe="drive", quick=True, with_data_loading=True),
    "smoke-segmentation": Case(SEGMENTATION, 32, 2, "drive", TINY_SEGMENTATION, listed=False, with_data_loading=True),
    "smoke-pggan": Case(LATENT, 16, 2, settings={**TINY_PGGAN, **LAZY_R1}, listed=False),
    "smoke-pggan-wgan": Case(LATENT, 16, 2, settings=TINY_PGGAN, listed=False),
    "smoke-pix2pixhd": Case(PAIRED, 32, 1, settings={**GLOBAL_GENERATOR, **TINY_TRANSLATOR}, listed=False),
    "smoke-background": Case(PAIRED, 32, 1, "phantom_background", TINY_PAINTER, listed=False),
    "smoke-spade": Case(PAIRED, 32, 1, settings=TINY_SPADE, listed=False),
    "smoke-pix2pix": Case(PAIRED, 32, 1, "pix2pix", TINY_PIX2PIX, listed=False, with_data_loading=True),
}


def read_bundle(case: Case, device: torch.device) -> ConfigParser:
    """The bundle's training configuration with the case's settings."""
    folder = Path(find_bundles_dir()) / case.bundle
    files = [folder / "configs" / "train.json"]
    if case.recipe is not None:
        files.append(folder / "recipes" / f"{case.recipe}.json")
    parser = ConfigParser()
    parser.read_config([str(f) for f in files])
    size: dict[str, Any] = {"resolution": case.size}
    if case.bundle == PAIRED:
        size = {"crop_size": [case.size, case.size]}
        if parser["image_size"] is not None:
            size["image_size"] = [case.size, case.size]
    elif case.bundle == SEGMENTATION:
        size = {"crop_size": case.size}
    parser.update({"device": device, **size, **case.settings})
    return parser


def random_samples(case: Case, parser: ConfigParser) -> list[dict[str, Tensor]]:
    """Two batches of what the bundle's transforms would give."""
    classes = parser.get_parsed_content("num_classes")
    shape = (case.size, case.size)
    samples = []
    for _ in range(2 * case.batch):
        if case.bundle == LATENT:
            samples.append({"label": torch.rand(classes, *shape).softmax(0)})
        else:
            label = torch.randint(0, classes, (1, *shape), dtype=torch.uint8)
            # the translators see pictures in [-1, 1], the segmentation network in [0, 1]
            image = torch.rand(3, *shape) if case.bundle == SEGMENTATION else torch.rand(3, *shape) * 2 - 1
            place, colour = torch.rand(2, *shape), torch.rand(6)
            sample = {"label": label, "image": image, "coordinates": place, "colour": colour}
            if case.bundle == PAIRED and parser.get_parsed_content("has_background"):
                sample["geometry"] = torch.rand(4, *shape)
                sample["background"] = torch.randint(0, 256, (3, *shape), dtype=torch.uint8)
            samples.append(sample)
    return samples


def write_random_cases(folder: str, case: Case, parser: ConfigParser, number: int = 8) -> None:
    """A data set of random photographs, four times as large as the case's pictures, with random label maps.

    Args:
        folder: folder of the data set.
        case: what is timed.
        parser: the bundle's configuration.
        number: photographs in the training section.
    """
    rng = np.random.default_rng(0)
    side = 2 * case.size
    writer = SyntheticSetWriter(folder, parser["label_set"], "random pictures", {"seed": 0})
    for index in range(number):
        label = rng.integers(0, parser.get_parsed_content("num_classes"), (side, side), dtype=np.uint8)
        writer.write(index, label, rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
    writer.finalize()


def synchronise(device: torch.device) -> None:
    """Wait for the GPU, if there is one."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(step: Callable[[], Any], warmup: int, repeats: int, device: torch.device) -> float:
    """Median seconds of `step`."""
    seconds = []
    for number in range(warmup + repeats):
        synchronise(device)
        start = time.perf_counter()
        step()
        synchronise(device)
        if number >= warmup:
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def time_trainer(
    trainer: Engine, warmup: int, repeats: int, device: torch.device, start_event: Events = Events.ITERATION_STARTED
) -> float:
    """Median seconds of a trainer's iteration; without the reading of data, unless it begins with another event."""
    starts: list[float] = []
    seconds: list[float] = []

    @trainer.on(start_event)
    def start() -> None:
        synchronise(device)
        starts.append(time.perf_counter())

    @trainer.on(Events.ITERATION_COMPLETED)
    def stop() -> None:
        synchronise(device)
        seconds.append(time.perf_counter() - starts[-1])

    trainer.run()
    return statistics.median(seconds[warmup : warmup + repeats])


def package_seconds(case: Case, parser: ConfigParser, warmup: int, repeats: int, device: torch.device) -> float:
    """The package's trainer, as the bundle would run it.

    An iteration with a lazy penalty is longer than one without. Both kinds are timed, and the result is their mean over
    a whole interval.
    """
    if case.with_data_loading:
        return package_seconds_with_data(case, parser, warmup, repeats, device)
    get = parser.get_parsed_content
    arguments: dict[str, Any] = {
        "device": device,
        "max_epochs": 1,
        "epoch_length": warmup + repeats,
        "train_data_loader": DataLoader(random_samples(case, parser), batch_size=case.batch),
        "g_network": get("network"),
        "g_optimizer": get("g_optimizer"),
        "g_loss_function": get("g_loss"),
        "d_network": get("discriminator"),
        "d_optimizer": get("d_optimizer"),
        "d_loss_function": get("d_loss"),
        "amp": get("amp"),
        "channels_last": get("channels_last"),
    }
    if case.bundle == PAIRED:
        trainer = PairedGanTrainer(
            prepare_batch=get("prepare_batch"), feature_matching_loss=get("feature_matching_loss"), **arguments
        )
        return time_trainer(trainer, warmup, repeats, device)

    def time_with(regularizers: Sequence[Any]) -> float:
        trainer = LatentGanTrainer(latent_size=get("latent_size"), d_regularizers=regularizers, **arguments)
        return time_trainer(trainer, warmup, repeats, device)

    every_step, lazy = [], []
    for item in get("d_regularizers"):
        penalty, interval = item if isinstance(item, (list, tuple)) else (item, 1)
        (lazy if interval > 1 else every_step).append((penalty, interval))
    seconds = time_with(every_step)
    if lazy:
        with_penalty = time_with(every_step + [(penalty, 1) for penalty, _ in lazy])
        seconds += (with_penalty - seconds) / min(interval for _, interval in lazy)
    return seconds


def package_seconds_with_data(
    case: Case, parser: ConfigParser, warmup: int, repeats: int, device: torch.device
) -> float:
    """The trainer that a paired or a segmentation bundle configures, on files, with its handlers of every iteration."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        write_random_cases(folder, case, parser)
        seldom = ("TrainingCheckpoint", "ImageGridHandler", "TrainingProgressBar", "ValidationHandler")
        handlers = parser["train"]["handlers"]
        parser["train::handlers"] = [h for h in handlers if h["_target_"].rpartition(".")[2] not in seldom]
        data = {"dataset_dir": folder, "layout": "datalist", "num_cases": None, "output_dir": f"{folder}/output"}
        length = {"batch_size": case.batch, "max_epochs": 1, "epoch_length": warmup + repeats}
        parser.update({**data, **length})
        trainer = parser.get_parsed_content("train::trainer")
        return time_trainer(trainer, warmup, repeats, device, Events.GET_BATCH_STARTED)


def plain_segmentation_step(case: Case, parser: ConfigParser, network: nn.Module, device: torch.device) -> Callable:
    """One iteration of the segmentation network, written plainly."""
    image, label = prepared_batch(case, parser, device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    loss_function = parser.get_parsed_content("loss")

    def step() -> None:
        loss = loss_function(network(image), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def plain_latent_step(case: Case, parser: ConfigParser, g: nn.Module, d: nn.Module, device: torch.device) -> Callable:
    """One iteration of the growing GAN, written plainly: WGAN-GP, or the non-saturating loss with R1."""
    wasserstein = parser.get_parsed_content("adversarial_loss") == "wgan"
    latent_size = parser.get_parsed_content("latent_size")
    g_optimizer = torch.optim.Adam(g.parameters(), lr=1e-3, betas=(0.0, 0.99))
    d_optimizer = torch.optim.Adam(d.parameters(), lr=1e-3, betas=(0.0, 0.99))
    reals = torch.stack([s["label"] for s in random_samples(case, parser)[: case.batch]]).to(device)

    def step() -> None:
        fakes = g(torch.randn(case.batch, latent_size, device=device)).detach()
        real_logits, fake_logits = d(reals), d(fakes)
        mix = torch.rand(case.batch, 1, 1, 1, device=device)
        points = (mix * reals + (1 - mix) * fakes if wasserstein else reals.clone()).requires_grad_()
        (gradient,) = torch.autograd.grad(d(points).sum(), points, create_graph=True)
        squares = gradient.square().flatten(1).sum(1)
        if wasserstein:
            d_loss = fake_logits.mean() - real_logits.mean() + 0.001 * real_logits.square().mean()
            d_loss = d_loss + 10 * (squares.sqrt() - 1).square().mean()
        else:
            d_loss = F.softplus(fake_logits).mean() + F.softplus(-real_logits).mean() + 5 * squares.mean()
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()

        fake_logits = d(g(torch.randn(case.batch, latent_size, device=device)))
        g_loss = -fake_logits.mean() if wasserstein else F.softplus(-fake_logits).mean()
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()

    return step


def plain_paired_step(case: Case, parser: ConfigParser, g: nn.Module, d: nn.Module, device: torch.device) -> Callable:
    """One iteration of a paired translator, written plainly."""
    get = parser.get_parsed_content
    g_betas, d_betas = get("g_optimizer::betas"), get("d_optimizer::betas")
    g_optimizer = torch.optim.Adam(g.parameters(), lr=get("learning_rate"), betas=g_betas)
    d_optimizer = torch.optim.Adam(d.parameters(), lr=get("d_learning_rate"), betas=d_betas)
    condition, photograph = prepared_batch(case, parser, device)
    make = {"bce": plain_pix2pix_step, "hinge": plain_spade_step}.get(get("adversarial_loss"), plain_pix2pixhd_step)
    return make(g, d, g_optimizer, d_optimizer, condition, photograph)


def plain_pix2pix_step(
    g: nn.Module,
    d: nn.Module,
    g_optimizer: torch.optim.Optimizer,
    d_optimizer: torch.optim.Optimizer,
    condition: Tensor,
    photograph: Tensor,
) -> Callable:
    """One iteration of pix2pix: cross-entropy, halved for the discriminator, and 100 times the absolute error."""

    def cross_entropy(scales: list[list[Tensor]], target: float) -> Tensor:
        terms = [F.binary_cross_entropy_with_logits(s[-1], torch.full_like(s[-1], target)) for s in scales]
        return torch.stack(terms).mean()

    def step() -> None:
        fakes = g(condition)
        real_features = d(torch.cat([condition, photograph], dim=1))
        fake_features = d(torch.cat([condition, fakes.detach()], dim=1))
        d_loss = (cross_entropy(real_features, 1.0) + cross_entropy(fake_features, 0.0)) / 2
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()

        fakes = g(condition)
        g_loss = cross_entropy(d(torch.cat([condition, fakes], dim=1)), 1.0) + 100 * F.l1_loss(fakes, photograph)
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()

    return step


def plain_pix2pixhd_step(
    g: nn.Module,
    d: nn.Module,
    g_optimizer: torch.optim.Optimizer,
    d_optimizer: torch.optim.Optimizer,
    condition: Tensor,
    photograph: Tensor,
) -> Callable:
    """One iteration of pix2pixHD: LSGAN and feature matching."""

    def squared_error(scales: list[list[Tensor]], target: float) -> Tensor:
        return sum((scale[-1] - target).square().mean() for scale in scales) / len(scales)

    def step() -> None:
        fakes = g(condition)
        real_features = d(torch.cat([condition, photograph], dim=1))
        fake_features = d(torch.cat([condition, fakes.detach()], dim=1))
        d_loss = (squared_error(real_features, 1.0) + squared_error(fake_features, 0.0)) / 2
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()

        fake_features = d(torch.cat([condition, g(condition)], dim=1))
        real_features = d(torch.cat([condition, photograph], dim=1))
        g_loss = squared_error(fake_features, 1.0) + plain_feature_matching(fake_features, real_features)
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()

    return step


def plain_spade_step(
    g: nn.Module,
    d: nn.Module,
    g_optimizer: torch.optim.Optimizer,
    d_optimizer: torch.optim.Optimizer,
    condition: Tensor,
    photograph: Tensor,
) -> Callable:
    """One iteration of SPADE: hinge and feature matching."""

    def step() -> None:
        fakes = g(condition)
        real_features = d(torch.cat([condition, photograph], dim=1))
        fake_features = d(torch.cat([condition, fakes.detach()], dim=1))
        d_loss = sum(F.relu(1 - scale[-1]).mean() for scale in real_features) / len(real_features)
        d_loss = d_loss + sum(F.relu(1 + scale[-1]).mean() for scale in fake_features) / len(fake_features)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()

        fake_features = d(torch.cat([condition, g(condition)], dim=1))
        real_features = d(torch.cat([condition, photograph], dim=1))
        g_loss = -sum(scale[-1].mean() for scale in fake_features) / len(fake_features)
        g_loss = g_loss + plain_feature_matching(fake_features, real_features)
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()

    return step


def plain_feature_matching(fake_features: list[list[Tensor]], real_features: list[list[Tensor]]) -> Tensor | float:
    """10 times the absolute difference of the discriminator's features."""
    loss: Tensor | float = 0.0
    for fake_scale, real_scale in zip(fake_features, real_features):
        for fake, real in zip(fake_scale[:-1], real_scale[:-1]):
            loss = loss + 10 * F.l1_loss(fake, real.detach()) / (len(fake_scale) - 1) / len(fake_features)
    return loss


def prepared_batch(case: Case, parser: ConfigParser, device: torch.device) -> tuple[Tensor, Tensor]:
    """A batch of conditions and photographs, or of photographs and label maps."""
    batch = next(iter(DataLoader(random_samples(case, parser), batch_size=case.batch)))
    if case.bundle == SEGMENTATION:
        return batch["image"].to(device), batch["label"].to(device)
    return parser.get_parsed_content("prepare_batch")(batch, device)


def peak_gib(device: torch.device) -> float:
    """Peak memory of this process so far: of the GPU if it runs there, else resident memory, libraries included."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def measure(case: Case, variant: str, warmup: int, repeats: int, device: torch.device) -> dict[str, float]:
    """Time one variant of one case in this process.

    Args:
        case: what to time.
        variant: "package" or "reference".
        warmup: iterations that are not counted.
        repeats: iterations of which the median is taken.
        device: where to run.

    Returns:
        ``seconds_per_iteration``, ``peak_gib`` (of training) and ``samples_per_second`` (of generation).
    """
    torch.manual_seed(0)
    parser = read_bundle(case, device)
    if variant == "package":
        seconds = package_seconds(case, parser, warmup, repeats, device)
        inferer = AutocastInferer(channels_last=parser.get_parsed_content("channels_last") is True)
    else:
        names = ("network",) if case.bundle == SEGMENTATION else ("network", "discriminator")
        networks = [parser.get_parsed_content(name) for name in names]
        plain_steps = {
            LATENT: plain_latent_step,
            PAIRED: plain_paired_step,
            SEGMENTATION: plain_segmentation_step,
        }
        step = plain_steps[case.bundle](case, parser, *networks, device)
        seconds = timed(step, warmup, repeats, device)
        inferer = AutocastInferer(enabled=False)
    peak = peak_gib(device)

    if case.bundle == LATENT:
        inputs = torch.randn(case.batch, parser.get_parsed_content("latent_size"), device=device)
    else:
        inputs = prepared_batch(case, parser, device)[0]
    generator = parser.get_parsed_content("network").eval()
    with torch.inference_mode():
        generation = timed(lambda: inferer(inputs, generator), warmup, repeats, device)
    return dict(zip(FIGURES, (seconds, peak, case.batch / generation)))


def measure_apart(name: str, variant: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Call `measure` in a process of its own."""
    command = [sys.executable, __file__, "--worker", name, variant, "--device", arguments.device]
    command += ["--warmup", str(arguments.warmup), "--iterations", str(arguments.iterations)]
    command += ["--threads", str(arguments.threads)]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if process.returncode != 0:
        raise SystemExit(f"{name} ({variant}) ended with status {process.returncode}; its messages are above")
    return json.loads(process.stdout.splitlines()[-1])


def machine(device: str, threads: int) -> dict[str, Any]:
    """Where the figures come from."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    found = {"cpu": model, "cores": os.cpu_count(), "threads": threads, "device": device}
    if device.startswith("cuda"):
        found["gpu"] = torch.cuda.get_device_name(device)
    versions = {"python": platform.python_version(), "torch": torch.__version__, "monai_retinasynth": __version__}
    return {**found, **versions}


def commit() -> str | None:
    """The checkout's commit, where there is one."""
    try:
        command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def run(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Measure the chosen cases, print the table, return what is stored."""
    chosen = arguments.cases or [n for n, c in CASES.items() if c.listed and (c.quick or not arguments.quick)]
    unknown = [name for name in chosen if name not in CASES]
    if unknown:
        raise SystemExit(f"no such case: {', '.join(unknown)}; there are {', '.join(CASES)}")
    table = Table("case", "", *(Column(t, justify="right") for t in ("s / iteration", "peak GiB", "samples / s")))
    rows: dict[str, dict[str, float]] = {}
    for name in chosen:
        console.print(f"{name} ...", style="dim")
        ours, plain = (measure_apart(name, variant, arguments) for variant in VARIANTS)
        speed_up = plain["seconds_per_iteration"] / ours["seconds_per_iteration"]
        drawing = ours["samples_per_second"] / plain["samples_per_second"]
        rows[name] = {
            "pixels": CASES[name].size,
            "batch": CASES[name].batch,
            "with_data_loading": CASES[name].with_data_loading,
            **ours,
            **{f"reference_{key}": value for key, value in plain.items()},
            "training_ratio": speed_up,
            "generation_ratio": drawing,
        }
        for title, figures in (("package", ours), ("reference", plain)):
            title += " with data" if title == "package" and CASES[name].with_data_loading else ""
            table.add_row(name if figures is ours else "", title, *(f"{figures[key]:.3g}" for key in FIGURES))
        table.add_row("", "times as fast", f"{speed_up:.2f}", "", f"{drawing:.2f}", style="bold", end_section=True)
    console.print(table)
    return {
        "command": " ".join(["python", "benchmarks/training_speed.py", *sys.argv[1:]]),
        "commit": commit(),
        "machine": machine(arguments.device, arguments.threads),
        "iterations": arguments.iterations,
        "cases": {
            name: {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}
            for name, row in rows.items()
        },
    }


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", help="names of cases; all listed ones by default")
    parser.add_argument("--quick", action="store_true", help="only the smaller cases")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and end")
    parser.add_argument("--iterations", type=int, default=3, help="iterations of which the median is taken")
    parser.add_argument("--warmup", type=int, default=1, help="iterations before them that are not counted")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")
    parser.add_argument("--output", type=Path, help="JSON file to write, for example docs/results/training_speed.json")
    parser.add_argument("--worker", nargs=2, metavar=("CASE", "VARIANT"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    arguments = parse_arguments(argv)
    console = Console()
    if arguments.list:
        console.print("\n".join(n + ("  (--quick)" if c.quick else "") for n, c in CASES.items() if c.listed))
    elif arguments.worker:
        torch.set_num_threads(arguments.threads)
        name, variant = arguments.worker
        figures = measure(CASES[name], variant, arguments.warmup, arguments.iterations, torch.device(arguments.device))
        print(json.dumps(figures))
    else:
        results = run(arguments, console)
        if arguments.output:
            arguments.output.parent.mkdir(parents=True, exist_ok=True)
            arguments.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
            console.print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
