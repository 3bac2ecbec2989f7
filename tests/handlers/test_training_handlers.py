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

import io
import logging
import tempfile
import time
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.data import CacheDataset, DataLoader
from monai.engines import SupervisedTrainer
from monai.transforms import Compose, RandGaussianNoised, Randomizable
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from monai_retinasynth.data import MixedBatchSampler
from monai_retinasynth.handlers import (
    EpochSeedHandler,
    ImageGridHandler,
    TensorBoardLosses,
    TrainingCheckpoint,
    TrainingProgressBar,
)
from monai_retinasynth.handlers.image_grid import as_picture
from monai_retinasynth.transforms import FieldOfViewColourd, NormalizeFieldOfViewColourd
from monai_retinasynth.utils.errors import CheckpointError, ConfigError, DivergenceError
from monai_retinasynth.utils.image_io import from_picture
from monai_retinasynth.utils.label_set import get_label_set
from tests.engines.tiny_gan import label_batches, latent_trainer, pair_batches, paired_trainer


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _TemporaryFolder(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)


class TestTrainingProgressBar(unittest.TestCase):
    def test_terminal_shows_time_left_and_losses(self):
        terminal = _Terminal()
        clock = iter(range(1000))
        with mock.patch("monai_retinasynth.handlers.progress_bar.time.monotonic", side_effect=lambda: next(clock)):
            bar = TrainingProgressBar(losses=["g_loss", "d_adversarial"], desc="label maps", file=terminal)
            latent_trainer(label_batches(3, 4), epochs=2, train_handlers=[bar]).run()
        last = terminal.getvalue().replace("\n", "\r").split("\r")[-2]
        self.assertRegex(last, r"label maps: 100%.*6/6 \[.*<00:00.*g_loss -?[\d.]+, d_adversarial [\d.]+")

    def test_log_gets_a_line_every_half_minute(self):
        log = io.StringIO()
        seconds = iter(range(0, 10_000, 4))  # four seconds an iteration
        with mock.patch("monai_retinasynth.handlers.progress_bar.time.monotonic", side_effect=lambda: next(seconds)):
            handlers = [TrainingProgressBar(file=log)]
            latent_trainer(label_batches(20, 4), epochs=2, train_handlers=handlers).run()
        lines = log.getvalue().splitlines()
        self.assertEqual(lines[0], "training: iteration 0 of 40")
        self.assertRegex(lines[1], r"iteration 8 of 40 \(20 %\), 02:08 left, 4.00 s/it, g_loss .*, d_loss ")
        self.assertRegex(lines[-1], r"iteration 40 of 40 \(100 %\), 00:00 left")
        self.assertEqual(len(lines), 6)

    def test_supervised_trainer_with_decollated_output(self):
        log, network = io.StringIO(), nn.Linear(2, 1)
        data = [{"image": torch.rand(4, 2), "label": torch.rand(4, 1)}]
        optimizer = torch.optim.SGD(network.parameters(), 0.1)
        handlers = [TrainingProgressBar(file=log)]
        SupervisedTrainer("cpu", 1, data, network, optimizer, nn.MSELoss(), train_handlers=handlers).run()
        self.assertRegex(log.getvalue().splitlines()[-1], r"iteration 1 of 1 .*, loss [\d.]+")


class TestTensorBoardLosses(_TemporaryFolder):
    def _scalars(self) -> dict[str, list[int]]:
        events = EventAccumulator(str(self.folder)).Reload()
        return {tag: [event.step for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}

    def test_every_term_rate_and_counter(self):
        handler = TensorBoardLosses(self.folder, interval=2)
        latent_trainer(label_batches(3, 4), epochs=2, train_handlers=[handler]).run()
        scalars = self._scalars()
        terms = ["loss", "g_loss", "d_loss", "d_adversarial", "d_real", "d_fake", "d_r1_penalty", "g_adversarial"]
        tags = {f"loss/{term}" for term in terms} | {"lr/generator", "lr/discriminator", "training/images_seen"}
        self.assertEqual(set(scalars), tags)
        self.assertTrue(all(steps == [2, 4, 6] for steps in scalars.values()), scalars)

    def test_resumed_run_hides_what_the_killed_one_logged_later(self):
        for start in (0, 4):
            handlers = [TensorBoardLosses(self.folder, interval=1)]
            trainer = latent_trainer(label_batches(2, 4), epochs=4, train_handlers=handlers)
            trainer.state.iteration, trainer.state.epoch = start, start // 2
            trainer.run()
            time.sleep(1.1)  # TensorBoard reads event files in the order of their names, which tell whole seconds
        self.assertEqual(self._scalars()["loss/loss"], [1, 2, 3, 4, 5, 6, 7, 8])

    def test_one_file_for_all_handlers_and_either_folder_or_writer(self):
        handlers = [TensorBoardLosses(self.folder), ImageGridHandler(log_dir=self.folder)]
        latent_trainer(label_batches(2, 4), train_handlers=handlers).run()
        self.assertEqual(len(list(self.folder.iterdir())), 1)
        with self.assertRaisesRegex(ConfigError, "either"):
            TensorBoardLosses()


class TestImageGridHandler(_TemporaryFolder):
    def setUp(self):
        super().setUp()
        # wide picture, a colour in each corner; label map with an L
        self.photograph = np.full((60, 90, 3), 128, np.uint8)
        corners = {(0, 0): (255, 0, 0), (0, 1): (0, 255, 0), (1, 0): (0, 0, 255), (1, 1): (255, 255, 0)}
        for (row, column), color in corners.items():
            self.photograph[row * 40 : row * 40 + 20, column * 60 : column * 60 + 30] = color
        self.label = np.zeros((60, 90), np.uint8)
        self.label[5:55, 5:85] = 1
        self.label[10:50, 10:14] = self.label[46:50, 10:60] = 2
        self.image = from_picture(self.photograph).float() / 127.5 - 1
        self.one_hot = nn.functional.one_hot(from_picture(self.label)[0].long(), 3).movedim(-1, 0).float()
        self.label_set = get_label_set("fundus_vessel")

    def test_label_map_and_picture_of_one_generator(self):
        for picture in (self.image, self.image[:1]):
            shown = as_picture(torch.cat([self.one_hot, picture]), self.label_set)
            width = shown.shape[1] // 2
            np.testing.assert_array_equal(shown[:, :width], as_picture(self.one_hot, self.label_set))
            np.testing.assert_array_equal(shown[:, width:], as_picture(picture, self.label_set))

    def test_pictures_are_upright_in_true_colours(self):
        self.assertTrue(np.array_equal(as_picture(self.image, self.label_set), self.photograph))
        colored = self.label_set.colorize(self.label)
        self.assertTrue(np.array_equal(as_picture(self.one_hot, self.label_set), colored))
        self.assertTrue(np.array_equal(as_picture(from_picture(self.label), self.label_set), colored))

    def test_grid_of_label_map_synthetic_and_real(self):
        coordinates = torch.zeros(2, 90, 60)
        batch = {"label": from_picture(self.label)[None], "image": self.image[None], "coordinates": coordinates[None]}
        engine = mock.Mock()
        condition = torch.cat([self.one_hot, coordinates])[None]
        engine.state.output = {"condition": condition, "fakes": batch["image"] * 0.5, "reals": batch["image"]}
        engine.state.epoch = 7
        ImageGridHandler(save_dir=self.folder, epoch_level=True)(engine)
        with Image.open(self.folder / "samples_epoch0007.png") as file:
            grid = np.asarray(file.convert("RGB"))
        for picture in (self.label_set.colorize(self.label), self.photograph):
            larger = picture.repeat(3, 0).repeat(3, 1)
            height, width = larger.shape[:2]
            windows = (
                np.array_equal(grid[y : y + height, x : x + width], larger)
                for y in range(grid.shape[0] - height + 1)
                for x in range(grid.shape[1] - width + 1)
            )
            self.assertTrue(any(windows))

    def test_colour_normalised_photographs_are_shown_in_their_colours(self):
        case = {"image": (self.image + 1) * 127.5, "label": from_picture(self.label)}
        case = NormalizeFieldOfViewColourd("image")(FieldOfViewColourd()(case))
        output = dict.fromkeys(("fakes", "reals"), case["image"][None]) | {"condition": self.one_hot[None]}
        batch = {"colour": case["colour"][None], "label": case["label"][None]}
        engine = SimpleNamespace(state=SimpleNamespace(output=output, batch=batch, iteration=1, epoch=1))
        grid = ImageGridHandler(save_dir=self.folder, colour_key="colour").draw(engine)
        plain = ImageGridHandler(save_dir=self.folder).draw(engine)
        # a blue that the photograph has only in its own colours, on both sides
        blue = np.array([0, 0, 255])
        inside = self.label[40:, :30] > 0
        self.assertEqual(int((np.abs(grid.astype(int) - blue).max(-1) <= 1).sum()), 2 * 9 * int(inside.sum()))
        self.assertEqual(int((np.abs(plain.astype(int) - blue).max(-1) <= 1).sum()), 0)

    def test_mask_in_front_of_photographs(self):
        vessel = from_picture(self.label == 2)
        mask = vessel.float() * 2 - 1
        black_and_white = (self.label == 2)[..., None].repeat(3, 2).astype(np.uint8) * 255
        self.assertTrue(np.array_equal(as_picture(mask, self.label_set), black_and_white))
        # a mask without any vessel is black, not a label map of class 0
        self.assertFalse(as_picture(torch.full_like(mask, -1.0), self.label_set).any())
        output = dict.fromkeys(("fakes", "reals"), self.image[None]) | {"condition": mask[None]}
        engine = SimpleNamespace(state=SimpleNamespace(output=output, iteration=1, epoch=1))
        grid = ImageGridHandler(save_dir=self.folder).draw(engine)
        larger = black_and_white.repeat(3, 0).repeat(3, 1)
        height, width = larger.shape[:2]
        row = grid[24 : 24 + height]  # below the titles
        self.assertTrue(np.array_equal(row[:, 4 : 4 + width], larger))
        self.assertTrue(np.array_equal(row[:, -4 - width : -4], self.photograph.repeat(3, 0).repeat(3, 1)))

    def test_grey_pictures(self):
        grey = self.image[:1].clamp(min=0.0)  # bright all over, and no class index for that
        bright = as_picture(grey, self.label_set)
        self.assertTrue(np.array_equal(bright[..., 0], np.maximum(self.photograph[..., 0], 128)))
        self.assertTrue((bright == bright[..., :1]).all())
        output = dict.fromkeys(("fakes", "reals"), grey[None]) | {"condition": self.one_hot[None]}
        engine = SimpleNamespace(state=SimpleNamespace(output=output, iteration=1, epoch=1))
        grid = ImageGridHandler(save_dir=self.folder).draw(engine)
        larger = bright.repeat(3, 0).repeat(3, 1)
        height, width = larger.shape[:2]
        row = grid[24 : 24 + height]
        colored = self.label_set.colorize(self.label).repeat(3, 0).repeat(3, 1)
        self.assertTrue(np.array_equal(row[:, 4 : 4 + width], colored))
        for left in (8 + width, 12 + 2 * width):
            self.assertTrue(np.array_equal(row[:, left : left + width], larger))

    def test_label_maps_of_dot_maps(self):
        organs = get_label_set("chest_organ")
        drawn = torch.zeros(8, 90, 60)
        drawn[3] = 1.0
        output = {"condition": self.one_hot[None], "fakes": drawn[None], "reals": drawn[None]}
        engine = SimpleNamespace(state=SimpleNamespace(output=output, iteration=1, epoch=1))
        grid = ImageGridHandler(save_dir=self.folder, target_label_set="chest_organ").draw(engine)
        heart = (grid == np.array(organs.colors[3])).all(-1)
        self.assertEqual(int(heart.sum()), 2 * 180 * 270)
        vessel = (grid == np.array(self.label_set.colors[2])).all(-1)
        self.assertEqual(int(vessel.sum()), 9 * int((self.label == 2).sum()))

    def test_in_training_with_the_averaged_generator(self):
        trainer = paired_trainer(pair_batches(2, 2))
        options = {"interval": 2, "max_images": 5, "network": trainer.g_network, "tag": "pictures"}
        handler = ImageGridHandler(log_dir=self.folder, **options)
        handler.attach(trainer)
        trainer.run()
        handler.source.flush(close=True)
        events = EventAccumulator(str(self.folder)).Reload()
        self.assertEqual([event.step for event in events.Images("pictures")], [2])

    def test_faint_probabilities_are_visible(self):
        vessel = torch.tensor([0.0, 0.7, 0.3])[:, None, None].expand(3, 4, 4)
        retina = torch.tensor([0.0, 1.0, 0.0])[:, None, None].expand(3, 4, 4)
        self.assertFalse(np.array_equal(as_picture(vessel, self.label_set), as_picture(retina, self.label_set)))


class TestEpochSeedHandler(unittest.TestCase):
    def _draws(self, epochs: int, start: int = 0, workers: int = 0, dataset_class=CacheDataset, seed: int = 0) -> list:
        cases = [{"image": torch.zeros(1, 2, 2)} for _ in range(4)]
        dataset = dataset_class(cases, Compose([RandGaussianNoised("image", 1.0)]), progress=False)
        loader = DataLoader(dataset, batch_size=2, shuffle=True, num_workers=workers)
        draws: list = []

        def note(engine, batch):
            draws.append([batch["image"].sum().item(), torch.rand(()).item(), np.random.rand()])  # noqa: NPY002

        engine = Engine(note)
        EpochSeedHandler(seed).attach(engine)
        engine.state.max_epochs, engine.state.epoch_length = epochs, 3  # more than one pass
        engine.state.epoch, engine.state.iteration = start, start * 3
        engine.run(loader)
        return draws

    def test_an_epoch_depends_on_seed_and_epoch_alone(self):
        class Hiding(Randomizable, CacheDataset):
            """As MONAI's own data sets are: `set_random_state` of the data set does not reach its transforms."""

        for options in ({}, {"workers": 1}, {"dataset_class": Hiding}):
            whole = self._draws(4, **options)
            self.assertEqual(whole[6:], self._draws(4, start=2, **options))
            self.assertEqual(len({str(draw) for draw in whole}), 12)
            self.assertNotEqual(whole, self._draws(4, seed=1, **options))

    def test_ranks_differ(self):
        with mock.patch("monai_retinasynth.handlers.epoch_seed.process_rank", return_value=1):
            other = self._draws(1)
        self.assertNotEqual(other, self._draws(1))

    def test_sampler_is_told_the_epoch(self):
        sampler = MixedBatchSampler(2, 4, 2, 3, 0.0, 1.0, num_epochs=3)
        loader = DataLoader(torch.arange(4), batch_size=2, sampler=sampler)
        seen: list = []
        engine = Engine(lambda e, batch: seen.append(batch.tolist()))
        EpochSeedHandler(0).attach(engine)
        engine.state.max_epochs, engine.state.epoch_length = 3, 3
        engine.run(loader)
        again, seen = seen, []
        engine = Engine(lambda e, batch: seen.append(batch.tolist()))
        EpochSeedHandler(0).attach(engine)
        engine.state.max_epochs, engine.state.epoch_length = 3, 3
        engine.state.epoch, engine.state.iteration = 2, 6
        engine.run(loader)
        self.assertEqual(again[6:], seen)
        self.assertTrue(max(again[0]) < 2 <= min(again[8]))

    def test_persistent_workers_are_refused(self):
        loader = DataLoader([1, 2], num_workers=1, persistent_workers=True)
        engine = Engine(lambda e, b: None)
        EpochSeedHandler().attach(engine)
        with self.assertRaisesRegex(ConfigError, "persistent_workers"):
            engine.run(loader)


class TestTrainingCheckpoint(_TemporaryFolder):
    def _run(self, epochs: int = 2, **kwargs):
        seed, options = kwargs.pop("seed", 0), kwargs.pop("trainer", {})
        trainer = latent_trainer(label_batches(2, 4), epochs=epochs, seed=seed, **options)
        saved = {"g": trainer.g_network, "d": trainer.d_network, "o": trainer.g_optimizer}
        TrainingCheckpoint(self.folder, saved, **{"kind": "gan", "final_key": "g", **kwargs}).attach(trainer)
        trainer.run()
        return trainer

    def test_counters_come_back(self):
        self._run()
        with self.assertLogs("monai_retinasynth", logging.INFO) as logs:
            again = self._run(epochs=3, seed=1)
        self.assertRegex(logs.output[0], r"going on after epoch 2 of 3 from .*last\.pt")
        self.assertEqual((again.state.iteration, again.state.images_seen, again.state.d_steps), (6, 24, 6))
        final = torch.load(self.folder / "model.pt", weights_only=True)["model"]
        self.assertTrue(torch.equal(final["layer.weight"], again.g_network.layer.weight))

    def test_interval_and_final_save(self):
        with mock.patch("monai_retinasynth.handlers.training_checkpoint.save_checkpoint") as save:
            self._run(epochs=5, interval=2, final_filename=None, final_key=None)
        self.assertEqual(save.call_count, 3)
        self.assertEqual(save.call_args.args[1]["trainer"]["epoch"], 5)

    def test_what_a_process_killed_while_saving_left_is_harmless(self):
        self._run()
        (self.folder / ".last.pt.partial").write_bytes(b"half a checkpoint")
        self.assertEqual(self._run(epochs=3).state.images_seen, 24)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["last.pt", "model.pt"])

    def test_killed_between_the_two_files_of_the_last_epoch(self):
        self._run(epochs=1)
        older = (self.folder / "model.pt").read_bytes()
        self._run(epochs=2)
        (self.folder / "model.pt").write_bytes(older)
        trainer = self._run(epochs=2)
        final = torch.load(self.folder / "model.pt", weights_only=True)["model"]
        self.assertTrue(torch.equal(final["layer.weight"], trainer.g_network.layer.weight))

    def test_begin_anew(self):
        self._run()
        self.assertEqual(self._run(resume=False).state.images_seen, 16)

    def test_what_does_not_fit_is_refused_before_anything_is_loaded(self):
        self._run(settings={"rate": 0.1})
        for message, options in (
            ("'gan', not for 'other'", {"kind": "other"}),
            ("epochs of 2 iterations, now they have 1", {"trainer": {"epoch_length": 1}}),
            (r"rate: 0\.1 -> 0\.2", {"settings": {"rate": 0.2}}),
        ):
            with self.assertRaisesRegex(CheckpointError, message):
                self._run(epochs=4, **options)
        with self.assertRaisesRegex(CheckpointError, r"lacks \['extra'\]"):
            trainer = latent_trainer(label_batches(2, 4))
            saved = {"g": trainer.g_network, "extra": trainer.d_network}
            TrainingCheckpoint(self.folder, saved, "gan", final_key="g").attach(trainer)
            trainer.run()
        trainer = latent_trainer(label_batches(2, 4))
        before = trainer.g_network.layer.weight.clone()
        wider = nn.Linear(3, 3)
        TrainingCheckpoint(self.folder, {"g": trainer.g_network, "d": wider}, "gan", final_key="g").attach(trainer)
        with self.assertRaisesRegex(CheckpointError, r"\(d\) holds another network.*Linear"):
            trainer.run()
        self.assertTrue(torch.equal(before, trainer.g_network.layer.weight))

    def test_diverged_training_keeps_the_last_good_checkpoint(self):
        self._run()
        before = (self.folder / "last.pt").read_bytes()

        def broken(logits):
            return logits.mean() * float("nan")

        with self.assertRaisesRegex(DivergenceError, "diverged.*g_loss"):
            self._run(epochs=3, trainer={"g_loss_function": broken})
        self.assertEqual((self.folder / "last.pt").read_bytes(), before)

    def test_settings_errors(self):
        network = nn.Linear(1, 1)
        for message, options in (
            ("final_key", {"save_dict": {"a": network, "b": network}}),
            ("no state", {"save_dict": {"a": 3}}),
            ("reserved", {"save_dict": {"trainer": network}}),
            ("interval", {"save_dict": {"a": network}, "interval": 0}),
        ):
            with self.assertRaisesRegex(ConfigError, message):
                TrainingCheckpoint(self.folder, kind="k", **options)

    def test_state_that_cannot_be_read_back_is_found_at_the_first_save(self):
        class Odd:
            def state_dict(self):
                return {"function": Path}

            def load_state_dict(self, state):
                raise AssertionError

        trainer = latent_trainer(label_batches(2, 4))
        saved = {"g": trainer.g_network, "odd": Odd()}
        TrainingCheckpoint(self.folder, saved, "gan", final_key="g").attach(trainer)
        with self.assertRaisesRegex(ConfigError, "cannot be read back"):
            trainer.run()

    def test_saves_after_every_other_handler_of_the_epoch(self):
        trainer = latent_trainer(label_batches(2, 4))
        TrainingCheckpoint(self.folder, {"g": trainer.g_network}, "gan").attach(trainer)

        @trainer.on(Events.EPOCH_COMPLETED)
        def _attached_later(engine):
            nn.init.ones_(engine.g_network.layer.bias)

        trainer.run()
        final = torch.load(self.folder / "model.pt", weights_only=True)["model"]
        self.assertTrue(torch.all(final["layer.bias"] == 1))


if __name__ == "__main__":
    unittest.main()
