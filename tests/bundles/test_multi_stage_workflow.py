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

import torch
from monai.bundle import ConfigWorkflow

from monai_retinasynth.data import load_cases
from monai_retinasynth.utils import DataError
from monai_retinasynth.workflows import multi_stage_runs
from tests.bundles.bundle_tester import BUNDLES
from tests.bundles.test_two_stage_workflow import root_cause
from tests.data.chest_layout import make_jsrt
from tests.data.layouts import make_drive

TINY = {
    "train_images": 36,
    "num_synthetic": 3,
    "real_iterations": 2,
    "synthetic_iterations": 2,
    "fine_tuning_iterations": 1,
    "generation": {"resolution": 16, "latent_size": 8, "base_channels": 64, "max_channels": 8, "min_channels": 8,
                   "fade_images": 1, "stabilise_images": 1, "epoch_length": 2},
    "translation": {"channels": 4, "max_channels": 8, "num_downs": 2, "num_res_blocks": 1, "d_channels": 4,
                    "d_max_channels": 8, "d_num_layers": 2, "batch_size": 2, "epoch_length": 2},
    "segmentation": {"channels": [4, 8, 8], "strides": [1, 2, 2], "crop_size": 32, "batch_size": 2, "epoch_length": 2,
                     "unet_channels": [4, 8]},
}  # fmt: skip


def run_workflow(*overlays: str, **overrides) -> None:
    configs = BUNDLES / "workflows" / "configs"
    workflow = ConfigWorkflow(
        config_file=[str(configs / f"{name}.json") for name in ("multi_stage", *overlays)],
        workflow_type=None,
        **{**TINY, **overrides},
    )
    workflow.initialize()
    workflow.run()


class TestMultiStageWorkflow(unittest.TestCase):
    """All three ways end to end, a few iterations each."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def test_phantom_with_both_networks(self):
        run = self.folder / "phantom"
        settings = {
            "size": 32,
            "phantom": {"num_training": 10, "num_validation": 1, "num_test": 2},
            "output_dir": str(run),
        }
        run_workflow(fractions=[0.2], measure_cost=False, **settings)
        tag = "20pct_seed0"
        runs = multi_stage_runs(["single", "two", "three"])
        for name in runs:
            self.assertTrue((run / f"evaluation_unet_{name}_{tag}" / "organs.json").is_file(), name)
        for way in ("single", "two", "three"):
            cases = load_cases(str(run / f"{way}_set_{tag}"), "training")
            self.assertEqual(len(cases), 3)
            self.assertTrue(all("image" in case for case in cases))
        dots = json.loads((run / f"three_dots_{tag}" / "datalist.json").read_text())
        self.assertEqual(len(dots["training"]), 2)  # the generators see no more than the fraction
        summary = json.loads((run / "summary" / "summary.json").read_text())
        self.assertEqual(set(summary["fractions"]), {"0.2"})
        done = {}
        for name in ("real_same_steps", "two_synth", "two_synth_then_real"):
            last = run / f"segmentation_unet_{name}_{tag}" / "models" / "last.pt"
            done[name] = torch.load(last, weights_only=False)["trainer"]["iteration"]
        self.assertEqual(done["real_same_steps"], done["two_synth"] + done["two_synth_then_real"])
        # another network: generators are left as they are
        stamp = (run / f"two_set_{tag}" / "datalist.json").stat().st_mtime_ns
        run_workflow(
            fractions=[0.2], networks=["smanet"], ways=["two"], segmentation={"crop_size": 32, "batch_size": 2,
            "smanet_channels": 4, "smanet_num_blocks": [1, 1, 1, 1]}, **settings,
        )  # fmt: skip
        self.assertTrue((run / f"evaluation_smanet_two_synth_then_real_{tag}" / "organs.json").is_file())
        self.assertEqual((run / f"two_set_{tag}" / "datalist.json").stat().st_mtime_ns, stamp)
        summary = json.loads((run / "summary" / "summary.json").read_text())
        trainings = summary["cost"]["ways"]["two"]["stages"]
        self.assertEqual(set(trainings), {"two_label_map_training", "two_translation_training"})

    def test_overlays_for_real_data(self):
        make_drive(self.folder / "DRIVE")
        make_jsrt(self.folder / "JSRT")
        for name, dataset, results, extra in (
            ("multi_stage_drive", "DRIVE", "segmentation.json", {"dots": {"radius": 1}}),
            ("multi_stage_jsrt", "JSRT", "organs.json", {"jsrt_val_count": 2}),
        ):
            with self.subTest(name):
                run_workflow(
                    name, dataset_dir=str(self.folder / dataset), output_dir=str(self.folder / name), size=32,
                    train_images=36, fractions=[1.0], seeds=[0], ways=["three"], networks=["unet"],
                    measure_cost=False, stop_after="evaluation_unet_three_synth_100pct_seed0", **extra,
                )  # fmt: skip
                folder = self.folder / name / "evaluation_unet_three_synth_100pct_seed0"
                self.assertTrue((folder / results).is_file())

    def test_fraction_that_leaves_no_case(self):
        with self.assertRaises(Exception) as caught:
            run_workflow(
                size=32, phantom={"num_training": 4, "num_validation": 1, "num_test": 1}, fractions=[0.05],
                output_dir=str(self.folder / "none"),
            )  # fmt: skip
        self.assertIsInstance(root_cause(caught.exception), DataError)
        self.assertIn("fraction=0.05 of the 4 cases", str(root_cause(caught.exception)))
        self.assertFalse(list((self.folder / "none").glob("*/models")))


if __name__ == "__main__":
    unittest.main()
