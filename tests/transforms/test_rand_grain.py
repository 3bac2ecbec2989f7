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

from monai_retinasynth.transforms import RandGrain, RandGraind
from monai_retinasynth.utils.errors import ConfigError


class TestRandGrain(unittest.TestCase):
    def test_strength_varies_over_the_picture_and_is_bounded(self):
        image = torch.full((3, 128, 96), 0.5)
        transform = RandGrain(sd=0.1, nodes=3).set_random_state(0)
        largest = 0.0
        for _ in range(10):
            noise = transform(image) - image
            self.assertEqual(noise.shape, image.shape)
            blocks = noise.unfold(1, 32, 32).unfold(2, 32, 32).std((-2, -1))
            largest = max(largest, blocks.max().item())
            self.assertGreater(blocks.max().item(), 1.3 * blocks.min().item())
        self.assertTrue(0.02 < largest < 0.13, largest)

    def test_noise_has_two_sizes(self):
        transform = RandGrain(sd=0.1, coarse_size=4).set_random_state(0)
        neighbours = []
        for _ in range(12):
            noise = transform(torch.zeros(1, 96, 96))[0]
            neighbours.append(((noise[1:] * noise[:-1]).mean() / noise.square().mean()).item())
        # white noise has no correlation between neighbours, coarse noise nearly 1; the share of both is drawn
        self.assertLess(min(neighbours), 0.35)
        self.assertGreater(max(neighbours), 0.55)

    def test_seed_and_probability(self):
        data = {"image": torch.rand(3, 8, 8), "label": torch.ones(1, 8, 8)}
        one, two, three = (RandGraind("image").set_random_state(s)(data)["image"] for s in (4, 4, 5))
        self.assertTrue(torch.equal(one, two))
        self.assertFalse(torch.equal(one, three))
        self.assertTrue(torch.equal(RandGraind("image", prob=0.0)(data)["image"], data["image"]))
        self.assertTrue(torch.equal(RandGraind("image", sd=0.0)(data)["image"], data["image"]))

    def test_wrong_numbers(self):
        for settings in ({"sd": -1}, {"coarse_size": 1}, {"nodes": 1}):
            with self.assertRaisesRegex(ConfigError, "grain needs"):
                RandGrain(**settings)


if __name__ == "__main__":
    unittest.main()
