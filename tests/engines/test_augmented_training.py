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
"""Trainers with an augmented discriminator, and with a generator that encodes styles."""

from __future__ import annotations

import unittest

import torch
from torch import nn

from monai_retinasynth.handlers import AdaptiveAugmentationHandler
from monai_retinasynth.losses import DiscriminatorLoss, kl_divergence_loss
from monai_retinasynth.networks.nets import SpatiallyAdaptiveGenerator
from monai_retinasynth.transforms import DiscriminatorAugmentation
from monai_retinasynth.utils import ConfigError
from tests.engines.tiny_gan import label_batches, latent_trainer, pair_batches, paired_trainer


class Recorded(DiscriminatorAugmentation):
    """Notes what it was given."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.calls = []

    def forward(self, x, parameters=None):
        self.calls.append((x.detach().clone(), parameters))
        return super().forward(x, parameters)


class TestAugmentedTraining(unittest.TestCase):
    def test_at_p_0_nothing_changes(self):
        weights = []
        for augment in (None, DiscriminatorAugmentation(label_channels=3, p=0.0)):
            torch.manual_seed(0)
            trainer = latent_trainer(label_batches(2, 4), epoch_length=3, augment=augment)
            trainer.run()
            weights.append(torch.cat([p.flatten() for p in trainer.g_network.parameters()]))
        self.assertTrue(torch.equal(*weights))

    def test_all_that_the_discriminator_sees_is_augmented(self):
        augment = Recorded(label_channels=3, p=0.5, groups=["blit"])
        trainer = latent_trainer(label_batches(2, 4), epoch_length=1, d_regularizers=[], augment=augment)
        trainer.run()
        # reals and fakes in the discriminator's step, fakes in the generator's
        self.assertEqual(len(augment.calls), 3)
        output = trainer.state.output
        self.assertTrue(torch.equal(augment.calls[0][0], output["reals"]))
        self.assertTrue(torch.equal(augment.calls[2][0], output["fakes"]))
        self.assertIn("d_real_sign", output)

    def test_feature_matching_compares_fakes_and_reals_changed_alike(self):
        augment = Recorded(label_channels=3, image_channels=3, p=1.0, groups=["blit"])
        trainer = paired_trainer(pair_batches(1, 2), augment=augment)
        trainer.run()
        real, fake, of_generator, matched = augment.calls
        self.assertEqual(real[0].shape[1], 6)  # label map and photograph together
        self.assertIsNone(real[1])
        self.assertIsNone(fake[1])
        self.assertIsNotNone(of_generator[1])
        self.assertIs(of_generator[1], matched[1])
        self.assertTrue(torch.equal(matched[0][:, 3:], trainer.state.output["reals"]))

    def test_p_rises_while_the_reals_are_known(self):
        augment = DiscriminatorAugmentation(label_channels=3, groups=["blit"])
        handler = AdaptiveAugmentationHandler(augment, target=0.6, speed_images=100, interval=2)
        trainer = latent_trainer(label_batches(2, 4), epoch_length=6, augment=augment, train_handlers=[handler])
        with torch.no_grad():
            for parameter in trainer.d_network.parameters():
                if parameter.ndim == 1:
                    parameter.fill_(5.0)  # sure of everything
        trainer.run()
        self.assertGreater(augment.p, 0.0)
        self.assertAlmostEqual(trainer.state.output["augment_p"].item(), augment.p, places=6)


class TestSignOfReals(unittest.TestCase):
    def test_is_zero_for_a_discriminator_that_knows_nothing(self):
        for kind, blind in (("lsgan", 0.5), ("hinge", 0.0), ("bce", 0.0), ("non_saturating", 0.0)):
            self.assertEqual(DiscriminatorLoss(kind).boundary, blind)
            logits = torch.full((4, 1), blind, requires_grad=True)
            loss = DiscriminatorLoss(kind)(logits, logits)  # the same for reals and fakes: there the loss is least
            (slope,) = torch.autograd.grad(loss, logits)
            torch.testing.assert_close(slope.sum(), torch.tensor(0.0))

    def test_scores_without_a_boundary_are_refused(self):
        augment = DiscriminatorAugmentation(label_channels=3, groups=["blit"])
        trainer = latent_trainer(
            label_batches(2, 4), augment=augment, train_handlers=[AdaptiveAugmentationHandler(augment)]
        )
        trainer.d_loss_function = DiscriminatorLoss("wgan")
        with self.assertRaisesRegex(ConfigError, "not wgan"):
            trainer.run()


class TestStyleEncoding(unittest.TestCase):
    def trainer(self, kl_weight):
        torch.manual_seed(0)
        network = SpatiallyAdaptiveGenerator(
            3, channels=4, max_channels=8, num_ups=2, hidden_channels=4, style_size=5, encoder=True, encoder_channels=4
        )
        batches = pair_batches(1, 2)
        trainer = paired_trainer(batches, kl_weight=kl_weight)
        trainer.g_network = network
        trainer.g_optimizer = torch.optim.SGD(network.parameters(), 0.01)
        return trainer, network, batches

    def test_the_divergence_of_the_styles_is_a_term_of_its_own(self):
        trainer, network, batches = self.trainer(0.05)
        statistics = []
        inferer = trainer.g_inferer

        def keep(inputs, model, **kwargs):
            result = inferer(inputs, model, **kwargs)
            statistics.append((kwargs, [r.detach() for r in result[1:]]))
            return result

        trainer.g_inferer = keep
        before = [p.detach().clone() for p in network.encoder.parameters()]
        trainer.run()
        (kwargs, (mean, log_variance)) = statistics[0]
        self.assertTrue(torch.equal(kwargs["photograph"], batches[0]["image"]))
        expected = 0.05 * kl_divergence_loss(mean, log_variance)
        torch.testing.assert_close(trainer.state.output["g_kl"], expected)
        moved = [not torch.equal(a, b) for a, b in zip(before, network.encoder.parameters())]
        self.assertTrue(all(moved))

    def test_previews_have_the_mean_style(self):
        trainer, network, _ = self.trainer(0.05)
        trainer.run()
        self.assertIsInstance(network, nn.Module)
        pictures = trainer.preview(network.eval(), 2)
        self.assertTrue(torch.equal(pictures, trainer.preview(network, 2)))


if __name__ == "__main__":
    unittest.main()
