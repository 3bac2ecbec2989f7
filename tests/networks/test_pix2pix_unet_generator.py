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
from torch import nn

from monai_retinasynth.networks import Pix2PixUNetGenerator, initialise_weights
from tests.networks.network_tester import NetworkTester


def tiny(**kwargs) -> Pix2PixUNetGenerator:
    settings = {"in_channels": 1, "channels": 4, "max_channels": 12, "num_downs": 4, "dropout": 0.0, **kwargs}
    return Pix2PixUNetGenerator(**settings)


class TestPix2PixUNetGenerator(NetworkTester, unittest.TestCase):
    expected_shapes = [(2, 3, 32, 64)]
    kwargs: dict = {}

    def make(self):
        return tiny(**self.kwargs)

    def inputs(self):
        generator = torch.Generator().manual_seed(1)
        return (torch.rand(2, self.kwargs.get("in_channels", 1), 32, 64, generator=generator) * 2 - 1,)

    def test_decoder_is_given_the_encoder_of_its_resolution(self):
        network, (x,) = self.make(), self.inputs()
        encoded, given = [], []
        for block in network.encoder:
            block.register_forward_hook(lambda _, args, out: encoded.append(out))
        for block in (*network.decoder[1:], network.head):
            block.register_forward_pre_hook(lambda _, args: given.append(args[0]))
        network(x)
        self.assertEqual(len(given), 3)
        for skip, both in zip(reversed(encoded), given, strict=True):
            width = skip.shape[1]
            self.assertEqual(both.shape[1], 2 * width)
            torch.testing.assert_close(both[:, width:], torch.relu(skip))
            self.assertGreater((both[:, :width] - both[:, width:]).abs().max().item(), 0.0)

    def test_every_skip_reaches_the_photograph(self):
        network, (x,) = self.make(), self.inputs()
        before = network(x)
        for block in (*network.decoder[1:], network.head):
            without_skip = block.register_forward_pre_hook(
                lambda _, args: torch.cat([args[0][:, : args[0].shape[1] // 2], 0 * args[0][:, ::2]], 1)
            )
            self.assertGreater((network(x) - before).abs().max().item(), 1e-5)
            without_skip.remove()
        torch.testing.assert_close(network(x), before)

    def test_bottleneck_reaches_the_photograph(self):
        network, (x,) = self.make(), self.inputs()
        before = network(x)
        network.bottleneck[0].weight.data.mul_(-1)
        self.assertGreater((network(x) - before).abs().max().item(), 1e-5)

    def test_weights_are_drawn_from_the_paper_s_distribution(self):
        for name, module in tiny(**{**self.kwargs, "channels": 32, "max_channels": 128}).named_modules():
            if "residual" in self.kwargs and name.startswith("head"):
                continue  # begins near zero
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                error = 4 * 0.02 / module.weight.numel() ** 0.5
                self.assertAlmostEqual(module.weight.std().item(), 0.02, delta=error, msg=name)
                self.assertAlmostEqual(module.weight.mean().item(), 0.0, delta=error, msg=name)
                self.assertTrue(module.bias is None or not module.bias.any(), name)
            elif isinstance(module, nn.BatchNorm2d):
                self.assertAlmostEqual(module.weight.mean().item(), 1.0, delta=0.02, msg=name)
                self.assertGreater(module.weight.std().item(), 0.005, name)

    def test_size_errors_name_the_next_size_that_fits(self):
        network = self.make()
        self.assertEqual(network.size_multiple, 16)
        shape = (1, network.in_channels, 565, 584)
        with self.assertRaisesRegex(ValueError, "565 x 584 .* multiples of 16; pad to 576 x 592.*DivisiblePadInferer"):
            network(torch.zeros(shape))
        for size in ((16, 40), (40, 16)):
            with self.assertRaisesRegex(ValueError, "multiples of 16"):
                network(torch.zeros(1, network.in_channels, *size))
        self.assertEqual(tuple(network(torch.zeros(2, network.in_channels, 16, 16)).shape), (2, 3, 16, 16))
        with self.assertRaisesRegex(ValueError, rf"condition must be \(batch, {network.in_channels}, X, Y\)"):
            network(torch.zeros(1, network.in_channels + 1, 16, 16))


class TestResize(TestPix2PixUNetGenerator):
    kwargs = {"upsample": "resize"}


class TestRunningStatistics(TestPix2PixUNetGenerator):
    kwargs = {"running_statistics": True}


class TestClassProbabilities(TestPix2PixUNetGenerator):
    kwargs = {"out_activation": "softmax"}

    def test_probabilities(self):
        network = self.make()
        nn.init.normal_(network.head.weight, std=1.0)
        with torch.autocast("cpu", torch.bfloat16):
            probabilities = network(*self.inputs())
        self.assertEqual(probabilities.dtype, torch.float32)
        self.assertGreaterEqual(probabilities.min().item(), 0.0)
        torch.testing.assert_close(probabilities.sum(1), torch.ones_like(probabilities[:, 0]))
        self.assertGreater(probabilities.std().item(), 0.1)


class TestRestoration(TestPix2PixUNetGenerator):
    kwargs = {"in_channels": 5, "residual": True, "norm": "none", "upsample": "resize"}

    def make(self):
        network = super().make()
        # without norms the weights of the paper pass next to nothing through four levels
        initialise_weights(network, "xavier")
        return network


class TestIdeas(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.x = torch.rand(2, 1, 32, 32) * 2 - 1

    def test_paper_size(self):
        with torch.device("meta"):
            network = Pix2PixUNetGenerator(1)
        widths = [block[0].out_channels for block in network.encoder]
        self.assertEqual(widths, [64, 128, 256, 512, 512, 512, 512])
        self.assertEqual(network.bottleneck[0].weight.shape, (512, 512, 4, 4))
        doublings = [block[0] for block in network.decoder] + [network.head]
        self.assertEqual([layer.out_channels for layer in doublings], [512, 512, 512, 512, 256, 128, 64, 3])
        self.assertEqual([layer.in_channels for layer in doublings], [512, 1024, 1024, 1024, 1024, 512, 256, 128])
        convolutions = [block[0] for block in network.encoder] + [network.bottleneck[0]] + doublings
        self.assertEqual({(layer.kernel_size, layer.stride) for layer in convolutions}, {((4, 4), (2, 2))})
        slopes = [m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)]
        self.assertEqual(slopes, [0.2] * 7)
        # one batch norm a block, none in the first, in the bottleneck and after the last
        normed = [any(isinstance(m, nn.BatchNorm2d) for m in block) for block in (*network.encoder, *network.decoder)]
        self.assertEqual(normed, [False] + [True] * 13)
        self.assertEqual(sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()), 13)
        self.assertEqual(network.size_multiple, 256)
        self.assertAlmostEqual(sum(p.numel() for p in network.parameters()) / 1e6, 54.4, delta=0.05)

    def test_dropout_in_the_innermost_blocks_only(self):
        network = tiny(num_downs=5, dropout=0.5, channels=32, max_channels=64)
        having = [any(isinstance(m, nn.Dropout) for m in block) for block in network.decoder]
        self.assertEqual(having, [True, True, True, False])
        self.assertFalse(any(isinstance(m, nn.Dropout) for m in [*network.encoder.modules(), network.head]))
        dropped = []
        for block in network.decoder:
            block.register_forward_hook(lambda _, args, out: dropped.append((out == 0).float().mean().item()))
        network(self.x.repeat(2, 1, 2, 2))
        for share, expected in zip(dropped, (0.5, 0.5, 0.5, 0.0)):
            self.assertAlmostEqual(share, expected, delta=0.1)

    def test_dropout_is_switchable(self):
        network = tiny(dropout=0.5)
        self.assertFalse(torch.equal(network(self.x), network(self.x)))
        network.eval()
        self.assertTrue(torch.equal(network(self.x), network(self.x)))
        for kwargs in ({"dropout": 0.0}, {"dropout": 0.5, "num_dropout_blocks": 0}):
            self.assertFalse(any(isinstance(m, nn.Dropout) for m in tiny(**kwargs).modules()))
        one = tiny(dropout=0.5, num_dropout_blocks=1)
        self.assertEqual(sum(isinstance(m, nn.Dropout) for m in one.modules()), 1)

    def test_statistics_of_the_batch_at_hand(self):
        network = tiny()
        with torch.no_grad():
            network.train()
            for _ in range(3):
                network(torch.rand(2, 1, 32, 32))
            trained = network(self.x)
            torch.testing.assert_close(network.eval()(self.x), trained)
            # so a photograph depends on its batch, and alone on itself
            alone = network(self.x[:1])
            self.assertGreater((alone - trained[:1]).abs().max().item(), 1e-4)
        self.assertFalse(list(network.buffers()))

    def test_running_statistics(self):
        network = tiny(running_statistics=True)
        with torch.no_grad():
            trained = network(self.x)
            network.eval()
            self.assertGreater((network(self.x) - trained).abs().max().item(), 1e-4)
            torch.testing.assert_close(network(self.x[:1]), network(self.x)[:1])

    @parameterized.expand([("instance",), ("group",), ("pixel",), ("none",)])
    def test_other_norms_do_not_mix_a_batch(self, norm):
        network = tiny(norm=norm)
        self.assertFalse(any(isinstance(m, nn.BatchNorm2d) for m in network.modules()))
        torch.testing.assert_close(network(self.x[:1]), network(self.x)[:1])

    def test_residual_adds_to_the_condition_and_stays_in_range(self):
        network = tiny(in_channels=4, residual=True)
        x = torch.rand(1, 4, 32, 32) * 2 - 1
        nn.init.zeros_(network.head.weight)
        torch.testing.assert_close(network(x), x[:, :3])
        nn.init.constant_(network.head.bias, 0.3)
        expected = (x[:, :3] + torch.tanh(torch.tensor(0.3))).clamp(-1, 1)
        torch.testing.assert_close(network(x), expected)
        self.assertEqual(network(x).max().item(), 1.0)

    @parameterized.expand([(None,), ("normal",), ("kaiming",)])
    def test_residual_begins_near_the_identity(self, kind):
        network = tiny(in_channels=3, residual=True, norm="none", upsample="resize")
        initialise_weights(network, kind)
        x = torch.rand(2, 3, 32, 32) * 1.8 - 0.9
        change = (network(x) - x).abs().mean().item()
        self.assertLess(change, 0.02)
        self.assertGreater(change, 0.0)

    def test_resize_leaves_no_checkerboard(self):
        ripples = {}
        for upsample in ("resize", "transposed"):
            torch.manual_seed(0)
            network = tiny(num_downs=2, norm="none", upsample=upsample)
            initialise_weights(network, "xavier")
            with torch.no_grad():  # looked at where the border is not seen
                middle = network(torch.full((1, 1, 64, 64), 0.5))[..., 24:40, 24:40]
            ripples[upsample] = (middle - middle.mean((2, 3), keepdim=True)).abs().max().item()
        self.assertLess(ripples["resize"], 1e-6)
        self.assertGreater(ripples["transposed"], 1e-2)

    def test_output_ranges(self):
        for activation, low in (("tanh", -1.0), ("sigmoid", 0.0)):
            network = tiny(out_activation=activation)
            nn.init.normal_(network.head.weight, std=5.0)
            y = network(self.x)
            self.assertGreaterEqual(y.min().item(), low)
            self.assertLessEqual(y.max().item(), 1.0)
            self.assertLess(y.min().item(), low + 0.1)
        for activation in ("none", None):
            network = tiny(out_activation=activation)
            nn.init.normal_(network.head.weight, std=5.0)
            self.assertGreater(network(self.x).abs().max().item(), 1.0)
            with torch.autocast("cpu", torch.bfloat16):
                self.assertEqual(network(self.x).dtype, torch.float32)

    def test_constructor_errors(self):
        for kwargs, message in [
            ({"norm": "layer"}, "norm must be one of instance"),
            ({"upsample": "bicubic"}, 'upsample must be "transposed" or "resize"'),
            ({"out_activation": "relu"}, "out_activation"),
            ({"num_downs": 1}, "num_downs must be at least 2"),
            ({"residual": True}, "in_channels >= out_channels, not 1 and 3"),
            ({"in_channels": 3, "residual": True, "out_activation": "softmax"}, "residual.*softmax"),
        ]:
            with self.assertRaisesRegex(ValueError, message):
                tiny(**kwargs)


if __name__ == "__main__":
    unittest.main()
