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

from monai_retinasynth.simulation.polygon_coverage import band, fill_polygons, smooth_curve


class TestPolygonCoverage(unittest.TestCase):
    def test_a_box_covers_its_pixels(self):
        box = np.array([(0.25, 0.5), (0.75, 0.5), (0.75, 1.0), (0.25, 1.0)])  # x, y
        cover = fill_polygons([box], 16)
        expected = np.zeros((16, 16))
        expected[8:16, 4:12] = 1.0
        np.testing.assert_allclose(cover, expected, atol=0.26)  # the border of a polygon counts: a quarter of a pixel
        np.testing.assert_array_equal(cover > 0.5, expected > 0.5)

    def test_values_and_order(self):
        boxes = [np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * edge for edge in (1.0, 0.5)]
        cover = fill_polygons(boxes, 8, [1.0, 0.4])
        self.assertAlmostEqual(float(cover[1, 1]), 0.4, places=2)
        self.assertAlmostEqual(float(cover[7, 7]), 1.0)

    def test_disc_area_at_any_size(self):
        turn = np.linspace(0.0, 2.0 * np.pi, 9)[:-1]
        disc = smooth_curve(np.stack([0.5 + 0.3 * np.cos(turn), 0.45 + 0.3 * np.sin(turn)], axis=1), 200, closed=True)
        for size in (32, 100):
            self.assertAlmostEqual(float(fill_polygons([disc], size).mean()), np.pi * 0.09, delta=0.01)

    def test_band(self):
        line = smooth_curve(np.array([(0.1, 0.3), (0.5, 0.3), (0.9, 0.3)]), 50)
        self.assertLess(np.abs(line[:, 1] - 0.3).max(), 1e-9)
        area = float(fill_polygons([band(line, 0.05)], 100).mean())
        self.assertAlmostEqual(area, 0.08, delta=0.004)
        wedge = float(fill_polygons([band(line, np.linspace(0.05, 0.0, 50))], 100).mean())
        self.assertAlmostEqual(wedge, 0.04, delta=0.004)


if __name__ == "__main__":
    unittest.main()
