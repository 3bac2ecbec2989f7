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
"""Which training carries over to another camera? The stages that ask it of a home data set and of others.

Everything is learnt on training eyes of the home data set: backgrounds, painters, translators, segmentation networks;
the threshold comes from its validation eyes. The cases of the other data sets are only tested on, scaled so that the
fields of view of all have one diameter. The rows of the table and the cameras are independent of one another: what one
more of them adds leaves finished stages as they are.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from ..data.background_set import write_background_dataset
from ..data.checks import check_dataset
from ..data.scale_to_field_of_view import scale_to_field_of_view
from ..utils.errors import ConfigError
from .across_cameras_eyes import check_choice_count, check_seeds, eyes_by_seed
from .across_cameras_painting import AcrossCamerasPainting, name_of_eyes
from .across_cameras_rows import ACROSS_CAMERAS_PAINTERS, KEYS_OF_THE_TABLE
from .bundle_settings import check_bundle_settings
from .required_folder import required_folder
from .second_observer_scores import score_second_observer
from .stage import BundleStage, FunctionStage, WorkflowStage

__all__ = ["HOME", "AcrossCameras", "camera_folders", "evaluation_name"]

#: name of the home data set among the cameras
HOME = "home"
#: settings of the segmentation bundle that the stages give themselves
_SET_HERE = ("dataset_dir", "layout", "val_count", "seed", "synthetic_dir", "test_dir", "checkpoint", "run_name")


def camera_folders(other_dirs: Mapping[str, str | Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The setting `other_dirs` with absolute folders.

    Args:
        other_dirs: name of a camera -> its folder, or arguments of `scale_to_field_of_view`: `dataset_dir`, `layout`.

    Raises:
        ConfigError: when a name cannot be part of a stage's name, or there is no such folder.
    """
    cameras = {}
    for name, other in other_dirs.items():
        own = {"dataset_dir": other} if isinstance(other, str) else dict(other)
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ConfigError(f"other_dirs: {name!r} becomes part of folder names; use letters, digits, - and _")
        folder = required_folder(own.get("dataset_dir"), f"other_dirs#{name}", "a data set of another camera")
        cameras[name] = {**own, "dataset_dir": folder}
    return cameras


def evaluation_name(row: str, camera: str, seed: int) -> str:
    """Name of the stage that scores a row on a camera."""
    return f"evaluation_{row}_on_{camera}_seed{seed}"


@dataclass
class AcrossCameras:
    """
    Args:
        root: output folder of the workflow.
        bundles_dir: folder of the stage bundles.
        home: arguments of `scale_to_field_of_view` that name the home data set and its cases: `dataset_dir`, `layout`,
            `val_count`, `split`, `training_cases`, `choice_count`. `training_cases` may also be a list of lists of
            case ids; the seeds take turns with them.
        others: name of a camera -> its folder, or arguments such as `dataset_dir` and `layout`.
        rows: see `across_cameras_rows`.
        seeds: seeds of label maps, painters and networks.
        translator_seeds: seeds of the learned translators, with which the seeds take turns; None for `seeds`.
        recipe: recipe of the segmentation bundle; None for its own settings.
        translation_recipe: recipe of the translation bundle for painters on backgrounds.
        plain_recipe: its recipe for translators without backgrounds, the papers' form.
        diameter: diameter of all fields of view in pixels.
        tolerance: photographs that would change by no more than this share keep their pixels; None for the default of
            `scale_to_field_of_view`.
        label_map_size: (H, W) of simulated label maps; None for that of DRIVE, whose field of view has 540 px.
        simulation: more arguments of `write_phantom_dataset`, such as `view` and `field_degrees`, by which simulated
            label maps show what the home photographs show.
        field_degrees: visual angle of the home photographs, so that a background fits under a label map of a narrower
            field; None where no painter varies it, or for backgrounds as they are.
        num_synthetic: cases of a synthetic set.
        segmentation: settings of the segmentation bundle for all rows.
        translation: settings of the translation bundle for all painters; a stage gets those that its configuration
            (training, generation or evaluation) reads.
        needs: stages that must come before.
    """

    root: str
    bundles_dir: str
    home: Mapping[str, Any]
    others: Mapping[str, str | Mapping[str, Any]]
    rows: Mapping[str, Mapping[str, Any]]
    seeds: Sequence[int] = (0, 1, 2)
    translator_seeds: Sequence[int] | None = None
    recipe: str | None = None
    translation_recipe: str | None = None
    plain_recipe: str | None = None
    diameter: float = 540.0
    tolerance: float | None = None
    label_map_size: Sequence[int] | int | None = None
    simulation: Mapping[str, Any] = field(default_factory=dict)
    field_degrees: float | None = None
    num_synthetic: int = 60
    segmentation: Mapping[str, Any] = field(default_factory=dict)
    translation: Mapping[str, Any] = field(default_factory=dict)
    needs: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.seeds = check_seeds(self.seeds)
        self.translator_seeds = check_seeds(
            self.seeds if self.translator_seeds is None else self.translator_seeds, "translator_seeds"
        )
        check_choice_count(self.home.get("choice_count"))
        if HOME in self.others:
            raise ConfigError(f"other_dirs names a camera {HOME}, which is the home data set; give it another name")
        if self.home.get("choice_count") and self.others:
            raise ConfigError(
                "choice_count holds training eyes out for choices, which no other camera may make: leave out other_dirs"
            )
        self._subsets = eyes_by_seed(self.home.get("training_cases"))
        segmentation = Path(self.bundles_dir, "semantic_segmentation")
        recipe = self.recipe and str(segmentation / "recipes" / f"{self.recipe}.json")
        self._train = [str(segmentation / "configs" / "train.json"), recipe]
        self._evaluate = [*self._train[:1], str(segmentation / "configs" / "evaluate.json"), recipe]
        settings = {name for row in self.rows.values() for name in row if name not in KEYS_OF_THE_TABLE}
        settings |= {name for row in self.rows.values() for name in row.get("checkpoints", {})}
        check_bundle_settings([*sorted(settings), *self.segmentation], self._train, set_here=_SET_HERE)
        if self.label_map_size is None:
            # the phantom's field of view is a disc of 0.955 of the shorter edge
            self.label_map_size = [round(self.diameter * side / 540) for side in (584, 565)]
        self._painting = AcrossCamerasPainting(
            self.root,
            self.bundles_dir,
            self.seeds,
            self.translator_seeds,
            self.translation_recipe,
            self.plain_recipe,
            self.label_map_size,
            self.simulation,
            self.num_synthetic,
            self.translation,
            self.field_degrees,
            len(self._subsets),
        )

    def cameras(self) -> list[str]:
        """Names of the cameras, the home data set first."""
        return [HOME, *self.others]

    def evaluations(self) -> list[str]:
        """Names of all stages that score a row."""
        return [evaluation_name(r, c, seed) for seed in self.seeds for r in self.rows for c in self.cameras()]

    def stages(self) -> list[WorkflowStage]:
        """All stages but the summary; the rows of a seed come before those of the next."""
        stages: list[WorkflowStage] = []
        for number in range(min(len(self._subsets), len(self.seeds))):
            stages += self._home(number)
        for name, other in self.others.items():
            stages += self._other(name, {"dataset_dir": other} if isinstance(other, str) else dict(other))
        painters = self._painters()
        for number in range(len(self.seeds)):
            stages += [stage for painter in painters for stage in self._painting.stages(painter, number)]
            stages += [stage for row in self.rows for stage in self._row(row, number)]
            stages += [stage for painter in painters for stage in self._painting.fidelity(painter, number)]
        unique: dict[str, WorkflowStage] = {}
        for stage in stages:  # painters share label maps, seeds perhaps a translator
            unique.setdefault(stage.name, stage)
        return list(unique.values())

    def last_stages(self) -> list[str]:
        """Names of the stages that no other one needs: what a summary waits for."""
        stages = self.stages()
        needed = {need for stage in stages for need in stage.needs}
        return [stage.name for stage in stages if stage.name not in needed]

    def _painters(self) -> list[str]:
        return list(dict.fromkeys(p for row in self.rows.values() for p in row.get("synthetic", ())))

    def _folder(self, stage: str) -> str:
        return str(Path(self.root, stage))

    def _of_subset(self, name: str, number: int) -> str:
        return name_of_eyes(name, number, len(self._subsets))

    def _home(self, number: int) -> list[WorkflowStage]:
        arguments = {**self.home, "training_cases": self._subsets[number], **self._scale()}
        name, check = self._of_subset(HOME, number), self._of_subset("home_check", number)
        folder = self._folder(name)
        checked = {
            "dataset_dir": folder,
            "layout": "datalist",
            "val_count": 0,
            "sections": ["training", "validation", "test"],
            "require_image": True,
        }
        inputs = [] if self.needs else [str(self.home["dataset_dir"])]
        stages = [
            FunctionStage(name, scale_to_field_of_view, copy.deepcopy(arguments), self.needs, inputs=inputs),
            FunctionStage(check, check_dataset, checked, [name], folder_argument=None),
        ]
        if number == 0:
            stages.append(self._second_observer(HOME, name))
        if any(ACROSS_CAMERAS_PAINTERS[painter].on_background for painter in self._painters()):
            own = {"dataset_dir": folder, "layout": "datalist", "val_count": 0}
            stages.append(
                FunctionStage(self._of_subset("backgrounds", number), write_background_dataset, own, [check])
            )
        return stages

    def _other(self, name: str, other: Mapping[str, Any]) -> list[WorkflowStage]:
        arguments = {**other, **self._scale(), "all_as_test": True}
        inputs = [] if self.needs else [str(other["dataset_dir"])]
        stage = f"camera_{name}"
        return [
            FunctionStage(stage, scale_to_field_of_view, copy.deepcopy(arguments), self.needs, inputs=inputs),
            self._second_observer(name, stage),
        ]

    def _scale(self) -> dict[str, float]:
        return {"diameter": self.diameter, **({} if self.tolerance is None else {"tolerance": self.tolerance})}

    def _second_observer(self, camera: str, stage: str) -> WorkflowStage:
        arguments = {"dataset_dir": self._folder(stage), "layout": "datalist"}
        return FunctionStage(f"second_observer_{camera}", score_second_observer, arguments, [stage])

    def _row(self, name: str, number: int) -> list[WorkflowStage]:
        """Training of a row with a seed, and its scores on every camera."""
        row, seed = self.rows[name], self.seeds[number]
        home = self._of_subset(HOME, number)
        training = f"segmentation_{name}_seed{seed}"
        needs = [self._of_subset("home_check", number)]
        settings = {
            **self.segmentation,
            **{key: value for key, value in row.items() if key not in KEYS_OF_THE_TABLE},
            **self._added_up(name),
            "dataset_dir": self._folder(home),
            "layout": "datalist",
            "val_count": 0,
            "seed": seed,
        }
        if row.get("synthetic"):
            sets = [f"{painter}_set_seed{seed}" for painter in row["synthetic"]]
            settings["synthetic_dir"] = [self._folder(s) for s in sets] if len(sets) > 1 else self._folder(sets[0])
            needs += sets
        for setting, of_row in row.get("checkpoints", {}).items():
            settings[setting] = self._folder(f"segmentation_{of_row}_seed{seed}") + "/models/model.pt"
            needs.append(f"segmentation_{of_row}_seed{seed}")
        stages = [BundleStage(training, self._train, copy.deepcopy(settings), needs)]
        for camera in self.cameras():
            tested = home if camera == HOME else f"camera_{camera}"
            judged = {
                **settings,
                "test_dir": self._folder(tested),
                "checkpoint": self._folder(training) + "/models/model.pt",
                "run_name": name,
            }
            stage = evaluation_name(name, camera, seed)
            stages.append(BundleStage(stage, self._evaluate, copy.deepcopy(judged), [training, tested]))
        return stages

    def _added_up(self, name: str) -> dict[str, int]:
        """`max_iterations` of a row that has as many as others one after the other."""
        steps = self.rows[name].get("iterations_of")
        if steps is None:
            return {}
        if "max_epochs" in self.segmentation:
            raise ConfigError(f"row {name} counts iterations: give segmentation max_iterations in place of max_epochs")
        of_recipe = ConfigParser.load_config_files([file for file in self._train if file])["max_iterations"]
        usual = self.segmentation.get("max_iterations", of_recipe)
        steps = [usual if number is None else number for number in steps]
        if not all(isinstance(number, int) for number in steps):
            raise ConfigError(f"row {name} adds up max_iterations, which must be whole numbers, got {steps}")
        return {"max_iterations": sum(steps)}
