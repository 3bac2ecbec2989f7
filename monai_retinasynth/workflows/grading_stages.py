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
"""Trainings of the grade classification on several mixtures of real and synthetic photographs, as workflow stages."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..utils.errors import ConfigError
from .stage import BundleStage

__all__ = ["grading_stages"]


def grading_stages(
    rows: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
    train_config_files: Sequence[str | None],
    evaluate_config_files: Sequence[str | None],
    root: str,
    overrides: Mapping[str, Any] | None = None,
    needs: Sequence[str] = (),
) -> list[BundleStage]:
    """Training and evaluation for each row and seed: ``training_real_seed0``, ``evaluation_real_seed0``, ...

    All rows of a seed come before the next seed, so that a table of one seed is there early.

    Args:
        rows: name -> settings of the bundle that this row has of its own, such as ``{"train_on": "mixed",
            "synthetic_dir": ...}``.
        seeds: seeds of every row.
        train_config_files: files of the classification bundle for training, a recipe last; None entries are left out.
        evaluate_config_files: files for evaluation (``train.json``, ``evaluate.json``, a recipe).
        root: output folder of the workflow, below which the stages have their folders.
        overrides: settings of the bundle for all stages, such as ``dataset_dir`` and ``max_iterations``.
        needs: names of the stages that every training needs.

    Returns:
        the stages, each evaluation behind its training; `summarise_grading` reads what they write.

    Raises:
        ConfigError: when there are no rows or seeds, a seed repeats, or a setting is given that the stages set.
    """
    if not rows or not seeds or len(set(seeds)) < len(seeds):
        raise ConfigError(f"give one or more rows and different seeds, got rows {list(rows)} and seeds {list(seeds)}")
    for name, settings in {"the overrides": overrides or {}, **rows}.items():
        if taken := sorted({"seed", "output_dir", "checkpoint"} & set(settings)):
            raise ConfigError(f"{name} of the grading set {', '.join(taken)}, which every stage has of its own")
    stages = []
    for seed in seeds:
        for row, settings in rows.items():
            own = {**(overrides or {}), **settings, "seed": seed}
            training = f"training_{row}_seed{seed}"
            checkpoint = str(Path(root, training, "models", "model.pt"))
            # a copy each: the parser of a run writes into the dictionaries that it is given
            stages += [
                BundleStage(training, train_config_files, copy.deepcopy(own), list(needs)),
                BundleStage(
                    f"evaluation_{row}_seed{seed}",
                    evaluate_config_files,
                    copy.deepcopy({**own, "checkpoint": checkpoint}),
                    [training],
                ),
            ]
    return stages
