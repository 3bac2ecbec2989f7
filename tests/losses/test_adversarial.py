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

import math
import unittest

import torch
from parameterized import parameterized

from monai_retinasynth.losses import ADVERSARIAL_KINDS, DiscriminatorLoss, GeneratorLoss, logits_by_scale

REAL, FAKE = torch.tensor([[0.5], [2.0]]), torch.tensor([[-2.0], [1.0]])


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


LOGISTIC = (softplus(-0.5) + softplus(-2.0)) / 2 + (softplus(-2.0) + softplus(1.0)) / 2
NON_SATURATING = (softplus(2.0) + softplus(-1.0)) / 2
# kind, discriminator's loss, generator's loss, by hand
CASES = [
    ("lsgan", 0.5 * ((0.25 + 1.0) / 2 + (4.0 + 1.0) / 2), (9.0 + 0.0) / 2),
    ("hinge", (0.5 + 0.0) / 2 + (0.0 + 2.0) / 2, 0.5),
    ("wgan", -0.5 - 1.25, 0.5),
    ("bce", 0.5 * LOGISTIC, NON_SATURATING),
    ("non_saturating", LOGISTIC, NON_SATURATING),
]


class TestAdversarial(unittest.TestCase):
    @parameterized.expand(CASES)
    def test_against_hand_values(self, kind, discriminator, generator):
        self.assertAlmostEqual(DiscriminatorLoss(kind)(REAL, FAKE).item(), discriminator, places=6)
        self.assertAlmostEqual(GeneratorLoss(kind)(FAKE).item(), generator, places=6)

    @parameterized.expand(CASES)
    def test_mean_over_scales_in_every_form(self, kind, discriminator, generator):
        d, g = DiscriminatorLoss(kind), GeneratorLoss(kind)
        other = torch.zeros(2, 1, 3, 3)
        expected_d, expected_g = (d(REAL, FAKE) + d(other, other)) / 2, (g(FAKE) + g(other)) / 2
        torch.testing.assert_close(d([REAL, other], [FAKE, other]), expected_d)
        torch.testing.assert_close(g([FAKE, other]), expected_g)
        features = torch.rand(2, 7, 4, 4)
        torch.testing.assert_close(d([[features, REAL], [other]], [[features, FAKE], [other]]), expected_d)
        torch.testing.assert_close(g([[features, FAKE], [other]]), expected_g)

    @parameterized.expand([(kind,) for kind in ADVERSARIAL_KINDS])
    def test_each_side_pulls_the_right_way(self, kind):
        real, fake = torch.zeros(4, 1, requires_grad=True), torch.zeros(4, 1, requires_grad=True)
        DiscriminatorLoss(kind)(real, fake + 0.5).backward()
        self.assertTrue((real.grad < 0).all() and (fake.grad > 0).all())
        fake.grad = None
        GeneratorLoss(kind)(fake).backward()
        self.assertTrue((fake.grad < 0).all())

    @parameterized.expand([(kind,) for kind in ADVERSARIAL_KINDS])
    def test_sides_add_up_to_the_loss(self, kind):
        loss = DiscriminatorLoss(kind, drift=0.1)
        other = torch.tensor([[[[0.3, -1.5]]]])
        for reals, fakes in ((REAL, FAKE), ([REAL, other], [FAKE, 2 * other])):
            real, fake = loss.sides(reals, fakes)
            torch.testing.assert_close(real + fake, loss(reals, fakes))
            # each side depends on its own logits alone
            torch.testing.assert_close(loss.sides(reals, reals)[0], real)
            torch.testing.assert_close(loss.sides(fakes, fakes)[1], fake)
            self.assertNotAlmostEqual(loss.sides(fakes, fakes)[0].item(), real.item())

    def test_sides_of_bce_are_halves_of_the_cross_entropies(self):
        real, fake = DiscriminatorLoss("bce").sides(REAL, FAKE)
        entropy = torch.nn.BCELoss()  # on the probabilities, as papers write it
        self.assertAlmostEqual(real.item(), 0.5 * entropy(REAL.sigmoid(), torch.ones(2, 1)).item(), places=6)
        self.assertAlmostEqual(fake.item(), 0.5 * entropy(FAKE.sigmoid(), torch.zeros(2, 1)).item(), places=6)

    def test_drift(self):
        plain, drift = DiscriminatorLoss("wgan"), DiscriminatorLoss("wgan", drift=0.1)
        self.assertAlmostEqual((drift(REAL, FAKE) - plain(REAL, FAKE)).item(), 0.1 * (0.25 + 4.0) / 2, places=6)

    def test_bfloat16_logits_are_scored_in_float32(self):
        loss = DiscriminatorLoss("lsgan")(REAL.bfloat16(), FAKE.bfloat16())
        self.assertEqual(loss.dtype, torch.float32)
        self.assertTrue(torch.isfinite(GeneratorLoss("bce")(torch.full((2, 1), -300.0).bfloat16())))

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, "kind must be one of lsgan"):
            GeneratorLoss("ralsgan")
        with self.assertRaisesRegex(ValueError, r"as \[features\]"):
            GeneratorLoss()([torch.rand(1, 8, 4, 4), torch.rand(1, 1, 2, 2)])
        with self.assertRaisesRegex(ValueError, "1 scales of real logits but 2"):
            DiscriminatorLoss()(REAL, [FAKE, FAKE])
        with self.assertRaisesRegex(ValueError, "2 scales of real logits but 1"):
            DiscriminatorLoss().sides([REAL, REAL], [FAKE])
        with self.assertRaisesRegex(ValueError, "empty"):
            logits_by_scale([])


if __name__ == "__main__":
    unittest.main()
