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
"""Noise with structure at every size."""

from __future__ import annotations

import unittest

import torch
import torch.nn.functional as F

from monai_retinasynth.networks.blocks import octave_noise


class TestOctaveNoise(unittest.TestCase):
    def test_survives_averaging_over_areas(self):
        noise = octave_noise((4, 3, 128, 96), 6, torch.Generator().manual_seed(0))
        white = torch.randn(4, 3, 128, 96, generator=torch.Generator().manual_seed(0))
        self.assertEqual(tuple(noise.shape), (4, 3, 128, 96))
        self.assertAlmostEqual(noise.std().item(), 1.0, delta=0.1)
        self.assertAlmostEqual(noise.mean().item(), 0.0, delta=0.2)
        coarse = [F.avg_pool2d(n, 32).std().item() for n in (noise, white)]
        self.assertGreater(coarse[0], 0.2)
        self.assertLess(coarse[1], 0.05)

    def test_follows_its_generator(self):
        first, again, other = (octave_noise((1, 1, 8, 8), 3, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
        self.assertTrue(torch.equal(first, again))
        self.assertFalse(torch.equal(first, other))


if __name__ == "__main__":
    unittest.main()
