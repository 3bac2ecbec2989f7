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
from scipy import ndimage

from monai_retinasynth.transforms import VesselGeometryd, vessel_geometry
from monai_retinasynth.transforms.vessel_geometry import smooth_along
from monai_retinasynth.utils.errors import DataError


def bar(angle: float, width: float, shape: tuple[int, int] = (160, 160)) -> np.ndarray:
    """A straight vessel through the middle."""
    x, y = np.mgrid[: shape[0], : shape[1]] - 79.3
    across = x * np.cos(angle) + y * np.sin(angle)
    along = y * np.cos(angle) - x * np.sin(angle)
    return (np.abs(across) <= width / 2) & (np.abs(along) < 65)


class TestVesselGeometry(unittest.TestCase):
    @parameterized.expand([(0.0, 3.0), (0.0, 6.0), (0.4, 2.0), (0.4, 5.0), (0.785, 3.0), (1.2, 8.0)])
    def test_half_width(self, angle, width):
        vessel = bar(angle, width)
        geometry = vessel_geometry(vessel)
        middle = np.abs(geometry.points - 79.3).max(axis=1) < 30
        expected = vessel.sum() / 130 / 2  # area over length
        np.testing.assert_allclose(geometry.point_radius[middle].mean(), expected, rtol=0.15)
        self.assertLess(geometry.point_radius[middle].std(), 0.15)
        self.assertEqual(geometry.num_segments, 1)

    def test_distance_from_the_wall(self):
        vessel = np.zeros((40, 60), dtype=bool)
        vessel[18:23, 5:55] = True
        distance = vessel_geometry(vessel).signed_distance
        expected = np.abs(np.arange(-6.0, 7.0)) - 2.5
        np.testing.assert_allclose(distance[14:27, 30], expected)
        self.assertEqual(distance.dtype, np.float32)

    def test_segments_end_at_forks_and_crossings(self):
        fork = bar(0.0, 3)
        fork[80:140, 78:81] = True
        self.assertEqual(vessel_geometry(fork).num_segments, 3)
        crossing = bar(0.5, 5) | bar(-0.6, 5)
        geometry = vessel_geometry(crossing)
        self.assertEqual(geometry.num_segments, 4)
        # every pixel belongs to the arm it lies in
        self.assertEqual(len(np.unique(geometry.segment[crossing])), 4)
        self.assertTrue(geometry.in_fork[np.abs(geometry.points - 79).max(axis=1) < 2].all())

    def test_side_branch_has_a_width_of_its_own(self):
        fork = bar(0.0, 9)
        fork[80:140, 79] = True
        geometry = vessel_geometry(fork)
        branch = geometry.point_segment == geometry.segment[125, 79]
        self.assertLess(geometry.point_radius[branch & ~geometry.in_fork].max(), 1.2)

    def test_long_segments_are_divided(self):
        geometry = vessel_geometry(bar(0.3, 3), segment_length=20)
        self.assertEqual(geometry.num_segments, 6)
        lengths = np.bincount(geometry.point_segment)
        self.assertLess(lengths.max() - lengths.min(), 3)
        ring = np.hypot(*(np.mgrid[:160, :160] - 80))
        loop = vessel_geometry(np.abs(ring - 40) < 2, segment_length=50)
        self.assertGreater(loop.num_segments, 1)

    def test_no_vessels_and_a_single_pixel(self):
        empty = vessel_geometry(np.zeros((20, 30), dtype=bool))
        self.assertEqual(empty.num_segments, 0)
        self.assertTrue((empty.segment == -1).all() and (empty.radius == 0).all())
        self.assertTrue((empty.signed_distance > 1e3).all())
        dot = np.zeros((20, 30), dtype=bool)
        dot[10, 10] = True
        geometry = vessel_geometry(dot)
        self.assertEqual((geometry.num_segments, float(geometry.signed_distance[10, 10])), (1, -0.5))
        with self.assertRaisesRegex(ValueError, r"\(X, Y\)"):
            vessel_geometry(np.zeros((1, 20, 30), dtype=bool))

    def test_smoothing_stays_on_its_line(self):
        vessel = np.zeros((60, 60), dtype=bool)
        vessel[20, 5:55] = vessel[23, 5:55] = True
        geometry = vessel_geometry(vessel)
        upper = geometry.points[:, 0] == 20
        values = np.where(upper, 1.0, 3.0)
        np.testing.assert_allclose(smooth_along(values, geometry.links, 6.0), values)
        peak = (upper & (geometry.points[:, 1] == 30)).astype(float)
        spread = smooth_along(peak, geometry.links, 4.0)
        place = geometry.points[:, 1] - 30
        self.assertAlmostEqual(float(np.sqrt((spread * place**2).sum() / spread.sum())), 4.0, delta=0.2)
        self.assertEqual(spread[~upper].sum(), 0)


class TestVesselGeometryd(unittest.TestCase):
    def label(self, size: int) -> torch.Tensor:
        x, y = np.mgrid[:size, :size] * (540 / size) - 270
        vessel = (np.abs(x) < 4) & (np.abs(y) < 200)
        return torch.from_numpy(np.where(np.hypot(x, y) < 270, 1 + vessel, 0).astype(np.uint8))[None]

    def test_no_band_in_the_rim(self):
        label = self.label(540)
        channels, bare = (VesselGeometryd(rim=rim)({"label": label})["geometry"] for rim in (0.0, 8.0))
        self.assertTrue(torch.equal(channels[:2], bare[:2]))
        depth = torch.from_numpy(ndimage.distance_transform_edt(label[0] > 0))
        self.assertFalse(bare[2][depth < 7].any())
        self.assertTrue(torch.equal(channels[2][depth > 12], bare[2][depth > 12]))
        everywhere = label.clamp(min=1)  # no border, no rim
        channels, bare = (VesselGeometryd(rim=rim)({"label": everywhere})["geometry"] for rim in (0.0, 8.0))
        self.assertTrue(torch.equal(channels, bare))

    def test_channels(self):
        channels = VesselGeometryd()({"label": self.label(540)})["geometry"]
        self.assertEqual((tuple(channels.shape), channels.dtype), ((3, 540, 540), torch.float32))
        self.assertLess(float(channels[0, 270, 270]), -0.5)
        self.assertEqual(float(channels[0, 100, 270]), 1.0)
        self.assertAlmostEqual(float(channels[1, 270, 270]), 0.5, delta=0.1)  # 4 px is half way from 2 to 8
        band = channels[2, 270:290, 270]
        self.assertEqual((float(band[0]), float(band[12])), (1.0, 0.0))
        self.assertGreater(float(band[6]), 0.3)

    def test_any_size_gives_the_same(self):
        small, large = (VesselGeometryd()({"label": self.label(size)})["geometry"] for size in (540, 1080))
        np.testing.assert_allclose(large[:, ::2, ::2][:, 200:340, 200:340], small[:, 200:340, 200:340], atol=0.15)

    def test_no_vessels(self):
        channels = VesselGeometryd()({"label": torch.ones(1, 32, 32, dtype=torch.uint8)})["geometry"]
        self.assertEqual([channel.unique().tolist() for channel in channels], [[1.0], [-1.0], [0.0]])

    def test_bad_input(self):
        with self.assertRaisesRegex(DataError, "no class 'vessels'"):
            VesselGeometryd(vessel_class="vessels")
        with self.assertRaisesRegex(DataError, "field of view is empty"):
            VesselGeometryd()({"label": torch.zeros(1, 32, 32, dtype=torch.uint8)})
        with self.assertRaisesRegex(ValueError, "output keys"):
            VesselGeometryd(keys=["a", "b"])


if __name__ == "__main__":
    unittest.main()
