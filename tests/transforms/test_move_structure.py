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
from parameterized import parameterized

from monai_retinasynth.transforms import mirror_disc, move_disc
from monai_retinasynth.utils import DataError

OUTSIDE, RETINA, DISC, VESSEL = range(4)


def label_map() -> np.ndarray:
    """A round eye of 60 x 80 pixels, 58 wide, with a disc of radius 6 on the right and a vessel across it."""
    y, x = np.mgrid[:60, :80]
    result = np.full((60, 80), OUTSIDE, np.uint8)
    result[(x - 40) ** 2 + (y - 30) ** 2 <= 29**2] = RETINA
    result[(x - 55) ** 2 + (y - 28) ** 2 <= 36] = DISC
    result[(np.abs(y - 30) <= 1) & (result != OUTSIDE)] = VESSEL
    return result


class TestMoveDisc(unittest.TestCase):
    @parameterized.expand([((-20, 0),), ((3, -12),), ((0, 15.4),)])
    def test_moves_whole(self, offset):
        before = label_map()
        after = move_disc(before, offset)
        right, down = round(offset[0]), round(offset[1])
        y, x = np.mgrid[:60, :80]
        disc = (x - 55 - right) ** 2 + (y - 28 - down) ** 2 <= 36
        expected = np.where(before == DISC, RETINA, before)
        expected[disc & (expected == RETINA)] = DISC
        # under the vessel the disc's rim is a straight line between the rows beside it
        self.assertLessEqual(np.count_nonzero(after != expected), 6)
        np.testing.assert_array_equal(after == VESSEL, before == VESSEL)
        np.testing.assert_array_equal(after == OUTSIDE, before == OUTSIDE)

    def test_there_and_nowhere(self):
        before = label_map()
        np.testing.assert_array_equal(move_disc(before, (0, 0)), before)
        self.assertEqual(np.count_nonzero(before == DISC), np.count_nonzero(label_map() == DISC))  # left alone
        cut = move_disc(before, (18, 0))  # at the rim
        self.assertTrue(0 < np.count_nonzero(cut == DISC) < np.count_nonzero(before == DISC))
        with self.assertRaisesRegex(DataError, "moved by 40 pixels to the right and 0 down, nothing"):
            move_disc(before, (40, 0))
        with self.assertRaisesRegex(DataError, "shows no optic disc"):
            move_disc(np.where(before == DISC, RETINA, before), (1, 1))
        with self.assertRaisesRegex(DataError, r"shape \(H, W\)"):
            move_disc(before[None], (1, 1))
        with self.assertRaisesRegex(DataError, "no class 'optic_disc'"):
            move_disc(before, (1, 1), label_set="fundus_vessel")

    def test_mirror(self):
        before = label_map()
        after = mirror_disc(before)
        columns = np.flatnonzero((after == DISC).any(axis=0))
        self.assertEqual((columns[0] + columns[-1]) / 2, 80 - 55)  # the eye's middle is 40
        np.testing.assert_array_equal(after == VESSEL, before == VESSEL)
        self.assertLessEqual(np.count_nonzero(mirror_disc(after) != before), 4)


if __name__ == "__main__":
    unittest.main()
