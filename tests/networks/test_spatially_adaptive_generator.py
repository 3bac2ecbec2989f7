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
from ignite.engine import Engine, Events
from ignite.handlers import EMAHandler
from parameterized import parameterized

from monai_retinasynth.engines import PairedGanTrainer
from monai_retinasynth.losses import DiscriminatorLoss, FeatureMatchingLoss, GeneratorLoss, kl_divergence_loss
from monai_retinasynth.networks import (
    Pix2PixHDGenerator,
    PooledMultiscaleDiscriminator,
    SpatiallyAdaptiveGenerator,
    initialise_weights,
)
from tests.networks.network_tester import NetworkTester, flatten


def tiny(**kwargs) -> SpatiallyAdaptiveGenerator:
    settings = {"in_channels": 5, "channels": 4, "max_channels": 8, "num_ups": 2, "hidden_channels": 6, **kwargs}
    return SpatiallyAdaptiveGenerator(**settings)


def one_hot(label: torch.Tensor, classes: int = 3) -> torch.Tensor:
    """(B, X, Y) classes -> (B, classes, X, Y)."""
    return F.one_hot(label, classes).movedim(-1, 1).float()


COLOURS = torch.tensor([[0.6, -0.2, -0.6], [-0.5, 0.5, 0.1], [0.1, -0.6, 0.7]])


def taught() -> SpatiallyAdaptiveGenerator:
    """A generator that has learned a colour for each of three classes, from maps of random rectangles."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = tiny(in_channels=3, channels=8, max_channels=16, hidden_channels=16)
        optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
        for _ in range(150):
            label = torch.randint(0, 3, (4, 2, 2)).repeat_interleave(8, 1).repeat_interleave(8, 2)
            label[0] = label[0, 0, 0]
            loss = F.l1_loss(network(one_hot(label)), COLOURS[label].movedim(-1, 1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


class TestSpatiallyAdaptiveGenerator(NetworkTester, unittest.TestCase):
    expected_shapes = [(2, 3, 16, 24)]
    kwargs: dict = {}
    script = False  # torch's parametrisations are not scripted

    def make(self):
        return tiny(**self.kwargs).eval()  # in training mode each call is another power iteration and another style

    def inputs(self):
        generator = torch.Generator().manual_seed(1)
        condition = torch.rand(2, 5, 16, 24, generator=generator)
        return (condition, torch.randn(2, 4, generator=generator)) if "style_size" in self.kwargs else (condition,)

    def test_batch_of_one_is_the_same_as_within_a_batch(self):
        network, inputs = self.make(), self.inputs()
        torch.testing.assert_close(network(*[t[:1] for t in inputs]), network(*inputs)[:1], rtol=1e-4, atol=1e-4)

    def test_float32_under_autocast_and_in_range(self):
        network, inputs = self.make(), self.inputs()
        with torch.no_grad():
            network.head.weight.mul_(500.0)
        with torch.autocast("cpu", torch.bfloat16):
            y = network(*inputs)
        self.assertEqual(y.dtype, torch.float32)
        self.assertLessEqual(y.abs().max().item(), 1.0)
        self.assertGreater(y.abs().max().item(), 0.9)

    def test_averaged_copy_is_the_network_after_its_steps(self):
        # spectral norm's vectors are buffers: with those of the beginning the copy's weights would be wrong
        network = self.make().train()
        trainer = Engine(lambda engine, batch: None)
        ema = EMAHandler(network, momentum=0.9)
        ema.attach(trainer)

        @trainer.on(Events.ITERATION_STARTED)
        def step(engine):
            with torch.no_grad():
                for parameter in network.parameters():
                    parameter.add_(torch.randn_like(parameter) * 0.5)
            network(*self.inputs())

        trainer.run([0] * 20)
        with torch.no_grad():
            for mine, averaged in zip(network.parameters(), ema.ema_model.parameters(), strict=True):
                averaged.copy_(mine)
        torch.testing.assert_close(ema.ema_model(*self.inputs()), network.eval()(*self.inputs()))


class TestWithStyle(TestSpatiallyAdaptiveGenerator):
    kwargs = {"style_size": 4}

    def test_mean_style_in_evaluation_random_style_in_training(self):
        network, (condition, _) = tiny(**self.kwargs, spectral_norm=False).eval(), self.inputs()
        torch.testing.assert_close(network(condition), network(condition, torch.zeros(2, 4)))
        torch.manual_seed(3)
        style = torch.randn(2, 4)
        torch.manual_seed(3)
        torch.testing.assert_close(network.train()(condition), network(condition, style))
        self.assertGreater((network(condition) - network(condition)).abs().max().item(), 0.0)

    def test_exported_and_traced_without_style(self):
        network, (condition, _) = self.make(), self.inputs()
        expected = network(condition)
        for other in (torch.export.export(network, (condition,)).module(), torch.jit.trace(network, condition)):
            torch.testing.assert_close(other(condition), expected)


class TestWithNoise(TestSpatiallyAdaptiveGenerator):
    kwargs = {"noise_channels": 2}

    def noise(self):
        return torch.randn(2, 2, 16, 24, generator=torch.Generator().manual_seed(2))

    def test_batch_of_one_is_the_same_as_within_a_batch(self):
        network, (condition,), noise = self.make(), self.inputs(), self.noise()
        for given in ({"noise": noise}, {}):
            first = {name: value[:1] for name, value in given.items()}
            torch.testing.assert_close(
                network(condition[:1], **first), network(condition, **given)[:1], rtol=1e-4, atol=1e-4
            )

    def test_trace(self):
        # torch.jit.trace does not keep the seed of a noise that is drawn inside
        network, (condition,), noise = self.make(), self.inputs(), self.noise()
        traced = torch.jit.trace(network, example_kwarg_inputs={"condition": condition, "noise": noise})
        other = self.noise() + 1.0
        torch.testing.assert_close(traced(condition=condition, noise=other), network(condition, noise=other))

    def test_random_in_training_fixed_in_evaluation(self):
        network, (condition,), noise = tiny(**self.kwargs, spectral_norm=False).eval(), self.inputs(), self.noise()
        self.assertTrue(torch.equal(network(condition), network(condition)))
        self.assertGreater((network(condition) - network(condition, noise=noise)).abs().max().item(), 0.0)
        network.train()
        self.assertGreater((network(condition) - network(condition)).abs().max().item(), 0.0)


class TestStartsWithStyle(TestWithStyle):
    kwargs = {"style_size": 4, "start": "style", "start_size": 3, "style_modulation": False}


class TestClassModulation(TestSpatiallyAdaptiveGenerator):
    kwargs = {"modulation": "class", "style_size": 4}


class TestNarrowKernelAndPixelNorm(TestSpatiallyAdaptiveGenerator):
    kwargs = {"modulation_kernel_size": 1, "norm": "pixel", "spectral_norm": False}


class TestWithEncoder(NetworkTester, unittest.TestCase):
    expected_shapes = [(2, 3, 16, 24)]
    script = False

    def make(self):
        return tiny(style_size=4, encoder=True, encoder_channels=2).eval()

    def inputs(self):
        return (torch.rand(2, 5, 16, 24, generator=torch.Generator().manual_seed(1)),)

    def photograph(self):
        return torch.rand(2, 3, 80, 64, generator=torch.Generator().manual_seed(2)) * 2 - 1

    def everything(self, network):
        return flatten(network(*self.inputs(), photograph=self.photograph()))

    def test_statistics(self):
        network, (condition,) = self.make(), self.inputs()
        picture, mean, log_variance = network(condition, photograph=self.photograph())
        self.assertEqual([tuple(t.shape) for t in (picture, mean, log_variance)], [(2, 3, 16, 24), (2, 4), (2, 4)])
        expected = network.encoder(self.photograph())
        torch.testing.assert_close((mean, log_variance), expected)

    def test_style_is_drawn_from_them(self):
        network, (condition,) = self.make(), self.inputs()
        mean, log_variance = network.encoder(self.photograph())
        torch.manual_seed(5)
        style = mean + torch.randn(2, 4) * (0.5 * log_variance).exp()
        torch.manual_seed(5)
        torch.testing.assert_close(network(condition, photograph=self.photograph())[0], network(condition, style))

    def test_gradients_of_picture_and_divergence_reach_the_encoder(self):
        for term in ("picture", "divergence"):
            network, (condition,) = self.make(), self.inputs()
            picture, mean, log_variance = network(condition, photograph=self.photograph())
            loss = picture.square().mean() if term == "picture" else kl_divergence_loss(mean, log_variance)
            loss.backward()
            for name, parameter in network.encoder.named_parameters():
                self.assertGreater(parameter.grad.abs().sum().item(), 0.0, f"{term}: {name}")

    def test_float32_under_autocast(self):
        with torch.autocast("cpu", torch.bfloat16):
            output = self.make()(*self.inputs(), photograph=self.photograph())
        self.assertEqual({t.dtype for t in output}, {torch.float32})


class TestIdea(unittest.TestCase):
    """The label map reaches the picture: what an instance norm washes out comes back, where the label is."""

    @classmethod
    def setUpClass(cls):
        cls.network = taught()

    def draw(self, maps):
        with torch.no_grad():
            return self.network(maps)

    def test_uniform_label_maps_have_the_colours_of_their_classes(self):
        maps = one_hot(torch.arange(3)[:, None, None].expand(3, 16, 16))
        colours = self.draw(maps).mean((2, 3))
        torch.testing.assert_close(colours, COLOURS, rtol=0.0, atol=0.15)
        # without it, the first convolution and instance norm of pix2pixHD leave nothing of a uniform label map
        plain = Pix2PixHDGenerator(3, channels=8, num_downs=2, num_res_blocks=1)
        with torch.no_grad():
            self.assertLess(plain.coarse.encoder[0](maps).abs().max().item(), 1e-2)

    def test_changing_a_region_leaves_distant_regions(self):
        label = torch.zeros(1, 64, 64, dtype=torch.long)
        label[:, :, 32:] = 1
        other = label.clone()
        other[:, 8:24, 40:56] = 2
        changed = (self.draw(one_hot(label)) - self.draw(one_hot(other))).abs().mean(1)[0]
        inside, distant = changed[10:22, 42:54].mean().item(), changed[:, :16].mean().item()
        self.assertGreater(inside, 0.3)
        self.assertLess(distant, 0.1 * inside)

    def test_one_pixel_of_the_full_label_map_is_drawn(self):
        label = torch.zeros(1, 32, 32, dtype=torch.long)
        other = label.clone()
        other[0, 13, 18] = 2
        changed = (self.draw(one_hot(label)) - self.draw(one_hot(other))).abs().mean(1)[0]
        self.assertEqual(divmod(changed.argmax().item(), 32), (13, 18))
        far = changed.clone()
        far[7:20, 12:25] = 0.0
        self.assertGreater(changed[13, 18].item(), 5 * far.max().item())
        # two neighbours of which one is the lesion differ: the last modulation is at full size
        self.assertGreater((changed[13, 18] - changed[13, 19]).item(), 0.03)

    def test_styles_can_be_colours_of_one_label_map(self):
        torch.manual_seed(0)
        network = tiny(in_channels=3, channels=8, max_channels=16, hidden_channels=16, style_size=2)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
        maps, styles = one_hot(torch.zeros(2, 16, 16, dtype=torch.long)), torch.eye(2)
        for _ in range(60):
            loss = F.l1_loss(network(maps, styles), COLOURS[:2, :, None, None].expand(2, 3, 16, 16))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            pictures, again = network(maps, styles), network(maps, styles)
        self.assertEqual((pictures - again).abs().max().item(), 0.0)
        torch.testing.assert_close(pictures.mean((2, 3)), COLOURS[:2], rtol=0.0, atol=0.15)


class TestMake(unittest.TestCase):
    def test_paper_size(self):
        with torch.device("meta"):
            network = SpatiallyAdaptiveGenerator(184)
            with_style = SpatiallyAdaptiveGenerator(184, style_size=256, start="style", style_modulation=False)
        shapes = [(b.conv_0.in_channels, b.conv_1.out_channels, b.conv_s is not None) for b in network.blocks]
        wide = [(1024, 1024, False)] * 3
        self.assertEqual(shapes, wide + [(1024, 512, True), (512, 256, True), (256, 128, True), (128, 64, True)])
        self.assertEqual([b.doubles for b in network.blocks], [False, True, False, True, True, True, True])
        self.assertEqual(tuple(with_style.start.weight.shape), (1024 * 8 * 8, 256))
        self.assertEqual(network.size_multiple, 32)
        # 97.5 million is what the authors' code counts for the 184 channels of COCO
        self.assertAlmostEqual(sum(p.numel() for p in network.parameters()) / 1e6, 97.5, delta=0.1)

    def test_more_doublings(self):
        with torch.device("meta"):
            network = SpatiallyAdaptiveGenerator(8, num_ups=6)
        self.assertEqual([b.conv_1.out_channels for b in network.blocks], [1024, 1024, 1024, 1024, 512, 256, 128, 64])

    def test_modulation_sees_the_label_map_at_every_size(self):
        network, seen = tiny(num_ups=3), []
        for block in network.blocks:
            block.register_forward_pre_hook(lambda _, args: seen.append(args[1]))
        condition = torch.rand(1, 5, 32, 48)
        network(condition)
        self.assertEqual([tuple(c.shape[2:]) for c in seen], [(4, 6), (8, 12), (8, 12), (16, 24), (32, 48)])
        self.assertIs(seen[-1], condition)
        torch.testing.assert_close(seen[0], F.adaptive_avg_pool2d(condition, (4, 6)))

    def test_batch_norm_learns_running_statistics(self):
        network = tiny(norm="batch")
        for _ in range(3):
            network(torch.rand(4, 5, 16, 16))
        self.assertEqual(tuple(network.eval()(torch.rand(1, 5, 16, 16)).shape), (1, 3, 16, 16))

    @parameterized.expand([("normal",), ("xavier",), ("kaiming",)])
    def test_other_initial_weights(self, kind):
        network = tiny(style_size=4, encoder=True)
        initialise_weights(network, kind)
        self.assertTrue(torch.isfinite(network.eval()(torch.rand(1, 5, 16, 16))).all())

    def test_size_errors_name_usable_sizes(self):
        network = tiny(num_ups=4)
        self.assertEqual(network.size_multiple, 16)
        with self.assertRaisesRegex(ValueError, "multiples of 16.*pad to 576 x 592.*DivisiblePadInferer with k=16"):
            network(torch.rand(1, 5, 565, 584))
        with self.assertRaisesRegex(ValueError, "pad to 32 x 32"):
            network(torch.rand(1, 5, 16, 32))
        with self.assertRaisesRegex(ValueError, r"condition must be \(batch, 5"):
            network(torch.rand(1, 3, 32, 32))

    def test_input_errors(self):
        condition, photograph = torch.rand(2, 5, 16, 16), torch.rand(2, 3, 64, 64)
        with self.assertRaisesRegex(ValueError, "has no style"):
            tiny()(condition, torch.rand(2, 4))
        with self.assertRaisesRegex(ValueError, "encoder=True"):
            tiny(style_size=4)(condition, photograph=photograph)
        network = tiny(style_size=4, encoder=True)
        with self.assertRaisesRegex(ValueError, r"style must be \(2, 4\)"):
            network(condition, torch.rand(1, 4))
        with self.assertRaisesRegex(ValueError, "takes no noise"):
            tiny()(condition, noise=torch.rand(2, 1, 16, 16))
        with self.assertRaisesRegex(ValueError, r"noise must be \(2, 3, 16, 16\)"):
            tiny(noise_channels=3)(condition, noise=torch.rand(2, 3, 8, 8))
        with self.assertRaisesRegex(ValueError, "not both"):
            network(condition, torch.rand(2, 4), photograph)
        with self.assertRaisesRegex(ValueError, "1 photographs for 2 conditions"):
            network(condition, photograph=photograph[:1])

    def test_constructor_errors(self):
        for kwargs, message in [
            ({"norm": "layer"}, 'norm must be "instance", "batch" or "pixel"'),
            ({"modulation": "sean"}, "modulation must be one of spade, class"),
            ({"out_activation": "relu"}, "out_activation"),
            ({"num_ups": 0}, "num_ups must be at least 1"),
            ({"encoder": True}, "set style_size"),
            ({"start": "noise"}, 'start must be "condition" or "style"'),
            ({"start": "style"}, 'start="style" needs a style vector: set style_size'),
            ({"style_size": 4, "style_modulation": False}, "the style would have no effect"),
        ]:
            with self.assertRaisesRegex(ValueError, message):
                tiny(**kwargs)


class TestTraining(unittest.TestCase):
    def test_trains_with_the_paired_trainer(self):
        torch.manual_seed(0)
        g = tiny(in_channels=3, style_size=4)
        d = PooledMultiscaleDiscriminator(6, channels=4, num_layers=2, num_scales=2, spectral_norm=True)
        batch = {"label": torch.randint(0, 3, (2, 1, 16, 16)), "image": torch.rand(2, 3, 16, 16) * 2 - 1}
        before = [p.detach().clone() for p in g.parameters()]
        trainer = PairedGanTrainer(
            "cpu",
            1,
            [batch] * 3,
            g,
            torch.optim.Adam(g.parameters(), lr=1e-3, fused=True),
            GeneratorLoss("hinge"),
            d,
            torch.optim.Adam(d.parameters(), lr=4e-3, fused=True),
            DiscriminatorLoss("hinge"),
            feature_matching_loss=FeatureMatchingLoss(),
            amp=True,
            channels_last="images",
        )
        trainer.run()
        self.assertTrue(torch.isfinite(trainer.state.output["loss"]))
        for old, new in zip(before, g.parameters(), strict=True):
            self.assertGreater((old - new).abs().max().item(), 0.0)


if __name__ == "__main__":
    unittest.main()
