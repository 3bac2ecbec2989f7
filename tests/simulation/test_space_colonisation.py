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
from scipy.spatial import cKDTree

from monai_retinasynth.simulation import GrowingForest

STEP = 0.02


def grown_forest(attractors: np.ndarray, **settings) -> GrowingForest:
    forest = GrowingForest(step=STEP, branch_gap=0.05)
    forest.add_trunk(np.stack([np.arange(0.0, 1.0, STEP), np.zeros(50)], axis=1))
    forest.grow(attractors, influence=0.5, kill=0.04, **settings)
    return forest


class TestGrowingForest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rng = np.random.default_rng(0)
        cls.attractors = np.stack([rng.uniform(0.2, 1.0, 40), rng.uniform(0.1, 0.6, 40)], axis=1)
        cls.forest = grown_forest(cls.attractors)

    def test_reaches_most_attractors(self):
        distance = cKDTree(self.forest.positions).query(self.attractors)[0]
        self.assertGreater((distance < 0.08).mean(), 0.8)

    def test_is_a_tree_of_even_steps(self):
        forest = self.forest
        grown = np.flatnonzero(forest.parents >= 0)
        self.assertTrue((forest.parents[grown] < grown).all())
        length = np.linalg.norm(forest.positions[grown] - forest.positions[forest.parents[grown]], axis=1)
        np.testing.assert_allclose(length, STEP, rtol=1e-6)
        counted = np.bincount(forest.parents[grown], minlength=len(forest.parents))
        np.testing.assert_array_equal(counted, forest.num_children)
        self.assertLessEqual(counted.max(), 2)

    def test_bifurcations_keep_their_distance(self):
        forks = self.forest.positions[self.forest.num_children == 2]
        self.assertGreater(len(forks), 3)
        self.assertEqual(len(cKDTree(forks).query_pairs(0.0499)), 0)

    def test_side_branches_leave_forwards(self):
        forest = self.forest
        side = np.flatnonzero((forest.parents >= 0) & (np.arange(len(forest.parents)) >= 50))
        side = side[forest.parents[side] < 50]
        angle = np.rad2deg(
            np.arccos(np.clip((forest.headings[side] * forest.headings[forest.parents[side]]).sum(1), -1, 1))
        )
        self.assertTrue(((angle > 44.9) & (angle < 75.1)).all(), angle)

    def test_same_input_same_tree(self):
        np.testing.assert_array_equal(grown_forest(self.attractors).positions, self.forest.positions)

    def test_tropism_bends_growth(self):
        pushed = grown_forest(self.attractors, tropism=lambda positions: np.tile([0.6, 0.0], (len(positions), 1)))
        self.assertGreater(pushed.headings[50:, 0].mean(), self.forest.headings[50:, 0].mean())

    def test_nothing_to_do(self):
        forest = GrowingForest(step=STEP)
        forest.grow(np.zeros((3, 2)), influence=1.0, kill=0.1)
        self.assertEqual(len(forest.positions), 0)
        self.assertEqual(len(grown_forest(np.zeros((0, 2))).positions), 50)
        self.assertEqual(len(grown_forest(np.array([[5.0, 5.0]])).positions), 50)  # out of reach


if __name__ == "__main__":
    unittest.main()
