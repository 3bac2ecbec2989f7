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

from monai_retinasynth.networks.blocks import SpatiallyAdaptiveNorm, SpatialModulation, make_plain_norm


def one_hot(label: torch.Tensor, classes: int = 3) -> torch.Tensor:
    """(X, Y) classes -> (1, classes, X, Y)."""
    return F.one_hot(label, classes).movedim(-1, 0)[None].float()


def stirred(module: nn.Module) -> nn.Module:
    """The module with weights far from the plain norm that it begins as."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    return module


class TestSpatiallyAdaptiveNorm(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.x = torch.randn(2, 4, 6, 10) * 3 + 1
        self.condition = one_hot(torch.randint(0, 3, (6, 10))).expand(2, 3, 6, 10)

    def test_is_the_formula_of_the_paper(self):
        norm = stirred(SpatiallyAdaptiveNorm(4, 3, hidden_channels=5))
        layers = norm.modulation
        hidden = torch.relu(layers.hidden(self.condition))
        normalised = F.instance_norm(self.x)
        expected = normalised * (1 + layers.gamma(hidden)) + layers.beta(hidden)
        torch.testing.assert_close(norm(self.x, self.condition), expected, rtol=1e-4, atol=1e-4)

    def test_begins_close_to_the_plain_norm(self):
        found = SpatiallyAdaptiveNorm(4, 3)(self.x, self.condition)
        self.assertLess((found - F.instance_norm(self.x)).abs().mean().item(), 0.05)

    @parameterized.expand([("spade",), ("class",)])
    def test_a_uniform_label_map_sets_the_mean(self, modulation):
        # what a plain norm takes away, and what a norm of gamma and beta would take away again
        norm = stirred(SpatiallyAdaptiveNorm(4, 3, hidden_channels=8, modulation=modulation))
        means = []
        for label in range(3):
            uniform = one_hot(torch.full((12, 12), label))
            means.append(norm(torch.randn(1, 4, 12, 12), uniform)[..., 3:-3, 3:-3].mean((2, 3)))
        for a, b in ((0, 1), (0, 2), (1, 2)):
            self.assertGreater((means[a] - means[b]).abs().max().item(), 0.2)

    def test_reduction_keeps_the_share_of_one_pixel(self):
        label = torch.zeros(32, 32, dtype=torch.long)
        label[13, 21] = 2
        norm = stirred(SpatiallyAdaptiveNorm(4, 3, modulation="class"))
        x = torch.randn(1, 4, 4, 4)
        with_lesion, without = norm(x, one_hot(label)), norm(x, one_hot(torch.zeros_like(label)))
        changed = (with_lesion - without).abs().amax((0, 1))
        self.assertGreater(changed[1, 2].item(), 1e-4)
        self.assertEqual((changed > 1e-6).sum().item(), 1)

    def test_class_modulation_is_a_look_up(self):
        modulation = stirred(SpatialModulation(4, 3, modulation="class"))
        label = torch.randint(0, 3, (6, 10))
        gamma = modulation.gamma.weight[:, label, 0, 0] + modulation.gamma.bias[:, None, None]
        beta = modulation.beta.weight[:, label, 0, 0] + modulation.beta.bias[:, None, None]
        torch.testing.assert_close(modulation(self.x, one_hot(label)), self.x * (1 + gamma) + beta)
        # a mixture of classes has the mean of their scale and shift
        half = 0.5 * (one_hot(torch.zeros_like(label)) + one_hot(torch.ones_like(label)))
        whole = [modulation(self.x, one_hot(torch.full_like(label, k))) for k in (0, 1)]
        torch.testing.assert_close(modulation(self.x, half), sum(whole) / 2)

    @parameterized.expand([("spade",), ("class",)])
    def test_style(self, modulation):
        layer = stirred(SpatialModulation(4, 3, hidden_channels=8, modulation=modulation, style_size=5))
        styles = torch.randn(2, 5)
        x, condition = self.x[:1].expand(2, -1, -1, -1), self.condition
        first, second = layer(x, condition, styles)
        self.assertGreater((first - second).abs().mean().item(), 0.1)
        torch.testing.assert_close(layer(x[:1], condition[:1], styles[:1])[0], first)
        # the mean style is no shift
        torch.testing.assert_close(layer(x, condition, torch.zeros(2, 5)), layer(x, condition))

    def test_kernel_size_one_sees_the_hidden_layer_alone(self):
        wide, narrow = (stirred(SpatialModulation(4, 3, hidden_channels=8, kernel_size=k)) for k in (3, 1))
        label = torch.zeros(16, 16, dtype=torch.long)
        other = label.clone()
        other[8, 8] = 1
        x = torch.ones(1, 4, 16, 16)
        reach = []
        for layer in (wide, narrow):
            changed = (layer(x, one_hot(label)) - layer(x, one_hot(other))).abs().amax((0, 1)) > 1e-6
            reach.append(changed.any(0).sum().item())
        self.assertEqual(reach, [5, 3])

    def test_batch_norm_has_running_statistics(self):
        norm = SpatiallyAdaptiveNorm(4, 3, norm="batch")
        for _ in range(200):
            norm(self.x, self.condition)
        alone = norm.eval()(self.x[:1], self.condition[:1])
        whole = norm.train()(self.x, self.condition)[:1]
        torch.testing.assert_close(alone, whole, rtol=0.05, atol=0.05)
        self.assertEqual(sum(p.numel() for p in norm.normalise.parameters()), 0)

    def test_bfloat16_autocast(self):
        norm = stirred(SpatiallyAdaptiveNorm(4, 3, hidden_channels=8))
        expected = norm(self.x, self.condition)
        with torch.autocast("cpu", torch.bfloat16):
            found = norm(self.x, self.condition)
        self.assertLess(((found.float() - expected).abs().mean() / expected.abs().mean()).item(), 0.02)

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, "modulation must be one of spade, class"):
            SpatialModulation(4, 3, modulation="sean")
        with self.assertRaisesRegex(ValueError, "kernel_size must be odd"):
            SpatialModulation(4, 3, kernel_size=2)
        with self.assertRaisesRegex(ValueError, 'norm must be "instance", "batch" or "pixel"'):
            make_plain_norm("group", 4)


if __name__ == "__main__":
    unittest.main()
