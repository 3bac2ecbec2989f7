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
import torch.nn.functional as F

from monai_retinasynth.losses import ProbabilityCrossEntropyLoss

WEIGHTS = [0.5, 1.0, 4.0]


class TestProbabilityCrossEntropy(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.logits = torch.randn(2, 3, 5, 4) * 3
        self.index = torch.randint(0, 3, (2, 5, 4))
        self.one_hot = F.one_hot(self.index, 3).movedim(-1, 1).float()

    def test_against_torch(self):
        for weights in (None, WEIGHTS):
            found = ProbabilityCrossEntropyLoss(weights)(self.logits.softmax(1), self.one_hot)
            tensor = None if weights is None else torch.tensor(weights)
            torch.testing.assert_close(found, F.cross_entropy(self.logits, self.index, weight=tensor))

    def test_soft_targets_against_torch(self):
        soft = torch.rand(2, 3, 5, 4).softmax(1)
        found = ProbabilityCrossEntropyLoss()(self.logits.softmax(1), soft)
        torch.testing.assert_close(found, F.cross_entropy(self.logits, soft))

    def test_gradient_of_a_sure_mistake_is_that_of_the_logits(self):
        index = torch.zeros(1, 1, 1, dtype=torch.long)
        one_hot = torch.tensor([[1.0, 0.0]])[..., None, None]
        gradients = []
        for loss in (
            lambda x: ProbabilityCrossEntropyLoss()(x.softmax(1), one_hot),
            lambda x: F.cross_entropy(x, index),
        ):
            logits = torch.tensor([[0.0, 50.0]])[..., None, None].requires_grad_(True)
            loss(logits).backward()
            gradients.append(logits.grad)
        torch.testing.assert_close(gradients[0], gradients[1])
        self.assertAlmostEqual(gradients[0].flatten()[0].item(), -1.0, places=5)

    def test_finite_at_zero_and_under_autocast(self):
        zero = (1 - self.one_hot).requires_grad_(True)
        with torch.autocast("cpu", torch.bfloat16):
            loss = ProbabilityCrossEntropyLoss(WEIGHTS)(zero.bfloat16(), self.one_hot.bfloat16())
        self.assertEqual(loss.dtype, torch.float32)
        loss.backward()
        self.assertTrue(torch.isfinite(loss) and torch.isfinite(zero.grad).all())
        self.assertEqual(ProbabilityCrossEntropyLoss()(self.one_hot, self.one_hot).item(), 0.0)

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, r"\(2, 3, 5, 4\) and \(2, 5, 4\)"):
            ProbabilityCrossEntropyLoss()(self.logits.softmax(1), self.index)
        with self.assertRaisesRegex(ValueError, "2 class_weights for 3 classes"):
            ProbabilityCrossEntropyLoss([1.0, 2.0])(self.logits.softmax(1), self.one_hot)
        for weights in ([], [0.0, 0.0], [1.0, -1.0]):
            with self.assertRaisesRegex(ValueError, "not all 0"):
                ProbabilityCrossEntropyLoss(weights)


if __name__ == "__main__":
    unittest.main()
