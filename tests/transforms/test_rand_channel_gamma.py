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

from monai_retinasynth.transforms import RandChannelGamma, RandChannelGammad
from monai_retinasynth.utils.errors import ConfigError


class TestRandChannelGamma(unittest.TestCase):
    def test_each_channel_has_a_power_of_its_own(self):
        image = torch.rand(3, 8, 9) * 0.9 + 0.05
        changed = RandChannelGamma((0.5, 2.0)).set_random_state(0)(image)
        powers = changed.log() / image.log()
        for channel in powers:
            self.assertLess((channel - channel.mean()).abs().max().item(), 1e-3)
        means = powers.mean((1, 2))
        self.assertEqual(len({round(p, 3) for p in means.tolist()}), 3)
        self.assertTrue(bool(((means > 0.499) & (means < 2.001)).all()))

    def test_black_stays_black_and_white_white(self):
        image = torch.stack([torch.zeros(4, 4), torch.ones(4, 4), -torch.ones(4, 4)])
        changed = RandChannelGamma().set_random_state(1)(image)
        self.assertEqual(changed.mean((1, 2)).tolist(), [0.0, 1.0, 0.0])

    def test_seed_and_probability(self):
        data = {"image": torch.rand(3, 5, 5), "label": torch.ones(1, 5, 5)}
        one, two, three = (RandChannelGammad("image").set_random_state(s)(data)["image"] for s in (4, 4, 5))
        self.assertTrue(torch.equal(one, two))
        self.assertFalse(torch.equal(one, three))
        self.assertTrue(torch.equal(RandChannelGammad("image", prob=0.0)(data)["image"], data["image"]))
        self.assertTrue(torch.equal(RandChannelGammad("image")(data)["label"], data["label"]))

    def test_wrong_range(self):
        for gamma in ((0.0, 1.0), (1.4, 0.7)):
            with self.assertRaisesRegex(ConfigError, "positive"):
                RandChannelGamma(gamma)


if __name__ == "__main__":
    unittest.main()
