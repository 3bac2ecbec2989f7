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
"""The three ways to a labelled synthetic set, as stages of a workflow: in one step, in two, or in three.

Andreini et al., "Multi-stage Synthetic Image Generation for the Semantic Segmentation of Medical Images", 2023, and
Ciano et al., Mathematics 9(22):2896, 2021. Single-stage: one growing GAN makes image and label map together. Two-stage:
label maps, then translation. Three-stage: dot maps, dots to label maps, label maps to images.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data.dot_dataset import write_dot_dataset
from ..utils.errors import ConfigError
from .stage import BundleStage, FunctionStage, WorkflowStage

__all__ = ["GENERATION_WAYS", "GenerationWays"]

#: way -> number of generators that it trains one after the other
GENERATION_WAYS = {"single": 1, "two": 2, "three": 3}


@dataclass
class GenerationWays:
    """Makes the stages of a way, each named ``<way>_<step>_<tag>``; the last one, ``<way>_set_<tag>``, writes the set.

    Args:
        root: output folder of the workflow.
        bundles_dir: folder of the bundles.
        recipe: name of the recipe in the bundles of label map generation and of translation. On top of it comes
            ``<recipe>_joint`` for images together with label maps and ``<recipe>_dots`` for dot maps; the translator of
            dots has ``<recipe>_dots`` alone. None for the bundles' own settings.
        label_set: label set of the data.
        image_channels: channels of the images.
        train_images: images shown to the discriminators of a way in all, which its trainings share evenly; or, for each
            way, a list with the number of images of each of its trainings.
        num_synthetic: cases of a synthetic set.
        dots: arguments of `label_map_to_dots`.
        generation: settings of the bundle of label map generation for all its stages.
        translation: settings of the bundle of translation for all its stages.
    """

    root: str
    bundles_dir: str
    recipe: str | None
    label_set: Any
    image_channels: int
    train_images: int | Mapping[str, Sequence[int]]
    num_synthetic: int
    dots: Mapping[str, Any] = field(default_factory=dict)
    generation: Mapping[str, Any] = field(default_factory=dict)
    translation: Mapping[str, Any] = field(default_factory=dict)

    def stages(self, way: str, tag: str, data: Mapping[str, Any], seed: int, needs: list[str]) -> list[WorkflowStage]:
        """Stages of one way.

        Args:
            way: a key of `GENERATION_WAYS`.
            tag: end of the stages' names.
            data: settings that name the real data set, ``dataset_dir`` above all.
            seed: seed of all trainings and of the samples.
            needs: stages that must come before.

        Raises:
            ConfigError: when there is no such way, the images are too few to be shared, or overrides hold their number.
        """
        if way not in GENERATION_WAYS:
            raise ConfigError(f"there is no way {way!r} to generate; choose of {', '.join(GENERATION_WAYS)}")
        if "train_images" in {**self.generation, **self.translation}:
            raise ConfigError("generation and translation hold train_images; give it as train_images of the ways")
        makers = {"single": self._single, "two": self._two, "three": self._three}
        made = makers[way](tag, {**data, "seed": seed}, needs)
        trainings = [stage for stage in made if f"training_{tag}" in stage.name and isinstance(stage, BundleStage)]
        for stage, images in zip(trainings, self.budget(way), strict=True):
            stage.overrides["train_images"] = images
        return made

    def budget(self, way: str) -> list[int]:
        """Images shown to the discriminator of each training of a way.

        Raises:
            ConfigError: when there are too few, or a list does not have one number for each training.
        """
        given, count = self.train_images, GENERATION_WAYS[way]
        images = [given // count] * count if isinstance(given, int) else list(given.get(way, ()))
        if len(images) != count or min(images) < 1:
            raise ConfigError(
                f"train_images is {given}: the {way}-stage way has {count} training(s); give one number of images for "
                f'all ways, at least {count}, or for each way a list such as {{"two": [4000, 2000]}}'
            )
        return images

    def folder(self, way: str, tag: str) -> str:
        """Folder of the synthetic set of a way."""
        return str(Path(self.root, f"{way}_set_{tag}"))

    def _single(self, tag: str, data: dict[str, Any], needs: list[str]) -> list[WorkflowStage]:
        joint = {**data, "label_set": self.label_set, "image_channels": self.image_channels}
        return self._latent_pair("single_training", "single_set", tag, joint, needs, "_joint")

    def _two(self, tag: str, data: dict[str, Any], needs: list[str]) -> list[WorkflowStage]:
        labels = {**data, "label_set": self.label_set}
        stages = self._latent_pair("two_label_map_training", "two_label_maps", tag, labels, needs)
        return stages + self._translation("two", tag, data, needs)

    def _three(self, tag: str, data: dict[str, Any], needs: list[str]) -> list[WorkflowStage]:
        names = [f"three_{step}_{tag}" for step in ("dots", "dot_maps", "label_maps")]
        dots, dot_maps, label_maps = (str(Path(self.root, name)) for name in names)
        arguments = {
            "dataset_dir": data["dataset_dir"],
            "label_set": self.label_set,
            "dots": dict(self.dots),
            **{key: data[key] for key in ("layout", "val_count", "split") if key in data},
        }
        write = FunctionStage(names[0], write_dot_dataset, copy.deepcopy(arguments), needs)
        of_dots = {**data, "dataset_dir": dots, "layout": "datalist", "val_count": 0, "split": None}
        declared = "$monai_retinasynth.data.declared_label_set(@dataset_dir)"
        # dots are no thin branches: nothing is to be joined along ridges
        latent = {**of_dots, "label_set": declared, "thin_class": None}
        stages = self._latent_pair("three_dot_map_training", "three_dot_maps", tag, latent, [names[0]], "_dots")
        training = f"three_dots_to_label_map_training_{tag}"
        own = {**of_dots, "target_label_set": self.label_set}
        draw = {
            **own,
            "checkpoint": self._model(training),
            "label_maps_dir": dot_maps,
            # a young generator may leave a map without dots; they are counted in the set's provenance
            "empty_dot_maps": "keep",
        }
        bundle, recipes = "label_to_image_translation", ["_dots"]
        drawing = ["inference", "dots_to_label_map_inference"]
        stages += [
            self._stage(training, bundle, ["train", "dots_to_label_map"], recipes, own, [names[0]]),
            self._stage(names[2], bundle, drawing, recipes, draw, [training, names[1]]),
        ]
        return [write, *stages, *self._translation("three", tag, data, needs)]

    def _latent_pair(
        self, training: str, drawing: str, tag: str, own: dict[str, Any], needs: list[str], variant: str | None = None
    ) -> list[WorkflowStage]:
        bundle, training, drawing = "label_map_generation", f"{training}_{tag}", f"{drawing}_{tag}"
        recipes = [""] if variant is None else ["", variant]
        draw = {**own, "checkpoint": self._model(training), "num_samples": self.num_synthetic}
        return [
            self._stage(training, bundle, ["train"], recipes, own, needs),
            self._stage(drawing, bundle, ["inference"], recipes, draw, [training]),
        ]

    def _translation(self, way: str, tag: str, data: dict[str, Any], needs: list[str]) -> list[WorkflowStage]:
        bundle = "label_to_image_translation"
        training, label_maps = f"{way}_translation_training_{tag}", f"{way}_label_maps_{tag}"
        own = {**data, "label_set": self.label_set, "image_channels": self.image_channels}
        draw = {**own, "checkpoint": self._model(training), "label_maps_dir": str(Path(self.root, label_maps))}
        return [
            self._stage(training, bundle, ["train"], [""], own, needs),
            self._stage(f"{way}_set_{tag}", bundle, ["inference"], [""], draw, [training, label_maps]),
        ]

    def _model(self, training: str) -> str:
        return str(Path(self.root, training, "models", "model.pt"))

    def _stage(
        self, name: str, bundle: str, configs: list[str], variants: list[str], own: dict[str, Any], needs: list[str]
    ) -> BundleStage:
        folder = Path(self.bundles_dir, bundle)
        files = [str(folder / "configs" / f"{config}.json") for config in configs]
        if self.recipe:
            files += [str(folder / "recipes" / f"{self.recipe}{variant}.json") for variant in variants]
        extra = self.generation if bundle == "label_map_generation" else self.translation
        # a copy each: the parser of a run writes into the dictionaries that it is given
        return BundleStage(name, files, copy.deepcopy({**own, **extra}), needs)
