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

import torch

from monai_retinasynth.transforms import FieldOfViewCoordinates, FieldOfViewCoordinatesd
from monai_retinasynth.utils import DataError


def disc_map(x: int, y: int, centre: tuple[float, float], radius: float) -> torch.Tensor:
    gx, gy = torch.meshgrid(torch.arange(x), torch.arange(y), indexing="ij")
    return ((gx - centre[0]) ** 2 + (gy - centre[1]) ** 2 <= radius**2).to(torch.uint8)[None]


class TestFieldOfViewCoordinates(unittest.TestCase):
    def test_centre_and_rim(self):
        coordinates = FieldOfViewCoordinates()(disc_map(90, 70, (50, 30), 25))
        self.assertEqual((coordinates.dtype, tuple(coordinates.shape)), (torch.float32, (2, 90, 70)))
        torch.testing.assert_close(coordinates[:, 50, 30], torch.zeros(2))
        self.assertAlmostEqual(float(coordinates[0, 75, 30]), 1, delta=0.05)
        self.assertAlmostEqual(float(coordinates[1, 50, 5]), -1, delta=0.05)
        self.assertLessEqual(float(coordinates.abs().max()), 1)
        self.assertAlmostEqual(float(coordinates[0, 51, 30] - coordinates[0, 50, 30]), 1 / 25, delta=0.002)

    def test_cut_off_circle_keeps_its_scale(self):
        whole = FieldOfViewCoordinates()(disc_map(100, 100, (50, 50), 40))
        cut = FieldOfViewCoordinates()(disc_map(100, 60, (50, 30), 40))
        torch.testing.assert_close(cut, whole[:, :, 20:80], atol=0.02, rtol=0)

    def test_stray_pixels_do_not_shift_it(self):
        label = disc_map(100, 100, (60, 60), 30)
        expected = FieldOfViewCoordinates()(label)
        label[0, 2, 2] = 2
        torch.testing.assert_close(FieldOfViewCoordinates()(label), expected)

    def test_empty(self):
        with self.assertRaisesRegex(DataError, "no field of view"):
            FieldOfViewCoordinates()(torch.zeros(1, 8, 8, dtype=torch.uint8))

    def test_dictionary_form(self):
        data = FieldOfViewCoordinatesd()({"label": disc_map(20, 30, (10, 15), 8)})
        self.assertEqual(tuple(data["coordinates"].shape), (2, 20, 30))
        self.assertEqual(FieldOfViewCoordinatesd(allow_missing_keys=True)({"a": 1}), {"a": 1})


if __name__ == "__main__":
    unittest.main()
