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
"""The pix2pix workflow, with both recipes, on small phantoms; and the errors that a user can meet."""

from __future__ import annotations

import json
import shutil
import tempfile
import unittest
from pathlib import Path

import torch
from monai.bundle import ConfigWorkflow
from parameterized import parameterized
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from monai_retinasynth.utils import CheckpointError, DataError, read_rgb
from monai_retinasynth.workflows import summarise_translation
from tests.bundles.bundle_tester import BUNDLES, phantom_dataset, run_bundle_in_process
from tests.bundles.test_translation_evaluation import TINY
from tests.bundles.test_two_stage_workflow import SEGMENTATION, root_cause

# as many iterations as lie between two entries of TensorBoard
TRANSLATION = {**{key: value for key, value in TINY.items() if key != "device"}, "epoch_length": 20}


class TestPix2PixWorkflow(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def run_workflow(self, name: str, **overrides) -> Path:
        output_dir = self.folder / name
        workflow = ConfigWorkflow(
            config_file=str(BUNDLES / "workflows" / "configs" / "pix2pix.json"),
            workflow_type=None,
            phantom={"size": 64, "num_training": 4, "num_validation": 2, "num_test": 2, "seed": 0},
            translation=overrides.pop("translation", TRANSLATION),
            segmentation={key: value for key, value in SEGMENTATION.items() if key != "device"},
            output_dir=str(output_dir),
            **overrides,
        )
        workflow.initialize()
        workflow.run()
        return output_dir

    def test_recipe(self):
        run = self.run_workflow("recipe")
        summary = json.loads((run / "summary" / "summary.json").read_text())
        for row in ("generated", "mean_photograph", "mean_colour"):
            self.assertAlmostEqual(
                summary["fidelity"][row]["mse_01"] * 4, summary["fidelity"][row]["mse_pm1"], places=6, msg=row
            )
        self.assertEqual(set(summary["vessels"]), {"real", "generated", "mean_photograph"})
        self.assertIn("translation_training", summary["minutes"])
        # the recipe averages no weights, and keeps no copy of them
        checkpoint = torch.load(run / "translation_training" / "models" / "last.pt", weights_only=True)
        self.assertIn("g_network", checkpoint)
        self.assertNotIn("ema", checkpoint)
        # source, generated, expected, side by side
        sheet = read_rgb(run / "translation_evaluation" / "fidelity.png")
        self.assertTrue(3 * 64 <= sheet.shape[1] < 4 * 64, sheet.shape)
        events = EventAccumulator(str(run / "translation_training" / "tensorboard")).Reload()
        tags = events.Tags()
        for tag in ("loss/d_real", "loss/d_fake", "loss/g_adversarial", "loss/g_mae"):
            self.assertIn(tag, tags["scalars"])

    def test_improved_recipe_reports_both_colours_and_takes_a_given_vessel_network(self):
        network = self.folder / "recipe" / "vessel_network" / "models" / "model.pt"
        if not network.is_file():
            self.test_recipe()
        run = self.run_workflow(
            "improved",
            recipe="pix2pix_improved",
            vessel_rows=["real", "generated", "generated_own_colour", "mean_photograph"],
            vessel_checkpoint=str(network),
        )
        summary = json.loads((run / "summary" / "summary.json").read_text())
        self.assertFalse((run / "vessel_network").exists())
        self.assertEqual(set(summary["vessels"]), {"real", "generated", "generated_own_colour", "mean_photograph"})
        own, unknown = (summary["fidelity"][row] for row in ("generated_own_colour", "generated"))
        # the eye's own colour can only help
        self.assertLess(own["mse_pm1"], unknown["mse_pm1"])

    def test_summary_without_evaluation(self):
        with self.assertRaisesRegex(DataError, "fidelity.json is missing"):
            summarise_translation(str(self.folder / "nothing"), str(self.folder / "nothing"), ["real"])

    def test_another_task_in_the_folder_of_a_finished_one_is_refused(self):
        settings = {**TINY, "image_size": None, "max_epochs": 1, "batch_size": 1}
        dataset = phantom_dataset(self.folder / "restored", size=64)
        places = {"dataset_dir": dataset, "output_dir": str(self.folder / "one_folder"), "layout": "auto"}
        bundle = "label_to_image_translation"
        run_bundle_in_process(bundle, "train", "recipes/restore_denoising", **places, **settings)
        with self.assertRaises(Exception) as caught:
            run_bundle_in_process(bundle, "train", "recipes/restore_super_resolution", **places, **settings)
        self.assertIsInstance(root_cause(caught.exception), CheckpointError)
        self.assertIn("task", str(root_cause(caught.exception)))

    @parameterized.expand([("pix2pix",), ("pix2pix_improved",)])
    def test_size_that_cannot_be_halved_names_one_that_can(self, recipe):
        dataset = phantom_dataset(self.folder / f"data_{recipe}", size=64)
        settings = {**TINY, "image_size": [72, 72], "crop_size": [72, 72]}
        with self.assertRaises(Exception) as caught:
            run_bundle_in_process(
                "label_to_image_translation",
                "train",
                f"recipes/{recipe}",
                dataset_dir=dataset,
                output_dir=str(self.folder / f"odd_{recipe}"),
                **settings,
            )
        self.assertRegex(str(root_cause(caught.exception)), "72 x 72 cannot be halved.*96 x 96")
        self.assertFalse((self.folder / f"odd_{recipe}" / "models" / "model.pt").exists())


if __name__ == "__main__":
    unittest.main()
