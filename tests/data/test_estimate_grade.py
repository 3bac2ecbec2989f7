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

import numpy as np

from monai_retinasynth.data import estimate_grade
from monai_retinasynth.utils import DataError

SOFT, HAEMORRHAGE, HARD, MICRO = 4, 5, 6, 7


class TestEstimateGrade(unittest.TestCase):
    def setUp(self):
        self.eye = np.ones((80, 90), dtype=np.uint8)
        self.eye[:, :10] = 0  # the middle of the field of view, not of the picture, divides the quadrants

    def test_clinical_definition(self):
        self.assertEqual(estimate_grade(self.eye), 0)
        self.eye[5:9, 20:24] = 3  # an optic disc is no lesion
        self.assertEqual(estimate_grade(self.eye), 0)
        self.eye[30:32, 30:80:5] = MICRO
        self.assertEqual(estimate_grade(self.eye), 1)
        for index in (SOFT, HAEMORRHAGE, HARD):
            with self.subTest(index):
                more = self.eye.copy()
                more[50, 50] = index
                self.assertEqual(estimate_grade(more), 2)

    def test_four_quadrants(self):
        for row in (2, 42):
            for column in (12, 52):
                self.eye[row : row + 14 : 2, column : column + 6 : 2] = HAEMORRHAGE  # 21 of a pixel
        self.assertEqual(estimate_grade(self.eye), 3)
        self.assertEqual(estimate_grade(self.eye, severe_haemorrhages=21), 2)
        fewer = self.eye.copy()
        fewer[42, 52] = 1  # 20 in one quadrant are not more than 20
        self.assertEqual(estimate_grade(fewer), 2)
        joined = self.eye.copy()
        joined[3, 12] = HAEMORRHAGE  # two have become one
        self.assertEqual(estimate_grade(joined), 2)
        self.eye[self.eye == HAEMORRHAGE] = HARD
        self.assertEqual(estimate_grade(self.eye), 2)

    def test_label_set(self):
        with self.assertRaisesRegex(DataError, "no class 'haemorrhage'"):
            estimate_grade(self.eye, "fundus_vessel")


if __name__ == "__main__":
    unittest.main()
