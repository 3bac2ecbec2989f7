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
from scipy import ndimage
from skimage.morphology import skeletonize

from monai_retinasynth.metrics import vessel_morphometry
from monai_retinasynth.simulation import FundusPhantom
from monai_retinasynth.utils import skeleton_points


def canvas(*slices) -> np.ndarray:
    mask = np.zeros((61, 81), dtype=bool)
    for place in slices:
        mask[place] = True
    return mask


class TestSkeletonPoints(unittest.TestCase):
    def test_cross(self):
        points = skeleton_points(canvas(np.s_[29:32, 10:71], np.s_[5:56, 39:42]))
        np.testing.assert_allclose(points.bifurcations, [[30, 40]], atol=1)
        # thinning may take a pixel or two of an arm
        ends = points.ends[np.argsort(points.ends[:, 1], kind="stable")]
        np.testing.assert_allclose(ends, [[30, 10], [5, 40], [55, 40], [30, 70]], atol=2)
        self.assertEqual(points.along.shape, (0, 2))

    def test_line_is_divided_evenly(self):
        points = skeleton_points(canvas(np.s_[30, 10:71]), spacing=20)
        self.assertEqual(points.ends.tolist(), [[30, 10], [30, 70]])
        self.assertEqual(len(points.bifurcations), 0)
        self.assertEqual(len(points.along), 2)
        np.testing.assert_allclose(points.along, [[30, 30], [30, 50]], atol=1)
        self.assertEqual(len(skeleton_points(canvas(np.s_[30, 10:71]), spacing=200).along), 0)

    def test_branch_between_two_bifurcations_is_divided_too(self):
        points = skeleton_points(canvas(np.s_[30, 10:71], np.s_[10:51, 10], np.s_[10:51, 70]), spacing=20)
        self.assertEqual(points.bifurcations.tolist(), [[30, 10], [30, 70]])
        on_bar = points.along[points.along[:, 0] == 30]
        np.testing.assert_allclose(on_bar[:, 1], [30, 50], atol=1)

    def test_piece_without_node_has_one_point(self):
        row, column = np.mgrid[:61, :81]
        distance = np.hypot(row - 30, column - 40)
        ring = (distance > 18) & (distance < 22)
        points = skeleton_points(ring, spacing=20)
        self.assertEqual((len(points.bifurcations), len(points.ends)), (0, 1))
        self.assertGreaterEqual(len(points.along), 4)  # of 113 pixels
        np.testing.assert_allclose(np.hypot(*(points.along - [30, 40]).T), 20, atol=2)
        self.assertEqual(skeleton_points(canvas(np.s_[30, 40])).ends.tolist(), [[30, 40]])
        two = skeleton_points(ring | (distance < 1))
        self.assertEqual(len(two.ends), 2)

    def test_empty(self):
        for points in skeleton_points(canvas(), spacing=10):
            self.assertEqual(points.shape, (0, 2))

    @parameterized.expand([(128,), (256,)])
    def test_counts_are_those_of_the_morphometry(self, size):
        phantom = FundusPhantom(size=size, seed=3)
        for index in range(2):
            vessel = phantom.label_map(index) == 2
            expected, points = vessel_morphometry(vessel), skeleton_points(vessel, spacing=16)
            skeleton = skeletonize(vessel)
            self.assertEqual(len(points.bifurcations), expected["bifurcations"])
            self.assertGreater(len(points.bifurcations), 20)
            # the morphometry counts no end where a piece has none
            self.assertGreaterEqual(len(points.ends), expected["end_points"])
            self.assertLessEqual(len(points.ends), expected["end_points"] + expected["components"])
            for place in np.concatenate(points):
                self.assertTrue(skeleton[tuple(place)])
            pieces, count = ndimage.label(skeleton, structure=np.ones((3, 3)))
            nodes = np.concatenate(points[:2])
            self.assertEqual(set(pieces[tuple(nodes.T)]), set(range(1, count + 1)))

    def test_points_along_branches_keep_the_spacing(self):
        vessel = FundusPhantom(size=256, seed=3).label_map(0) == 2
        few, many = (len(skeleton_points(vessel, spacing).along) for spacing in (24, 8))
        length = skeletonize(vessel).sum()
        self.assertLess(few, length / 24)
        self.assertGreater(many, 2 * few)
        self.assertLess(many, length / 8)


if __name__ == "__main__":
    unittest.main()
