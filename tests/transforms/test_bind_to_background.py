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

from monai_retinasynth.transforms import BindToBackground, BindToBackgroundd
from monai_retinasynth.utils import DataError


class TestBindToBackground(unittest.TestCase):
    def setUp(self):
        generator = torch.Generator().manual_seed(0)
        self.photograph = torch.randint(0, 256, (3, 6, 4), dtype=torch.uint8, generator=generator)
        self.background = torch.randint(0, 256, (3, 6, 4), dtype=torch.uint8, generator=generator)

    def test_photograph_within_and_background_without(self):
        band = torch.zeros(1, 6, 4)
        band[:, :2] = 1.0
        band[:, 2] = 0.7  # above 1 / 1.5: the photograph still
        made = BindToBackground()(self.photograph, self.background, band)
        torch.testing.assert_close(made[:, :3], self.photograph[:, :3].float(), rtol=1e-5, atol=1e-3)
        self.assertTrue(torch.equal(made[:, 3:], self.background[:, 3:].float()))

    def test_between_them_ratios_are_mixed(self):
        photograph, background = torch.full((1, 1, 1), 24.0), torch.full((1, 1, 1), 120.0)
        made = BindToBackground(steepness=1.0)(photograph, background, torch.full((1, 1, 1), 0.5))
        self.assertAlmostEqual(made.item(), 64.0 - 8.0, places=3)  # 64 is the geometric mean of 32 and 128

    def test_dictionary(self):
        data = {
            "image": self.photograph,
            "background": self.background,
            "geometry": torch.cat([torch.zeros(2, 6, 4), torch.ones(1, 6, 4)]),
        }
        made = BindToBackgroundd()(data)
        torch.testing.assert_close(made["image"], self.photograph.float(), rtol=1e-5, atol=1e-3)
        self.assertIs(made["background"], self.background)
        with self.assertRaisesRegex(DataError, "one size"):
            BindToBackgroundd()({**data, "background": self.background[:, 1:]})


if __name__ == "__main__":
    unittest.main()
