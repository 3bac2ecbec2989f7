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
from unittest import mock

import torch
from ignite.engine import Events
from monai.engines import IterationEvents

from monai_retinasynth.engines import GanIterationEvents, LatentGanTrainer, ProgressiveGrowthSchedule
from monai_retinasynth.losses import DiscriminatorLoss, GeneratorLoss, R1Penalty
from monai_retinasynth.networks.nets import ProgressiveDiscriminator, ProgressiveGenerator
from monai_retinasynth.utils.errors import ConfigError, DataError
from monai_retinasynth.utils.seeding import seeded_latents
from tests.engines.tiny_gan import TinyGenerator, TinyScore, label_batches, latent_trainer


def _plain_loop(batches: list, steps: int) -> tuple[dict, dict, list[float]]:
    """The same training written down without an engine."""
    torch.manual_seed(0)
    g, d = TinyGenerator(), TinyScore()
    g_optimizer, d_optimizer = torch.optim.SGD(g.parameters(), 0.1), torch.optim.SGD(d.parameters(), 0.1)
    softplus, drawn, losses = torch.nn.functional.softplus, 0, []
    for step in range(steps):
        reals = batches[step % len(batches)]["label"]
        latents = seeded_latents(range(drawn, drawn + len(reals)), 8, 0, 1)
        drawn += len(reals)
        fakes = g(latents).detach()
        loss = softplus(-d(reals)).mean() + softplus(d(fakes)).mean()
        if step % 2 == 0:
            inputs = reals.clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(d(inputs).sum(), inputs, create_graph=True)
            loss = loss + 2 * 0.5 * gradient.square().sum((1, 2, 3)).mean()
        d_optimizer.zero_grad()
        loss.backward()
        d_optimizer.step()
        latents = seeded_latents(range(drawn, drawn + len(reals)), 8, 0, 1)
        drawn += len(reals)
        g_loss = softplus(-d(g(latents))).mean()
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        losses.append(loss.item() + g_loss.item())
    return g.state_dict(), d.state_dict(), losses


def _players(trainer: LatentGanTrainer) -> list[torch.nn.Parameter]:
    return [*trainer.g_network.parameters(), *trainer.d_network.parameters()]


class TestLatentGanTrainer(unittest.TestCase):
    def test_equals_a_plain_loop(self):
        batches = label_batches(2, 4)
        trainer = latent_trainer(batches, epochs=2, epoch_length=3)
        losses = []
        trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda e: losses.append(e.state.output["loss"].item()))
        trainer.run()
        g, d, expected = _plain_loop(batches, 6)
        for name, value in g.items():
            torch.testing.assert_close(trainer.g_network.state_dict()[name], value, rtol=1e-5, atol=1e-6)
        for name, value in d.items():
            torch.testing.assert_close(trainer.d_network.state_dict()[name], value, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(torch.tensor(losses), torch.tensor(expected))
        self.assertEqual(trainer.state.images_seen, 24)
        self.assertEqual(trainer.state.latents_drawn, 48)

    def test_fires_every_event_in_order(self):
        trainer = latent_trainer(label_batches(2, 4), epoch_length=1, d_train_steps=2)
        fired = []
        for event in [*IterationEvents, *GanIterationEvents]:
            trainer.add_event_handler(event, lambda e, name=event: fired.append(name.value))
        trainer.run()
        d_step = ["inner_iteration_started", "discriminator_completed", "inner_iteration_completed"]
        losses = ["forward_completed", "loss_completed", "backward_completed"]
        g_step = ["inner_iteration_started", *losses, "generator_completed", "inner_iteration_completed"]
        self.assertEqual(fired, [*d_step, *d_step, *g_step, "model_completed"])

    def test_output_holds_detached_tensors_of_every_term(self):
        trainer = latent_trainer(label_batches(2, 4))
        trainer.run()
        output = trainer.state.output
        keys = {"reals", "fakes", "latents", "loss", "g_loss", "d_loss"}
        terms = {"d_adversarial", "d_real", "d_fake", "d_r1_penalty", "g_adversarial"}
        self.assertEqual({getattr(k, "value", k) for k in output}, keys | terms)
        for name, value in output.items():
            self.assertIsInstance(value, torch.Tensor, name)
            self.assertFalse(value.requires_grad, name)
        torch.testing.assert_close(output["loss"], output["g_loss"] + output["d_loss"])

    def test_never_waits_for_the_device(self):
        trainer = latent_trainer(label_batches(2, 4))
        with mock.patch.object(torch.Tensor, "item", side_effect=AssertionError("item() in the loop")):
            trainer.run()

    def test_discriminator_gets_no_gradient_in_the_generator_step(self):
        trainer = latent_trainer(label_batches(2, 4))
        seen = []

        @trainer.on(IterationEvents.BACKWARD_COMPLETED)
        def _look(engine):
            seen.append([p.grad for p in engine.d_network.parameters()])
            self.assertTrue(all(p.grad is not None for p in engine.g_network.parameters()))
            self.assertTrue(all(p.requires_grad for p in engine.d_network.parameters()))

        trainer.run()
        self.assertEqual(len(seen), 2)
        self.assertTrue(all(gradient is None for gradients in seen for gradient in gradients))

    def test_gradients_are_given_back_after_each_step(self):
        trainer = latent_trainer(label_batches(2, 4))
        for event in GanIterationEvents:
            trainer.add_event_handler(event, lambda e: self.assertFalse([p for p in _players(e) if p.grad is not None]))
        trainer.run()

    def test_fresh_reals_for_every_discriminator_step(self):
        batches = label_batches(6, 4)
        trainer = latent_trainer(batches, epoch_length=2, d_train_steps=3, g_train_steps=2)
        seen = []
        trainer.add_event_handler(
            GanIterationEvents.DISCRIMINATOR_COMPLETED, lambda e: seen.append(e.state.output["reals"])
        )
        trainer.run()
        self.assertEqual(len(seen), 6)
        for got, batch in zip(seen, batches):
            self.assertTrue(torch.equal(got, batch["label"]))
        self.assertEqual(trainer.state.latents_drawn, 2 * 5 * 4)

    def test_one_generator_forward_serves_both_steps_on_request(self):
        for update, calls in ((True, 2), (False, 1)):
            trainer = latent_trainer(label_batches(1, 4), g_update_latents=update)
            with mock.patch.object(trainer.g_network, "forward", wraps=trainer.g_network.forward) as forward:
                trainer.run()
            self.assertEqual(forward.call_count, calls)

    def test_autocast_keeps_parameters_and_penalties_in_float32(self):
        seen = {}

        def penalty(discriminator, reals, fakes):
            seen["penalty"] = (torch.is_autocast_enabled("cpu"), reals.dtype, fakes.dtype, discriminator(reals).dtype)
            return discriminator(reals).square().mean()

        trainer = latent_trainer(label_batches(2, 4), amp=True, channels_last=True, d_regularizers=[penalty])
        trainer.d_network.conv.register_forward_hook(lambda m, i, o: seen.update(d=seen.get("d", o.dtype)))
        trainer.run()
        self.assertEqual(seen["d"], torch.bfloat16)
        self.assertEqual(seen["penalty"], (False, *[torch.float32] * 3))
        self.assertTrue(all(p.dtype == torch.float32 for p in trainer.g_network.parameters()))
        self.assertTrue(torch.isfinite(trainer.state.output["loss"]))
        self.assertIn("d_penalty", trainer.state.output)

    def test_decollated_output_and_postprocessing(self):
        trainer = latent_trainer(label_batches(2, 4), decollate=True, postprocessing=lambda data: {**data, "extra": 1})
        trainer.run()
        self.assertEqual([sample["extra"] for sample in trainer.state.output], [1] * 4)
        self.assertEqual(tuple(trainer.state.output[0]["fakes"].shape), (3, 8, 8))

    def test_reals_transform_sees_reals_only(self):
        trainer = latent_trainer(label_batches(1, 4), reals_transform=lambda x: torch.full_like(x, 0.25))
        trainer.run()
        self.assertTrue(torch.all(trainer.state.output["reals"] == 0.25))
        self.assertFalse(torch.any(trainer.state.output["fakes"] == 0.25))

    def test_errors_say_what_is_wrong(self):
        with self.assertRaisesRegex(DataError, "no batch"):
            latent_trainer([], epoch_length=1).run()
        with self.assertRaisesRegex(ConfigError, "at least 1"):
            latent_trainer(label_batches(1, 4), g_train_steps=0)
        with self.assertRaisesRegex(ConfigError, "bfloat16"):
            latent_trainer(label_batches(1, 4), amp=True, amp_dtype="float16")
        with self.assertRaisesRegex(ConfigError, "interval"):
            latent_trainer(label_batches(1, 4), d_regularizers=[[R1Penalty(), 0]])


class TestProgressiveTraining(unittest.TestCase):
    def _trainer(self, **kwargs) -> LatentGanTrainer:
        torch.manual_seed(0)
        g = ProgressiveGenerator(8, 3, 16, base_channels=64, max_channels=8, out_activation="softmax")
        d = ProgressiveDiscriminator(3, 16, base_channels=64, max_channels=8)
        growth = ProgressiveGrowthSchedule([4, 8, 16], 8, 8, {"4": 8, "8": 4, "16": 2})
        settings = {"epoch_length": 2, "growth": growth, **kwargs}
        return LatentGanTrainer(
            "cpu",
            growth.max_epochs_for(2),
            label_batches(4, 3, side=16),
            g,
            torch.optim.Adam(g.parameters(), 1e-3, betas=(0.0, 0.99)),
            GeneratorLoss("wgan"),
            d,
            torch.optim.Adam(d.parameters(), 1e-3, betas=(0.0, 0.99)),
            DiscriminatorLoss("wgan", drift=1e-3),
            latent_size=8,
            **settings,
        )

    def test_grows_by_images_shown(self):
        trainer = self._trainer()
        course = []

        @trainer.on(Events.ITERATION_COMPLETED)
        def _note(engine):
            output, state = engine.state.output, engine.state
            self.assertEqual(output["reals"].shape, output["fakes"].shape)
            course.append((tuple(output["reals"].shape), state.alpha, state.phase))

        trainer.run()
        steps = [((8, 3, 4, 4), 1.0, "stabilise 4")]
        steps += [((4, 3, 8, 8), 0.0, "fade 8"), ((4, 3, 8, 8), 0.5, "fade 8")]
        steps += [((4, 3, 8, 8), 1.0, "stabilise 8")] * 2
        steps += [((2, 3, 16, 16), k / 4, "fade 16") for k in range(4)] + [((2, 3, 16, 16), 1.0, "stabilise 16")] * 4
        self.assertEqual(course[: len(steps)], steps)
        self.assertEqual(trainer.growth.total_images, 40)
        self.assertGreaterEqual(trainer.state.images_seen, 40)

    def test_reals_are_crossfaded_like_the_networks(self):
        trainer = self._trainer()
        reals = label_batches(1, 2, side=16)[0]["label"]
        trainer.state.resolution, trainer.state.alpha = 8, 0.25
        _, got = trainer._discriminator_data({"label": reals})
        fine = torch.nn.functional.avg_pool2d(reals, 2)
        coarse = torch.nn.functional.avg_pool2d(reals, 4).repeat_interleave(2, 2).repeat_interleave(2, 3)
        torch.testing.assert_close(got, 0.25 * fine + 0.75 * coarse)

    def test_preview_is_the_same_picture_every_time(self):
        trainer = self._trainer()
        first = trainer.preview(trainer.g_network, 3)
        torch.rand(5)
        self.assertTrue(torch.equal(first, trainer.preview(trainer.g_network, 3)))
        self.assertEqual(tuple(first.shape), (3, 3, 4, 4))

    def test_needs_an_epoch_length(self):
        with self.assertRaisesRegex(ConfigError, "epoch_length"):
            self._trainer(epoch_length=None)

    def test_reals_smaller_than_the_resolution_are_refused(self):
        growth = ProgressiveGrowthSchedule([4, 32], 4, 4, 4)
        with self.assertRaisesRegex(ConfigError, "32"):
            trainer = self._trainer(growth=growth)
            trainer.state.images_seen = 6
            trainer.run()


if __name__ == "__main__":
    unittest.main()
