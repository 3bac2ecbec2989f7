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
from parameterized import parameterized
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from monai_retinasynth.networks.blocks import SpatiallyAdaptiveBlock
from tests.networks.network_tester import NetworkTester


class TestSpatiallyAdaptiveBlock(NetworkTester, unittest.TestCase):
    expected_shapes = [(2, 4, 12, 16)]
    script = False  # torch's parametrisations are not scripted

    def make(self):
        return SpatiallyAdaptiveBlock(6, 4, 3, doubles=True, hidden_channels=5, style_size=2).eval()

    def inputs(self):
        generator = torch.Generator().manual_seed(1)
        shapes = ((2, 6, 6, 8), (2, 3, 12, 16), (2, 2))
        return tuple(torch.randn(shape, generator=generator) for shape in shapes)

    @parameterized.expand([("instance",), ("batch",), ("pixel",)])
    def test_doubling_after_the_norm_is_doubling_before_it(self, norm):
        block = SpatiallyAdaptiveBlock(6, 4, 3, doubles=True, norm=norm, hidden_channels=5).eval()
        plain = SpatiallyAdaptiveBlock(6, 4, 3, doubles=False, norm=norm, hidden_channels=5).eval()
        plain.load_state_dict(block.state_dict())
        x, condition, _ = self.inputs()
        doubled = F.interpolate(x, scale_factor=2.0, mode="nearest")
        torch.testing.assert_close(block(x, condition), plain(doubled, condition), rtol=1e-4, atol=1e-4)

    def test_shortcut(self):
        x, condition, _ = self.inputs()
        same = SpatiallyAdaptiveBlock(6, 6, 3, doubles=True, hidden_channels=5).eval()
        self.assertIsNone(same.conv_s)
        doubled = F.interpolate(x, scale_factor=2.0, mode="nearest")
        same.conv_1 = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        nn.init.zeros_(same.conv_1.weight)
        torch.testing.assert_close(same(x, condition), doubled)
        learned = SpatiallyAdaptiveBlock(6, 4, 3, hidden_channels=5)
        self.assertEqual(tuple(learned.conv_s.weight.shape), (4, 6, 1, 1))

    def test_spectral_norm_is_where_it_acts(self):
        block = SpatiallyAdaptiveBlock(6, 4, 3, hidden_channels=5)
        self.assertTrue(is_parametrized(block.conv_1) and is_parametrized(block.conv_s))
        self.assertFalse(is_parametrized(block.conv_0))
        x, condition = torch.randn(2, 6, 12, 16), self.inputs()[1]
        for _ in range(20):
            block(x, condition)
        for conv in (block.conv_1, block.conv_s):
            norm = torch.linalg.matrix_norm(conv.eval().weight.flatten(1), 2).item()
            self.assertAlmostEqual(norm, 1.0, delta=0.02)
        block.eval()
        expected = block(x, condition)
        with torch.no_grad():  # the norm after the first convolution takes its scale away
            block.conv_0.weight.mul_(20.0)
        torch.testing.assert_close(block(x, condition), expected, rtol=1e-3, atol=1e-3)
        # pixel norm leaves the bias, against which the scale counts
        self.assertTrue(is_parametrized(SpatiallyAdaptiveBlock(6, 4, 3, norm="pixel").conv_0))
        plain = SpatiallyAdaptiveBlock(6, 4, 3, spectral_norm=False)
        self.assertFalse(any(is_parametrized(m) for m in plain.modules()))


if __name__ == "__main__":
    unittest.main()
