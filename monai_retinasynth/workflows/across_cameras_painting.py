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
"""The synthetic sets of the across-camera workflow: stages that simulate label maps, train translators and paint."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..simulation.phantom_dataset import write_phantom_dataset
from .across_cameras_rows import ACROSS_CAMERAS_PAINTERS
from .bundle_settings import check_bundle_settings, settings_of_stage
from .contact_sheet import write_contact_sheet
from .stage import BundleStage, FunctionStage, WorkflowStage

__all__ = ["AcrossCamerasPainting", "name_of_eyes"]

#: configurations of the translation bundle that the stages run
_CONFIGS = {"train": ("train",), "inference": ("inference",), "evaluate": ("train", "evaluate")}
#: its settings that the stages give themselves
_SET_HERE = (
    "dataset_dir",
    "layout",
    "val_count",
    "seed",
    "translator",
    "background",
    "label_maps_dir",
    "checkpoint",
    "output_dir",
)


def name_of_eyes(name: str, number: int, num_subsets: int) -> str:
    """Name of a stage that depends on which eyes the seed of this number is trained on."""
    return name if num_subsets == 1 else f"{name}_eyes{number % num_subsets}"


@dataclass
class AcrossCamerasPainting:
    """Makes the stages that paint synthetic sets.

    Args:
        root: see `AcrossCameras`, as all that are not named here.
        bundles_dir: see there.
        seeds: see there.
        translator_seeds: see there.
        translation_recipe: see there.
        plain_recipe: see there.
        label_map_size: see there.
        simulation: see there.
        num_synthetic: see there.
        translation: see there.
        field_degrees: see there.
        num_subsets: how many choices of training eyes the seeds share.
    """

    root: str
    bundles_dir: str
    seeds: Sequence[int]
    translator_seeds: Sequence[int]
    translation_recipe: str | None
    plain_recipe: str | None
    label_map_size: Sequence[int] | int
    simulation: Mapping[str, Any]
    num_synthetic: int
    translation: Mapping[str, Any]
    field_degrees: float | None
    num_subsets: int

    def __post_init__(self) -> None:
        recipes = [self._recipe(name) for name in (self.translation_recipe, self.plain_recipe)]
        check_bundle_settings(self.translation, [*self._all_files(), *recipes], "translation", _SET_HERE)

    def stages(self, painter: str, number: int) -> list[WorkflowStage]:
        """Stages that make the synthetic set of a painter for the seed of this number."""
        seed = self.seeds[number]
        kind = ACROSS_CAMERAS_PAINTERS[painter]
        label_maps = f"{painter}_label_maps_seed{seed}" if kind.simulation else f"label_maps_seed{seed}"
        backgrounds = self._of_eyes("backgrounds", number)
        simulated = {
            "size": self.label_map_size,
            "num_training": self.num_synthetic,
            "num_validation": 0,
            "num_test": 0,
            "seed": 1000 + int(seed),
            "labels_only": True,
            "source": "synthetic",
            "trees": True,
            **self.simulation,
            **kind.simulation,
        }
        stages: list[WorkflowStage] = [FunctionStage(label_maps, write_phantom_dataset, simulated)]
        drawing = {
            **self._home(number),
            **kind.generation,
            "translator": kind.translator,
            "seed": seed,
            "label_maps_dir": self._folder(label_maps),
            "background": self._folder(backgrounds) if kind.on_background else "none",
        }
        if kind.on_background and self.field_degrees is not None:
            options = self.translation.get("background_options", {})
            drawing["background_options"] = {"field_degrees": self.field_degrees, **options}
        needs = [label_maps, self._of_eyes("home_check", number), *([backgrounds] if kind.on_background else [])]
        if kind.translator == "gan":
            training = self._training(painter, number)
            stages.append(self._bundle(training, "train", painter, self._learning(painter, number), [needs[1]]))
            drawing["checkpoint"] = self._folder(training) + "/models/model.pt"
            needs.append(training)
        drawn = f"{painter}_set_seed{seed}"
        stages.append(self._bundle(drawn, "inference", painter, drawing, needs))
        if number == 0:
            sheet = f"contact_sheet_{painter}_seed{seed}"
            shown = {"dataset_dir": self._folder(drawn), "path": self._folder(sheet) + "/contact_sheet.png"}
            stages.append(FunctionStage(sheet, write_contact_sheet, shown, [drawn], folder_argument=None))
        return stages

    def fidelity(self, painter: str, number: int) -> list[WorkflowStage]:
        """A stage that compares what a learned painter makes of the home test eyes' own backgrounds with these eyes.

        Beside it stand the unpainted background and the measured painter. Without backgrounds, or with nothing learnt,
        there is none.
        """
        if ACROSS_CAMERAS_PAINTERS[painter][:2] != ("gan", True):
            return []
        training = self._training(painter, number)
        judged = {**self._learning(painter, number), "checkpoint": self._folder(training) + "/models/model.pt"}
        name = training.replace(f"{painter}_training", f"fidelity_{painter}")
        return [self._bundle(name, "evaluate", painter, judged, [training, self._of_eyes("home_check", number)])]

    def _training(self, painter: str, number: int) -> str:
        """Name of a translator's training; translators that learnt on other eyes are others."""
        return self._of_eyes(f"{painter}_training_seed{self._translator_seed(number)}", number)

    def _translator_seed(self, number: int) -> int:
        return self.translator_seeds[number % len(self.translator_seeds)]

    def _learning(self, painter: str, number: int) -> dict[str, Any]:
        kind = ACROSS_CAMERAS_PAINTERS[painter]
        return {
            **self._home(number),
            "translator": kind.translator,
            "seed": self._translator_seed(number),
            "background": "own" if kind.on_background else "none",
        }

    def _home(self, number: int) -> dict[str, Any]:
        return {"dataset_dir": self._folder(self._of_eyes("home", number)), "layout": "datalist", "val_count": 0}

    def _of_eyes(self, name: str, number: int) -> str:
        return name_of_eyes(name, number, self.num_subsets)

    def _folder(self, stage: str) -> str:
        return str(Path(self.root, stage))

    def _bundle(
        self, name: str, run: str, painter: str, own: Mapping[str, Any], needs: Sequence[str]
    ) -> BundleStage:
        """A run of the bundle with those of the user's settings that its configuration reads."""
        kind = ACROSS_CAMERAS_PAINTERS[painter]
        recipe = self._recipe(self.translation_recipe if kind.on_background else self.plain_recipe)
        files = [self._config(config) for config in _CONFIGS[run]]
        # what a recipe alone names belongs to its network, which only a learned painter has
        given = settings_of_stage(
            self.translation, files, self._all_files(), recipe if kind.translator == "gan" else None
        )
        return BundleStage(name, [*files, recipe], copy.deepcopy({**given, **own}), needs)

    def _all_files(self) -> list[str]:
        return [self._config(name) for name in dict.fromkeys(name for names in _CONFIGS.values() for name in names)]

    def _config(self, name: str) -> str:
        return str(Path(self.bundles_dir, "label_to_image_translation", "configs", f"{name}.json"))

    def _recipe(self, name: str | None) -> str | None:
        return name and str(Path(self.bundles_dir, "label_to_image_translation", "recipes", f"{name}.json"))
