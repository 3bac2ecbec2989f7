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

import shutil
import unittest
from collections import Counter
from pathlib import Path

from parameterized import parameterized

from monai_retinasynth.data import hold_out_by_grade, left_out_idrid_grading, list_idrid_grading_cases
from monai_retinasynth.utils import DataError
from tests.data.grading_layout import GROUND, PARTS, make_idrid_grading
from tests.data.test_cases import FolderTestCase
from tests.real_data import data_root


class TestListIdridGradingCases(FolderTestCase):
    def setUp(self):
        super().setUp()
        self.idrid = make_idrid_grading(self.folder / "IDRiD")

    def photograph(self, number: int, part: int = 0) -> Path:
        return self.idrid / GROUND / "1. Original Images" / PARTS[part][0] / f"IDRiD_{number:03d}.jpg"

    def table(self, part: int = 0) -> Path:
        return self.idrid / GROUND / "2. Groundtruths" / PARTS[part][1]

    def names(self, section: str = "training", **settings) -> list[str]:
        cases = list_idrid_grading_cases(self.idrid, section, **settings)
        return [Path(case["image"]).stem for case in cases]

    def test_sections(self):
        cases = list_idrid_grading_cases(self.idrid, "training")
        self.assertEqual([case["grade"] for case in cases], [0, 1, 2, 3, 4, 0])
        self.assertEqual([case["edema_risk"] for case in cases], [0, 0, 0, 2, 2, 0])
        self.assertEqual(cases[0]["image"], str(self.photograph(1)))
        test = list_idrid_grading_cases(self.idrid / GROUND, "test")
        self.assertEqual([(case["case_id"], case["source"]) for case in test][0], ("test_IDRiD_001", "real"))
        every = list_idrid_grading_cases(self.idrid, "all", val_count=2)
        self.assertEqual(len({case["case_id"] for case in every}), 8)
        self.assertEqual(len(list_idrid_grading_cases(self.idrid, "validation", val_count=2)), 2)
        self.assertEqual(len(list_idrid_grading_cases(self.idrid, "training", val_count=2)), 4)

    def test_the_original_folder_is_found_too(self):
        (self.idrid / GROUND).rename(self.idrid / "B. Disease Grading")
        self.assertEqual(len(self.names()), 6)

    def test_copies_of_test_photographs_are_left_out(self):
        shutil.copy(self.photograph(2, part=1), self.photograph(3))
        self.assertEqual(len(self.names("test")), 2)
        self.assertNotIn("IDRiD_003", self.names())
        self.assertEqual(
            left_out_idrid_grading(self.idrid),
            [{"image": "IDRiD_003", "reason": "the same file as IDRiD_002 of the test set"}],
        )

    def test_of_copies_with_one_grade_the_first_is_kept(self):
        shutil.copy(self.photograph(1), self.photograph(6))  # both grade 0
        self.assertEqual(self.names(), [f"IDRiD_{n:03d}" for n in range(1, 6)])
        self.assertIn("the same file as IDRiD_001", left_out_idrid_grading(self.idrid)[0]["reason"])

    def test_of_copies_with_two_grades_none_is_kept(self):
        shutil.copy(self.photograph(2), self.photograph(4))
        self.assertEqual(self.names(), [f"IDRiD_{n:03d}" for n in (1, 3, 5, 6)])
        reasons = {entry["image"]: entry["reason"] for entry in left_out_idrid_grading(self.idrid)}
        self.assertEqual(list(reasons), ["IDRiD_002", "IDRiD_004"])
        self.assertIn("IDRiD_002 grade 1, IDRiD_004 grade 3", reasons["IDRiD_004"])

    def test_exclude(self):
        shutil.copy(self.photograph(1), self.photograph(6))
        self.assertEqual(self.names(exclude=["IDRiD_002.jpg"]), [f"IDRiD_{n:03d}" for n in (1, 3, 4, 5)])
        # an excluded eye does not come back under its other name
        self.assertEqual(self.names(exclude=["IDRiD_001"]), [f"IDRiD_{n:03d}" for n in (2, 3, 4, 5)])
        with self.assertRaisesRegex(DataError, "exclude names IDRiD_999, but there is no such photograph"):
            self.names(exclude=["IDRiD_999"])

    @parameterized.expand(
        [
            ("grade", "IDRiD_002,1,", "IDRiD_002,5,", "line 3, photograph IDRiD_002: 5 is no grade"),
            ("no number", "IDRiD_002,1,", "IDRiD_002,mild,", "'mild' is no grade"),
            ("edema", "IDRiD_002,1,0", "IDRiD_002,1,3", "macular edema is '3'"),
            ("twice", "IDRiD_002,1,", "IDRiD_001,1,", "a second row for IDRiD_001"),
            (
                "no photograph",
                "IDRiD_002,1,",
                "IDRiD_020,1,",
                r"a row for IDRiD_020, but there is no photo.*IDRiD_020.jpg",
            ),
            ("short", "IDRiD_002,1,0,,,", "IDRiD_002", "lacks a name, a grade"),
        ]
    )
    def test_wrong_rows_are_named(self, _, old, new, message):
        text = self.table().read_text()
        self.assertIn(old, text)
        self.table().write_text(text.replace(old, new))
        with self.assertRaisesRegex(DataError, f"Training Labels.csv.*{message}"):
            self.names()

    def test_what_is_missing_is_named(self):
        text = self.table(1).read_text()
        self.table(1).write_text(text.replace("IDRiD_002,2,0,,,", ""))
        with self.assertRaisesRegex(DataError, r"IDRiD_002.jpg has no row in .*Testing Labels.csv. Add a row"):
            self.names("test")
        self.table(1).unlink()
        with self.assertRaisesRegex(DataError, "no file .*Testing Labels.csv"):
            self.names("test")
        with self.assertRaisesRegex(DataError, "grading part not found"):
            list_idrid_grading_cases(self.folder, "test")
        with self.assertRaisesRegex(DataError, "unknown section 'train'"):
            self.names("train")


class TestHoldOutByGrade(unittest.TestCase):
    def test_each_grade_has_its_share(self):
        cases = [{"grade": grade, "number": number} for number, grade in enumerate([0] * 6 + [1] * 2 + [2] * 12)]
        training, validation = hold_out_by_grade(cases, 5, "here")
        # shares 1.5, 0.5 and 3: the one left over goes to the lower of two equal remainders
        self.assertEqual(Counter(case["grade"] for case in validation), {0: 2, 2: 3})
        self.assertEqual([case["number"] for case in validation], [4, 5, 17, 18, 19])
        self.assertEqual(sorted(c["number"] for c in training + validation), list(range(20)))
        self.assertEqual(hold_out_by_grade(cases, 0, "here"), (cases, []))

    @parameterized.expand([(-1, "0 or more"), (2, "too few cases in here: 2 of 2")])
    def test_refused(self, count, message):
        with self.assertRaisesRegex(DataError, message):
            hold_out_by_grade([{"grade": 0}, {"grade": 1}], count, "here")


class TestOnIdrid(unittest.TestCase):
    def test_counts(self):
        root = data_root("IDRiD")
        training, test = (list_idrid_grading_cases(root, section) for section in ("training", "test"))
        self.assertEqual((len(training), len(test)), (405, 103))
        self.assertEqual([sum(c["grade"] == g for c in training) for g in range(5)], [133, 18, 133, 73, 48])
        self.assertEqual([sum(c["grade"] == g for c in test) for g in range(5)], [34, 5, 32, 19, 13])
        left_out = {entry["image"]: entry["reason"] for entry in left_out_idrid_grading(root)}
        self.assertEqual(len(left_out), 8)
        self.assertIn("IDRiD_064 of the test set", left_out["IDRiD_118"])
        self.assertEqual(sum("contradicting" in reason for reason in left_out.values()), 4)


if __name__ == "__main__":
    unittest.main()
