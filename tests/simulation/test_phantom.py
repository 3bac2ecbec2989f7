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

import subprocess
import sys
import unittest
import zlib

import numpy as np
from parameterized import parameterized

from benchmarks.phantom_morphometry import DRIVE_SIZE, DRIVE_TRAINING
from monai_retinasynth.metrics.morphometry import compare_morphometry, morphometry_table
from monai_retinasynth.simulation import FundusPhantom
from monai_retinasynth.utils.errors import ConfigError
from tests.real_data import REPOSITORY


class TestFundusPhantom(unittest.TestCase):
    @parameterized.expand([(128, (128, 128)), ((120, 96), (120, 96)), ([584, 565], (584, 565)), (33, (33, 33))])
    def test_pair(self, size, shape):
        phantom = FundusPhantom(size, seed=1)
        image, label = phantom.pair(0)
        self.assertEqual((image.shape, image.dtype), ((*shape, 3), np.uint8))
        self.assertEqual((label.shape, label.dtype), (shape, np.uint8))
        self.assertEqual(set(np.unique(label)), {0, 1, 2})
        np.testing.assert_array_equal(label > 0, phantom.field_of_view())
        np.testing.assert_array_equal(label, phantom.label_map(0))

    def test_case_depends_on_seed_and_index_alone(self):
        first, second = FundusPhantom(96, seed=5), FundusPhantom(96, seed=5)
        first.pair(0)
        for expected, found in zip(first.pair(3), second.pair(3)):
            np.testing.assert_array_equal(expected, found)
        for other in (first.pair(4), FundusPhantom(96, seed=6).pair(3), FundusPhantom(96, seed=-5).pair(3)):
            self.assertFalse(np.array_equal(first.pair(3)[1], other[1]))
            self.assertFalse(np.array_equal(first.pair(3)[0], other[0]))

    def test_same_in_another_process(self):
        code = (
            "from monai_retinasynth.simulation import FundusPhantom; import zlib;"
            "print(*[zlib.crc32(item.tobytes()) for item in FundusPhantom(64, 2).pair(7)])"
        )
        other = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, check=True, text=True)
        expected = [zlib.crc32(item.tobytes()) for item in FundusPhantom(64, 2).pair(7)]
        self.assertEqual([int(word) for word in other.stdout.split()], expected)

    def test_sizes_show_the_same_eye(self):
        small, _ = FundusPhantom(96, seed=0).pair(2)
        large, _ = FundusPhantom(384, seed=0).pair(2)
        reduced = large.reshape(96, 4, 96, 4, 3).mean(axis=(1, 3))
        inside = np.hypot(*np.meshgrid(*[np.arange(96) - 47.5] * 2)) < 43
        self.assertLess(np.abs(reduced - small)[inside].mean(), 5.0)

    def test_vessels_are_dark_and_the_outside_black(self):
        image, label = FundusPhantom(256, seed=0).pair(1)
        green = image[..., 1].astype(float)
        near = np.zeros_like(label, dtype=bool)
        for shift in (-4, 4):
            for axis in (0, 1):
                near |= np.roll(label == 2, shift, axis)
        near &= label == 1
        self.assertLess(green[label == 2].mean(), 0.93 * green[near].mean())
        away = np.hypot(*np.meshgrid(*[np.arange(256) - 127.5] * 2)) > 130
        self.assertLess(image[away].max(), 20)
        self.assertGreater(image[..., 0][label == 1].mean(), image[..., 1][label == 1].mean())

    def test_eyes_differ_in_colour(self):
        means = np.array(
            [FundusPhantom(64, seed=0).pair(index)[0][16:48, 16:48].mean(axis=(0, 1)) for index in range(8)]
        )
        self.assertGreater(means[:, 0].std(), 10.0)
        self.assertTrue((means[:, 0] > means[:, 1]).all() and (means[:, 1] > means[:, 2]).all())

    def test_view_of_the_disc(self):
        phantom = FundusPhantom(192, seed=0, view="disc", field_degrees=36)
        x, y = np.meshgrid(*[np.arange(192) - 95.5] * 2)
        middle = np.hypot(x, y) < 0.35 * phantom.fov_radius
        for index in range(3):
            image, label = phantom.pair(index)
            np.testing.assert_array_equal(label > 0, phantom.field_of_view())
            # vessels leave the disc in all directions, and it is the brightest part of the eye
            self.assertGreater((label == 2)[middle].mean(), 1.3 * (label == 2)[(label > 0) & ~middle].mean())
            self.assertGreater(image[..., 1][middle].max(), image[..., 1][(label > 0) & ~middle].max())

    def test_narrow_field_shows_the_same_eye_larger(self):
        wide, narrow = (FundusPhantom(size, seed=3, field_degrees=angle) for size, angle in ((300, 45.0), (200, 30.0)))
        cut = slice(50, 250)
        shared = narrow.field_of_view()
        differ = (wide.label_map(0)[cut, cut] != narrow.label_map(0)) & shared
        self.assertLess(differ.sum(), 0.002 * shared.sum())

    def test_mixed_views_and_fields(self):
        arguments = {"size": 96, "seed": 4}
        mixed = FundusPhantom(view=["macula", "disc"], field_degrees=[30, 45], **arguments)
        again = FundusPhantom(view=("macula", "disc"), field_degrees=(30.0, 45.0), **arguments)
        eyes = [mixed._eye(index) for index in range(12)]
        from_disc = np.array([np.linalg.norm(eye.geometry.disc) for eye in eyes])
        self.assertTrue(((from_disc < 0.3) | (from_disc > 0.5)).all())
        self.assertTrue(0.2 < (from_disc < 0.3).mean() < 0.8)
        degrees = np.array([mixed.field_degrees(index) for index in range(12)])
        np.testing.assert_allclose([45 * mixed.fov_radius / eye.pixels_per_unit for eye in eyes], degrees)
        self.assertTrue((degrees >= 30).all() and (degrees <= 45).all())
        self.assertGreater(np.ptp(degrees), 9)
        np.testing.assert_array_equal(again.label_map(7), mixed.label_map(7))

    @parameterized.expand(
        [
            ({"view": "nasal"}, "view"),
            ({"view": []}, "view"),
            ({"view": ["disc", "disc"]}, "view"),
            ({"field_degrees": 60}, "field_degrees"),
            ({"field_degrees": [45, 30]}, "the narrower first"),
            ({"field_degrees": [30, 40, 45]}, "field_degrees"),
            ({"field_degrees": "45"}, "field_degrees"),
        ]
    )
    def test_bad_view(self, arguments, message):
        with self.assertRaisesRegex(ConfigError, message):
            FundusPhantom(64, **arguments)

    @parameterized.expand([(16,), ((64,),), ((64, 64, 3),), ((64.5, 64),)])
    def test_bad_size(self, size):
        with self.assertRaisesRegex(ConfigError, "size of the phantom"):
            FundusPhantom(size)

    def test_maps_measure_like_drive(self):
        phantom = FundusPhantom(DRIVE_SIZE, seed=0)
        fov = phantom.field_of_view()
        table = morphometry_table((phantom.label_map(index) == 2, fov) for index in range(20))
        for row in compare_morphometry(table, DRIVE_TRAINING):
            self.assertTrue(row["within"], row)


if __name__ == "__main__":
    unittest.main()
