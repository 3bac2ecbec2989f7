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

import json
import unittest

import numpy as np
from parameterized import parameterized
from scipy import ndimage

from monai_retinasynth.metrics import collapse_figures, label_map_dice

STRUCTURES = range(2, 8)


def lesion_map(seed: int, side: int = 64, lesions: int = 12) -> np.ndarray:
    """A disc and small lesions of three classes on the retina."""
    rng = np.random.default_rng(seed)
    label_map = np.ones((side, side), dtype=np.uint8)
    x, y = np.indices(label_map.shape)
    row, column = rng.integers(side // 4, 3 * side // 4, 2)
    label_map[(x - row) ** 2 + (y - column) ** 2 < (side // 12) ** 2] = 3
    for row, column in rng.integers(2, side - 2, (lesions, 2)):
        label_map[row, column] = rng.integers(5, 8)
    return label_map


def dice_by_hand(a: np.ndarray, b: np.ndarray, radius: int) -> float:
    offsets = np.arange(-radius, radius + 1)
    disc = offsets[:, None] ** 2 + offsets[None] ** 2 <= radius**2
    scores = []
    for structure in STRUCTURES:
        first, second = (ndimage.binary_dilation(m == structure, disc) for m in (a, b))
        if first.any() or second.any():
            scores.append(2 * (first & second).sum() / (first.sum() + second.sum()))
    return float(np.mean(scores))


class TestLabelMapDice(unittest.TestCase):
    def test_against_a_plain_loop(self):
        maps, others = [lesion_map(s) for s in range(3)], [lesion_map(s) for s in range(3, 5)]
        found = label_map_dice(maps, others, STRUCTURES, size=64, tolerance=2 / 64)
        for i, a in enumerate(maps):
            for j, b in enumerate(others):
                self.assertAlmostEqual(found[i, j], dice_by_hand(a, b, 2), places=6)

    def test_tolerance_lets_near_lesions_meet(self):
        a, b = np.ones((2, 64, 64), dtype=np.uint8)
        a[30, 30] = b[30, 32] = 7
        strict = label_map_dice([a], [b], STRUCTURES, size=64, tolerance=0.0)
        tolerant = label_map_dice([a], [b], STRUCTURES, size=64, tolerance=2 / 64)
        self.assertEqual(strict.item(), 0.0)
        self.assertAlmostEqual(tolerant.item(), 2 * 5 / (13 + 13), places=6)  # discs of radius 2, two pixels apart

    def test_structures_of_either_map_count_alike(self):
        empty, with_disc, with_both = np.ones((3, 32, 32), dtype=np.uint8)
        with_disc[4:20, 4:20] = with_both[4:20, 4:20] = 3
        with_both[28, 28] = 7  # one pixel weighs as much as the disc
        found = label_map_dice([empty, with_disc, with_both], None, STRUCTURES, size=32)
        np.testing.assert_allclose(found, [[1, 0, 0], [0, 1, 0.5], [0, 0.5, 1]], atol=1e-6)

    def test_background_does_not_count(self):
        a, b = lesion_map(0), lesion_map(0)
        b[b == 1] = 0
        self.assertAlmostEqual(label_map_dice([a], [b], STRUCTURES, size=64).item(), 1.0, places=6)

    def test_no_lesion_is_lost_in_a_reduction_and_sizes_may_differ(self):
        small = lesion_map(1, side=32)
        large = np.kron(small, np.ones((4, 4), dtype=np.uint8))
        self.assertAlmostEqual(label_map_dice([large], [small], STRUCTURES, size=32).item(), 1.0, places=6)
        point = np.ones((128, 128), dtype=np.uint8)
        point[70, 33] = 7
        at_size = np.ones((32, 32), dtype=np.uint8)
        at_size[17, 8] = 7
        self.assertAlmostEqual(label_map_dice([point], [at_size], STRUCTURES, size=32).item(), 1.0, places=6)
        wide = np.pad(small, ((0, 0), (8, 8)))[4:-4]
        self.assertEqual(label_map_dice([wide], [small], STRUCTURES, size=32).shape, (1, 1))

    @parameterized.expand([(flip, turn) for flip in (False, True) for turn in range(4)])
    def test_poses(self, flip, turn):
        references = [lesion_map(s) for s in range(3)]
        copy = np.rot90(references[1][:, ::-1] if flip else references[1], turn)
        found = label_map_dice([copy], references, STRUCTURES, size=64, augment=True)
        self.assertEqual(found.argmax(), 1)
        self.assertAlmostEqual(found.max(), 1.0, places=6)
        if flip or turn:
            self.assertLess(label_map_dice([copy], references, STRUCTURES, size=64).max(), 0.9)

    def test_errors(self):
        one = [lesion_map(0)]
        for maps, references in (([], one), (one, [])):
            with self.assertRaisesRegex(ValueError, "nothing to compare"):
                label_map_dice(maps, references, STRUCTURES)
        with self.assertRaisesRegex(ValueError, "no structures"):
            label_map_dice(one, one, [])
        with self.assertRaisesRegex(ValueError, "tolerance in"):
            label_map_dice(one, one, STRUCTURES, tolerance=2.0)
        with self.assertRaisesRegex(ValueError, r"shape \(H, W\), not \(1, 64, 64\)"):
            label_map_dice([one[0][None]], one, STRUCTURES)


class TestCollapseFigures(unittest.TestCase):
    def setUp(self) -> None:
        self.real = [lesion_map(s) for s in range(10)]

    def figures(self, maps, references=None, **options):
        return collapse_figures(maps, references or self.real, STRUCTURES, size=64, **options)

    def test_varied_maps_are_as_the_real_ones(self):
        found = self.figures([lesion_map(s) for s in range(100, 110)])
        generated, real = found["generated"], found["real"]
        self.assertLess(abs(generated["pairwise_distance_mean"] - real["pairwise_distance_mean"]), 0.05)
        self.assertLessEqual(generated["near_duplicate_share"], 0.3)
        self.assertLess(generated["training_dice_max"], 0.8)
        json.dumps(found, allow_nan=False)

    def test_one_map_again_and_again(self):
        found = self.figures([lesion_map(100)] * 6)["generated"]
        self.assertAlmostEqual(found["pairwise_distance_mean"], 0.0, places=6)
        self.assertEqual(found["near_duplicate_share"], 1.0)
        self.assertEqual(found["maps"], 6)

    def test_two_modes(self):
        found = self.figures([lesion_map(100), lesion_map(101)] * 3)["generated"]
        self.assertEqual(found["near_duplicate_share"], 1.0)
        self.assertGreater(found["pairwise_distance_mean"], 0.3)  # which alone would not tell

    def test_copies_of_training_maps(self):
        turned = [np.rot90(m) for m in self.real[:5]]
        found = self.figures(turned)
        self.assertAlmostEqual(found["generated"]["training_dice_mean"], 1.0, places=6)
        self.assertEqual(found["generated"]["copy_share"], 1.0)
        self.assertLess(self.figures(turned, augment=False)["generated"]["training_dice_max"], 0.9)

    def test_a_real_map_is_not_its_own_neighbour(self):
        found = self.figures(self.real)
        self.assertLess(found["real"]["training_dice_max"], 0.9)
        self.assertGreater(found["real"]["nearest_distance_min"], 0.1)
        self.assertEqual(found["generated"]["training_dice_mean"], 1.0)
        for key in ("pairwise_distance_mean", "nearest_distance_mean", "near_duplicate_share"):
            self.assertEqual(found["generated"][key], found["real"][key])

    def test_thresholds(self):
        found = self.figures(self.real, quantile=0.3)
        self.assertAlmostEqual(found["real"]["near_duplicate_share"], 0.3, delta=0.11)
        self.assertAlmostEqual(found["real"]["copy_share"], 0.3, delta=0.11)
        given = self.figures(self.real, near_duplicate_distance=1.5)
        self.assertEqual(given["near_duplicate_distance"], 1.5)
        self.assertEqual(given["generated"]["near_duplicate_share"], 1.0)

    def test_maps_without_structures_are_all_the_same(self):
        found = self.figures([np.ones((64, 64), dtype=np.uint8)] * 3)["generated"]
        self.assertEqual((found["pairwise_distance_mean"], found["near_duplicate_share"]), (0.0, 1.0))
        self.assertEqual(found["training_dice_max"], 0.0)

    def test_equal_real_maps_still_let_duplicates_be_found(self):
        found = self.figures([lesion_map(100)] * 3, [lesion_map(0)] * 3)
        self.assertEqual(found["generated"]["near_duplicate_share"], 1.0)
        self.assertEqual(found["generated"]["copy_share"], 0.0)

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, "not 1 and 10"):
            self.figures(self.real[:1])
        with self.assertRaisesRegex(ValueError, "quantile"):
            self.figures(self.real, quantile=5)


if __name__ == "__main__":
    unittest.main()
