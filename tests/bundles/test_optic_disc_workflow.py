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

import numpy as np
from monai.bundle import ConfigWorkflow

from monai_retinasynth.data import load_cases
from monai_retinasynth.utils import CheckpointError, ConfigError, read_label_map, read_rgb
from tests.bundles.bundle_tester import BUNDLES, phantom_dataset
from tests.bundles.test_two_stage_workflow import SEGMENTATION, root_cause
from tests.data.idrid_layout import make_idrid

TRANSLATION = {
    "channels": 4,
    "max_channels": 8,
    "num_downs": 3,
    "d_channels": 4,
    "d_max_channels": 8,
    "d_num_layers": 2,
    "epoch_length": 2,
    "max_epochs": 2,
    "picture_interval": 2,
    "device": "cpu",
}


class TestOpticDiscWorkflow(unittest.TestCase):
    """The whole workflow on a small IDRiD of phantoms, with a few iterations."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.idrid = str(make_idrid(cls.folder / "IDRiD"))
        cls.vessels = phantom_dataset(cls.folder / "vessels")

    def run_workflow(self, output: str, **overrides) -> Path:
        root = self.folder / output
        settings = {
            "idrid_dir": self.idrid,
            "vessel_dataset_dir": self.vessels,
            "output_dir": str(root),
            "segmentation_recipe": None,
            "prepared_size": 64,
            "image_size": [32, 32],
            "num_moved": 2,
            **overrides,
        }
        # four iterations teach what a vessel is so little that vessels would hide the discs; a strict threshold helps
        for key, value in {**SEGMENTATION, "threshold": 0.99}.items():
            settings[f"segmentation::{key}"] = value
        for key, value in TRANSLATION.items():
            settings[f"translation::{key}"] = value
        workflow = ConfigWorkflow(
            config_file=str(BUNDLES / "workflows" / "configs" / "optic_disc.json"), workflow_type=None, **settings
        )
        workflow.initialize()
        workflow.run()
        return root

    def test_from_photographs_to_moved_discs(self):
        root = self.run_workflow("run")
        merged = load_cases(str(root / "discs_and_vessels"), "all")
        self.assertEqual(len(merged), 5)
        moved = load_cases(str(root / "moved_discs"), "test")
        made = load_cases(str(root / "synthetic_set"), "training")
        self.assertEqual((len(moved), len(made)), (6, 6))
        for before, after in zip(moved, made):
            self.assertEqual(read_rgb(after["image"]).shape, (32, 32, 3))
            np.testing.assert_array_equal(*(read_label_map(c["label"], "fundus_disc_vessel") for c in (before, after)))
        sheet = read_rgb(root / "contact_sheet" / "contact_sheet.png")
        self.assertEqual(sheet.shape, (20 + 2 * 32 + 3 * 4, 6 * 32 + 7 * 4, 3))
        for stage in ("vessel_training", "translation_training"):
            self.assertTrue((root / stage / "models" / "model.pt").is_file())

        # everything is there: nothing is done again; other moves leave the networks as they are
        stamps = {path: path.stat().st_mtime_ns for path in root.glob("*/models/model.pt")}
        self.run_workflow("run", moves={"mirrored": "mirror"})
        self.assertEqual(len(load_cases(str(root / "synthetic_set"), "training")), 2)
        self.assertTrue((root / "moved_discs.replaced-1").is_dir())
        for path, stamp in stamps.items():
            self.assertEqual(path.stat().st_mtime_ns, stamp)

        # a vessel network that is there already
        network = str(root / "vessel_training" / "models" / "model.pt")
        other = self.run_workflow(
            "given", vessel_network=network, vessel_dataset_dir=None, stop_after="discs_and_vessels"
        )
        self.assertFalse((other / "vessel_training").exists())
        for case, same in zip(load_cases(str(other / "discs_and_vessels"), "all"), merged):
            self.assertEqual(Path(case["label"]).read_bytes(), Path(same["label"]).read_bytes())
        record = json.loads((other / "vessel_maps" / "stage.json").read_text())
        self.assertEqual(len(record["settings"]["checkpoint_digest"]), 16)

    def test_what_is_missing_is_said_first(self):
        for overrides, error, words in (
            ({"idrid_dir": None}, ConfigError, "--idrid_dir"),
            ({"idrid_dir": str(self.folder / "absent")}, ConfigError, "no folder .*absent"),
            ({"vessel_dataset_dir": None}, ConfigError, "--vessel_dataset_dir FOLDER|--vessel_network"),
            ({"vessel_network": str(self.folder / "absent.pt")}, CheckpointError, "absent.pt"),
        ):
            with self.subTest(overrides), self.assertRaises(Exception) as caught:
                self.run_workflow("errors", **overrides)
            self.assertIsInstance(root_cause(caught.exception), error)
            self.assertRegex(str(root_cause(caught.exception)), words)
        self.assertFalse((self.folder / "errors").exists())


if __name__ == "__main__":
    unittest.main()
