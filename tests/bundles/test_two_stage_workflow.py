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

import json
import shutil
import tempfile
import unittest
from pathlib import Path

from monai.bundle import ConfigWorkflow

from monai_retinasynth.data import load_cases
from monai_retinasynth.simulation import write_phantom_dataset
from monai_retinasynth.utils import ConfigError, read_rgb
from tests.bundles.bundle_tester import BUNDLES, kill_bundle_when, run_bundle
from tests.bundles.test_label_map_generation import TRAIN as LABEL_MAPS
from tests.bundles.test_label_to_image_translation import TRAIN as TRANSLATION

SEGMENTATION = {
    "channels": [4, 8, 8],
    "strides": [1, 2, 2],
    "crop_size": 32,
    "batch_size": 2,
    "max_iterations": 4,
    "epoch_length": 2,
    "device": "cpu",
}


def root_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


class TestTwoStageWorkflow(unittest.TestCase):
    """The whole workflow on small phantoms with a recipe of a few iterations."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.bundles = cls.folder / "bundles"
        shutil.copytree(BUNDLES, cls.bundles)
        for bundle, recipe in (
            ("label_map_generation", {**LABEL_MAPS, "resolution": 32, "stabilise_images": 40}),
            ("label_to_image_translation", TRANSLATION),
            ("semantic_segmentation", SEGMENTATION),
        ):
            (cls.bundles / bundle / "recipes" / "tiny.json").write_text(json.dumps(recipe))

    def without_test_section(self) -> str:
        """A data set that could be trained on for hours before the evaluation misses its test section."""
        folder = self.folder / "without_test"
        if not folder.is_dir():
            write_phantom_dataset(
                output_dir=str(folder),
                size=64,
                num_training=4,
                num_validation=2,
                num_test=0,
                source="real",
                progress=False,
            )
        return str(folder)

    def run_workflow(self, *overlays: str, **overrides) -> ConfigWorkflow:
        configs = self.bundles / "workflows" / "configs"
        workflow = ConfigWorkflow(
            config_file=[str(configs / f"{name}.json") for name in ("two_stage", *overlays)],
            workflow_type=None,
            bundles_dir=str(self.bundles),
            phantom={"size": 64, "num_training": 4, "num_validation": 2, "num_test": 2},
            **{
                "recipe": "tiny",
                "background": "none",
                "num_synthetic": 3,
                "synthetic_iterations": 4,
                "fine_tuning_iterations": 2,
                "output_dir": str(self.folder / "run"),
                **overrides,
            },
        )
        workflow.initialize()
        workflow.run()
        return workflow

    def test_all_sources_one_after_the_other(self):
        run = self.folder / "run"
        # simulated maps: every one has vessels, which four iterations of a GAN cannot promise
        self.run_workflow(label_maps_from="simulation")
        summary = json.loads((run / "summary" / "summary.json").read_text())
        self.assertEqual(
            list(summary["segmentation"]),
            [
                "REAL",
                "REAL of equal steps",
                "SYNTH (simulation)",
                "SYNTH then REAL (simulation)",
                "half REAL, half SYNTH (simulation)",
            ],
        )
        # REAL has as many steps as SYNTH, so no other one is trained
        self.assertEqual(set(map(tuple, summary["iterations"].values())), {(4,), (6,), (4, 2)})
        self.assertFalse((run / "segmentation_real_as_synthetic").exists())
        self.assertEqual((summary["second_observer"]["f1"], summary["second_observer"]["cases"]), (None, 2))
        for report in summary["segmentation"].values():
            for convention in ("fov", "whole"):
                self.assertTrue(0.0 <= report[convention]["f1"] <= 1.0)
                self.assertTrue(0.0 <= report[convention]["auc"] <= 1.0)
        self.assertEqual(len(load_cases(str(run / "synthetic_set_simulation"), "training")), 3)
        self.assertEqual(read_rgb(run / "summary" / "contact_sheet_simulation.png").shape[2], 3)
        self.assertIn("density", summary["label_maps"]["simulation"]["generated"])

        # label maps of the user: what was trained is used again
        stamps = {p: p.stat().st_mtime_ns for p in run.glob("*/models/model.pt")}
        self.run_workflow(label_maps_from="folder", label_maps_dir=str(run / "label_maps_simulation" / "labels"))
        summary = json.loads((run / "summary" / "summary.json").read_text())
        self.assertIn("SYNTH (folder)", summary["segmentation"])
        self.assertIn("SYNTH (simulation)", summary["segmentation"])
        for path, stamp in stamps.items():
            self.assertEqual(path.stat().st_mtime_ns, stamp)

        # painted on backgrounds without training a translator, beside the others
        measured = {"background": "own", "translator": "measured", "translation_recipe": "tiny"}
        # fewer steps than REAL has: a REAL of as many is trained beside it
        self.run_workflow(label_maps_from="simulation", synthetic_iterations=3, **measured)
        summary = json.loads((run / "summary" / "summary.json").read_text())
        for title in ("SYNTH (simulation, measured)", "SYNTH (simulation)", "SYNTH (folder)"):
            self.assertIn(title, summary["segmentation"])
        expected = {
            "REAL": [4],
            "REAL, as many steps as SYNTH": [3],
            "REAL of equal steps": [5],
            "SYNTH (simulation)": [4],
            "SYNTH (simulation, measured)": [3],
            "SYNTH then REAL (simulation, measured)": [3, 2],
            "half REAL, half SYNTH (simulation, measured)": [3],
        }
        self.assertEqual({title: summary["iterations"][title] for title in expected}, expected)
        self.assertEqual(len(load_cases(str(run / "backgrounds"), "all")), 4)
        self.assertFalse((run / "translation_training_background").exists())
        case = load_cases(str(run / "synthetic_set_simulation_measured"), "training")[0]
        self.assertNotEqual(
            read_rgb(case["image"]).tobytes(),
            read_rgb(load_cases(str(run / "synthetic_set_simulation"), "training")[0]["image"]).tobytes(),
        )

    def test_label_maps_from_the_gan(self):
        run = self.folder / "gan"
        self.run_workflow(output_dir=str(run), stop_after="synthetic_set_gan")
        self.assertEqual(len(load_cases(str(run / "synthetic_set_gan"), "training")), 3)
        record = json.loads((run / "label_map_training" / "stage.json").read_text())
        self.assertEqual(record["status"], "finished")
        # a change of a late setting leaves the earlier stages alone
        stamp = (run / "label_map_training" / "models" / "model.pt").stat().st_mtime_ns
        self.run_workflow(output_dir=str(run), stop_after="label_maps_gan", num_synthetic=2)
        self.assertEqual((run / "label_map_training" / "models" / "model.pt").stat().st_mtime_ns, stamp)
        self.assertTrue((run / "label_maps_gan.replaced-1").is_dir())

    def test_killed_in_a_stage_it_goes_on(self):
        run = self.folder / "killed"
        settings = {
            "bundles_dir": str(self.bundles),
            "phantom": {"size": 64, "num_training": 4, "num_validation": 2, "num_test": 2},
            "recipe": "tiny",
            "background": "none",
            "output_dir": str(run),
            "stop_after": "label_map_training",
        }
        last = run / "label_map_training" / "models" / "last.pt"
        kill_bundle_when(last, "workflows", "two_stage", cwd=self.folder, **settings)
        stage = run / "label_map_training" / "stage.json"
        self.assertEqual(json.loads(stage.read_text())["status"], "running")
        again = run_bundle("workflows", "two_stage", cwd=self.folder, **settings)
        self.assertEqual(again.returncode, 0, again.stderr[-2000:])
        self.assertIn("real_data: finished earlier", again.stdout)
        self.assertIn("label_map_training: was interrupted, goes on", again.stdout)
        self.assertEqual(json.loads(stage.read_text())["status"], "finished")

    def test_errors_before_any_training(self):
        for overrides, words in (
            ({"dataset_dir": str(self.folder / "absent")}, "absent"),
            ({"recipe": "no_such_recipe"}, "no_such_recipe"),
            ({"dataset_dir": self.without_test_section()}, "test"),
            ({"label_maps_from": "folder"}, "--label_maps_dir"),
            ({"translator": "measured"}, "--background own"),
            ({"recipe": "drive_256", "background": "own"}, "--background none"),
        ):
            with self.subTest(overrides), self.assertRaises(Exception) as caught:
                self.run_workflow(output_dir=str(self.folder / "errors"), stop_after=None, **overrides)
            self.assertIn(words, str(root_cause(caught.exception)))
            self.assertFalse(list((self.folder / "errors").glob("*/models")))

    def test_unknown_source(self):
        with self.assertRaises(Exception) as caught:
            self.run_workflow(output_dir=str(self.folder / "errors"), label_maps_from="thin air")
        self.assertIsInstance(root_cause(caught.exception), ConfigError)
        self.assertIn("label_maps_thin air", str(root_cause(caught.exception)))


if __name__ == "__main__":
    unittest.main()
