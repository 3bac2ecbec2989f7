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
from scipy.ndimage import label

from monai_retinasynth.simulation import EyeGeometry, FundusPhantom, VesselTree, draw_vessels, grow_vessel_trees


class TestEyeGeometry(unittest.TestCase):
    def test_frames_invert(self):
        for seed in range(6):
            geometry = EyeGeometry.sample(np.random.default_rng(seed))
            points = np.random.default_rng(1).normal(size=(20, 2))
            np.testing.assert_allclose(geometry.from_picture(geometry.to_picture(points)), points, atol=1e-9)
            disc = geometry.to_picture(np.array([np.linalg.norm(geometry.disc - geometry.fovea), 0.0]))
            np.testing.assert_allclose(disc, geometry.disc, atol=1e-9)

    def test_left_and_right_eyes(self):
        eyes = [EyeGeometry.sample(np.random.default_rng(seed)) for seed in range(40)]
        self.assertTrue(8 <= sum(eye.is_left for eye in eyes) <= 32)
        for eye in eyes:
            self.assertEqual(eye.disc[0] < eye.fovea[0], eye.is_left)

    def test_arcades_arch_around_the_fovea(self):
        for seed in range(5):
            rng = np.random.default_rng(seed)
            geometry = EyeGeometry.sample(rng)
            heights = []
            for trunk in geometry.sample_trunks(rng, 0.02):
                frame = geometry.from_picture(trunk.points)
                below_fovea = np.abs(frame[:, 0]) < 0.05
                heights.extend(frame[below_fovea, 1])
            heights = np.array(heights)
            self.assertGreater(np.abs(heights).min(), 0.3)
            self.assertTrue((heights > 0).any() and (heights < 0).any())

    def test_no_arcade_leaves_the_field_beside_the_disc(self):
        for seed in range(100):
            rng = np.random.default_rng(seed)
            geometry = EyeGeometry.sample(rng)
            self.assertLessEqual(np.linalg.norm(geometry.disc), 0.88 + 1e-9)
            arcades = set()
            for trunk in geometry.sample_trunks(rng, 0.05):
                if len(trunk.points) * 0.05 < 1.2:  # nasal and macular vessels are shorter
                    continue
                arcades.add((trunk.is_vein, bool(geometry.from_picture(trunk.points)[12, 1] > 0)))
                self.assertLess(np.linalg.norm(trunk.points[:8], axis=1).max(), 1.0, f"seed {seed}")
            self.assertEqual(len(arcades), 4, f"seed {seed}")


class TestVesselTree(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        rng = np.random.default_rng(3)
        cls.geometry = EyeGeometry.sample(rng)
        cls.trees = grow_vessel_trees(cls.geometry, rng)

    def test_murray_at_every_bifurcation(self):
        forks = 0
        for tree in self.trees:
            for node in np.flatnonzero(np.bincount(tree.parents[tree.parents >= 0], minlength=len(tree.parents)) == 2):
                children = np.flatnonzero(tree.parents == node)
                self.assertAlmostEqual((tree.radii[children] ** 3).sum() / tree.radii[node] ** 3, 1.0, places=6)
                forks += 1
        self.assertGreater(forks, 60)

    @parameterized.expand([(2002, 17), (3003, 85), (3003, 141)])
    def test_disc_near_the_rim(self, seed, index):
        """Eyes that once lost whole arcades, as their trunks touch the rim beside the disc."""
        label = FundusPhantom(256, seed).label_map(index)
        self.assertGreater((label == 2).sum() / (label > 0).sum(), 0.1)

    def test_vessels_taper(self):
        for tree in self.trees:
            child = np.flatnonzero(tree.parents >= 0)
            self.assertTrue((tree.radii[child] <= tree.radii[tree.parents[child]] + 1e-12).all())

    def test_veins_are_wider(self):
        arteries, veins = self.trees
        self.assertFalse(arteries.is_vein)
        self.assertTrue(veins.is_vein)
        self.assertGreater(veins.radii.max(), arteries.radii.max())

    def test_fovea_is_avascular(self):
        for tree in self.trees:
            self.assertGreater(np.linalg.norm(tree.positions - self.geometry.fovea, axis=1).min(), 0.03)

    def test_roots_lie_on_the_disc(self):
        for tree in self.trees:
            roots = tree.positions[tree.parents < 0]
            self.assertLess(np.linalg.norm(roots - self.geometry.disc, axis=1).max(), self.geometry.disc_radii[1])

    def test_paths_cover_every_edge_once(self):
        for tree in self.trees:
            edges = [edge for path in tree.paths() for edge in zip(path[:-1], path[1:])]
            expected = [(tree.parents[node], node) for node in np.flatnonzero(tree.parents >= 0)]
            self.assertEqual(sorted(edges), sorted(expected))


class TestDrawing(unittest.TestCase):
    def straight(self, radius: float, angle: float = 0.3) -> VesselTree:
        along = np.linspace(-0.5, 0.5, 11)[:, None] * [np.cos(angle), np.sin(angle)]
        return VesselTree(along, np.arange(-1, 10), np.full(11, radius), True, np.zeros(11, bool))

    def test_width_in_pixels(self):
        for radius in (0.02, 0.05):
            field = draw_vessels(self.straight(radius), (101, 121), 50.0)
            length, width = 50.0, 2 * radius * 50.0
            expected = length * width + np.pi * (width / 2) ** 2
            self.assertAlmostEqual(field.mask().sum() / expected, 1.0, delta=0.08)

    def test_thin_vessels_stay_whole(self):
        for angle in np.linspace(0.0, np.pi, 9):
            mask = draw_vessels(self.straight(0.0005, float(angle)), (100, 100), 80.0).mask()
            self.assertEqual(label(mask, np.ones((3, 3)))[1], 1)
            self.assertGreater(mask.sum(), 50)

    def test_faint_stretches_are_not_labelled(self):
        tree = self.straight(0.01)
        tree.faint[5] = True
        field = draw_vessels(tree, (100, 100), 80.0)
        self.assertTrue((field.faint & (field.distance < 0)).any())
        self.assertLess(field.mask().sum(), (field.distance < 0).sum())

    def test_too_thin_to_show(self):
        self.assertFalse(draw_vessels(self.straight(0.001), (64, 64), 30.0, min_radius=0.2).mask().any())


if __name__ == "__main__":
    unittest.main()
