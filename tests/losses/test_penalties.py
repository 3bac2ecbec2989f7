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
from torch import nn

from monai_retinasynth.losses import R1Penalty, WassersteinGradientPenalty


class Linear(nn.Module):
    """A discriminator whose gradient is its weight everywhere."""

    def __init__(self, length: float) -> None:
        super().__init__()
        weight = torch.randn(3 * 4 * 5, generator=torch.Generator().manual_seed(0))
        self.weight = nn.Parameter(weight / weight.norm() * length)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) @ self.weight[:, None]


class TestPenalties(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.reals, self.fakes = torch.randn(6, 3, 4, 5), torch.randn(6, 3, 4, 5)

    def test_r1_of_a_linear_discriminator(self):
        network = Linear(3.0)
        penalty = R1Penalty(gamma=4.0)(network, self.reals)
        self.assertAlmostEqual(penalty.item(), 0.5 * 4.0 * 9.0, places=4)
        penalty.backward()  # d/dw (gamma / 2 |w|^2) = gamma w
        torch.testing.assert_close(network.weight.grad, 4.0 * network.weight.detach(), rtol=1e-4, atol=1e-5)

    def test_gradient_penalty_of_a_linear_discriminator(self):
        network = Linear(3.0)
        penalty = WassersteinGradientPenalty(weight=10.0)(network, self.reals, self.fakes)
        self.assertAlmostEqual(penalty.item(), 10.0 * (3.0 - 1.0) ** 2, places=3)
        penalty.backward()  # d/dw weight (|w| - 1)^2 = 2 weight (|w| - 1) w / |w|
        torch.testing.assert_close(network.weight.grad, 40.0 * network.weight.detach() / 3.0, rtol=1e-4, atol=1e-4)
        target = WassersteinGradientPenalty(weight=10.0, target=750.0)(network, self.reals, self.fakes)
        self.assertAlmostEqual(target.item(), 10.0 * (3.0 - 750.0) ** 2 / 750.0**2, places=3)

    def test_points_lie_between_reals_and_fakes(self):
        seen = []

        def discriminator(x):
            seen.append(x.detach())
            return x.flatten(1).sum(1, keepdim=True)

        WassersteinGradientPenalty()(discriminator, torch.zeros(64, 1, 2, 2), torch.ones(64, 1, 2, 2))
        points = seen[0].flatten(1)
        self.assertTrue(torch.equal(points, points[:, :1].expand_as(points)))  # one position a sample
        self.assertGreater(points.std().item(), 0.2)
        self.assertTrue(0.0 <= points.min().item() and points.max().item() <= 1.0)

    def test_follows_the_global_generator(self):
        network = lambda x: x.square().flatten(1).sum(1, keepdim=True)  # noqa: E731
        torch.manual_seed(3)
        first = WassersteinGradientPenalty()(network, self.reals, self.fakes)
        torch.manual_seed(3)
        self.assertEqual(WassersteinGradientPenalty()(network, self.reals, self.fakes).item(), first.item())

    def test_r1_weight_follows_the_number_of_pixels(self):
        reals = torch.randn(2, 1, 8, 8)
        fixed = R1Penalty(gamma=4.0)(lambda x: x.square().sum(dim=(2, 3)), reals)
        scaled = R1Penalty(gamma=4.0, reference_size=16)(lambda x: x.square().sum(dim=(2, 3)), reals)
        torch.testing.assert_close(scaled, fixed / 4)

    def test_score_of_a_patch_discriminator_is_its_mean(self):
        # logits are twice the pixels: the mean over N pixels has a gradient of 2 / N at each, of squared length 4 / N
        penalty = R1Penalty(gamma=2.0)(lambda x: [[x, 2.0 * x], [2.0 * x]], torch.randn(2, 1, 4, 4))
        self.assertAlmostEqual(penalty.item(), 4.0 / 16, places=6)

    def test_float32_within_autocast_and_without_grad_mode(self):
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2), nn.Flatten(), nn.LazyLinear(1))
        network(self.reals)
        expected = R1Penalty()(network, self.reals)
        with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
            found = R1Penalty()(network, self.reals.bfloat16().float())
            self.assertEqual(found.dtype, torch.float32)
        torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-4)

    def test_no_nan_at_a_flat_discriminator(self):
        network = Linear(1.0)
        with torch.no_grad():
            network.weight.zero_()
        WassersteinGradientPenalty()(network, self.reals, self.fakes).backward()
        self.assertTrue(torch.isfinite(network.weight.grad).all())

    def test_reals_and_fakes_are_left_alone(self):
        fakes = self.fakes.requires_grad_(True)
        WassersteinGradientPenalty()(Linear(2.0), self.reals, fakes).backward()
        self.assertIsNone(fakes.grad)
        self.assertFalse(self.reals.requires_grad)

    def test_errors_and_needs(self):
        with self.assertRaisesRegex(ValueError, "same shape"):
            WassersteinGradientPenalty()(Linear(1.0), self.reals, self.fakes[:3])
        with self.assertRaisesRegex(ValueError, "R1Penalty"):
            WassersteinGradientPenalty(target=0.0)
        self.assertTrue(WassersteinGradientPenalty.needs_fakes)
        self.assertFalse(R1Penalty.needs_fakes)


if __name__ == "__main__":
    unittest.main()
