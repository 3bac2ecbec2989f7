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
"""The stages of a comparison: one segmentation network for each share of synthetic training images and each seed."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..engines.segmentation_sources import count_for_share
from ..utils.errors import ConfigError
from .bundle_settings import check_bundle_settings
from .stage import BundleStage

__all__ = ["share_run_names", "share_stages"]

_GIVEN_HERE = {
    "seed": "give the seeds as seeds",
    "output_dir": "every stage has a folder of its own",
    "train_on": "it is 'mixed' in all of them",
    "synthetic_share": "give the shares as shares",
    "num_synthetic": "the shares say how many synthetic images are taken",
    "synthetic_dir": "give it as synthetic_dir",
    "checkpoint": "each evaluation takes that of its training",
}


def share_stages(
    shares: Sequence[float],
    seeds: Sequence[int],
    train_config_files: Sequence[str | None],
    evaluate_config_files: Sequence[str | None],
    root: str,
    synthetic_dir: Any = None,
    overrides: Mapping[str, Any] | None = None,
    needs: Sequence[str] = (),
    synthetic_needs: Sequence[str] = (),
) -> list[BundleStage]:
    """Training and evaluation for each share and seed: ``segmentation_share25_seed0``, ``evaluation_share25_seed0``.

    All differ in the share and the seed only: the count of real images, the number of optimizer steps and the test
    images are the same. All shares of a seed come before the next seed, so that a table of one seed is there early.

    Args:
        shares: shares of the training images that are synthetic, each 0 or more and below 1.
        seeds: seeds of the trainings.
        train_config_files: files of the segmentation bundle for training, a recipe last; None entries are left out.
        evaluate_config_files: files for evaluation (``train.json``, ``evaluate.json``, a recipe).
        root: output folder of the workflow, below which the stages have their folders.
        synthetic_dir: folder(s) of the synthetic set; may be missing where 0 is the only share.
        overrides: settings of the bundle for all stages, such as ``dataset_dir`` and ``max_iterations``.
        needs: names of the stages that every training needs.
        synthetic_needs: names of the stages that a training with synthetic images needs too.

    Returns:
        the stages, each evaluation behind its training.

    Raises:
        ConfigError: when shares or seeds are none, repeat or are no such numbers, an override is not a setting of the
            bundle or is given by the shares, a file does not exist, or there is no synthetic_dir.
    """
    names = share_run_names(shares, seeds)
    if any(shares) and not synthetic_dir:
        raise ConfigError(f"the shares {list(shares)} need synthetic_dir, the folder of a synthetic data set")
    overrides = dict(overrides or {})
    _check_overrides(overrides, train_config_files)
    stages = []
    for seed in seeds:
        for share in shares:
            name = names[share][seed]
            own = {**overrides, "seed": seed, "train_on": "mixed", "synthetic_share": share}
            if share:
                own["synthetic_dir"] = synthetic_dir
            training = f"segmentation_{name}"
            needed = [*needs, *(synthetic_needs if share else ())]
            checkpoint = str(Path(root, training, "models", "model.pt"))
            # a copy each: the parser of a run writes into the dictionaries that it is given
            stages += [
                BundleStage(training, train_config_files, copy.deepcopy(own), needed),
                BundleStage(
                    f"evaluation_{name}",
                    evaluate_config_files,
                    copy.deepcopy({**own, "checkpoint": checkpoint}),
                    [training],
                ),
            ]
    return stages


def share_run_names(shares: Sequence[float], seeds: Sequence[int]) -> dict[float, dict[int, str]]:
    """Names of the runs: share -> seed -> ``share<per cent>_seed<seed>``.

    Raises:
        ConfigError: when shares or seeds are none, repeat, or are no such numbers.
    """
    if not shares or not seeds:
        raise ConfigError(f"give one or more shares and seeds, got {list(shares)} and {list(seeds)}")
    if len(set(seeds)) < len(seeds) or not all(isinstance(seed, int) for seed in seeds):
        raise ConfigError(f"seeds are different whole numbers, got {list(seeds)}")
    for share in shares:
        count_for_share(1, share)
    names = {share: {seed: f"share{100 * share:g}_seed{seed}" for seed in seeds} for share in shares}
    if len({runs[seeds[0]] for runs in names.values()}) < len(shares):
        raise ConfigError(f"two of the shares {list(shares)} are the same")
    return names


def _check_overrides(overrides: Mapping[str, Any], files: Sequence[str | None]) -> None:
    for key, remedy in _GIVEN_HERE.items():
        if key in overrides:
            raise ConfigError(f"the overrides of the shares hold {key}; {remedy}")
    check_bundle_settings(overrides, files)
