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
from parameterized import parameterized

from monai_retinasynth.networks import AuxiliaryClassifierDiscriminator, AuxiliaryClassifierGenerator
from tests.networks.network_tester import NetworkTester


def tiny(**kwargs) -> AuxiliaryClassifierDiscriminator:
    return AuxiliaryClassifierDiscriminator(**{"in_channels": 4, "resolution": 32, "channels": [4, 6, 8], **kwargs})


def maps(side: int = 32, batch: int = 3) -> torch.Tensor:
    return torch.randn(batch, 4, side, side, generator=torch.Generator().manual_seed(1)).softmax(1)


class TestAuxiliaryClassifierDiscriminator(NetworkTester, unittest.TestCase):
    expected_shapes = [(3, 6)]

    def make(self):
        return tiny()

    def inputs(self):
        return (maps(),)

    def test_paper_size_and_imbalance(self):
        with torch.device("meta"):
            network, generator = AuxiliaryClassifierDiscriminator(), AuxiliaryClassifierGenerator()
            self.assertEqual(tuple(network(torch.empty(2, 8, 256, 256)).shape), (2, 6))
        widths = [m.out_channels for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
        self.assertEqual(widths, [8, 16, 32, 64, 128, 128])
        own, others = (sum(p.numel() for p in n.parameters()) for n in (network, generator))
        self.assertGreater(others / own, 5.0)

    @parameterized.expand([(8, 2), (32, 3), (64, 6), (128, 4)])
    def test_resolutions(self, resolution, halvings):
        self.assertEqual(tuple(tiny(resolution=resolution, channels=[4] * halvings)(maps(resolution)).shape), (3, 6))

    def test_samples_are_judged_alone(self):
        network, x = self.make(), maps()
        torch.testing.assert_close(network(x)[:1], network(x[:1]))
        coupled = tiny(norm="batch")
        self.assertFalse(torch.allclose(coupled(x)[:1], coupled(x[:2])[:1], atol=1e-4))

    def test_heads_are_separate(self):
        network, x = self.make(), maps()
        network(x)[:, 0].sum().backward()
        self.assertEqual(network.class_head.weight.grad.abs().max().item(), 0.0)
        self.assertGreater(network.adversarial_head.weight.grad.abs().max().item(), 0.0)
        before = network(x)
        torch.nn.init.zeros_(network.adversarial_head.weight)
        torch.testing.assert_close(network(x)[:, 1:], before[:, 1:])
        self.assertFalse(torch.allclose(network(x)[:, :1], before[:, :1]))

    def test_positions_count(self):
        network, x = self.make(), torch.zeros(2, 4, 32, 32)
        x[0, 1, 4:8, 4:8] = x[1, 1, 20:24, 20:24] = 1.0
        scores = network(x)
        self.assertGreater((scores[0] - scores[1]).abs().max().item(), 1e-4)

    def test_unconditional(self):
        network = tiny(num_conditions=0)
        self.assertEqual(tuple(network(maps()).shape), (3, 1))
        self.assertFalse(any("class_head" in name for name in network.state_dict()))
        torch.jit.script(network.eval())

    def test_spectral_norm(self):
        network = tiny(spectral_norm=True)
        for _ in range(30):  # power iterations
            network(maps())
        for module in (*network.features, network.adversarial_head):
            if hasattr(module, "weight"):
                self.assertAlmostEqual(torch.linalg.matrix_norm(module.weight.flatten(1), 2).item(), 1.0, delta=0.05)
        self.assertFalse(hasattr(network.class_head, "parametrizations"))
        network(maps()).square().mean().backward()
        for name, parameter in network.named_parameters():
            self.assertGreater(parameter.grad.abs().sum().item(), 0.0, name)

    def test_float32_under_autocast(self):
        with torch.autocast("cpu", torch.bfloat16):
            self.assertEqual(self.make()(maps()).dtype, torch.float32)

    def test_errors(self):
        for wrong in (maps(64), torch.rand(2, 3, 32, 32), torch.rand(2, 4, 32, 16), torch.rand(4, 32, 32)):
            with self.assertRaisesRegex(ValueError, r"\(batch, 4, 32, 32\), not "):
                self.make()(wrong)
        with self.assertRaisesRegex(ValueError, "power of two of at least 8 .*use 32 or 64"):
            tiny(resolution=48)
        with self.assertRaisesRegex(ValueError, "at least 8 for 3 halvings, not 4; use 8 or 16, or fewer channels"):
            tiny(resolution=4)
        with self.assertRaisesRegex(ValueError, "norm must be one of"):
            tiny(norm="layer")
        with self.assertRaisesRegex(ValueError, "channels must be"):
            tiny(channels=[])
        with self.assertRaisesRegex(ValueError, "num_conditions at least 0"):
            tiny(num_conditions=-1)


if __name__ == "__main__":
    unittest.main()
