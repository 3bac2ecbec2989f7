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

import tempfile
import unittest
from pathlib import Path

import numpy as np
from parameterized import parameterized

from monai_retinasynth.data import DriveDataset, list_drive_cases
from monai_retinasynth.utils import DataError
from tests.data.layouts import make_drive
from tests.real_data import data_root


class TestDrive(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_sections(self):
        root = make_drive(self.folder)
        names = {
            s: [c["case_id"] for c in list_drive_cases(root, s)] for s in ("training", "validation", "test", "all")
        }
        self.assertEqual(names["training"], ["03_training", "04_training"])
        self.assertEqual(names["validation"], ["05_training", "06_training"])
        self.assertEqual(names["test"], ["01_test", "02_test"])
        self.assertEqual(len(names["all"]), 6)
        self.assertEqual(list_drive_cases(root, "validation", val_count=0), [])

    def test_dataset(self):
        dataset = DriveDataset(make_drive(self.folder / "DRIVE").parent, "test", progress=False, cache_num=1)
        self.assertEqual(len(dataset), 2)
        self.assertEqual(tuple(dataset[1]["image"].shape), (3, 32, 24))
        self.assertEqual(np.unique(dataset[0]["label"]).tolist(), [0, 1, 2])
        self.assertEqual(dataset[0]["case_id"], "01_test")
        second = list_drive_cases(self.folder, "test", observer="2nd_manual")
        self.assertTrue(second[0]["vessel"].endswith("2nd_manual/01_manual2.gif"))

    def test_without_fov_masks(self):
        cases = list_drive_cases(make_drive(self.folder, fov=False), "training")
        self.assertNotIn("fov", cases[0])

    @parameterized.expand(
        [
            ("training/1st_manual/04_manual1.gif", "04_manual1.gif not found in .*1st_manual"),
            ("training/mask/05_training_mask.gif", "05_training_mask.gif not found in .*mask"),
        ]
    )
    def test_image_without_mask(self, victim, message):
        root = make_drive(self.folder)
        (root / victim).unlink()
        with self.assertRaisesRegex(DataError, f"no mask for .*tif: {message}"):
            list_drive_cases(root, "training")

    def test_missing_and_empty(self):
        with self.assertRaisesRegex(DataError, "no folder .*training/images"):
            list_drive_cases(self.folder, "training")
        (self.folder / "training" / "images").mkdir(parents=True)
        with self.assertRaisesRegex(DataError, "no photograph named like 21_training.tif"):
            list_drive_cases(self.folder, "training")
        with self.assertRaisesRegex(DataError, "unknown section"):
            list_drive_cases(self.folder, "train")

    def test_too_few(self):
        with self.assertRaisesRegex(DataError, "too few cases in DRIVE training.*lower val_count"):
            list_drive_cases(make_drive(self.folder), "training", val_count=4)

    def test_real(self):
        root = data_root("DRIVE")
        numbers = {s: [c["case_id"][:2] for c in list_drive_cases(root, s)] for s in ("training", "validation", "test")}
        self.assertEqual(numbers["training"], [str(n) for n in range(21, 39)])
        self.assertEqual(numbers["validation"], ["39", "40"])
        self.assertEqual(numbers["test"], [f"{n:02d}" for n in range(1, 21)])


if __name__ == "__main__":
    unittest.main()
