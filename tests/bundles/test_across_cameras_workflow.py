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
from monai_retinasynth.metrics import read_segmentation_results
from monai_retinasynth.simulation import write_phantom_dataset
from monai_retinasynth.utils import ConfigError, read_rgb
from monai_retinasynth.workflows import StageRecord
from tests.bundles.bundle_tester import BUNDLES
from tests.bundles.test_background_translation import TRAIN as TRANSLATION
from tests.bundles.test_two_stage_workflow import SEGMENTATION, root_cause


class TestAcrossCamerasWorkflow(unittest.TestCase):
    """The whole workflow on two phantoms as two cameras, with recipes of a few iterations."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.bundles = cls.folder / "bundles"
        shutil.copytree(BUNDLES, cls.bundles)
        for bundle, recipe in (("label_to_image_translation", TRANSLATION), ("semantic_segmentation", SEGMENTATION)):
            (cls.bundles / bundle / "recipes" / "tiny.json").write_text(json.dumps(recipe))

    def workflow(self, **overrides) -> ConfigWorkflow:
        workflow = ConfigWorkflow(
            config_file=str(self.bundles / "workflows" / "configs" / "across_cameras.json"),
            workflow_type=None,
            bundles_dir=str(self.bundles),
            phantom={
                "home": {"size": 64, "num_training": 4, "num_validation": 1, "num_test": 2, "seed": 0},
                "second": {"size": 80, "num_training": 0, "num_validation": 0, "num_test": 2, "seed": 1},
            },
            **{
                "recipe": "tiny",
                "translation_recipe": "tiny",
                "num_synthetic": 2,
                "diameter": 60,
                "output_dir": str(self.folder / "run"),
                **overrides,
            },
        )
        workflow.initialize()
        return workflow

    def test_table_that_grows(self):
        run = self.folder / "run"
        self.workflow(row_names=["real", "half_measured"]).run()
        summary = json.loads((run / "summary" / "summary.json").read_text())
        self.assertEqual(list(summary["cameras"]), ["home", "second"])
        self.assertEqual(summary["missing"], [])
        for camera in summary["cameras"].values():
            row = camera["rows"]["half_measured"]
            self.assertTrue(0 <= row["f1"]["mean"] <= row["best_f1"]["mean"] <= 1)
            self.assertLessEqual(row["minus_real"]["f1"]["low"], row["minus_real"]["f1"]["high"])
        # one threshold, from the home validation eyes, on both cameras; the second one is scaled to the first
        reports = [
            next(iter(read_segmentation_results(run / f"evaluation_real_on_{c}_seed0" / "segmentation.json").values()))
            for c in ("home", "second")
        ]
        self.assertEqual(reports[0]["threshold"], reports[1]["threshold"])
        self.assertNotEqual(reports[0]["fov"]["auc"], reports[1]["fov"]["auc"])
        self.assertEqual(len(load_cases(str(run / "camera_second"), "test")), 2)
        self.assertEqual(len(load_cases(str(run / "measured_set_seed0"), "training")), 2)

        # a row, a painter that learns nothing and one that does: what is finished stays
        stamps = {p: p.stat().st_mtime_ns for p in run.glob("*/models/model.pt")}
        self.workflow(row_names=["real", "half_measured", "synth_transplanted", "synth_gan"]).run()
        for path, stamp in stamps.items():
            self.assertEqual(path.stat().st_mtime_ns, stamp)
        self.assertEqual(len(load_cases(str(run / "transplanted_set_seed0"), "training")), 2)
        summary = json.loads((run / "summary" / "summary.json").read_text())
        self.assertEqual(len(summary["cameras"]["second"]["rows"]), 4)
        # what the translator makes of the test eyes' own backgrounds, and sheets to look at
        self.assertLessEqual({"generated", "background", "measured"}, set(summary["fidelity"]["gan_seed0"]))
        self.assertEqual(summary["fidelity"]["gan_seed0"]["measured"]["num_images"], 2)
        self.assertIn("mse_pm1_structures", summary["fidelity"]["gan_seed0"]["generated"])
        for painter in ("measured", "transplanted", "gan"):
            sheet = run / f"contact_sheet_{painter}_seed0" / "contact_sheet.png"
            self.assertEqual(read_rgb(sheet).shape[2], 3)

        # the table of a run that is not finished, without running anything
        record = StageRecord(run / "evaluation_synth_gan_on_home_seed0")
        record.write(**{**record.read(), "status": "interrupted"})
        unfinished = self.workflow(row_names=["real", "synth_gan"], run_id="summarise")
        unfinished.run()
        summary = json.loads((run / "summary" / "summary.json").read_text())
        self.assertEqual(summary["missing"], ["evaluation_synth_gan_on_home_seed0"])

    def test_own_folders(self):
        for name, seed in (("mine", 3), ("theirs", 4)):
            write_phantom_dataset(self.folder / name, 64, 4, 2, 2, seed=seed, source="real", progress=False)
        own = {"dataset_dir": str(self.folder / "mine"), "output_dir": str(self.folder / "own")}
        others = {"theirs": str(self.folder / "theirs")}
        workflow = self.workflow(**own, other_dirs=others, training_cases=2, stop_after="backgrounds")
        workflow.run()
        self.assertEqual(len(load_cases(str(self.folder / "own" / "home"), "training")), 2)
        self.assertEqual(len(load_cases(str(self.folder / "own" / "backgrounds"), "all")), 2)
        # at home alone
        alone = self.workflow(**{**own, "output_dir": str(self.folder / "alone")}, stop_after="second_observer_home")
        alone.run()
        self.assertEqual(alone.parser.get_parsed_content("summary_arguments")["cameras"], ["home"])
        self.assertEqual(len(load_cases(str(self.folder / "alone" / "home"), "test")), 2)
        for overrides, words in (
            ({"translation": {"max_epoch": 3, "nonsense": 1}}, "did you mean max_epochs"),
            ({"training_cases": "phantom_00001"}, "write ['phantom_00001']"),
            ({"seeds": 3}, "seeds is a list of different whole numbers"),
            ({"choice_count": -1}, "a whole number from 0, got -1"),
            ({"other_dirs": {"absent": str(self.folder / "absent")}}, "there is no folder"),
            ({"other_dirs": others, "choice_count": 1}, "no other camera may make"),
            ({"other_dirs": others, "row_names": ["no_row"]}, "name different ones of"),
        ):
            with self.subTest(overrides), self.assertRaises(Exception) as caught:
                self.workflow(**own, **overrides).run()
            self.assertIsInstance(root_cause(caught.exception), ConfigError)
            self.assertIn(words, str(root_cause(caught.exception)))


if __name__ == "__main__":
    unittest.main()
