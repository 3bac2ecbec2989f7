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

import random
import unittest

import numpy as np
import torch
from parameterized import parameterized

from monai_retinasynth.utils.seeding import derive_seed, seed_everything, seeded_latents


class TestSeeding(unittest.TestCase):
    @parameterized.expand([(1,), (3,), (8,), (15,), (16,), (17,), (64,), (512,)])
    def test_latents_do_not_depend_on_their_company(self, size):
        together = seeded_latents(range(6), size, seed=4)
        torch.rand(3)
        alone = torch.cat([seeded_latents([k], size, seed=4) for k in (5, 3, 4, 1, 0, 2)])
        self.assertTrue(torch.equal(together[[5, 3, 4, 1, 0, 2]], alone))

    def test_latents_are_standard_normal_and_all_different(self):
        latents = seeded_latents(range(400), 64, seed=0)
        self.assertLess(abs(latents.mean().item()), 0.02)
        self.assertLess(abs(latents.std().item() - 1), 0.02)
        correlation = torch.corrcoef(latents)
        self.assertLess((correlation - torch.eye(400)).abs().max().item(), 0.8)
        self.assertFalse(torch.equal(seeded_latents([0], 4, 0), seeded_latents([0], 4, 1)))
        self.assertFalse(torch.equal(seeded_latents([0], 4, 0, stream=1), seeded_latents([0], 4, 0)))
        self.assertEqual(tuple(seeded_latents([], 4, 0).shape), (0, 4))

    def test_derived_seeds_differ_and_fit_torch(self):
        seeds = {derive_seed(a, b, c) for a in range(8) for b in range(8) for c in range(8)}
        self.assertEqual(len(seeds), 512)
        self.assertTrue(all(0 <= seed < 2**63 for seed in seeds))
        with self.assertRaisesRegex(ValueError, "negative"):
            derive_seed(3, -1)

    def test_seed_everything(self):
        draws = []
        for _ in range(2):
            seed_everything(2**40 + 3)
            draws.append((random.random(), float(np.random.rand()), float(torch.rand(()))))  # noqa: NPY002
        self.assertEqual(*draws)


if __name__ == "__main__":
    unittest.main()
