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
from torch import nn

from monai_retinasynth.networks import (
    BackgroundPainter,
    Pix2PixHDGenerator,
    Pix2PixUNetGenerator,
    SpatiallyAdaptiveGenerator,
    initialise_weights,
)
from tests.networks.network_tester import NetworkTester

SMALL = {"in_channels": 9, "channels": 4, "max_channels": 8, "out_activation": "none"}


class Constant(nn.Module):
    """Answers the same number everywhere."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, condition: torch.Tensor) -> torch.Tensor:
        return torch.full_like(condition[:, -3:], self.value)


def condition(background: torch.Tensor, band: float) -> torch.Tensor:
    """Band and background (3, X, Y) in [0, 1] as the painter takes them."""
    return torch.cat([torch.full_like(background[:1], band), background * 2 - 1])[None]


class TestPix2PixHDPainter(NetworkTester, unittest.TestCase):
    expected_shapes = [(2, 3, 16, 24)]

    def make(self):
        return BackgroundPainter(Pix2PixHDGenerator(num_downs=2, num_res_blocks=1, **SMALL))

    def inputs(self):
        generator = torch.Generator().manual_seed(1)
        inputs = torch.rand(2, 9, 16, 24, generator=generator)
        inputs[:, -3:] = inputs[:, -3:] - 0.6  # nowhere black or white, where no gradient passes
        return (inputs,)


class TestUNetPainter(TestPix2PixHDPainter):
    def make(self):
        return BackgroundPainter(Pix2PixUNetGenerator(num_downs=3, dropout=0.0, **SMALL))


class TestSpatiallyAdaptivePainter(TestPix2PixHDPainter):
    script = False  # torch's parametrisations are not scripted

    def make(self):
        return BackgroundPainter(SpatiallyAdaptiveGenerator(num_ups=2, hidden_channels=6, **SMALL)).eval()


class TestBackgroundPainter(unittest.TestCase):
    def setUp(self):
        self.background = torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(0))

    def test_outside_the_band_is_the_background(self):
        given = condition(self.background, 0.0)
        painted = BackgroundPainter(Constant(-3.0))(given)
        self.assertTrue(torch.equal(painted, given[:, -3:]))

    @parameterized.expand([(1.0,), (0.5,)])
    def test_a_constant_ratio_darkens_by_that_factor(self, band):
        painter = BackgroundPainter(Constant(-math.atanh(0.25)), max_log_ratio=2.0)
        painted = (painter(condition(self.background, band))[0] + 1) / 2
        factor = math.exp(-0.5 * band)
        dark = 8 / 255
        expected = ((self.background + dark) * factor - dark).clamp_min(0)
        torch.testing.assert_close(painted, expected)
        # a ratio: of bright places it takes more than of dark ones
        taken = self.background - painted
        self.assertGreater(taken[self.background > 0.8].min(), taken[self.background < 0.3].max())

    def test_training_begins_close_to_the_background(self):
        inner = Pix2PixUNetGenerator(num_downs=3, dropout=0.0, **SMALL)
        bare = sum(p.abs().sum().item() for p in inner.head.parameters())
        painter = BackgroundPainter(inner)
        self.assertAlmostEqual(sum(p.abs().sum().item() for p in inner.head.parameters()), bare / 10, places=4)
        initialise_weights(painter, "kaiming")
        inputs = torch.rand(1, 9, 16, 16) - 0.6
        self.assertLess((painter(inputs) - inputs[:, -3:]).abs().mean().item(), 0.2)

    def test_what_the_network_is_made_for_is_passed_on(self):
        inner = SpatiallyAdaptiveGenerator(num_ups=3, hidden_channels=6, style_size=4, noise_channels=2, **SMALL)
        painter = BackgroundPainter(inner).eval()
        self.assertEqual((painter.size_multiple, painter.style_size, painter.noise_channels), (8, 4, 2))
        self.assertEqual(painter.noise_reduction, 1)
        inputs, styles = torch.rand(1, 9, 16, 16), torch.randn(2, 1, 4)
        first, second = (painter(inputs, style=style) for style in styles)
        self.assertFalse(torch.equal(first, second))
        coarse = BackgroundPainter(Pix2PixHDGenerator(num_downs=2, num_res_blocks=1, noise_channels=3, **SMALL))
        self.assertEqual((coarse.noise_channels, coarse.noise_reduction), (3, 4))
        first, second = (coarse(inputs, noise=noise) for noise in torch.randn(2, 1, 3, 4, 4))
        self.assertFalse(torch.equal(first, second))

    def test_an_encoder_says_the_style_of_the_photograph(self):
        inner = SpatiallyAdaptiveGenerator(
            num_ups=2, hidden_channels=6, style_size=4, encoder=True, encoder_channels=4, **SMALL
        )
        painted, mean, log_variance = BackgroundPainter(inner)(
            torch.rand(2, 9, 16, 16), photograph=torch.rand(2, 3, 16, 16)
        )
        self.assertEqual([tuple(t.shape) for t in (painted, mean, log_variance)], [(2, 3, 16, 16), (2, 4), (2, 4)])

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, 'ends in .tanh.: make it with out_activation="none"'):
            BackgroundPainter(Pix2PixHDGenerator(in_channels=9, channels=4, num_downs=2))
        with self.assertRaisesRegex(ValueError, "residual=False"):
            BackgroundPainter(Pix2PixUNetGenerator(residual=True, num_downs=3, **SMALL))
        with self.assertRaisesRegex(ValueError, "takes 3 channels; band and background alone are 4"):
            BackgroundPainter(Pix2PixHDGenerator(**{**SMALL, "in_channels": 3}, num_downs=2))
        with self.assertRaisesRegex(ValueError, "must be positive"):
            BackgroundPainter(Constant(0.0), max_log_ratio=0.0)
        painter = BackgroundPainter(Constant(0.0))
        with self.assertRaisesRegex(ValueError, "takes no style"):
            painter(condition(self.background, 1.0), style=torch.zeros(1, 4))
        with self.assertRaisesRegex(ValueError, "takes no noise"):
            painter(condition(self.background, 1.0), noise=torch.zeros(1, 4))


if __name__ == "__main__":
    unittest.main()
