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
from PIL import Image

from monai_retinasynth.metrics.memorisation import nearest_neighbour_dice
from monai_retinasynth.simulation import FundusPhantom
from monai_retinasynth.utils.image_io import list_images, read_mask
from tests.real_data import data_root


def strokes(seed: int, shape: tuple[int, int] = (96, 96)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = np.zeros(shape, dtype=bool)
    for row, column in zip(rng.integers(0, shape[0] - 4, 6), rng.integers(0, shape[1] - 4, 6)):
        image[row : row + 4] ^= True
        image[:, column : column + 3] = True
    return image


class TestNearestNeighbourDice(unittest.TestCase):
    def test_copy_is_found(self):
        references = [strokes(seed) for seed in range(5)]
        result = nearest_neighbour_dice([references[3]], references, size=96)
        self.assertEqual(result["nearest"], [3])
        self.assertAlmostEqual(result["max"], 1.0, places=6)

    @parameterized.expand([(flip, turn) for flip in (False, True) for turn in range(4)])
    def test_turned_copy_is_found(self, flip, turn):
        references = [strokes(seed) for seed in range(3)]
        copy = np.rot90(references[1][:, ::-1] if flip else references[1], turn)
        result = nearest_neighbour_dice([copy], references, size=96)
        self.assertAlmostEqual(result["per_map"][0], 1.0, places=6)
        self.assertEqual(result["nearest"], [1])
        if turn or flip:
            self.assertLess(nearest_neighbour_dice([copy], references, augment=False, size=96)["max"], 1.0)

    def test_against_plain_dice(self):
        first, second = strokes(0), strokes(1)
        dice = 2 * (first & second).sum() / (first.sum() + second.sum())
        result = nearest_neighbour_dice([first], [second], augment=False, size=96)
        self.assertAlmostEqual(result["mean"], dice, places=6)

    def test_sizes_may_differ(self):
        small = strokes(0)
        large = np.kron(small, np.ones((3, 3), bool))
        self.assertAlmostEqual(nearest_neighbour_dice([large], [small], size=96)["max"], 1.0, places=6)
        tall = np.pad(small, ((0, 0), (10, 10)))[:, 5:-5]
        self.assertEqual(len(nearest_neighbour_dice([tall], [small], size=64)["per_map"]), 1)

    def test_among_themselves(self):
        maps = [strokes(0), strokes(1), strokes(0)]
        result = nearest_neighbour_dice(maps, size=96)
        self.assertEqual((result["nearest"][0], result["nearest"][2]), (2, 0))
        self.assertLess(result["per_map"][1], 0.99)

    def test_empty_map_and_nothing(self):
        self.assertEqual(nearest_neighbour_dice([np.zeros((8, 8), bool)], [strokes(0)])["max"], 0.0)
        for maps, references in (([], [strokes(0)]), ([strokes(0)], []), ([strokes(0)], None)):
            with self.assertRaisesRegex(ValueError, "nothing to compare"):
                nearest_neighbour_dice(maps, references)

    def test_different_real_eyes(self):
        root = data_root("DRIVE") / "training"
        maps = [read_mask(path) for path in list_images(root / "1st_manual")]
        result = nearest_neighbour_dice(maps)
        self.assertAlmostEqual(result["mean"], 0.22, delta=0.01)
        self.assertLess(result["max"], 0.27)

    def test_a_copy_that_was_turned_a_little(self):
        phantom = FundusPhantom(size=160, seed=4)
        vessel = phantom.label_map(0) == 2
        turned = np.asarray(Image.fromarray(vessel.astype(np.uint8) * 255).rotate(4, Image.Resampling.BILINEAR)) > 127
        other = phantom.label_map(1) == 2
        upright = nearest_neighbour_dice([turned], [vessel, other], size=160)
        searched = nearest_neighbour_dice([turned, other], [vessel], size=160, max_angle_deg=5)
        self.assertLess(upright["max"], 0.6)
        self.assertGreater(searched["per_map"][0], 0.8)
        self.assertLess(searched["per_map"][1], 0.6)


if __name__ == "__main__":
    unittest.main()
