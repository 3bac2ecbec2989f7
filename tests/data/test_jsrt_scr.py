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

import csv
import unittest
from pathlib import Path

from monai_retinasynth.data import is_jsrt_scr_layout, list_jsrt_scr_cases
from monai_retinasynth.utils import CHEST_ORGANS, DataError
from tests.data.chest_layout import make_jsrt
from tests.data.test_cases import FolderTestCase
from tests.real_data import data_root


def names(cases):
    return [case["case_id"] for case in cases]


class TestJsrtScr(FolderTestCase):
    def setUp(self):
        super().setUp()
        self.root = make_jsrt(self.folder / "JSRT-SCR")

    def test_folds_by_number(self):
        odd = ["JPCLN001", "JPCLN003", "JPCLN005", "JPCNN001", "JPCNN003"]
        even = ["JPCLN002", "JPCLN004", "JPCLN006", "JPCNN002", "JPCNN004"]
        for split, train, test in (("odd_even", odd, even), ("even_odd", even, odd)):
            self.assertEqual(names(list_jsrt_scr_cases(self.root, "training", 0, split)), train)
            self.assertEqual(names(list_jsrt_scr_cases(self.folder, "test", 2, split)), test)
            held = names(list_jsrt_scr_cases(self.root, "validation", 2, split))
            self.assertEqual([name[:5] for name in held], ["JPCLN", "JPCNN"])  # of both kinds
            rest = names(list_jsrt_scr_cases(self.root, "training", 2, split))
            self.assertEqual(sorted(held + rest), train)
        self.assertEqual(len(list_jsrt_scr_cases(self.root, "all")), 10)
        self.assertEqual(list_jsrt_scr_cases(self.root, "validation", 0), [])

    def test_case(self):
        case = list_jsrt_scr_cases(str(self.root), "test", 0)[0]
        self.assertEqual(set(case), {"image", "masks", "case_id", "source"})
        self.assertEqual(list(case["masks"]), list(CHEST_ORGANS))
        self.assertEqual(Path(case["masks"]["heart"]), self.root / "masks" / "heart" / "JPCLN002.png")
        self.assertEqual((Path(case["image"]).name, case["source"]), ("JPCLN002.png", "real"))

    def test_layout(self):
        self.assertTrue(is_jsrt_scr_layout(self.root))
        self.assertTrue(is_jsrt_scr_layout(self.folder))
        self.assertFalse(is_jsrt_scr_layout(self.folder / "nowhere"))
        (self.root / "masks" / "heart").rename(self.folder / "elsewhere")
        self.assertFalse(is_jsrt_scr_layout(self.root))
        with self.assertRaisesRegex(DataError, "masks of heart not found: no folder .*masks/heart"):
            list_jsrt_scr_cases(self.root, "all")

    def test_errors(self):
        with self.assertRaisesRegex(DataError, "unknown section 'train'"):
            list_jsrt_scr_cases(self.root, "train")
        with self.assertRaisesRegex(DataError, "unknown split 'odd'.*odd_even"):
            list_jsrt_scr_cases(self.root, "test", split="odd")
        with self.assertRaisesRegex(DataError, "radiographs not found: no folder .*nowhere"):
            list_jsrt_scr_cases(self.folder / "nowhere", "test")
        with self.assertRaisesRegex(DataError, "5 of 5 would be held out.*val_count=5"):
            list_jsrt_scr_cases(self.root, "training", 5)
        with self.assertRaisesRegex(DataError, "val_count must be 0 or more"):
            list_jsrt_scr_cases(self.root, "training", -1)
        (self.root / "masks" / "left_lung" / "JPCNN002.png").unlink()
        with self.assertRaisesRegex(DataError, "no mask of left_lung for .*JPCNN002.png.*Add it"):
            list_jsrt_scr_cases(self.root, "test", 0)
        for path in (self.root / "images").iterdir():
            path.unlink()
        with self.assertRaisesRegex(DataError, "no radiograph named like JPCLN001.png"):
            list_jsrt_scr_cases(self.root, "all")

    def test_real(self):
        root = data_root("JSRT-SCR")
        self.assertTrue(is_jsrt_scr_layout(root))
        with open(root / "index.csv", newline="") as file:
            fold = {row["id"]: row["scr_fold_by_parity"] for row in csv.DictReader(file)}
        for split, trains, sizes in (("odd_even", "fold1", (100, 24, 123)), ("even_odd", "fold2", (99, 24, 124))):
            parts = [list_jsrt_scr_cases(root, part, split=split) for part in ("training", "validation", "test")]
            self.assertEqual(tuple(map(len, parts)), sizes)
            found = {case["case_id"]: part < 2 for part, cases in enumerate(parts) for case in cases}
            self.assertEqual(found, {name: value == trains for name, value in fold.items()})
            with_nodule = [name for name in names(parts[1]) if name.startswith("JPCLN")]
            self.assertEqual(len(with_nodule), 15)
            numbers = [int(name[5:]) for name in with_nodule]
            self.assertLess(max(b - a for a, b in zip([0, *numbers], [*numbers, 155])), 16)  # spread over all


if __name__ == "__main__":
    unittest.main()
