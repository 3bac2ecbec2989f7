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

from __future__ import annotations

import unittest

from parameterized import parameterized

from monai_retinasynth.utils import ConfigError
from monai_retinasynth.workflows import (
    GenerationWays,
    find_bundles_dir,
    multi_stage_runs,
    multi_stage_stages,
    multi_stage_tag,
)

DATA = {"dataset_dir": "data", "layout": "datalist", "val_count": 0}


def generators(**settings) -> GenerationWays:
    return GenerationWays(
        **{
            "root": "run",
            "bundles_dir": find_bundles_dir(),
            "recipe": "chest_phantom",
            "label_set": "chest_organ",
            "image_channels": 1,
            "train_images": 600,
            "num_synthetic": 5,
            **settings,
        }
    )


def stages(**settings):
    return multi_stage_stages(generators(), "data", "chest_phantom", **settings)


class TestGenerationWays(unittest.TestCase):
    @parameterized.expand([("single", [600]), ("two", [300, 300]), ("three", [200, 200, 200])])
    def test_equal_budget(self, way, shares):
        made = generators().stages(way, "tag", DATA, 3, ["check"])
        trainings = [stage for stage in made if "training" in stage.name]
        self.assertEqual([stage.overrides["train_images"] for stage in trainings], shares)
        self.assertEqual({stage.overrides["seed"] for stage in trainings}, {3})
        self.assertEqual(made[-1].name, f"{way}_set_tag")
        self.assertIn("check", made[0].needs)
        drawn = [stage for stage in made if "num_samples" in getattr(stage, "overrides", {})]
        self.assertEqual([stage.overrides["num_samples"] for stage in drawn], [5])
        for stage in made:
            if "training" not in stage.name and hasattr(stage, "overrides"):
                self.assertNotIn("train_images", stage.overrides)
                self.assertIn("checkpoint", stage.overrides)

    def test_only_what_a_way_needs(self):
        single = generators().stages("single", "t", DATA, 0, [])
        self.assertEqual([stage.overrides["image_channels"] for stage in single], [1, 1])
        three = {stage.name: stage for stage in generators().stages("three", "t", DATA, 0, [])}
        self.assertEqual(three["three_label_maps_t"].overrides["label_maps_dir"], "run/three_dot_maps_t")
        self.assertEqual(three["three_set_t"].overrides["label_maps_dir"], "run/three_label_maps_t")
        self.assertEqual(three["three_dot_map_training_t"].overrides["dataset_dir"], "run/three_dots_t")
        self.assertIn("three_dot_maps_t", three["three_label_maps_t"].needs)
        self.assertEqual(three["three_dots_t"].arguments["dataset_dir"], "data")

    def test_a_budget_for_each_training(self):
        made = generators(train_images={"two": [40, 60]}).stages("two", "t", DATA, 0, [])
        given = {stage.name: stage.overrides["train_images"] for stage in made if "training" in stage.name}
        self.assertEqual(given, {"two_label_map_training_t": 40, "two_translation_training_t": 60})

    def test_recipes(self):
        made = [stage for way in ("single", "two", "three") for stage in generators().stages(way, "t", DATA, 0, [])]
        files = {s.name: [f.rsplit("/", 1)[1] for f in s.config_files] for s in made if hasattr(s, "config_files")}
        joint, dots = "chest_phantom_joint.json", "chest_phantom_dots.json"
        self.assertEqual(files["single_set_t"], ["inference.json", "chest_phantom.json", joint])
        self.assertEqual(files["two_label_map_training_t"], ["train.json", "chest_phantom.json"])
        self.assertEqual(files["three_dot_map_training_t"], ["train.json", "chest_phantom.json", dots])
        self.assertEqual(
            files["three_dots_to_label_map_training_t"], ["train.json", "dots_to_label_map.json", dots]
        )

    def test_settings_for_a_bundle(self):
        made = generators(generation={"amp": False}, translation={"channels": 4}).stages("two", "t", DATA, 0, [])
        by_name = {stage.name: stage.overrides for stage in made}
        self.assertFalse(by_name["two_label_map_training_t"]["amp"])
        self.assertEqual(by_name["two_set_t"]["channels"], 4)
        self.assertNotIn("amp", by_name["two_set_t"])

    def test_refused(self):
        with self.assertRaisesRegex(ConfigError, "no way 'four'"):
            generators().stages("four", "t", DATA, 0, [])
        for images in (2, {"two": [3, 4]}, {"three": [1, 2]}, {"three": [1, 2, 0]}):
            with self.assertRaisesRegex(ConfigError, "train_images is .*three-stage way has 3"):
                generators(train_images=images).stages("three", "t", DATA, 0, [])
        with self.assertRaisesRegex(ConfigError, "give it as train_images of the ways"):
            generators(generation={"train_images": 7}).stages("single", "t", DATA, 0, [])
        with self.assertRaisesRegex(ConfigError, "no_recipe.json does not exist"):
            generators(recipe="no_recipe").stages("single", "t", DATA, 0, [])


class TestMultiStageStages(unittest.TestCase):
    def test_names(self):
        names = [stage.name for stage in stages(fractions=[1.0, 0.1], seeds=[0, 1], networks=["unet", "smanet"])]
        self.assertEqual(len(names), len(set(names)))
        for network in ("unet", "smanet"):
            for run in multi_stage_runs(["single", "two", "three"]):
                for tag in ("100pct_seed0", "10pct_seed0", "100pct_seed1", "10pct_seed1"):
                    self.assertIn(f"evaluation_{network}_{run}_{tag}", names)
        self.assertEqual(multi_stage_tag(0.25, 3), "25pct_seed3")
        # the whole table of a seed before the next one
        last = names.index("evaluation_smanet_three_synth_then_real_10pct_seed0")
        self.assertLess(last, names.index("single_training_100pct_seed1"))

    def test_same_steps_and_same_cases(self):
        made = {stage.name: stage for stage in stages(
            fractions=[0.1], seeds=[0], synthetic_iterations=30, fine_tuning_iterations=12, real_iterations=7
        )}  # fmt: skip
        steps = {
            run: made[f"segmentation_unet_{run}_10pct_seed0"].overrides["max_iterations"]
            for run in multi_stage_runs(["single"])
        }
        self.assertEqual(
            steps, {"real": 7, "real_same_steps": 42, "single_synth": 30, "single_synth_then_real": 12}
        )
        # whole epochs, or a training would go on to the end of its last one
        lengths = {made[f"segmentation_unet_{run}_10pct_seed0"].overrides["epoch_length"] for run in steps}
        self.assertEqual(lengths, {1})
        source = {"dataset_dir": "data", "fraction": 0.1, "fraction_seed": 0}
        for name in ("single_training", "two_translation_training", "segmentation_unet_real"):
            self.assertEqual(made[f"{name}_10pct_seed0"].overrides["dataset_dir"], source)

    def test_seeds_take_turns_with_the_generators(self):
        made = {stage.name: stage for stage in stages(fractions=[0.5], seeds=[0, 1, 2], generator_seeds=[7, 8])}
        self.assertIn("single_set_50pct_seed8", made)
        self.assertNotIn("single_set_50pct_seed0", made)
        for seed, generator in ((0, 7), (1, 8), (2, 7)):
            run = made[f"segmentation_unet_two_synth_50pct_seed{seed}"].overrides
            self.assertEqual(run["synthetic_dir"], f"run/two_set_50pct_seed{generator}")
            self.assertEqual(run["dataset_dir"]["fraction_seed"], generator)
            self.assertEqual(run["seed"], seed)

    @parameterized.expand(
        [
            ({"ways": ["single", "single"]}, "ways is"),
            ({"ways": []}, "ways is"),
            ({"networks": ["resnet"]}, "networks is .*dynunet, unet, smanet"),
            ({"fractions": [0.0]}, "fractions are different shares"),
            ({"fractions": []}, "fractions are different shares"),
            ({"fractions": [0.1, 0.1]}, "fractions are different shares"),
            ({"seeds": [0], "generator_seeds": [0, 1]}, "no more generator_seeds than seeds"),
            ({"seeds": [0, 1], "generator_seeds": [3, 3]}, "different seeds"),
            ({"seeds": [1, 1]}, "different seeds"),
            ({"seeds": []}, "different seeds"),
        ]
    )
    def test_refused(self, settings, message):
        with self.assertRaisesRegex(ConfigError, message):
            stages(**settings)


if __name__ == "__main__":
    unittest.main()
