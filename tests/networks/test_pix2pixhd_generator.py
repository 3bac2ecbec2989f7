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

from monai_retinasynth.networks import Pix2PixHDGenerator
from tests.networks.network_tester import NetworkTester


def tiny(**kwargs) -> Pix2PixHDGenerator:
    return Pix2PixHDGenerator(**{"in_channels": 5, "channels": 8, "num_downs": 2, "num_res_blocks": 2, **kwargs})


class TestPix2PixHDGenerator(NetworkTester, unittest.TestCase):
    expected_shapes = [(2, 3, 32, 48)]
    kwargs: dict = {}

    def make(self):
        return tiny(**self.kwargs)

    def inputs(self):
        return (torch.rand(2, 5, 32, 48, generator=torch.Generator().manual_seed(1)),)

    def test_paper_size(self):
        with torch.device("meta"):
            network = Pix2PixHDGenerator(35)
        # the authors' global generator without its biases before instance norm
        self.assertEqual(network.coarse.bottleneck[0].body[1].weight.shape, (1024, 1024, 3, 3))
        self.assertEqual(len(network.coarse.bottleneck), 9)
        self.assertAlmostEqual(sum(p.numel() for p in network.parameters()) / 1e6, 182.5, delta=0.2)

    def test_batch_of_one_is_the_same_as_within_a_batch(self):
        for layout in (torch.contiguous_format, torch.channels_last):
            network = self.make().to(memory_format=layout)
            (x,) = self.inputs()[:1]
            rest = [t[:1] for t in self.inputs()[1:]]
            whole = network(x.contiguous(memory_format=layout), *self.inputs()[1:])
            alone = network(x[:1].contiguous(memory_format=layout), *rest)
            torch.testing.assert_close(alone, whole[:1], rtol=1e-3, atol=1e-4)

    @parameterized.expand([("batch",), ("group",), ("pixel",), ("none",)])
    def test_other_norms(self, norm):
        self.assertEqual(tuple(tiny(**{**self.kwargs, "norm": norm})(*self.inputs()).shape), (2, 3, 32, 48))

    def test_output_ranges(self):
        x = self.inputs()[0]
        self.assertLessEqual(tiny(out_activation="tanh")(x).abs().max().item(), 1.0)
        self.assertGreaterEqual(tiny(out_activation="sigmoid")(x).min().item(), 0.0)
        with torch.autocast("cpu", torch.bfloat16):
            self.assertEqual(tiny(out_activation=None)(x).dtype, torch.float32)

    def test_size_errors_name_usable_sizes(self):
        network = tiny(num_downs=4)
        self.assertEqual(network.size_multiple, 16)
        with self.assertRaisesRegex(ValueError, "multiples of 16.*pad to 576 x 592.*DivisiblePadInferer with k=16"):
            network(torch.rand(1, 5, 565, 584))
        with self.assertRaisesRegex(ValueError, "pad to 32 x 32"):
            network(torch.rand(1, 5, 16, 32))
        with self.assertRaisesRegex(ValueError, r"condition must be \(batch, 5"):
            network(torch.rand(1, 3, 32, 32))

    def test_constructor_errors(self):
        for kwargs, message in [
            ({"norm": "layer"}, "norm must be one of instance"),
            ({"upsample": "bicubic"}, "upsample"),
            ({"out_activation": "relu"}, "out_activation"),
            ({"channels": 2, "num_enhancers": 2}, "use 4 or more"),
        ]:
            with self.assertRaisesRegex(ValueError, message):
                tiny(**kwargs)


class TestPixelNorm(TestPix2PixHDGenerator):
    kwargs = {"norm": "pixel"}

    def test_crop_is_drawn_as_in_the_whole_picture(self):
        x = torch.rand(1, 5, 64, 64)
        differences = {}
        for norm in ("pixel", "instance"):
            network = tiny(norm=norm, num_downs=1, num_res_blocks=1)
            with torch.no_grad():  # compared further from the border than the network sees
                difference = network(x)[:, :, 24:32, 24:32] - network(x[:, :, 8:48, 8:48])[:, :, 16:24, 16:24]
            differences[norm] = difference.abs().max().item()
        self.assertLess(differences["pixel"], 1e-5)
        self.assertGreater(differences["instance"], 1e-3)


class TestResize(TestPix2PixHDGenerator):
    kwargs = {"upsample": "resize"}


class TestClassProbabilities(TestPix2PixHDGenerator):
    kwargs = {"out_activation": "softmax"}

    def test_probabilities(self):
        network = self.make()
        torch.nn.init.normal_(network.head.weight, std=1.0)
        with torch.autocast("cpu", torch.bfloat16):
            probabilities = network(*self.inputs())
        self.assertEqual(probabilities.dtype, torch.float32)
        self.assertGreaterEqual(probabilities.min().item(), 0.0)
        torch.testing.assert_close(probabilities.sum(1), torch.ones(2, 32, 48))
        self.assertGreater(probabilities.std().item(), 0.1)


class TestNoise(TestPix2PixHDGenerator):
    kwargs = {"noise_channels": 3}

    def inputs(self):
        generator = torch.Generator().manual_seed(2)
        return (*super().inputs(), torch.randn(2, 3, 8, 12, generator=generator))

    def test_one_label_map_has_several_photographs(self):
        network, (x, noise) = self.make(), self.inputs()
        with torch.no_grad():
            self.assertGreater((network(x) - network(x)).abs().mean().item(), 1e-3)
            self.assertTrue(torch.equal(network(x, noise), network(x, noise)))
            vector = noise[:, :, 0, 0]
            self.assertTrue(torch.equal(network(x, vector), network(x, vector[:, :, None, None].expand(-1, -1, 8, 12))))
            self.assertGreater((network(x, vector) - network(x, -vector)).abs().mean().item(), 1e-3)

    def test_says_which_noise_it_takes(self):
        network, (x, noise) = self.make(), self.inputs()
        self.assertEqual(network.noise_channels, 3)
        reduced = [side // network.noise_reduction for side in x.shape[2:]]
        self.assertEqual(list(noise.shape), [2, 3, *reduced])

    def test_noise_follows_the_seed(self):
        network, (x, _) = self.make(), self.inputs()
        torch.manual_seed(5)
        first = network(x)
        torch.manual_seed(5)
        self.assertTrue(torch.equal(network(x), first))


class TestEnhancer(TestPix2PixHDGenerator):
    kwargs = {"num_enhancers": 1, "num_enhancer_blocks": 1}

    def test_enhancer_contributes_and_passes_the_coarse_features_on(self):
        network, (x,) = self.make(), self.inputs()
        self.assertEqual(network.size_multiple, 8)
        full = network(x)
        with torch.no_grad():
            seen = {}
            hook = network.coarse.register_forward_hook(lambda _, args, out: seen.update(x=args[0], out=out))
            network(x)
            hook.remove()
            # G1 works at half the size, and G2 adds its features to its own
            self.assertEqual(tuple(seen["x"].shape), (2, 5, 16, 24))
            self.assertEqual(tuple(seen["out"].shape), (2, 8, 16, 24))
            network.enhancers[0].encoder[0][0].weight.mul_(-1)
            self.assertGreater((network(x) - full).abs().mean().item(), 1e-3)
            network.enhancers[0].encoder[0][0].weight.mul_(-1)
            network.coarse.encoder[0][0].weight.mul_(-1)
            self.assertGreater((network(x) - full).abs().mean().item(), 1e-3)

    def test_takes_over_a_trained_global_generator(self):
        alone, network = tiny(), self.make()
        network.coarse.load_state_dict(alone.coarse.state_dict())
        x = torch.rand(1, 5, 16, 16)
        torch.testing.assert_close(network.coarse(x), alone.coarse(x))


if __name__ == "__main__":
    unittest.main()
