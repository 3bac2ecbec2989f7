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
"""Noise channels of synthetic photographs."""

from __future__ import annotations

import unittest

import torch

from monai_retinasynth.transforms import SampleNoised
from monai_retinasynth.utils import ConfigError


class TestSampleNoised(unittest.TestCase):
    def test_depends_on_seed_and_number_alone(self):
        label = torch.zeros(1, 16, 24)
        first = SampleNoised(noise_channels=3, seed=3)({"index": 4, "label": label})
        self.assertEqual(set(first), {"index", "label", "noise"})
        self.assertEqual(tuple(first["noise"].shape), (3, 16, 24))
        again = SampleNoised(noise_channels=3, seed=3)({"index": 4, "label": label + 1})
        self.assertTrue(torch.equal(first["noise"], again["noise"]))
        for seed, index in ((4, 4), (3, 5)):
            other = SampleNoised(noise_channels=3, seed=seed)({"index": index, "label": label})
            self.assertFalse(torch.equal(first["noise"], other["noise"]))

    def test_reduced_noise_is_white(self):
        label = torch.zeros(1, 250, 130)
        noise = SampleNoised(noise_channels=2, reduced_by=4)({"index": 0, "label": label})["noise"]
        self.assertEqual(tuple(noise.shape), (2, 63, 33))
        self.assertAlmostEqual(noise.std().item(), 1.0, delta=0.05)
        neighbours = (noise[:, 1:] * noise[:, :-1]).mean().item()
        self.assertAlmostEqual(neighbours, 0.0, delta=0.05)

    def test_wrong_numbers_are_refused(self):
        for settings in ({"noise_channels": 0}, {"num_octaves": 0}, {"reduced_by": 0}):
            with self.assertRaisesRegex(ConfigError, "1 or more"):
                SampleNoised(**settings)


if __name__ == "__main__":
    unittest.main()
