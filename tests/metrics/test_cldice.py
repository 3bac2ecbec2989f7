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
"""Centre-line Dice against cases that can be worked out by hand."""

from __future__ import annotations

import unittest

import numpy as np
from parameterized import parameterized

from monai_retinasynth.metrics import centerline_dice


def bar(width: int, length: int = 60, row: int = 20) -> np.ndarray:
    """A horizontal vessel in a 41 x 80 picture, columns 10 to 10 + length."""
    picture = np.zeros((41, 80), dtype=bool)
    picture[row - width // 2 : row + width // 2 + 1, 10 : 10 + length] = True
    return picture


class TestCenterlineDice(unittest.TestCase):
    @parameterized.expand([(3, 9), (9, 3), (5, 7)])
    def test_width_does_not_matter(self, width_a, width_b):
        # skeletons of concentric bars lie in both: only connectivity counts
        self.assertAlmostEqual(centerline_dice(bar(width_a), bar(width_b)), 1.0)

    def test_half_of_the_vessel(self):
        # a one-pixel line is its own skeleton: precision 1, sensitivity 30 / 60, clDice 2 * 0.5 / 1.5
        self.assertAlmostEqual(centerline_dice(bar(1, 30), bar(1, 60)), 2 / 3)

    def test_extra_vessel(self):
        # the second line of 60 is wrong: precision 60 / 120, sensitivity 1
        pred = bar(1, 60) | bar(1, 60, row=30)
        self.assertAlmostEqual(centerline_dice(pred, bar(1, 60)), 2 / 3)

    def test_general_formula(self):
        # 40 of 70 predicted and 40 of 60 true centre-line pixels agree
        pred = np.zeros((41, 80), dtype=bool)
        pred[20, 10:50] = True
        pred[30, 10:40] = True
        precision, sensitivity = 40 / 70, 40 / 60
        expected = 2 * precision * sensitivity / (precision + sensitivity)
        self.assertAlmostEqual(centerline_dice(pred, bar(1, 60)), expected)

    def test_thin_break_costs_what_dice_hides(self):
        target, pred = bar(9), bar(9)
        pred[:, 39:41] = False
        dice = 2 * (pred & target).sum() / (pred.sum() + target.sum())
        self.assertGreater(dice, 0.98)
        self.assertLess(centerline_dice(pred, target), dice)

    def test_mask(self):
        mask = np.zeros((41, 80), dtype=bool)
        mask[:, :40] = True
        # inside the mask (columns 10 to 39) both are the same 30 pixels
        self.assertAlmostEqual(centerline_dice(bar(1, 30), bar(1, 60), mask), 1.0)

    def test_disjoint_and_empty(self):
        empty = np.zeros((41, 80), dtype=bool)
        self.assertEqual(centerline_dice(bar(1), bar(1, row=5)), 0.0)
        self.assertEqual(centerline_dice(empty, empty), 1.0)
        self.assertEqual(centerline_dice(empty, bar(3)), 0.0)
        self.assertEqual(centerline_dice(bar(3), empty), 0.0)
        self.assertEqual(centerline_dice(bar(3), bar(3), empty), 1.0)

    def test_shapes(self):
        with self.assertRaisesRegex(ValueError, "one shape"):
            centerline_dice(np.zeros((4, 5), bool), np.zeros((5, 4), bool))


if __name__ == "__main__":
    unittest.main()
