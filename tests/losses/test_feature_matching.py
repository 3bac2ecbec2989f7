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

from monai_retinasynth.losses import FeatureMatchingLoss


def features(value: float) -> list[list[torch.Tensor]]:
    """Two scales of two layers and logits."""
    return [[torch.full((1, c, 4, 4), value) for c in (2, 3, 1)] for _ in range(2)]


class TestFeatureMatching(unittest.TestCase):
    def test_zero_for_equal_inputs(self):
        self.assertEqual(FeatureMatchingLoss()(features(1.0), features(1.0)).item(), 0.0)

    def test_against_hand_values(self):
        fakes, reals = features(1.0), features(0.0)
        reals[1][0] -= 1.0  # the first layer of the second scale is 2 away, the others 1
        self.assertAlmostEqual(FeatureMatchingLoss(weight=10.0)(fakes, reals).item(), 10.0 * (2.0 + 3.0) / 2, places=5)
        mean = FeatureMatchingLoss(weight=10.0, layers="mean")
        self.assertAlmostEqual(mean(fakes, reals).item(), 10.0 * (1.0 + 1.5) / 2, places=5)

    def test_logits_do_not_count(self):
        fakes, reals = features(1.0), features(1.0)
        fakes[0][-1] += 5.0
        self.assertEqual(FeatureMatchingLoss()(fakes, reals).item(), 0.0)

    def test_gradient_flows_into_fakes_only(self):
        fake, real = torch.ones(1, 2, 3, 3, requires_grad=True), torch.zeros(1, 2, 3, 3, requires_grad=True)
        FeatureMatchingLoss()([[fake, fake[:, :1]]], [[real, real[:, :1]]]).backward()
        self.assertGreater(fake.grad.abs().sum().item(), 0.0)
        self.assertIsNone(real.grad)

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, "same discriminator"):
            FeatureMatchingLoss()(features(1.0), [scale[1:] for scale in features(1.0)])
        with self.assertRaisesRegex(ValueError, "list of features for each scale"):
            FeatureMatchingLoss()([[torch.rand(1, 1, 2, 2)]], [[torch.rand(1, 1, 2, 2)]])
        with self.assertRaisesRegex(ValueError, "list of features for each scale"):
            FeatureMatchingLoss()([torch.rand(3, 1, 2, 2)], [torch.rand(3, 1, 2, 2)])
        with self.assertRaisesRegex(ValueError, "layers must be"):
            FeatureMatchingLoss(layers="max")


if __name__ == "__main__":
    unittest.main()
