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

from monai_retinasynth.networks import AuxiliaryClassifierGenerator
from tests.networks.network_tester import NetworkTester


def tiny(**kwargs) -> AuxiliaryClassifierGenerator:
    return AuxiliaryClassifierGenerator(
        **{"latent_size": 8, "out_channels": 4, "start_channels": 12, "channels": [12, 8, 6], **kwargs}
    )


def conditioned(classes: list[int], latents: torch.Tensor | None = None, num_conditions: int = 5) -> torch.Tensor:
    if latents is None:
        latents = torch.randn(len(classes), 8, generator=torch.Generator().manual_seed(1))
    return torch.cat([latents, F.one_hot(torch.tensor(classes), num_conditions).float()], dim=1)


class GeneratorTester(NetworkTester):
    expected_shapes = [(5, 4, 32, 32)]
    norm = ""

    def make(self):
        return tiny(norm=self.norm, out_activation="none")

    def inputs(self):
        return (conditioned([0, 1, 2, 3, 4]),)


class TestBatchNorm(GeneratorTester, unittest.TestCase):
    norm = "batch"
    bf16_tolerance = 0.1


class TestPixelNorm(GeneratorTester, unittest.TestCase):
    norm = "pixel"


class TestWithoutNorm(GeneratorTester, unittest.TestCase):
    norm = "none"
    bf16_tolerance = 0.1


class TestUnconditional(GeneratorTester, unittest.TestCase):
    expected_shapes = [(3, 4, 32, 32)]
    bf16_tolerance = 0.1

    def make(self):
        return tiny(num_conditions=0, out_activation="tanh")

    def inputs(self):
        return (torch.randn(3, 8, generator=torch.Generator().manual_seed(1)),)


class TestAuxiliaryClassifierGenerator(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(0)

    def test_paper_size(self):
        with torch.device("meta"):
            network = AuxiliaryClassifierGenerator()
            output = network(torch.empty(2, 133))
        self.assertEqual(tuple(output.shape), (2, 8, 256, 256))
        widths = [m.out_channels for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
        self.assertEqual(widths, [256, 128, 64, 32, 16, 16, 8])
        self.assertEqual(network.start.out_features, 512 * 4 * 4)

    @parameterized.expand(["batch", "instance", "group"])
    def test_probabilities_in_float32_under_autocast(self, norm):
        with torch.autocast("cpu", torch.bfloat16):
            output = tiny(norm=norm)(conditioned([0, 1, 2]))
        self.assertEqual(output.dtype, torch.float32)
        self.assertGreaterEqual(output.min().item(), 0.0)
        torch.testing.assert_close(output.sum(1), torch.ones(3, 32, 32))

    @parameterized.expand(["batch", "none"])
    def test_class_multiplies_the_latent(self, norm):
        network = tiny(norm=norm).eval()
        zero, latents = torch.zeros(2, 8), torch.randn(1, 8).expand(2, -1)
        nothing = network(conditioned([0, 4], zero))
        self.assertTrue(torch.equal(nothing[0], nothing[1]))
        something = network(conditioned([0, 4], latents))
        self.assertGreater((something[0] - something[1]).abs().max().item(), 1e-3)
        # the class enters in no other way: an embedding of ones is no class at all
        torch.nn.init.ones_(network.class_embedding)
        alike = network(conditioned([0, 4], latents))
        self.assertTrue(torch.equal(alike[0], alike[1]))

    def test_soft_class_is_the_weighted_embedding(self):
        network = tiny().eval()
        latents = torch.randn(1, 8)
        soft = network(torch.cat([latents, torch.tensor([[0.0, 0.25, 0.75, 0.0, 0.0]])], dim=1))
        embedding = 0.25 * network.class_embedding[1] + 0.75 * network.class_embedding[2]
        plain = tiny(num_conditions=0).eval()
        plain.load_state_dict({k: v for k, v in network.state_dict().items() if k != "class_embedding"})
        torch.testing.assert_close(soft, plain(latents * embedding))

    def test_samples_do_not_depend_on_the_batch_in_evaluation(self):
        network, x = tiny(), conditioned([0, 1, 2, 3])
        network(x)  # running statistics
        self.assertFalse(torch.allclose(network(x)[:1], network(x[:2])[:1], atol=1e-4))
        network.eval()
        torch.testing.assert_close(network(x)[:1], network(x[:1]))

    def test_fused_doubling_is_the_same_function(self):
        network, x = tiny(norm="none"), conditioned([0, 1])
        h = network.start_norm(network.start(x[:, :8] * network.class_embedding[:2]).reshape(2, 12, 4, 4))
        for k in range(0, 9, 3):
            conv = network.blocks[k]
            h = F.conv2d(F.interpolate(h, scale_factor=2.0, mode="nearest"), conv.weight, conv.bias, padding=1).relu()
        torch.testing.assert_close(network(x), network.to_output(h).softmax(1), rtol=1e-4, atol=1e-5)

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, r"\(batch, 13\): 8 latent values, then 5 class weights; not \[2, 8\]"):
            tiny()(torch.randn(2, 8))
        with self.assertRaisesRegex(ValueError, "3 channels give 32 px.* give 4 channels"):
            tiny(resolution=64)
        with self.assertRaisesRegex(ValueError, "power of two.*use 64 or 128"):
            tiny(resolution=100)
        self.assertEqual(tiny(resolution=32).resolution, 32)
        with self.assertRaisesRegex(ValueError, "out_activation"):
            tiny(out_activation="relu")
        with self.assertRaisesRegex(ValueError, "norm must be one of .*batch"):
            tiny(norm="layer")
        for channels in ([], [8, 0]):
            with self.assertRaisesRegex(ValueError, "channels must be"):
                tiny(channels=channels)
        with self.assertRaisesRegex(ValueError, "num_conditions at least 0"):
            tiny(num_conditions=-1)


if __name__ == "__main__":
    unittest.main()
