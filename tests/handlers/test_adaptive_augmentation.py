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

import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents
from parameterized import parameterized
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from monai_retinasynth.handlers import AdaptiveAugmentationHandler, TensorBoardLosses, TrainingCheckpoint
from monai_retinasynth.transforms import DiscriminatorAugmentation
from monai_retinasynth.utils.errors import ConfigError
from tests.engines.tiny_gan import label_batches, latent_trainer

IMAGES = 16


def augmentation(p: float = 0.0) -> DiscriminatorAugmentation:
    return DiscriminatorAugmentation(label_channels=3, p=p)


def engine_with(signs: list[float], handler: AdaptiveAugmentationHandler | None = None) -> Engine:
    """An engine whose k-th iteration ever has the k-th sign and sees 16 images."""

    def step(engine: Engine, batch: Any) -> dict[str, torch.Tensor]:
        engine.state.images_seen += IMAGES
        return {"d_real_sign": torch.tensor(signs[engine.state.iteration - 1])}

    engine = Engine(step)
    engine.state.images_seen = 0
    if handler is not None:
        handler.attach(engine)
    return engine


def run(signs: list[float], p: float = 0.0, **settings: Any) -> tuple[float, list[dict]]:
    augment = augmentation(p)
    handler = AdaptiveAugmentationHandler(augment, **{"speed_images": 1000, **settings})
    engine, outputs = engine_with(signs, handler), []
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda e: outputs.append(dict(e.state.output)))
    engine.run(range(len(signs)))
    return augment.p, outputs


class TestAdaptiveAugmentationHandler(unittest.TestCase):
    def test_rises_and_falls_by_images(self):
        self.assertAlmostEqual(run([1.0] * 8)[0], 8 * IMAGES / 1000)
        self.assertAlmostEqual(run([0.0] * 8, p=0.5)[0], 0.5 - 8 * IMAGES / 1000)
        self.assertAlmostEqual(run([1.0] * 7)[0], 4 * IMAGES / 1000)  # not yet at the end of the second interval
        self.assertAlmostEqual(run([1.0] * 8, interval=8, target=0.9)[0], 8 * IMAGES / 1000)

    def test_clamped(self):
        self.assertEqual(run([1.0] * 40, speed_images=100, max_p=0.7)[0], 0.7)
        self.assertEqual(run([-1.0] * 40, p=0.3, speed_images=100)[0], 0.0)

    def test_mean_over_the_interval_decides(self):
        up, outputs = run([1.0, 1.0, 1.0, 0.0])  # 0.75 > 0.6
        self.assertGreater(up, 0)
        self.assertAlmostEqual(float(outputs[-1]["augment_rt"]), 0.75)
        self.assertEqual(run([1.0, 1.0, 0.0, 0.0], p=0.5)[0], 0.5 - 4 * IMAGES / 1000)
        self.assertEqual(run([0.75] * 4, target=0.75, p=0.5)[0], 0.5)  # on the target

    def test_output(self):
        _, outputs = run([1.0] * 6)
        self.assertEqual([round(float(o["augment_p"]), 4) for o in outputs], [0, 0, 0, 0.064, 0.064, 0.064])
        self.assertEqual(["augment_rt" in o for o in outputs], [False] * 3 + [True] * 3)
        self.assertTrue(all(o["augment_p"].ndim == 0 for o in outputs))

    def test_fixed_p(self):
        p, outputs = run([1.0] * 8, p=0.9, target=None)
        self.assertEqual(p, 0.9)
        self.assertAlmostEqual(float(outputs[-1]["augment_rt"]), 1.0)
        engine = Engine(lambda e, b: {"loss": torch.tensor(1.0)})  # needs neither sign nor counter
        AdaptiveAugmentationHandler(augmentation(0.9), target=None).attach(engine)
        engine.run(range(3))
        self.assertAlmostEqual(float(engine.state.output["augment_p"]), 0.9)

    def test_state_in_the_middle_of_an_interval(self):
        signs = [1.0, 0.25, 1.0, 0.5, 1.0, 0.25, 0.0, 1.0, 0.7, 1.0, 0.9]
        whole = AdaptiveAugmentationHandler(augmentation(0.2), speed_images=1000)
        engine_with(signs, whole).run(range(11))
        first = AdaptiveAugmentationHandler(augmentation(0.2), speed_images=1000)
        engine_with(signs, first).run(range(6))
        second = AdaptiveAugmentationHandler(augmentation(), speed_images=1000)
        engine = engine_with(signs[6:], second)
        second.load_state_dict(first.state_dict())
        engine.state.images_seen = 6 * IMAGES
        engine.run(range(5))
        self.assertEqual(second.state_dict(), whole.state_dict())
        self.assertNotEqual(first.state_dict(), whole.state_dict())

    def test_mean_over_processes(self):
        def other_process_has_zero(value: torch.Tensor, op: str) -> torch.Tensor:
            self.assertEqual(op, "SUM")
            return value

        module = "monai_retinasynth.handlers.adaptive_augmentation"
        with (
            mock.patch(f"{module}.process_world", return_value=2),
            mock.patch(f"{module}.idist.all_reduce", side_effect=other_process_has_zero),
        ):
            p, outputs = run([1.0] * 4, p=0.5)
        self.assertAlmostEqual(float(outputs[-1]["augment_rt"]), 0.5)
        self.assertLess(p, 0.5)

    def test_missing_sign_or_counter(self):
        def engine() -> Engine:
            engine = Engine(lambda e, b: {"d_loss": torch.tensor(1.0)})
            AdaptiveAugmentationHandler(augmentation()).attach(engine)
            return engine

        with self.assertRaisesRegex(ConfigError, "images_seen"):
            engine().run(range(1))
        counting = engine()
        counting.state.images_seen = 0
        with self.assertRaisesRegex(ConfigError, "d_real_sign.*d_loss"):
            counting.run(range(1))

    @parameterized.expand(
        [({"target": 1.5},), ({"speed_images": 0},), ({"interval": 0},), ({"max_p": 1.2},), ({"max_p": 0.2},)]
    )
    def test_settings_that_cannot_work(self, settings):
        with self.assertRaisesRegex(ConfigError, next(iter(settings))):
            AdaptiveAugmentationHandler(augmentation(0.3), **settings)


class TestWithTheTrainer(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def _train(self, epochs: int, folder: str) -> AdaptiveAugmentationHandler:
        augment = augmentation()
        handler = AdaptiveAugmentationHandler(augment, speed_images=500, interval=3, sign_key="sign")
        trainer = latent_trainer(label_batches(4, 4), epochs=epochs)
        trainer.add_event_handler(
            IterationEvents.LOSS_COMPLETED,
            lambda e: e.state.output.update(sign=torch.tensor(0.1 * e.state.iteration)),
        )
        save_dict = {"g": trainer.g_network, "d": trainer.d_network, "augment": augment, "adaptive": handler}
        # the handler comes last and yet before those that read
        for item in (
            TensorBoardLosses(self.folder / folder / "tb", interval=1),
            TrainingCheckpoint(self.folder / folder, save_dict, "test", final_key="g"),
            handler,
        ):
            item.attach(trainer)
        trainer.run()
        return handler

    def test_logged_and_resumed_exactly(self):
        whole = self._train(4, "whole")
        self._train(2, "parts")  # 8 iterations: in the middle of an interval of 3
        parts = self._train(4, "parts")
        self.assertEqual(parts.state_dict(), whole.state_dict())
        self.assertEqual(whole.state_dict()["count"], 16 % 3)
        self.assertGreater(whole.augmentation.p, 0)
        events = EventAccumulator(str(self.folder / "whole" / "tb")).Reload()
        logged = {event.step: event.value for event in events.Scalars("loss/augment_p")}
        self.assertEqual(len(logged), 16)
        self.assertAlmostEqual(logged[9], 3 * 4 / 500, places=5)  # mean 0.8 of iterations 7 to 9
        self.assertAlmostEqual(logged[16], whole.augmentation.p, places=5)
        self.assertEqual(events.Scalars("loss/augment_rt")[0].step, 3)


if __name__ == "__main__":
    unittest.main()
