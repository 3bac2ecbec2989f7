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

from ..data.background_set import write_background_dataset
from ..data.checks import check_dataset
from ..data.scale_to_field_of_view import scale_to_field_of_view
from ..simulation.phantom_dataset import write_phantom_dataset
from ..utils.errors import ConfigError
from .bundle_settings import check_bundle_settings
from .required_folder import required_folder
from .second_observer_scores import score_second_observer
from .stage import BundleStage, FunctionStage, WorkflowStage

__all__ = [
    "ACROSS_CAMERAS_ROWS",
    "HOME",
    "AcrossCameras",
    "across_cameras_rows",
    "camera_folders",
    "evaluation_name",
]

#: name of the home data set among the cameras
HOME = "home"
_STRONG = {"photometric": "strong"}
_HALF = {"train_on": "mixed", "batch_mixing": "half", **_STRONG}

#: row -> settings of the segmentation bundle, and of the table: `title`; `synthetic`, the sets that it trains on, by
#: their painter; `control`, for rows with real photographs alone, the best of which a synthetic row counts against;
#: `checkpoints`, settings that name the network of another row, such as `pretrained`
ACROSS_CAMERAS_ROWS: dict[str, dict[str, Any]] = {
    "real": {"title": "REAL", "control": True, "train_on": "real"},
    "real_photometric": {"title": "REAL, photometric", "control": True, "train_on": "real", **_STRONG},
    "real_warped": {"title": "REAL, photometric, warped", "control": True, "train_on": "real", "warp": True, **_STRONG},
    "synth_measured": {"title": "SYNTH, measured", "synthetic": ["measured"], "train_on": "synthetic"},
    "synth_measured_photometric": {
        "title": "SYNTH, measured, photometric",
        "synthetic": ["measured"],
        "train_on": "synthetic",
        **_STRONG,
    },
    "half_measured": {"title": "half REAL, half measured", "synthetic": ["measured"], **_HALF},
    "half_measured_quarter_transplanted": {
        "title": "half REAL, quarter measured, quarter transplanted",
        "synthetic": ["measured", "transplanted"],
        **_HALF,
    },
    "half_measured_easy": {
        "title": "half REAL, half measured, without what REAL finds hard",
        "synthetic": ["measured"],
        **_HALF,
        "ignore_above": 1.25,
        "checkpoints": {"reference_checkpoint": "real"},
    },
    "synth_transplanted": {"title": "SYNTH, transplanted", "synthetic": ["transplanted"], "train_on": "synthetic"},
    "synth_gan": {"title": "SYNTH, learned", "synthetic": ["gan"], "train_on": "synthetic"},
    "half_gan": {"title": "half REAL, half learned", "synthetic": ["gan"], **_HALF},
    # of equal steps with the next one, which goes on with real photographs after 750 iterations on synthetic ones
    "real_same_steps": {"title": "REAL, 1000 iterations", "control": True, "train_on": "real", "max_iterations": 1000},
    "synth_measured_then_real": {
        "title": "SYNTH, measured, then REAL",
        "synthetic": [],
        "train_on": "synthetic_then_real",
        "checkpoints": {"pretrained": "synth_measured"},
        "max_iterations": 250,
        "learning_rate": 0.001,
    },
    "synth_gan_plain": {
        "title": "SYNTH, learned without backgrounds",
        "synthetic": ["gan_plain"],
        "train_on": "synthetic",
    },
}
_OF_THE_TABLE = ("title", "synthetic", "control", "checkpoints")
#: painter -> the translation bundle's `translator`, and whether it paints on backgrounds
_PAINTERS = {
    "measured": ("measured", True),
    "transplanted": ("transplant", True),
    "gan": ("gan", True),
    "gan_plain": ("gan", False),
}


def across_cameras_rows(
    names: Sequence[str] | None = None, more: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, dict[str, Any]]:
    """Rows of the table in their order.

    Args:
        names: the rows wanted; None for all.
        more: rows beside `ACROSS_CAMERAS_ROWS`, or in the place of those of the same name.

    Raises:
        ConfigError: when a row is unknown or named twice, has no `train_on`, an unknown painter, or needs the network
            of a row that does not come before it.
    """
    known = {**ACROSS_CAMERAS_ROWS, **{name: dict(row) for name, row in (more or {}).items()}}
    names = list(known if names is None else names)
    unknown = [name for name in names if name not in known]
    if unknown or not names or len(set(names)) < len(names):
        raise ConfigError(f"rows are {names}; name different ones of {', '.join(known)}, or describe new ones")
    for number, name in enumerate(names):
        row = known[name]
        if "train_on" not in row or not set(row.get("synthetic", ())) <= set(_PAINTERS):
            painters = ", ".join(_PAINTERS)
            raise ConfigError(f"row {name} is {row}; it needs train_on, and as synthetic some of {painters}")
        missing = sorted(set(row.get("checkpoints", {}).values()) - set(names[:number]))
        if missing:
            raise ConfigError(f"row {name} starts from the network of {', '.join(missing)}, which must come before it")
    return {name: known[name] for name in names}


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
        label_map_size: (H, W) of simulated label maps; None for that of DRIVE, whose field of view has 540 px.
        simulation: more arguments of `write_phantom_dataset`, such as `view` and `field_degrees`, by which simulated
            label maps show what the home photographs show.
        num_synthetic: cases of a synthetic set.
        segmentation: settings of the segmentation bundle for all rows.
        translation: settings of the translation bundle for all painters.
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
    label_map_size: Sequence[int] | int | None = None
    simulation: Mapping[str, Any] = field(default_factory=dict)
    num_synthetic: int = 60
    segmentation: Mapping[str, Any] = field(default_factory=dict)
    translation: Mapping[str, Any] = field(default_factory=dict)
    needs: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.translator_seeds = list(self.seeds if self.translator_seeds is None else self.translator_seeds)
        for seeds in (self.seeds, self.translator_seeds):
            if not seeds or len(set(seeds)) < len(seeds):
                raise ConfigError(f"seeds are different whole numbers, got {list(seeds)}")
        if HOME in self.others:
            raise ConfigError(f"other_dirs names a camera {HOME}, which is the home data set; give it another name")
        if self.home.get("choice_count") and self.others:
            raise ConfigError(
                "choice_count holds training eyes out for choices, which no other camera may make: leave out other_dirs"
            )
        chosen = self.home.get("training_cases")
        several = isinstance(chosen, Sequence) and chosen and not isinstance(chosen[0], str)
        self._subsets = list(chosen) if several else [chosen]
        segmentation, translation = (
            Path(self.bundles_dir, name) for name in ("semantic_segmentation", "label_to_image_translation")
        )
        recipe = self.recipe and str(segmentation / "recipes" / f"{self.recipe}.json")
        self._train = [str(segmentation / "configs" / "train.json"), recipe]
        self._evaluate = [*self._train[:1], str(segmentation / "configs" / "evaluate.json"), recipe]
        self._translation_dir = translation
        settings = {name for row in self.rows.values() for name in row if name not in _OF_THE_TABLE}
        settings |= {name for row in self.rows.values() for name in row.get("checkpoints", {})}
        check_bundle_settings([*sorted(settings), *self.segmentation], self._train)
        if self.label_map_size is None:
            # the phantom's field of view is a disc of 0.955 of the shorter edge
            self.label_map_size = [round(self.diameter * side / 540) for side in (584, 565)]

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
        painters = list(dict.fromkeys(p for row in self.rows.values() for p in row.get("synthetic", ())))
        for number in range(len(self.seeds)):
            stages += [stage for painter in painters for stage in self._paint(painter, number)]
            stages += [stage for row in self.rows for stage in self._row(row, number)]
        unique: dict[str, WorkflowStage] = {}
        for stage in stages:  # painters share label maps, seeds perhaps a translator
            unique.setdefault(stage.name, stage)
        return list(unique.values())

    def _folder(self, stage: str) -> str:
        return str(Path(self.root, stage))

    def _of_subset(self, name: str, number: int) -> str:
        """Name of a stage that depends on which eyes the seed of this number is trained on."""
        return name if len(self._subsets) == 1 else f"{name}_eyes{number % len(self._subsets)}"

    def _home(self, number: int) -> list[WorkflowStage]:
        arguments = {**self.home, "training_cases": self._subsets[number], "diameter": self.diameter}
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
        if any(_PAINTERS[p][1] for row in self.rows.values() for p in row.get("synthetic", ())):
            own = {"dataset_dir": folder, "layout": "datalist", "val_count": 0}
            stages.append(
                FunctionStage(self._of_subset("backgrounds", number), write_background_dataset, own, [check])
            )
        return stages

    def _other(self, name: str, other: Mapping[str, Any]) -> list[WorkflowStage]:
        arguments = {**other, "diameter": self.diameter, "all_as_test": True}
        inputs = [] if self.needs else [str(other["dataset_dir"])]
        stage = f"camera_{name}"
        return [
            FunctionStage(stage, scale_to_field_of_view, copy.deepcopy(arguments), self.needs, inputs=inputs),
            self._second_observer(name, stage),
        ]

    def _second_observer(self, camera: str, stage: str) -> WorkflowStage:
        arguments = {"dataset_dir": self._folder(stage), "layout": "datalist"}
        return FunctionStage(f"second_observer_{camera}", score_second_observer, arguments, [stage])

    def _paint(self, painter: str, number: int) -> list[WorkflowStage]:
        """Stages that make the synthetic set of a painter."""
        seed = self.seeds[number]
        translator, on_background = _PAINTERS[painter]
        label_maps, backgrounds = f"label_maps_seed{seed}", self._of_subset("backgrounds", number)
        check = self._of_subset("home_check", number)
        recipe = self.translation_recipe if on_background else self.plain_recipe
        own = {"dataset_dir": self._folder(self._of_subset(HOME, number)), "layout": "datalist", "val_count": 0}
        own |= {**self.translation, "translator": translator}
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
        }
        stages: list[WorkflowStage] = [FunctionStage(label_maps, write_phantom_dataset, simulated)]
        drawing = {
            **own,
            "seed": seed,
            "label_maps_dir": self._folder(label_maps),
            "background": self._folder(backgrounds) if on_background else "none",
        }
        needs = [label_maps, check, *([backgrounds] if on_background else [])]
        if translator == "gan":
            g_seed = self.translator_seeds[number % len(self.translator_seeds)]
            # translators that learnt on other eyes are others
            training = self._of_subset(f"{painter}_training_seed{g_seed}", number)
            learning = {**own, "seed": g_seed, "background": "own" if on_background else "none"}
            stages.append(self._bundle(training, "train", recipe, learning, [check]))
            drawing["checkpoint"] = self._folder(training) + "/models/model.pt"
            needs.append(training)
        stages.append(self._bundle(f"{painter}_set_seed{seed}", "inference", recipe, drawing, needs))
        return stages

    def _bundle(
        self, name: str, config: str, recipe: str | None, own: Mapping[str, Any], needs: Sequence[str]
    ) -> BundleStage:
        files = [self._translation_dir / "configs" / f"{config}.json"]
        files += [self._translation_dir / "recipes" / f"{recipe}.json"] if recipe else []
        return BundleStage(name, [str(file) for file in files], copy.deepcopy(dict(own)), needs)

    def _row(self, name: str, number: int) -> list[WorkflowStage]:
        """Training of a row with a seed, and its scores on every camera."""
        row, seed = self.rows[name], self.seeds[number]
        home = self._of_subset(HOME, number)
        training = f"segmentation_{name}_seed{seed}"
        needs = [self._of_subset("home_check", number)]
        settings = {
            **self.segmentation,
            **{key: value for key, value in row.items() if key not in _OF_THE_TABLE},
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

