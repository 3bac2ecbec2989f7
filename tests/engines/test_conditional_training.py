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
"""The latent GAN trainer with classes: both players learn them, and the class steers what is generated."""

from __future__ import annotations

import unittest

import torch
import torch.nn.functional as F
from parameterized import parameterized

from monai_retinasynth.engines import LatentGanTrainer, PrepareLatentBatch
from monai_retinasynth.losses import DiscriminatorLoss, GeneratorLoss
from monai_retinasynth.networks.nets import AuxiliaryClassifierDiscriminator, AuxiliaryClassifierGenerator
from monai_retinasynth.utils.errors import ConfigError
from monai_retinasynth.utils.seeding import seeded_choices, with_conditions


def graded_batches(count: int = 4, batch: int = 8, num_grades: int = 2) -> list[dict[str, torch.Tensor]]:
    """Label maps of 16 px whose whole lower half shows a class of the grade's own."""
    generator = torch.Generator().manual_seed(0)
    batches = []
    for _ in range(count):
        grade = torch.randint(num_grades, (batch,), generator=generator)
        label = torch.zeros(batch, 1, 16, 16, dtype=torch.long)
        label[:, :, :, 8:] = 1 + grade[:, None, None, None]
        batches.append({"label": label, "grade": grade})
    return batches


def conditional_trainer(batches: list, iterations: int = 3, num_grades: int = 2, **kwargs) -> LatentGanTrainer:
    torch.manual_seed(0)
    g = AuxiliaryClassifierGenerator(8, num_grades, 3, start_channels=16, channels=(16, 8), norm="batch")
    d = AuxiliaryClassifierDiscriminator(3, num_grades, 16, channels=(8, 16))
    settings = {
        "g_train_steps": 2,
        "d_prepare_batch": PrepareLatentBatch(num_classes=3, condition_key="grade"),
        "num_conditions": num_grades,
        **kwargs,
    }
    return LatentGanTrainer(
        device="cpu",
        max_epochs=1,
        epoch_length=iterations,
        train_data_loader=batches,
        g_network=g,
        g_optimizer=torch.optim.Adam(g.parameters(), 2e-3, betas=(0.5, 0.999)),
        g_loss_function=GeneratorLoss("hinge"),
        d_network=d,
        d_optimizer=torch.optim.Adam(d.parameters(), 2e-3, betas=(0.5, 0.999)),
        d_loss_function=DiscriminatorLoss("hinge"),
        latent_size=8,
        **settings,
    )


class TestConditionalTraining(unittest.TestCase):
    def test_the_class_steers_what_is_generated(self):
        trainer = conditional_trainer(graded_batches(), iterations=150)
        trainer.run()
        shown = trainer.preview(trainer.g_network.eval(), 32)  # classes 0, 1, 0, 1, ...
        lower = shown[:, :, :, 8:].mean((2, 3))
        self.assertGreater((lower[0::2, 1] - lower[0::2, 2]).mean().item(), 0.3)
        self.assertGreater((lower[1::2, 2] - lower[1::2, 1]).mean().item(), 0.3)

    def test_without_its_weight_the_generator_has_no_class_term(self):
        for weight in (0.0, 0.5):
            trainer = conditional_trainer(graded_batches(), iterations=1, class_weight=weight)
            trainer.run()
            output = trainer.state.output
            self.assertEqual(torch.equal(output["g_loss"], output["g_adversarial"]), weight == 0.0)

    def test_both_players_learn_the_classes(self):
        trainer = conditional_trainer(graded_batches(), iterations=1, class_weight=0.5)
        d = trainer.d_network
        trainer.run()
        output = trainer.state.output
        for name in ("d_class_real", "d_class_fake", "g_class"):
            self.assertGreater(output[name].item(), 0.0, name)
        # the generator's term, from the fakes of its last step and the discriminator it met
        with torch.no_grad():
            logits = d(output["fakes"])[:, 1:]
        wanted = output["latents"][:, 8:].argmax(1)
        last = 0.5 * F.cross_entropy(logits, wanted)
        self.assertAlmostEqual(output["g_class"].item(), last.item(), delta=0.2)
        total = output["d_adversarial"] + output["d_class_real"] + output["d_class_fake"]
        torch.testing.assert_close(output["d_loss"], total)
        torch.testing.assert_close(output["g_loss"], output["g_adversarial"] + output["g_class"])

    def test_two_generator_steps_an_iteration_and_classes_by_weight(self):
        trainer = conditional_trainer(graded_batches(), iterations=4, condition_weights=[0.0, 3.0])
        seen = []
        inferer = trainer.g_inferer
        trainer.g_inferer = lambda inputs, network: seen.append(inputs.clone()) or inferer(inputs, network)
        trainer.run()
        self.assertEqual(len(seen), 4 * 3)
        for inputs in seen:
            self.assertEqual(tuple(inputs.shape), (8, 10))
            self.assertTrue(torch.equal(inputs[:, 8:], torch.tensor([[0.0, 1.0]]).expand(8, 2)))
        self.assertEqual(len({row.tolist()[0] for inputs in seen for row in inputs}), 4 * 3 * 8)

    @parameterized.expand(
        [
            ("no_classes", {"d_prepare_batch": PrepareLatentBatch(num_classes=3)}, "class of every real"),
            ("weights", {"condition_weights": [1.0]}, "2 numbers from 0 on"),
            ("networks", {"num_conditions": 3}, "3 classes .* was made for 2"),
            ("negative", {"condition_weights": [-1.0, 2.0]}, "2 numbers from 0 on"),
        ]
    )
    def test_errors(self, _name, kwargs, message):
        with self.assertRaisesRegex(ConfigError, message):
            conditional_trainer(graded_batches(), **kwargs).run()

    def test_a_class_out_of_range_is_named(self):
        batches = graded_batches(num_grades=3)
        for batch in batches:
            batch["label"].clamp_(max=2)
        with self.assertRaisesRegex(ConfigError, "run from 0 to 2, num_conditions=2 allows 0 to 1"):
            conditional_trainer(batches).run()

    def test_a_batch_without_grades_is_named(self):
        batches = [{"label": batch["label"]} for batch in graded_batches()]
        with self.assertRaisesRegex(ConfigError, "holds no 'grade'"):
            conditional_trainer(batches).run()


class TestSeededConditions(unittest.TestCase):
    def test_follow_the_weights_and_depend_on_the_index_alone(self):
        drawn = seeded_choices(range(2000), [0.25, 0.0, 0.75], seed=1)
        self.assertEqual(drawn[700:705], seeded_choices(range(700, 705), [0.25, 0.0, 0.75], seed=1))
        self.assertNotIn(1, drawn)
        self.assertAlmostEqual(drawn.count(2) / 2000, 0.75, delta=0.04)

    def test_one_hot_follows_the_latents(self):
        x = with_conditions(torch.ones(2, 3), [1, 0], 2)
        self.assertEqual(x.tolist(), [[1, 1, 1, 0, 1], [1, 1, 1, 1, 0]])
        with self.assertRaisesRegex(ValueError, "0 to 1, got .2."):
            with_conditions(torch.ones(1, 3), [2], 2)


if __name__ == "__main__":
    unittest.main()
