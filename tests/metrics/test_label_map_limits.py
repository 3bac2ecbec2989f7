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

from monai_retinasynth.metrics import measure_label_map_limits
from monai_retinasynth.simulation import FundusPhantom
from monai_retinasynth.utils import ConfigError, DataError


def phantom_maps(count: int, seed: int = 0, size: int = 160) -> list[torch.Tensor]:
    phantom = FundusPhantom(size, seed=seed)
    return [torch.from_numpy(phantom.label_map(i).T.copy())[None] for i in range(count)]


class TestLabelMapLimits(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.maps = phantom_maps(10)
        cls.limits = measure_label_map_limits(cls.maps)

    def test_training_maps_and_others_like_them_are_within(self):
        for label in [*self.maps, *phantom_maps(6, seed=9), *phantom_maps(2, seed=9, size=240)]:
            self.assertEqual(self.limits.faults(label), [])

    def test_what_is_wrong_is_named(self):
        good = self.maps[0]
        bare = good.clamp(max=1)
        self.assertRegex("; ".join(self.limits.faults(bare)), "density 0 is not 0.0.*skeleton_length 0 is not")
        full = (good > 0).to(torch.uint8) * 2
        self.assertRegex(self.limits.faults(full)[0], "density 1 is not")
        broken = good.clone()
        broken[:, ::6] = broken[:, ::6].clamp(max=1)
        broken[:, :, ::6] = broken[:, :, ::6].clamp(max=1)
        self.assertTrue(any(fault.startswith("components") for fault in self.limits.faults(broken)))
        cut = good.clone()
        cut[:, :80] = 0
        self.assertRegex(self.limits.faults(cut)[0], "field_of_view overlaps .* by 0.5")
        self.assertEqual(self.limits.faults(torch.zeros_like(good)), ["field_of_view is missing"])

    def test_fewer_maps_give_wider_limits(self):
        few = measure_label_map_limits(self.maps[:3])
        least, most = self.limits.limits["density"]
        self.assertLess(few.limits["density"][0], least)
        self.assertGreater(few.limits["density"][1], most)
        one = measure_label_map_limits(self.maps[:1]).limits["density"]
        self.assertAlmostEqual(one[1] / one[0], 3.0)

    def test_confidence(self):
        values = [float((m == 2).sum() / (m > 0).sum()) for m in self.maps]
        narrow = measure_label_map_limits(self.maps, confidence=0.5).limits["density"]
        self.assertLess(narrow[1] - narrow[0], np.ptp(values))
        with self.assertRaisesRegex(ConfigError, "confidence"):
            measure_label_map_limits(self.maps, confidence=1.0)

    @parameterized.expand([([],), ([torch.zeros(1, 20, 20, dtype=torch.uint8)],)])
    def test_nothing_to_measure(self, maps):
        with self.assertRaisesRegex(DataError, "one training map or more"):
            measure_label_map_limits(maps)

    def test_training_maps_without_structures(self):
        with self.assertRaisesRegex(DataError, "none of the 2 training maps shows vessel"):
            measure_label_map_limits([label.clamp(max=1) for label in self.maps[:2]])


if __name__ == "__main__":
    unittest.main()
