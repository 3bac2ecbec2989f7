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
"""The workflows of diabetic retinopathy, whole, with a few iterations of each stage."""

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
from tests.bundles.bundle_tester import BUNDLES
from tests.bundles.test_grade_recipes import ACGAN_TRAIN, SPADE_TRAIN
from tests.bundles.test_two_stage_workflow import SEGMENTATION, root_cause
from tests.data.grading_layout import make_idrid_grading
from tests.data.idrid_layout import make_idrid

CONFIGS = BUNDLES / "workflows" / "configs"
SMALL = {
    "phantom": {"size": 64, "num_training": 4, "num_validation": 2, "num_test": 2},
    "label_map": {k: v for k, v in ACGAN_TRAIN.items() if k != "val_count"},
    "translation": {k: v for k, v in SPADE_TRAIN.items() if k != "val_count"},
    "segmentation": {**SEGMENTATION, "norm": "INSTANCE"},
    "num_synthetic": 4,
}


def run_workflow(*names: str, **overrides) -> Path:
    workflow = ConfigWorkflow(
        config_file=[str(CONFIGS / f"{name}.json") for name in names], workflow_type=None, **overrides
    )
    workflow.initialize()
    workflow.run()
    return Path(overrides["output_dir"])


class TestDiabeticRetinopathyWorkflow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def test_from_phantoms_to_the_table_of_shares(self):
        # four iterations of the GAN draw no eye yet, so the label maps are simulated
        settings = {**SMALL, "label_maps_from": "simulation", "output_dir": str(self.folder / "phantom")}
        root = run_workflow("diabetic_retinopathy", **settings)
        for name in ("label_maps_simulation", "synthetic_set_simulation"):
            self.assertEqual([case["grade"] for case in load_cases(str(root / name), "all")], [0, 1, 2, 3])
        summary = json.loads((root / "summary" / "summary.json").read_text())
        rows = summary["lesions"]["hard_exudate"]
        self.assertEqual([row["share"] for row in rows], [0.0, 0.5])
        self.assertEqual(rows[0]["images"], 2)
        self.assertEqual(read_rgb(root / "grade_sheet" / "grade_sheet.png").shape[1], 4 * 2 * 32 + 9 * 4)
        # a finished workflow does nothing again but report
        before = (root / "translation_training" / "models" / "model.pt").stat().st_mtime_ns
        run_workflow("diabetic_retinopathy", **settings)
        self.assertEqual((root / "translation_training" / "models" / "model.pt").stat().st_mtime_ns, before)

    def test_table_of_shares_of_any_two_sets(self):
        for name, seed in (("real", 0), ("drawn", 1)):
            write_phantom_dataset(
                str(self.folder / name),
                64,
                4,
                2,
                2,
                seed=seed,
                label_set="fundus_lesion",
                grades=[2, 3],
                progress=False,
            )
        root = run_workflow(
            "synthetic_shares", dataset_dir=str(self.folder / "real"), synthetic_dir=str(self.folder / "drawn"),
            segmentation=SMALL["segmentation"], synthetic_shares=[0.0, 0.5], share_seeds=[0],
            output_dir=str(self.folder / "shares"),
        )  # fmt: skip
        summary = json.loads((root / "summary" / "summary.json").read_text())
        lesions = ["microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate"]
        self.assertEqual(sorted(summary["lesions"]), sorted(lesions))
        for rows in summary["lesions"].values():
            self.assertEqual([row["share"] for row in rows], [0.0, 0.5])
        with self.assertRaises(Exception) as caught:
            run_workflow("synthetic_shares", dataset_dir=str(self.folder / "real"), output_dir=str(self.folder / "no"))
        self.assertRegex(str(root_cause(caught.exception)), "--synthetic_dir")

    def test_on_photographs_of_idrid(self):
        idrid = self.folder / "IDRiD"
        make_idrid(idrid)
        root = run_workflow(
            "diabetic_retinopathy", **SMALL, idrid_dir=str(idrid), output_dir=str(self.folder / "idrid"),
            idrid={"size": 64, "val_count": 1, "grades": False}, stop_after="real_data",
        )  # fmt: skip
        self.assertEqual(len(load_cases(str(root / "real_data"), "training")), 2)

    def test_collapse_table(self):
        shipped = json.loads((CONFIGS / "diabetic_retinopathy_collapse.json").read_text())
        logged = {**SMALL["label_map"], "epoch_length": 20, "max_epochs": 1}  # losses are logged every 20 iterations
        rows = shipped["rows"]
        rows[2]["overrides"]["label_map"]["d_channels"] = SMALL["label_map"]["channels"][::-1]
        root = run_workflow(
            "ablation", "diabetic_retinopathy_collapse", output_dir=str(self.folder / "collapse"),
            workflow_files=["diabetic_retinopathy.json"],
            base={**SMALL, "label_map": logged, "stop_after": "label_map_collapse_gan"}, rows=rows,
        )  # fmt: skip
        table = json.loads((root / "summary" / "ablation.json").read_text())
        self.assertEqual(list(table["rows"]), ["full", "no_augmentation", "equal_capacity", "one_to_one"])
        always = ("mean distance", "near-duplicates", "nearest training Dice", "largest training Dice", "copies")
        for row in table["rows"].values():
            self.assertEqual({title: row["figures"][title]["n"] for title in always}, dict.fromkeys(always, 1))
            self.assertEqual(row["diverged_seeds"], [])
        made = load_cases(str(self.folder / "collapse" / "full_seed0" / "label_maps_gan"), "all")
        self.assertEqual([case["grade"] for case in made], [0, 1, 2, 3])

    def test_grading_with_synthetic_photographs(self):
        idrid = make_idrid_grading(self.folder / "graded", training=(0, 1, 2, 3, 4, 0, 1, 2), test=(0, 2, 3))
        synthetic = self.folder / "synthetic"
        write_phantom_dataset(
            str(synthetic), 64, 5, 0, 0, label_set="fundus_lesion", grades=[0, 1, 2, 3, 4], progress=False
        )
        settings = {
            "idrid_dir": str(idrid), "prepared_size": 32, "val_count": 2, "seeds": [0],
            "recipe": "phantom", "grading": {"image_size": 32, "batch_size": 2, "max_iterations": 2, "device": "cpu"},
        }  # fmt: skip
        root = run_workflow(
            "diabetic_retinopathy_grading", **settings, synthetic_dir=str(synthetic), synthetic_grades=[1, 3],
            output_dir=str(self.folder / "grading"),
        )  # fmt: skip
        table = json.loads((root / "summary" / "grading_summary.json").read_text())["grading"]
        self.assertEqual(list(table), ["real", "real_and_synthetic"])
        self.assertEqual(table["real"]["images"], 3)
        with self.assertRaises(Exception) as caught:
            run_workflow("diabetic_retinopathy_grading", **settings, output_dir=str(self.folder / "refused"))
        self.assertIsInstance(root_cause(caught.exception), ConfigError)
        self.assertRegex(str(root_cause(caught.exception)), "--synthetic_dir")


if __name__ == "__main__":
    unittest.main()
