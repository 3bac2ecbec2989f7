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

import copy
import unittest

import torch
from parameterized import parameterized
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from monai_retinasynth.networks import (
    Pix2PixUNetGenerator,
    PooledMultiscaleDiscriminator,
    SpatiallyAdaptiveGenerator,
    initialise_weights,
)
from monai_retinasynth.networks.blocks import SpatiallyAdaptiveNorm, UpsampledConv2d

LEAK = 0.2


def layers() -> nn.ModuleDict:
    """Layers with weights enough to measure a variance, whose values are far from what any kind draws."""
    network = nn.ModuleDict(
        {
            "conv": nn.Conv2d(64, 32, 4, 2),
            "transposed": nn.ConvTranspose2d(64, 32, 4, 2),
            "resized": UpsampledConv2d(64, 32),
            "linear": nn.Linear(200, 100),
            "batch_norm": nn.BatchNorm2d(64),
            "group_norm": nn.GroupNorm(4, 64),
            "no_affine": nn.BatchNorm2d(8, affine=False),
            "no_bias": nn.Conv2d(16, 16, 3, bias=False),
        }
    )
    for parameter in network.parameters():
        nn.init.constant_(parameter, 7.0)
    return network


#: inputs and outputs of one weight, kernel included
FANS = {"conv": (64 * 16, 32 * 16), "transposed": (64 * 16, 32 * 16), "resized": (64 * 9, 32 * 9), "linear": (200, 100)}


class TestInitialiseWeights(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)

    def assert_variance(self, weight: torch.Tensor, expected: float, name: str) -> None:
        self.assertAlmostEqual(weight.var().item() / expected, 1.0, delta=8 / weight.numel() ** 0.5, msg=name)
        self.assertAlmostEqual(weight.mean().item() / expected**0.5, 0.0, delta=4 / weight.numel() ** 0.5, msg=name)

    @parameterized.expand(
        [
            ("normal", lambda fan_in, fan_out: 0.02**2),
            ("kaiming", lambda fan_in, fan_out: 2 / (1 + LEAK**2) / fan_in),
            ("xavier", lambda fan_in, fan_out: 2 / (fan_in + fan_out)),
        ]
    )
    def test_variances(self, kind, variance):
        network = layers()
        initialise_weights(network, kind)
        for name, fans in FANS.items():
            self.assert_variance(network[name].weight, variance(*fans), name)
            self.assertFalse(network[name].bias.any(), name)
        self.assert_variance(network["no_bias"].weight, variance(16 * 9, 16 * 9), "no_bias")

    @parameterized.expand([("kaiming",), ("xavier",)])
    def test_norms_become_the_identity(self, kind):
        network = layers()
        initialise_weights(network, kind)
        for name in ("batch_norm", "group_norm"):
            self.assertTrue((network[name].weight == 1).all() and not network[name].bias.any(), name)

    def test_normal_draws_the_weights_of_batch_norms_too(self):
        network = layers()
        initialise_weights(network, "normal")
        weight = network["batch_norm"].weight
        self.assertAlmostEqual(weight.mean().item(), 1.0, delta=0.01)
        self.assertAlmostEqual(weight.std().item(), 0.02, delta=0.01)
        self.assertFalse(network["batch_norm"].bias.any())

    def test_none_leaves_everything(self):
        network = layers()
        before = copy.deepcopy(network.state_dict())
        initialise_weights(network, None)
        for name, value in network.state_dict().items():
            self.assertTrue(torch.equal(value, before[name]), name)

    @parameterized.expand([("kaiming",), ("xavier",), ("normal",)])
    def test_every_weight_of_the_recipe_s_networks_is_drawn_anew(self, kind):
        for network in (
            Pix2PixUNetGenerator(1, channels=4, num_downs=3),
            PooledMultiscaleDiscriminator(4, channels=4, num_layers=2, norm="batch"),
            PooledMultiscaleDiscriminator(4, channels=4, num_layers=2, spectral_norm=True),
            SpatiallyAdaptiveGenerator(4, channels=4, num_ups=2, hidden_channels=4, style_size=4, encoder=True),
        ):
            before = copy.deepcopy(dict(network.named_parameters()))
            initialise_weights(network, kind)
            for name, parameter in network.named_parameters():
                if parameter.dim() > 1:
                    self.assertFalse(torch.equal(parameter, before[name]), name)

    def test_spectral_norm_holds_for_the_new_weights(self):
        layer = spectral_norm(nn.Conv2d(16, 16, 3))
        initialise_weights(layer, "kaiming")
        self.assert_variance(layer.parametrizations.weight.original, 2 / (1 + LEAK**2) / 144, "original")
        largest = torch.linalg.matrix_norm(layer.eval().weight.flatten(1), 2).item()
        self.assertAlmostEqual(largest, 1.0, delta=0.1)

    @parameterized.expand([("kaiming",), ("normal",)])
    def test_modulation_stays_near_the_identity(self, kind):
        norm = SpatiallyAdaptiveNorm(8, 3, hidden_channels=16, style_size=4)
        initialise_weights(norm, kind)
        x, condition, style = torch.randn(1, 8, 16, 16), torch.rand(1, 3, 16, 16), torch.randn(1, 4)
        plain = norm.normalise(x)
        self.assertLess((norm(x, condition, style) - plain).std().item(), 0.1 * plain.std().item())

    def test_unknown_kind(self):
        with self.assertRaisesRegex(ValueError, "one of normal, kaiming, xavier, or None, not 'orthogonal'"):
            initialise_weights(layers(), "orthogonal")


if __name__ == "__main__":
    unittest.main()
