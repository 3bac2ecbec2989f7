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

from monai_retinasynth.metrics import LESION_STATISTICS_KEYS, lesion_statistics, lesion_statistics_by_grade
from monai_retinasynth.utils.errors import DataError
from monai_retinasynth.utils.label_set import FUNDUS_LESION

VESSEL, SOFT, HAEMORRHAGE, HARD, MICRO = (
    FUNDUS_LESION.index(name) for name in ("vessel", "soft_exudate", "haemorrhage", "hard_exudate", "microaneurysm")
)


def example():
    """A field of 40 x 50 pixels in a larger picture, with lesions counted by hand."""
    label = np.zeros((60, 80), dtype=np.uint8)
    label[10:50, 20:70] = 1
    label[12, 20:70] = VESSEL
    label[15:17, 22:24] = HAEMORRHAGE  # above, left
    label[17, 24] = HAEMORRHAGE  # joined to it by a corner
    label[20, 30] = HAEMORRHAGE
    label[20, 60] = HAEMORRHAGE  # above, right
    label[40, 25] = HAEMORRHAGE  # below, left
    label[40:44, 60:65] = HAEMORRHAGE  # below, right
    label[30, 40:42] = MICRO
    label[33, 40] = MICRO
    label[25:35, 50:52] = HARD
    return label


class TestLesionStatistics(unittest.TestCase):
    def test_counted_by_hand(self):
        found = lesion_statistics(example())
        self.assertEqual(tuple(found), LESION_STATISTICS_KEYS)
        self.assertEqual(found["haemorrhage_count"], 5)
        self.assertAlmostEqual(found["haemorrhage_share"], 28 / 2000)
        self.assertEqual(found["haemorrhages_in_emptiest_quadrant"], 1)
        self.assertEqual((found["microaneurysm_count"], found["hard_exudate_count"]), (2, 1))
        self.assertAlmostEqual(found["hard_exudate_share"], 20 / 2000)
        self.assertEqual((found["soft_exudate_count"], found["soft_exudate_share"]), (0, 0))
        self.assertAlmostEqual(found["vessel_share"], 50 / 2000)

    def test_a_quadrant_without_haemorrhages(self):
        label = example()
        label[40, 25] = 1
        self.assertEqual(lesion_statistics(label)["haemorrhages_in_emptiest_quadrant"], 0)

    def test_by_grade(self):
        healthy = np.where(example() > VESSEL, 1, example())
        table = lesion_statistics_by_grade(iter([example(), healthy, healthy]), [3, 3, 0])
        self.assertEqual(list(table), [0, 3])
        self.assertEqual((table[0]["maps"], table[3]["maps"]), (1, 2))
        self.assertEqual(table[0]["haemorrhage_count"], {"mean": 0.0, "sd": 0.0})
        self.assertEqual(table[3]["haemorrhage_count"]["mean"], 2.5)
        self.assertAlmostEqual(table[3]["haemorrhage_count"]["sd"], np.std([5, 0], ddof=1))

    def test_errors(self):
        with self.assertRaisesRegex(DataError, "field of view"):
            lesion_statistics(np.zeros((8, 8), np.uint8))
        with self.assertRaisesRegex(DataError, "shape"):
            lesion_statistics(np.zeros((1, 8, 8), np.uint8))
        with self.assertRaisesRegex(DataError, "no class"):
            lesion_statistics(example(), "fundus_vessel")
        with self.assertRaisesRegex(DataError, "grade"):
            lesion_statistics_by_grade([example()], [1, 2])


if __name__ == "__main__":
    unittest.main()
