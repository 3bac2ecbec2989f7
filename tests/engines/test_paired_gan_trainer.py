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
from torch import nn

from monai_retinasynth.engines import GanIterationEvents, PrepareTranslationBatch
from monai_retinasynth.losses import DiscriminatorLoss, R1Penalty
from monai_retinasynth.utils.errors import ConfigError
from tests.engines.tiny_gan import TinyPairDiscriminator, pair_batches, paired_trainer


def _plain_loop(batches: list, steps: int) -> tuple[nn.Module, nn.Module]:
    """The same training written down without an engine."""
    torch.manual_seed(0)
    g, d = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh()), TinyPairDiscriminator()
    g_optimizer, d_optimizer = torch.optim.SGD(g.parameters(), 0.1), torch.optim.SGD(d.parameters(), 0.1)
    for step in range(steps):
        batch = batches[step % len(batches)]
        condition = nn.functional.one_hot(batch["label"][:, 0].long(), 3).movedim(-1, 1).float()
        target = batch["image"]
        fakes = g(condition)
        real, fake = d(torch.cat([condition, target], 1)), d(torch.cat([condition, fakes.detach()], 1))
        loss = sum(0.5 * ((r[-1] - 1).square().mean() + f[-1].square().mean()) for r, f in zip(real, fake)) / 2
        d_optimizer.zero_grad()
        loss.backward()
        d_optimizer.step()
        real, fake = d(torch.cat([condition, target], 1)), d(torch.cat([condition, fakes], 1))
        g_loss = sum((f[-1] - 1).square().mean() for f in fake) / 2
        g_loss = g_loss + 10 * sum((f[0] - r[0].detach()).abs().mean() for f, r in zip(fake, real)) / 2
        g_loss = g_loss + 5 * (fakes - target).abs().mean()
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
    return g, d


class TestPairedGanTrainer(unittest.TestCase):
    def test_equals_a_plain_loop(self):
        batches = pair_batches(3, 2)
        trainer = paired_trainer(batches, epochs=2)
        trainer.run()
        for expected, got in zip(_plain_loop(batches, 6), (trainer.g_network, trainer.d_network)):
            for name, value in expected.state_dict().items():
                torch.testing.assert_close(got.state_dict()[name], value, rtol=1e-5, atol=1e-6)

    def test_fires_every_event_and_names_every_term(self):
        trainer = paired_trainer(pair_batches(1, 2), d_regularizers=[R1Penalty()])
        fired = []
        for event in [*IterationEvents, *GanIterationEvents]:
            trainer.add_event_handler(event, lambda e, name=event: fired.append(name))
        trainer.run()
        self.assertEqual(set(fired), {*IterationEvents, *GanIterationEvents})
        named = {getattr(k, "value", k) for k in trainer.state.output}
        terms = {"d_adversarial", "d_real", "d_fake", "d_r1_penalty", "g_adversarial", "g_feature_matching", "g_l1"}
        self.assertEqual(named, {"reals", "fakes", "condition", "loss", "g_loss", "d_loss"} | terms)
        self.assertFalse(any(value.requires_grad for value in trainer.state.output.values()))

    def test_both_sides_of_the_discriminator_s_loss_are_named(self):
        kept = []

        class Kept(DiscriminatorLoss):
            def sides(self, real_logits, fake_logits):
                kept.append(super().sides(real_logits, fake_logits))
                return kept[-1]

        for d_steps in (1, 2):
            kept.clear()
            batches = pair_batches(3, 2)
            trainer = paired_trainer(batches, epoch_length=1, d_train_steps=d_steps)
            trainer.d_loss_function = Kept("bce")
            trainer.run()
            output = trainer.state.output
            self.assertEqual(len(kept), d_steps)
            for name, side in (("d_real", 0), ("d_fake", 1)):
                torch.testing.assert_close(output[name], torch.stack([pair[side].detach() for pair in kept]).mean())
            self.assertNotAlmostEqual(output["d_real"].item(), output["d_fake"].item())
            torch.testing.assert_close(output["d_real"] + output["d_fake"], output["d_adversarial"])

    def test_sides_of_each_iteration_are_its_own(self):
        seen = []
        trainer = paired_trainer(pair_batches(3, 2))
        names = ("d_real", "d_fake", "d_adversarial")
        trainer.add_event_handler(
            Events.ITERATION_COMPLETED, lambda e: seen.append([e.state.output[name].item() for name in names])
        )
        trainer.run()
        self.assertEqual(len(seen), 3)
        for real, fake, both in seen:
            self.assertAlmostEqual(real + fake, both, places=5)

    def test_a_loss_without_sides_has_one_name(self):
        def wasserstein(real_logits, fake_logits):
            return torch.stack([f.mean() - r.mean() for r, f in zip(real_logits, fake_logits)]).mean()

        trainer = paired_trainer(pair_batches(1, 2))
        trainer.d_loss_function = wasserstein
        trainer.run()
        self.assertIn("d_adversarial", trainer.state.output)
        self.assertFalse({"d_real", "d_fake"} & set(trainer.state.output))

    def test_one_forward_for_both_steps_else_fresh_batches(self):
        for d_steps, g_steps, forwards, cases in ((1, 1, 1, 2), (2, 1, 3, 6), (1, 2, 3, 6)):
            trainer = paired_trainer(pair_batches(4, 2), epoch_length=1, d_train_steps=d_steps, g_train_steps=g_steps)
            shown = []
            event = IterationEvents.INNER_ITERATION_COMPLETED
            trainer.add_event_handler(event, lambda e, to=shown: to.append(e.state.output["reals"].sum().item()))
            with mock.patch.object(trainer.g_network, "forward", wraps=trainer.g_network.forward) as forward:
                trainer.run()
            self.assertEqual(forward.call_count, forwards)
            self.assertEqual(2 * len(set(shown)), cases)
            self.assertIn("case_id", trainer.state.batch)

    def test_runs_in_bfloat16_and_channels_last(self):
        trainer = paired_trainer(pair_batches(2, 2, side=16), amp=True, channels_last=True)
        formats = []
        trainer.add_event_handler(
            Events.ITERATION_COMPLETED,
            lambda e: formats.append(e.state.output["reals"].is_contiguous(memory_format=torch.channels_last)),
        )
        trainer.run()
        self.assertEqual(formats, [True, True])
        self.assertTrue(torch.isfinite(trainer.state.output["loss"]))

    def test_preview_uses_the_latest_conditions(self):
        trainer = paired_trainer(pair_batches(1, 2))
        trainer.run()
        self.assertEqual(tuple(trainer.preview(trainer.g_network, 1).shape), (1, 3, 8, 8))

    def test_coordinates_join_the_condition(self):
        batch = {**pair_batches(1, 2)[0], "coordinates": torch.rand(2, 2, 8, 8)}
        condition, target = PrepareTranslationBatch(coordinates_key="coordinates")(batch, "cpu")
        self.assertEqual((tuple(condition.shape), tuple(target.shape)), ((2, 5, 8, 8), (2, 3, 8, 8)))
        self.assertTrue(torch.equal(condition[:, :3].argmax(1), batch["label"][:, 0].long()))
        self.assertTrue(torch.equal(condition[:, 3:], batch["coordinates"]))
        del batch["image"]
        self.assertIsNone(PrepareTranslationBatch()(batch, "cpu")[1])

    def test_condition_is_the_mask_of_one_class(self):
        batch = {**pair_batches(1, 2)[0], "coordinates": torch.rand(2, 2, 8, 8)}
        condition, target = PrepareTranslationBatch(mask_class=2)(batch, "cpu")
        self.assertEqual(tuple(condition.shape), (2, 1, 8, 8))
        self.assertEqual(condition.dtype, torch.float32)
        self.assertTrue(torch.equal(condition == 1, batch["label"] == 2))
        self.assertTrue(torch.equal(condition == -1, batch["label"] != 2))
        self.assertTrue(torch.equal(target, batch["image"]))
        condition, _ = PrepareTranslationBatch(mask_class=0, coordinates_key="coordinates")(batch, "cpu")
        self.assertTrue(torch.equal(condition[:, :1] == 1, batch["label"] == 0))
        self.assertTrue(torch.equal(condition[:, 1:], batch["coordinates"]))

    def test_condition_is_a_picture(self):
        batch = {**pair_batches(1, 2)[0], "degraded": torch.rand(2, 3, 8, 8, dtype=torch.float64) * 2 - 1}
        condition, target = PrepareTranslationBatch(condition_key="degraded")(batch, "cpu")
        self.assertTrue(torch.equal(condition, batch["degraded"].float()))
        self.assertTrue(torch.equal(target, batch["image"]))
        # restoring photographs needs neither label map nor original
        condition, target = PrepareTranslationBatch(condition_key="degraded")({"degraded": batch["degraded"]}, "cpu")
        self.assertIsNone(target)

    def test_geometry_and_background_come_last(self):
        background = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
        geometry = torch.rand(2, 3, 8, 8)
        batch = {**pair_batches(1, 2)[0], "geometry": geometry, "background": background}
        prepare = PrepareTranslationBatch(geometry_key="geometry", background_key="background")
        condition, target = prepare(batch, "cpu")
        self.assertEqual(tuple(condition.shape), (2, 9, 8, 8))
        self.assertTrue(torch.equal(condition[:, :3].argmax(1), batch["label"][:, 0].long()))
        self.assertTrue(torch.equal(condition[:, 3:6], geometry))
        torch.testing.assert_close((condition[:, 6:] + 1) * 127.5, background.float(), rtol=0, atol=1e-3)
        self.assertTrue(torch.equal(target, batch["image"]))
        for key in ("geometry", "background"):
            with self.assertRaisesRegex(ConfigError, f"no '{key}' to paint with"):
                prepare({k: v for k, v in batch.items() if k != key}, "cpu")

    def test_a_loss_may_ask_for_the_condition(self):
        batches = [{**batch, "geometry": torch.rand(2, 3, 8, 8)} for batch in pair_batches(1, 2)]
        given = []

        class Asking:
            takes_condition = True

            def __call__(self, fakes, targets, condition):
                given.append((fakes.shape, targets.shape, condition))
                return fakes.mean()

        trainer = paired_trainer(batches, g_extra_losses={"asking": [Asking(), 2.0], "l1": torch.nn.L1Loss()})
        trainer.run()
        self.assertEqual([tuple(shape) for shape in given[0][:2]], [(2, 3, 8, 8)] * 2)
        self.assertTrue(torch.equal(given[0][2], trainer.state.output["condition"]))
        self.assertIn("g_asking", trainer.state.output)

    def test_target_is_a_label_map(self):
        target_map = torch.randint(0, 5, (2, 1, 8, 8), dtype=torch.uint8)
        batch = {**pair_batches(1, 2)[0], "target": target_map}
        prepare = PrepareTranslationBatch(image_key="target", target_classes=5)
        condition, target = prepare(batch, "cpu")
        self.assertEqual((tuple(condition.shape), tuple(target.shape)), ((2, 3, 8, 8), (2, 5, 8, 8)))
        self.assertEqual(target.dtype, torch.float32)
        self.assertTrue(torch.equal(target.argmax(1), target_map[:, 0].long()))
        self.assertEqual(sorted(target.unique().tolist()), [0.0, 1.0])
        soft = PrepareTranslationBatch(image_key="target", target_classes=5, target_smoothing=0.2)(batch, "cpu")[1]
        torch.testing.assert_close(soft.sum(1), torch.ones(2, 8, 8))
        self.assertTrue(torch.equal(soft.argmax(1), target_map[:, 0].long()))
        self.assertGreater(soft.min().item(), 0.0)
        self.assertGreaterEqual(soft.amax(1).min().item(), 0.8)
        del batch["target"]
        self.assertIsNone(prepare(batch, "cpu")[1])

    def test_grey_pictures(self):
        batch = {**pair_batches(1, 2)[0], "image": torch.rand(2, 1, 8, 8)}
        self.assertTrue(torch.equal(PrepareTranslationBatch()(batch, "cpu")[1], batch["image"]))

    def test_errors_say_what_is_wrong(self):
        with self.assertRaisesRegex(ConfigError, "no photograph"):
            paired_trainer([{"label": torch.zeros(2, 1, 8, 8, dtype=torch.uint8)}]).run()
        with self.assertRaisesRegex(ConfigError, "l1"):
            paired_trainer(pair_batches(1, 2), g_extra_losses={"l1": 3})
        with self.assertRaisesRegex(ValueError, "shape"):
            PrepareTranslationBatch()({"label": torch.zeros(2, 3, 8, 8)}, "cpu")
        with self.assertRaisesRegex(ConfigError, "mask_class.*condition_key.*give one of them"):
            PrepareTranslationBatch(mask_class=0, condition_key="degraded")
        with self.assertRaisesRegex(ValueError, "smoothing"):
            PrepareTranslationBatch(target_classes=3, target_smoothing=2.0)


if __name__ == "__main__":
    unittest.main()
