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
import torch
from parameterized import parameterized

from monai_retinasynth.metrics import aligned_nearest_dice, copy_threshold
from monai_retinasynth.simulation import FundusPhantom
from monai_retinasynth.transforms import WarpStructures


def eyes(count: int, seed: int = 0) -> list[np.ndarray]:
    phantom = FundusPhantom(160, seed=seed)
    return [phantom.label_map(i) for i in range(count)]


def warped(label: np.ndarray, seed: int, **settings) -> np.ndarray:
    tensor = torch.from_numpy(label.T.copy())[None]
    return WarpStructures(**settings)(None, tensor, seed)[0][0].numpy().T == 2


class TestAlignedCopies(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.labels = eyes(4)
        cls.vessels = [label == 2 for label in cls.labels]

    def test_a_map_is_its_own_copy(self):
        for number, copy in enumerate(aligned_nearest_dice(self.vessels[:2], self.vessels)):
            self.assertEqual((copy.reference, copy.mirrored, copy.angle, copy.zoom), (number, (False, False), 0, 1.0))
            self.assertGreater(copy.dice, 0.97)

    @parameterized.expand([((1.0, 0.0),), ((0.0, 1.0),)])
    def test_pose_is_found(self, mirror):
        still = {"elastic": 0.0, "mirror": mirror, "rotation_degrees": 0.0, "zoom": (1.09, 1.09)}
        found = aligned_nearest_dice([warped(self.labels[2], 0, **still)], self.vessels)[0]
        # mirroring along X is along columns of the picture
        self.assertEqual((found.reference, found.zoom), (2, 1.09))
        self.assertEqual(found.mirrored, (bool(mirror[1]), bool(mirror[0])))
        self.assertGreater(found.dice, 0.75)

    def test_shift(self):
        moved = np.roll(self.vessels[1], (12, -20), (0, 1))
        found = aligned_nearest_dice([moved], self.vessels)[0]
        self.assertEqual(found.reference, 1)
        np.testing.assert_allclose(np.multiply(found.shift, 160), (12, -20), atol=2.5)

    def test_bent_copies_stand_out_from_other_eyes(self):
        planted = aligned_nearest_dice([warped(m, s) for s, m in enumerate(self.labels)], self.vessels)
        self.assertEqual([copy.reference for copy in planted], [0, 1, 2, 3])
        among = aligned_nearest_dice(self.vessels)
        self.assertNotIn(0, [among[0].reference])
        threshold = copy_threshold([c.dice for c in planted], [c.dice for c in among])
        new = aligned_nearest_dice([m == 2 for m in eyes(3, seed=7)], self.vessels)
        self.assertLess(max(copy.dice for copy in new), threshold)
        self.assertGreater(min(copy.dice for copy in planted), threshold)

    def test_threshold(self):
        self.assertAlmostEqual(copy_threshold([0.8, 0.8], [0.2, 0.4]), 0.6)
        with self.assertRaisesRegex(ValueError, "does not tell copies"):
            copy_threshold([0.3, 0.8], [0.4])

    def test_nothing_to_compare(self):
        for maps, references in (([], self.vessels), (self.vessels[:1], None), (self.vessels, [])):
            with self.assertRaisesRegex(ValueError, "nothing to compare"):
                aligned_nearest_dice(maps, references)


if __name__ == "__main__":
    unittest.main()
