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

from monai_retinasynth.losses import BandedL1Loss
from monai_retinasynth.utils import ConfigError


class TestBandedL1Loss(unittest.TestCase):
    def setUp(self):
        self.condition = torch.zeros(2, 7, 8, 8)
        self.condition[:, -4, :2] = 1.0  # the band, before three channels of background
        self.condition[:, -4, 2:4] = 0.5
        self.target = torch.zeros(2, 3, 8, 8)

    def test_it_is_a_mean_over_the_band(self):
        fakes = torch.zeros(2, 3, 8, 8)
        fakes[:, :, :2] = 0.6
        fakes[:, :, 4:] = 100.0  # outside the band
        # weights 1 and 0.5 on equally many pixels
        self.assertAlmostEqual(BandedL1Loss()(fakes, self.target, self.condition).item(), 0.6 / 1.5, places=6)

    def test_it_does_not_hang_on_how_much_of_a_crop_is_band(self):
        fakes = self.target + 0.3
        wide = torch.ones_like(self.condition)
        for condition in (self.condition, wide):
            self.assertAlmostEqual(BandedL1Loss()(fakes, self.target, condition).item(), 0.3, places=6)
        self.assertEqual(BandedL1Loss()(fakes, self.target, torch.zeros_like(wide)).item(), 0.0)

    def test_grey(self):
        condition = torch.cat([torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)], 1)
        self.assertEqual(BandedL1Loss(1)(torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), condition).item(), 1.0)

    def test_condition_without_a_band(self):
        with self.assertRaisesRegex(ConfigError, "3 channels holds no band.*train with a background"):
            BandedL1Loss()(self.target, self.target, torch.zeros(2, 3, 8, 8))


if __name__ == "__main__":
    unittest.main()
