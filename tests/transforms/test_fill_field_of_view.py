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

from monai_retinasynth.transforms import FillFieldOfView, FillFieldOfViewd


class TestFillFieldOfView(unittest.TestCase):
    def test_holes_and_islands(self):
        whole = torch.zeros(1, 12, 10, dtype=torch.uint8)
        whole[:, 2:10, 1:8] = 1
        whole[:, 5, 1:8] = 2
        drawn = whole.clone()
        drawn[:, 3, 3] = drawn[:, 7:9, 5] = 0  # specks inside
        drawn[:, 11, 9] = drawn[:, 0, 0] = 2  # islands outside
        cleaned = FillFieldOfView()(drawn)
        self.assertTrue(torch.equal(cleaned, whole))
        self.assertEqual(cleaned.dtype, torch.uint8)
        self.assertTrue(torch.equal(FillFieldOfViewd("pred")({"pred": drawn})["pred"], whole))
        # what is outside at the rim is no hole
        notch = whole.clone()
        notch[:, 2, 4] = 0
        self.assertTrue(torch.equal(FillFieldOfView()(notch), notch))

    def test_nothing_inside(self):
        empty = torch.zeros(1, 4, 4, dtype=torch.uint8)
        self.assertTrue(torch.equal(FillFieldOfView()(empty), empty))


if __name__ == "__main__":
    unittest.main()
