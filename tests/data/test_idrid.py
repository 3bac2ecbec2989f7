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
from collections import Counter
from pathlib import Path

from monai_retinasynth.data import IDRID_STRUCTURES, list_idrid_segmentation_cases
from monai_retinasynth.utils import DataError
from tests.data.idrid_layout import make_idrid
from tests.data.test_cases import FolderTestCase
from tests.real_data import data_root

LESIONS = "2. All Segmentation Groundtruths/a. Training Set"


class TestIdrid(FolderTestCase):
    def setUp(self):
        super().setUp()
        self.root = make_idrid(self.folder)
        self.segmentation = self.root / "A. Segmentation"

    def test_sections(self):
        expected = {"training": ["IDRiD_01", "IDRiD_02"], "validation": ["IDRiD_03"], "test": ["IDRiD_04", "IDRiD_05"]}
        for root in (self.root, str(self.segmentation)):
            for section, names in expected.items():
                cases = list_idrid_segmentation_cases(root, section, val_count=1)
                self.assertEqual([case["case_id"] for case in cases], names)
            self.assertEqual(len(list_idrid_segmentation_cases(root, "all")), 5)

    def test_masks(self):
        first, second, _ = list_idrid_segmentation_cases(self.root, "training", val_count=0)
        self.assertEqual(list(first["masks"]), list(IDRID_STRUCTURES))
        self.assertEqual(set(IDRID_STRUCTURES) - set(second["masks"]), {"soft_exudates"})  # no such lesion
        self.assertEqual(Path(second["masks"]["haemorrhages"]).name, "IDRiD_02_HE.tif")
        self.assertEqual(second["source"], "real")
        for path in (second["image"], *second["masks"].values()):
            self.assertTrue(Path(path).is_file())
            self.assertTrue(Path(path).is_absolute())
        (case, *_) = list_idrid_segmentation_cases(self.root, "training", structures=["optic_disc"])
        self.assertEqual(list(case["masks"]), ["optic_disc"])

    def test_errors(self):
        with self.assertRaisesRegex(DataError, "unknown section 'train'"):
            list_idrid_segmentation_cases(self.root, "train")
        with self.assertRaisesRegex(DataError, r"no masks of \['fovea'\], use .*optic_disc"):
            list_idrid_segmentation_cases(self.root, "test", structures=["fovea"])
        with self.assertRaisesRegex(DataError, "photographs not found: no folder .*nowhere"):
            list_idrid_segmentation_cases(self.folder / "nowhere", "test")
        with self.assertRaisesRegex(DataError, "too few cases.*val_count=3"):
            list_idrid_segmentation_cases(self.root, "training", val_count=3)
        photograph = self.segmentation / "1. Original Images" / "a. Training Set" / "IDRiD_02.jpg"
        content = photograph.read_bytes()
        photograph.unlink()
        with self.assertRaisesRegex(DataError, "no photograph for the mask .*IDRiD_02_MA.tif"):
            list_idrid_segmentation_cases(self.root, "training")
        photograph.write_bytes(content)
        odd = self.segmentation / LESIONS / "3. Hard Exudates" / "IDRiD_02.tif"
        odd.write_bytes(b"")
        with self.assertRaisesRegex(DataError, "IDRiD_02.tif: it should be called like IDRiD_01_EX.tif"):
            list_idrid_segmentation_cases(self.root, "training")
        odd.unlink()
        (self.segmentation / LESIONS / "3. Hard Exudates").rename(self.folder / "elsewhere")
        with self.assertRaisesRegex(DataError, "masks of hard_exudates not found: no folder .*3. Hard Exudates"):
            list_idrid_segmentation_cases(self.root, "training")
        self.assertEqual(len(list_idrid_segmentation_cases(self.root, "test")), 2)

    def test_real(self):
        root = data_root("IDRiD")
        cases = {s: list_idrid_segmentation_cases(root, s, val_count=4) for s in ("training", "validation", "test")}
        self.assertEqual([len(listed) for listed in cases.values()], [50, 4, 27])
        counts = Counter(name for listed in cases.values() for case in listed for name in case["masks"])
        expected = {
            "microaneurysms": 81,
            "haemorrhages": 80,
            "hard_exudates": 81,
            "soft_exudates": 40,
            "optic_disc": 81,
        }
        self.assertEqual(counts, expected)


if __name__ == "__main__":
    unittest.main()
