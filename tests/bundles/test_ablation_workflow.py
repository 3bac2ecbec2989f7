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
"""The ablation workflow over a small workflow that trains the translator on phantoms for a few iterations."""

from __future__ import annotations

import json
import shutil
import tempfile
import unittest
from pathlib import Path

from monai.bundle import ConfigParser, ConfigWorkflow

from monai_retinasynth.utils import ConfigError, read_rgb
from monai_retinasynth.workflows import StagedWorkflow, ablation_stages
from tests.bundles.bundle_tester import BUNDLES
from tests.bundles.test_label_to_image_translation import TRAIN

CONFIGS = BUNDLES / "workflows" / "configs"
PHANTOM = {"size": 64, "num_training": 3, "num_validation": 0, "num_test": 1, "source": "real", "progress": False}
WORKFLOW = {
    "imports": [
        "$import monai_retinasynth",
        "$import monai_retinasynth.simulation",
        "$import monai_retinasynth.workflows",
    ],
    "output_dir": "unused",
    "seed": 0,
    "bundles_dir": "$monai_retinasynth.workflows.find_bundles_dir()",
    # the losses of every iteration: the handler's own interval is longer than these trainings
    "translation": {**TRAIN, "val_count": 0, "train::handlers::5::interval": 1},
    "stages": [
        {
            "_target_": "monai_retinasynth.workflows.FunctionStage",
            "name": "real_data",
            "function": "$monai_retinasynth.simulation.write_phantom_dataset",
            "arguments": PHANTOM,
        },
        {
            "_target_": "monai_retinasynth.workflows.BundleStage",
            "name": "translation_training",
            "config_files": ["$@bundles_dir + '/label_to_image_translation/configs/train.json'"],
            "overrides": "$dict(@translation, dataset_dir=@output_dir + '/real_data', seed=@seed)",
            "needs": ["real_data"],
        },
    ],
    "workflow": {
        "_target_": "monai_retinasynth.workflows.StagedWorkflow",
        "stages": "@stages",
        "output_dir": "@output_dir",
    },
    "run": ["$@workflow.run()"],
}
ROWS = [{"name": "base"}, {"name": "slow", "overrides": {"translation": {"learning_rate": 0.00001}}}]


class TestAblationWorkflow(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.file = cls.folder / "tiny.json"
        cls.file.write_text(json.dumps(WORKFLOW))
        (cls.folder / "metadata.json").write_text("{}")

    def run_ablation(self, **overrides) -> None:
        workflow = ConfigWorkflow(
            config_file=[str(CONFIGS / "ablation.json")],
            meta_file=str(CONFIGS / "metadata.json"),
            workflow_type=None,
            **{
                "workflow_files": [str(self.file)],
                "rows": ROWS,
                "figures": {"rate (as set)": "translation_training/stage.json::settings::learning_rate"},
                "curves": {"generator": "translation_training/tensorboard::loss/g_loss"},
                "smoothing": 2,
                "output_dir": str(self.folder / "run"),
                **overrides,
            },
        )
        workflow.initialize()
        workflow.run()

    def test_two_rows_end_to_end_and_again(self):
        self.run_ablation()
        run = self.folder / "run"
        summary = json.loads((run / "summary" / "ablation.json").read_text())
        self.assertEqual(list(summary["rows"]), ["base", "slow"])
        self.assertEqual(summary["rows"]["slow"]["figures"]["rate (as set)"]["mean"], 0.00001)
        self.assertEqual(
            summary["rows"]["slow"]["changes"], {"learning_rate: 0.0002 -> 1e-05": ["translation_training"]}
        )
        self.assertGreater(summary["rows"]["base"]["minutes"]["mean"], 0.0)
        self.assertEqual(summary["base_overrides"], {})
        self.assertGreater(read_rgb(run / "summary" / "ablation.png").shape[0], 400)

        # again: nothing is trained, another row is added to what is there
        models = {p: p.stat().st_mtime_ns for p in run.glob("*/translation_training/models/model.pt")}
        self.assertEqual(len(models), 2)
        self.run_ablation(rows=[*ROWS, {"name": "seeds", "seeds": [1]}])
        self.assertEqual({p: p.stat().st_mtime_ns for p in models}, models)
        self.assertTrue((run / "seeds_seed1" / "translation_training" / "models" / "model.pt").is_file())
        summary = json.loads((run / "summary" / "ablation.json").read_text())
        self.assertEqual(list(summary["rows"]), ["base", "slow", "seeds"])

    def test_without_anything_it_says_what_to_give(self):
        with self.assertRaises(Exception) as caught:
            self.run_ablation(workflow_files=[], output_dir=str(self.folder / "nothing"))
        error: BaseException | None = caught.exception
        while error.__cause__ is not None:
            error = error.__cause__
        self.assertIsInstance(error, ConfigError)
        self.assertIn("workflow_files", str(error))


class TestPix2pixAblation(unittest.TestCase):
    def test_stages(self):
        parser = ConfigParser()
        parser.read_config([str(CONFIGS / "ablation.json"), str(CONFIGS / "pix2pix_ablation.json")])
        stages = parser.get_parsed_content("stages")
        StagedWorkflow(stages, "unused")
        names = [stage.name for stage in stages]
        self.assertEqual(names[:4], ["base_seed0", "base_seed1", "base_seed2", "no_batch_norm_seed0"])
        self.assertEqual(len(names), 11)
        translation = stages[3].overrides["translation"]
        self.assertEqual((translation["d_norm"], translation["max_epochs"]), ("none", 13))
        # at least 1000 iterations of 80 an epoch
        self.assertGreaterEqual(translation["max_epochs"] * 80, 1000)

    def test_rows_name_settings_that_the_training_has(self):
        configs = BUNDLES / "label_to_image_translation"
        known = ConfigParser.load_config_files(
            [str(configs / "configs" / "train.json"), str(configs / "recipes" / "pix2pix.json")]
        )
        overlay = ConfigParser.load_config_files(str(CONFIGS / "pix2pix_ablation.json"))
        stages = ablation_stages(overlay["workflow_files"], overlay["rows"], overlay["base"], overlay["seeds"])
        for stage in stages:
            for key in stage.overrides["translation"]:
                self.assertIn(key, known, f"{stage.name} sets {key}")


if __name__ == "__main__":
    unittest.main()
