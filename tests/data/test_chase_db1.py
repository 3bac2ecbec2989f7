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

from parameterized import parameterized

from monai_retinasynth.data import ChaseDB1Dataset, list_chase_db1_cases
from monai_retinasynth.utils import DataError
from tests.data.layouts import make_chase_db1
from tests.real_data import data_root


class TestChaseDB1(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = make_chase_db1(Path(folder.name) / "CHASE_DB1")

    @parameterized.expand(
        [("20/8", 2, (18, 2, 8)), ("20/8", 3, (16, 4, 8)), ("8/20", 1, (6, 2, 20)), ("8/20", 0, (8, 0, 20))]
    )
    def test_eyes_of_a_child_stay_together(self, split, val_count, counts):
        sections = [list_chase_db1_cases(self.root, s, val_count, split) for s in ("training", "validation", "test")]
        self.assertEqual(tuple(len(cases) for cases in sections), counts)
        children = [{case["case_id"][6:8] for case in cases} for cases in sections]
        self.assertEqual([2 * len(c) for c in children], list(counts))
        self.assertEqual(len(set().union(*children)), 14)
        self.assertEqual(len(list_chase_db1_cases(self.root, "all")), 28)

    def test_dataset(self):
        dataset = ChaseDB1Dataset(self.root.parent, "validation", progress=False)
        self.assertEqual([item["case_id"] for item in dataset], ["Image_10L", "Image_10R"])
        self.assertEqual(tuple(dataset[0]["label"].shape), (1, 32, 24))
        second = list_chase_db1_cases(self.root, "test", observer="2ndHO")
        self.assertTrue(second[0]["vessel"].endswith("Image_11L_2ndHO.png"))

    def test_errors(self):
        with self.assertRaisesRegex(DataError, "unknown split '10/4'"):
            list_chase_db1_cases(self.root, "training", split="10/4")
        with self.assertRaisesRegex(DataError, "unknown section"):
            list_chase_db1_cases(self.root, "val")
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(DataError, "no photograph named like Image_01L.jpg"):
                list_chase_db1_cases(folder, "training")
            root = make_chase_db1(Path(folder), children=2)
            with self.assertRaisesRegex(DataError, "leaves no child to test on"):
                list_chase_db1_cases(root, "test")
            with self.assertRaisesRegex(DataError, "too few cases.*lower val_count"):
                list_chase_db1_cases(root, "training", val_count=3)
            (root / "Image_02R_1stHO.png").unlink()
            with self.assertRaisesRegex(DataError, "no mask for .*Image_02R.jpg: Image_02R_1stHO.png not found"):
                list_chase_db1_cases(root, "training")
        with self.assertRaisesRegex(DataError, "no folder"):
            list_chase_db1_cases(folder, "training")

    def test_real(self):
        root = data_root("CHASE_DB1")
        self.assertEqual([len(list_chase_db1_cases(root, s)) for s in ("training", "validation", "test")], [18, 2, 8])


if __name__ == "__main__":
    unittest.main()
