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
from torch.distributions import Normal, kl_divergence

from monai_retinasynth.losses import kl_divergence_loss


class TestKLDivergence(unittest.TestCase):
    def test_against_torch(self):
        torch.manual_seed(0)
        mean, log_variance = torch.randn(3, 5), torch.randn(3, 5)
        expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(1).mean()
        torch.testing.assert_close(kl_divergence_loss(mean, log_variance), expected)

    def test_zero_for_the_normal_distribution_alone(self):
        zero = torch.zeros(2, 4)
        self.assertEqual(kl_divergence_loss(zero, zero).item(), 0.0)
        self.assertAlmostEqual(kl_divergence_loss(zero + 1.0, zero).item(), 0.5 * 4, places=6)
        self.assertGreater(kl_divergence_loss(zero, zero - 1.0).item(), 0.0)

    def test_does_not_depend_on_the_batch_size(self):
        mean, log_variance = torch.rand(1, 4), torch.rand(1, 4)
        many = kl_divergence_loss(mean.expand(6, 4), log_variance.expand(6, 4))
        torch.testing.assert_close(many, kl_divergence_loss(mean, log_variance))

    def test_descends_to_the_normal_distribution(self):
        mean, log_variance = (torch.full((2, 3), 2.0, requires_grad=True) for _ in range(2))
        optimizer = torch.optim.SGD([mean, log_variance], lr=0.3)
        for _ in range(100):
            optimizer.zero_grad()
            kl_divergence_loss(mean, log_variance).backward()
            optimizer.step()
        self.assertLess(mean.abs().max().item(), 1e-3)
        self.assertLess(log_variance.abs().max().item(), 1e-3)

    def test_is_float32(self):
        half = torch.full((1, 2), 0.5, dtype=torch.bfloat16)
        self.assertEqual(kl_divergence_loss(half, half).dtype, torch.float32)

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, r"\(2, 3\) and \(2, 4\)"):
            kl_divergence_loss(torch.zeros(2, 3), torch.zeros(2, 4))
        with self.assertRaisesRegex(ValueError, "batch, style size"):
            kl_divergence_loss(torch.zeros(3), torch.zeros(3))


if __name__ == "__main__":
    unittest.main()
