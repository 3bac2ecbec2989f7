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

from monai_retinasynth.networks import StyleEncoder
from tests.networks.network_tester import NetworkTester


class TestStyleEncoder(NetworkTester, unittest.TestCase):
    expected_shapes = [(2, 5), (2, 5)]
    kwargs: dict = {}

    def make(self):
        return StyleEncoder(style_size=5, channels=4, max_channels=8, num_downs=3, **self.kwargs)

    def inputs(self):
        return (torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1,)

    def test_any_size(self):
        for size in ((32, 32), (33, 47), (16, 16)):
            mean, log_variance = self.make()(torch.rand(1, 3, *size))
            self.assertEqual((mean.shape, log_variance.shape), ((1, 5), (1, 5)))

    def test_float32_under_autocast(self):
        with torch.autocast("cpu", torch.bfloat16):
            self.assertEqual({t.dtype for t in self.make()(*self.inputs())}, {torch.float32})

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, "photograph must be"):
            self.make()(torch.rand(1, 4, 32, 32))
        with self.assertRaisesRegex(ValueError, 'norm must be "layer" or "instance"'):
            StyleEncoder(norm="batch")


class TestInstanceNorm(TestStyleEncoder):
    kwargs = {"norm": "instance"}


class TestColour(unittest.TestCase):
    """Photographs that differ in brightness and colour alone: layer norm lets the style see it."""

    def test_style_sees_the_colour(self):
        torch.manual_seed(0)
        texture = torch.rand(1, 3, 64, 64)
        offsets = torch.tensor([[0.3, -0.2, 0.1], [-0.3, 0.2, -0.1]])[:, :, None, None]
        differences = {}
        for norm in ("layer", "instance"):
            torch.manual_seed(1)
            encoder = StyleEncoder(style_size=16, channels=16, max_channels=64, num_downs=4, norm=norm)
            (one, other), _ = encoder(texture + offsets)
            differences[norm] = ((one - other).norm() / one.norm()).item()
        self.assertGreater(differences["layer"], 5 * differences["instance"])


class TestPaperSize(unittest.TestCase):
    def test_widths(self):
        with torch.device("meta"):
            encoder = StyleEncoder()
            widths = [m.out_channels for m in encoder.layers if isinstance(m, torch.nn.Conv2d)]
            self.assertEqual(widths, [64, 128, 256, 512, 512, 512])
            self.assertEqual(tuple(encoder.layers(torch.empty(1, 3, 256, 256)).shape), (1, 512, 4, 4))
            self.assertEqual(encoder.statistics.in_features, 8192)


if __name__ == "__main__":
    unittest.main()
