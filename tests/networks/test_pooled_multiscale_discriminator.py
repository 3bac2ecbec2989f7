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
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from monai_retinasynth.losses import R1Penalty
from monai_retinasynth.networks import PooledMultiscaleDiscriminator
from tests.networks.network_tester import NetworkTester


def tiny(**kwargs) -> PooledMultiscaleDiscriminator:
    return PooledMultiscaleDiscriminator(
        **{"in_channels": 6, "channels": 4, "num_layers": 2, "num_scales": 2, **kwargs}
    )


class TestPooledMultiscaleDiscriminator(NetworkTester, unittest.TestCase):
    expected_shapes = [
        *[(2, 4, 17, 25), (2, 8, 9, 13), (2, 16, 10, 14), (2, 1, 11, 15)],
        *[(2, 4, 9, 13), (2, 8, 5, 7), (2, 16, 6, 8), (2, 1, 7, 9)],
    ]
    kwargs: dict = {}
    trace = False

    def make(self):
        return tiny(**self.kwargs)

    def inputs(self):
        return (torch.rand(2, 6, 32, 48, generator=torch.Generator().manual_seed(1)),)

    def test_paper_widths(self):
        with torch.device("meta"):
            network = PooledMultiscaleDiscriminator(6, num_scales=3)
        widths = [layer[0].out_channels for layer in network.scales[0].layers[:-1]]
        self.assertEqual(widths, [64, 128, 256, 512])
        per_scale = [sum(p.numel() for p in scale.parameters()) for scale in network.scales]
        self.assertEqual(len(set(per_scale)), 1)

    def test_probabilities_are_those_of_the_logits(self):
        network, (x,) = self.make().eval(), self.inputs()
        for found, features in zip(network.probabilities(x), network(x), strict=True):
            torch.testing.assert_close(found, 1 / (1 + torch.exp(-features[-1])))
            self.assertEqual(found.shape[1], 1)
            self.assertGreater(found.min().item(), 0.0)
            self.assertLess(found.max().item(), 1.0)
        with torch.autocast("cpu", torch.bfloat16):
            self.assertEqual(network.probabilities(x)[0].dtype, torch.float32)

    def test_coarser_scales_see_the_pooled_input(self):
        network, (x,) = self.make().eval(), self.inputs()
        pooled = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        for found, expected in zip(network(x)[1], network.scales[1](pooled)):
            torch.testing.assert_close(found, expected)

    def test_double_backward(self):
        for layout in (torch.contiguous_format, torch.channels_last):
            network = self.make().to(memory_format=layout)
            R1Penalty()(network, self.inputs()[0][:1].contiguous(memory_format=layout)).backward()
            R1Penalty()(network, self.inputs()[0].contiguous(memory_format=layout)).backward()
            for scale in network.scales:
                for parameter in scale.parameters():
                    if parameter.dim() == 4:  # biases do not change the gradient of a piecewise linear layer
                        self.assertTrue(torch.isfinite(parameter.grad).all())
                        self.assertGreater(parameter.grad.abs().sum().item(), 0.0)

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, "X, Y >= 8"):
            self.make()(torch.rand(1, 6, 4, 32))
        with self.assertRaisesRegex(ValueError, "batch, 6"):
            self.make()(torch.rand(1, 3, 32, 32))
        with self.assertRaisesRegex(ValueError, "num_scales"):
            tiny(num_scales=0)
        with self.assertRaisesRegex(ValueError, "norm must be"):
            tiny(norm="layer")


class TestSpectralNorm(TestPooledMultiscaleDiscriminator):
    kwargs = {"norm": "none", "spectral_norm": True}
    script = False  # torch's parametrisations are not scripted

    def make(self):
        return super().make().eval()  # in training mode each call is another power iteration

    def test_weights_have_norm_one(self):
        network, (x,) = super().make(), self.inputs()
        for _ in range(30):
            network(x)
        weight = network.eval().scales[0].layers[1][0].weight.flatten(1)
        self.assertAlmostEqual(torch.linalg.matrix_norm(weight, 2).item(), 1.0, delta=0.02)


class TestSpectralAndInstanceNorm(TestPooledMultiscaleDiscriminator):
    """The discriminator of SPADE: spectral norm acts where no norm takes the scale of the weights away."""

    kwargs = {"norm": "instance", "spectral_norm": True}
    script = False

    def make(self):
        return super().make().eval()

    def test_where_it_is(self):
        for scale in self.make().scales:
            found = [is_parametrized(m) for m in scale.modules() if isinstance(m, nn.Conv2d)]
            self.assertEqual(found, [True, False, False, True])

    def test_elsewhere_the_scale_of_the_weights_has_no_effect(self):
        network, (x,) = self.make(), self.inputs()
        expected = network(x)[0][-1]
        with torch.no_grad():
            network.scales[0].layers[1][0].weight.mul_(50.0)
        torch.testing.assert_close(network(x)[0][-1], expected, rtol=0.02, atol=0.02)
        with torch.no_grad():
            network.scales[0].layers[0][0].parametrizations.weight.original.mul_(50.0)
        torch.testing.assert_close(network(x)[0][-1], expected, rtol=0.02, atol=0.02)


class TestPatchGan(unittest.TestCase):
    """The discriminator of the pix2pix recipe: one scale, four layers of stride 2, batch norm."""

    def test_layers(self):
        with torch.device("meta"):
            network = PooledMultiscaleDiscriminator(4, num_layers=4, num_scales=1, norm="batch")
        (scale,) = network.scales
        convolutions = [m for m in scale.modules() if isinstance(m, nn.Conv2d)]
        self.assertEqual([layer.out_channels for layer in convolutions], [64, 128, 256, 512, 512, 1])
        self.assertEqual([layer.in_channels for layer in convolutions], [4, 64, 128, 256, 512, 512])
        self.assertEqual([layer.stride for layer in convolutions], [(s, s) for s in (2, 2, 2, 2, 1, 1)])
        self.assertEqual({layer.kernel_size for layer in convolutions}, {(4, 4)})
        normed = [any(isinstance(m, nn.BatchNorm2d) for m in layer.modules()) for layer in scale.layers]
        self.assertEqual(normed, [False, True, True, True, True, False])
        slopes = [m.negative_slope for m in scale.modules() if isinstance(m, nn.LeakyReLU)]
        self.assertEqual(slopes, [0.2] * 5)

    def test_batch_norm_is_switchable(self):
        for norm, expected in (("batch", 3), ("none", 0)):
            network = tiny(num_layers=3, num_scales=1, norm=norm)
            self.assertEqual(sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()), expected)
            (probabilities,) = network.probabilities(torch.rand(1, 6, 32, 32))
            self.assertEqual(tuple(probabilities.shape), (1, 1, 7, 7))


if __name__ == "__main__":
    unittest.main()
