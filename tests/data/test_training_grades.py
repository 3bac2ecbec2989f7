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
"""Which grades can be generated."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import numpy as np
from parameterized import parameterized

from monai_retinasynth.data import grade_weights, training_grades, write_datalist
from monai_retinasynth.utils import ConfigError, DataError, write_label_map


def write_graded_maps(folder: Path, grades: list[int | None]) -> Path:
    cases = []
    for number, grade in enumerate(grades):
        write_label_map(folder / f"labels/{number}.png", np.ones((8, 8), np.uint8), "fundus_lesion")
        case = {"label": f"labels/{number}.png", "case_id": str(number), "source": "real"}
        cases.append(case if grade is None else {**case, "grade": grade})
    write_datalist(folder, {"training": cases}, "fundus_lesion", "graded")
    return folder


class TestTrainingGrades(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def test_those_with_a_training_case(self):
        write_graded_maps(self.folder, [2, 4, 2])
        self.assertEqual(training_grades(self.folder, val_count=0), [2, 4])
        self.assertEqual(training_grades(self.folder, val_count=0, wanted=[4, 4, 2]), [4, 4, 2])
        self.assertEqual(grade_weights(self.folder, val_count=0), [0, 0, 1, 0, 1])

    @parameterized.expand(
        [([1], "grade 1, so the generator cannot have learnt it"), ([5], "0 to 4, got .5."), ([], "got none")]
    )
    def test_others_are_refused(self, wanted, message):
        write_graded_maps(self.folder, [2, 4])
        with self.assertRaisesRegex(ConfigError, message):
            training_grades(self.folder, val_count=0, wanted=wanted)

    def test_a_case_without_grade_is_refused(self):
        write_graded_maps(self.folder, [2, None])
        for function in (training_grades, grade_weights):
            with self.assertRaisesRegex(DataError, "without a grade"):
                function(self.folder, val_count=0)


if __name__ == "__main__":
    unittest.main()
