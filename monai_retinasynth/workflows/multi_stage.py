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
"""Does splitting generation into steps make images more useful? The stages that ask it of a data set.

For every share of the real training data: REAL, and each way to generate (`GenerationWays`) at an equal budget (of time
or of images, as its `train_images` says), judged by a segmentation network trained on synthetic images alone, and then
on real ones. A REAL control has the same number of optimizer steps as both trainings together.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..utils.errors import ConfigError
from .generation_ways import GENERATION_WAYS, GenerationWays
from .stage import BundleStage, WorkflowStage

__all__ = ["SEGMENTATION_NETWORKS", "multi_stage_runs", "multi_stage_stages", "multi_stage_tag"]

#: segmentation network -> overlay of the segmentation bundle that chooses it; MONAI's DynUNet is its own choice
SEGMENTATION_NETWORKS = {"dynunet": None, "unet": "unet", "smanet": "smanet"}


def multi_stage_tag(fraction: float, seed: int) -> str:
    """End of the names of the stages of a share of the real data and a seed: ``10pct_seed0``."""
    return f"{100 * fraction:g}pct_seed{seed}"


def multi_stage_runs(ways: Sequence[str]) -> list[str]:
    """Names of the segmentation runs: real, real_same_steps, and for each way ``<way>_synth`` and ``..._then_real``."""
    return ["real", "real_same_steps", *(f"{way}_{kind}" for way in ways for kind in ("synth", "synth_then_real"))]


def multi_stage_stages(
    generators: GenerationWays,
    real_dir: str,
    segmentation_recipe: str | None,
    fractions: Sequence[float] = (1.0, 0.1),
    seeds: Sequence[int] = (0, 1, 2),
    generator_seeds: Sequence[int] | None = None,
    ways: Sequence[str] = tuple(GENERATION_WAYS),
    networks: Sequence[str] = ("unet",),
    real_iterations: int = 400,
    synthetic_iterations: int = 400,
    fine_tuning_iterations: int = 200,
    fine_tuning_learning_rate: float = 0.001,
    val_count: int = 2,
    segmentation: Mapping[str, Any] | None = None,
    needs: Sequence[str] = (),
) -> list[WorkflowStage]:
    """Stages of the comparison; all shares and ways of a seed come first, so that a whole table is there early.

    With fewer `generator_seeds` than `seeds`, the seeds take turns with them. The share of the real data that a seed
    sees is chosen by its generator seed, so generators and segmentation networks see the same cases.

    Args:
        generators: makes the stages of generation.
        real_dir: real data set with a ``datalist.json``.
        segmentation_recipe: recipe of the segmentation bundle; None for its own settings.
        fractions: shares of the real training cases, above 0 and at most 1.
        seeds: seeds of the segmentation networks.
        generator_seeds: seeds of the generators; None for `seeds`.
        ways: keys of `GENERATION_WAYS`.
        networks: keys of `SEGMENTATION_NETWORKS`.
        real_iterations: optimizer steps of REAL.
        synthetic_iterations: optimizer steps on synthetic images.
        fine_tuning_iterations: optimizer steps on real images after these.
        fine_tuning_learning_rate: largest learning rate of these.
        val_count: number of training cases held out for validation where the data list has no such section.
        segmentation: settings of the segmentation bundle for all its stages.
        needs: stages that must come before.

    Returns:
        the stages; evaluations are called ``evaluation_<network>_<run>_<tag>``, see `multi_stage_runs`.

    Raises:
        ConfigError: when a fraction, seed, way or network is none or repeats.
    """
    for name, given, known in (("ways", ways, GENERATION_WAYS), ("networks", networks, SEGMENTATION_NETWORKS)):
        if not given or len(set(given)) < len(given) or not set(given) <= set(known):
            raise ConfigError(f"{name} is {list(given)}; give one or more different ones of {', '.join(known)}")
    generator_seeds = list(seeds if generator_seeds is None else generator_seeds)
    repeated = len(set(seeds)) < len(seeds) or len(set(generator_seeds)) < len(generator_seeds)
    if not generator_seeds or repeated or len(generator_seeds) > len(seeds):
        raise ConfigError(
            f"give different seeds, and no more generator_seeds than seeds; got {list(seeds)} and {generator_seeds}"
        )
    if not fractions or not all(0 < f <= 1 for f in fractions) or len(set(fractions)) < len(fractions):
        raise ConfigError(
            f"fractions are different shares of the real data, above 0 and at most 1, got {list(fractions)}"
        )
    # whole epochs: every training makes exactly the steps that it is given
    epoch_length = math.gcd(real_iterations, synthetic_iterations, fine_tuning_iterations)
    stages: list[WorkflowStage] = []
    for number, seed in enumerate(seeds):
        g_seed = generator_seeds[number % len(generator_seeds)]
        for fraction in fractions:
            source = {"dataset_dir": str(real_dir), "fraction": float(fraction), "fraction_seed": int(g_seed)}
            data = {
                "dataset_dir": source if fraction < 1 else str(real_dir),
                "layout": "datalist",
                "val_count": val_count,
            }
            g_tag, tag = multi_stage_tag(fraction, g_seed), multi_stage_tag(fraction, seed)
            if number < len(generator_seeds):
                for way in ways:
                    stages += generators.stages(way, g_tag, data, g_seed, list(needs))
            for network in networks:
                of_seed = {
                    **data,
                    "seed": seed,
                    "label_set": generators.label_set,
                    "image_channels": generators.image_channels,
                    "epoch_length": epoch_length,
                    "val_interval": "@max_epochs",
                }
                runs = _Runs(generators, segmentation_recipe, network, tag, of_seed, segmentation or {})
                stages += runs.run("real", {"train_on": "real", "max_iterations": real_iterations}, needs)
                steps = synthetic_iterations + fine_tuning_iterations
                stages += runs.run("real_same_steps", {"train_on": "real", "max_iterations": steps}, needs)
                for way in ways:
                    own = {
                        "train_on": "synthetic",
                        "synthetic_dir": generators.folder(way, g_tag),
                        "max_iterations": synthetic_iterations,
                    }
                    stages += runs.run(f"{way}_synth", own, [*needs, f"{way}_set_{g_tag}"])
                    before = f"segmentation_{network}_{way}_synth_{tag}"
                    own = {
                        "train_on": "synthetic_then_real",
                        "pretrained": str(Path(generators.root, before, "models", "model.pt")),
                        "max_iterations": fine_tuning_iterations,
                        "learning_rate": fine_tuning_learning_rate,
                    }
                    stages += runs.run(f"{way}_synth_then_real", own, [*needs, before])
    return stages


class _Runs:
    """Training and evaluation of one network on one share of the data."""

    def __init__(
        self,
        generators: GenerationWays,
        recipe: str | None,
        network: str,
        tag: str,
        data: dict[str, Any],
        settings: Mapping[str, Any],
    ) -> None:
        bundle = Path(generators.bundles_dir, "semantic_segmentation")
        overlay = SEGMENTATION_NETWORKS[network]
        self.train = [bundle / "configs" / "train.json", overlay and bundle / "configs" / f"{overlay}.json"]
        self.evaluate = [*self.train, bundle / "configs" / "evaluate.json"]
        self.recipe = recipe and bundle / "recipes" / f"{recipe}.json"
        self.network, self.tag, self.data, self.settings = network, tag, data, settings
        self.root = generators.root

    def run(self, name: str, own: Mapping[str, Any], needs: Sequence[str]) -> list[WorkflowStage]:
        full = f"{self.network}_{name}_{self.tag}"
        training = f"segmentation_{full}"
        settings = {**self.settings, **self.data, **own}
        checkpoint = str(Path(self.root, training, "models", "model.pt"))
        judged = {**settings, "checkpoint": checkpoint, "run_name": name}
        return [
            BundleStage(training, [*self.train, self.recipe], copy.deepcopy(settings), needs),
            BundleStage(f"evaluation_{full}", [*self.evaluate, self.recipe], copy.deepcopy(judged), [training]),
        ]
