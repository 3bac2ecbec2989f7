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
"""The recipes of diabetic retinopathy in the bundles of label maps and of translation."""

from __future__ import annotations

import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from parameterized import parameterized

from monai_retinasynth.data import load_cases
from monai_retinasynth.simulation import write_phantom_dataset
from monai_retinasynth.utils import CheckpointError, ConfigError, DataError, read_label_map, read_rgb
from tests.bundles.bundle_tester import phantom_dataset, run_bundle_in_process
from tests.bundles.test_two_stage_workflow import root_cause

ACGAN = {
    "resolution": 16,
    "latent_size": 8,
    "start_channels": 8,
    "channels": [8, 4],
    "d_channels": [4, 8],
    "device": "cpu",
}
ACGAN_TRAIN = {**ACGAN, "batch_size": 4, "epoch_length": 2, "max_epochs": 2, "picture_interval": 4, "val_count": 0}
SPADE = {
    "image_size": [32, 32],
    "crop_size": [32, 32],
    "channels": 4,
    "max_channels": 8,
    "num_ups": 2,
    "hidden_channels": 4,
    "style_size": 6,
    "noise_channels": 2,
    "encoder_channels": 4,
    "device": "cpu",
}
SPADE_TRAIN = {
    **SPADE,
    "d_channels": 4,
    "d_max_channels": 8,
    "d_num_layers": 2,
    "epoch_length": 2,
    "max_epochs": 2,
    "picture_interval": 2,
    "val_count": 0,
}


def last_checkpoint(output_dir: Path) -> dict:
    return torch.load(output_dir / "models" / "last.pt", weights_only=True)


class GradedPhantoms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.dataset = str(cls.folder / "data")
        write_phantom_dataset(
            cls.dataset, 64, 4, 1, 1, label_set="fundus_lesion", grades=[1, 3], source="real", progress=False
        )

    def assert_refused(self, error, message, *names, **overrides):
        with self.assertRaises(Exception) as caught:
            run_bundle_in_process(self.bundle, *names, **overrides)
        cause = root_cause(caught.exception)
        self.assertIsInstance(cause, error)
        self.assertRegex(str(cause), message)


class TestLabelMapsByGrade(GradedPhantoms):
    bundle = "label_map_generation"

    def train(self, name: str, **overrides) -> Path:
        out = self.folder / name
        settings = {**ACGAN_TRAIN, "dataset_dir": self.dataset, "output_dir": str(out), **overrides}
        run_bundle_in_process(self.bundle, "train", "recipes/acgan", **settings)
        return out

    def test_train_then_generate(self):
        out = self.train("plain")
        settings = {
            **ACGAN, "dataset_dir": self.dataset, "val_count": 0, "checkpoint": str(out / "models" / "model.pt"),
            "output_size": [64, 64], "num_samples": 4,
        }  # fmt: skip
        run_bundle_in_process(
            self.bundle, "inference", "recipes/acgan", **settings, grades=[3, 1, 1], output_dir=str(out / "made")
        )
        cases = load_cases(str(out / "made"), "all")
        self.assertEqual([case["grade"] for case in cases], [3, 1, 1, 3])
        maps = [read_label_map(case["label"], "fundus_lesion") for case in cases]
        self.assertEqual(maps[0].shape, (64, 64))
        # without a wish the grades that have a training case take turns
        run_bundle_in_process(
            self.bundle, "inference", "recipes/acgan", **settings, output_dir=str(out / "made_all"), batch_size=1
        )
        grades = [case["grade"] for case in load_cases(str(out / "made_all"), "all")]
        self.assertEqual(grades, [1, 3, 1, 3])
        self.assert_refused(
            ConfigError, "has grade 2, so the generator cannot have learnt it", "inference", "recipes/acgan",
            **settings, grades=[2], output_dir=str(out / "refused"),
        )  # fmt: skip

    def test_a_resumed_training_ends_with_the_same_weights_and_probability(self):
        whole = last_checkpoint(self.train("whole", augment_target=-0.9, augment_speed_images=200))
        self.train("halves", augment_target=-0.9, augment_speed_images=200, max_epochs=1)
        halves = last_checkpoint(self.train("halves", augment_target=-0.9, augment_speed_images=200))
        self.assertEqual(whole["augment_control"]["p"], halves["augment_control"]["p"])
        for part in ("g_network", "d_network", "ema"):
            for name, value in whole[part].items():
                self.assertTrue(torch.equal(value, halves[part][name]), f"{part}.{name}")

    def test_errors(self):
        vessels = phantom_dataset(self.folder / "vessels")
        self.assert_refused(
            DataError, "classes .*'vessel'", "train", "recipes/acgan", **ACGAN_TRAIN, dataset_dir=vessels,
            output_dir=str(self.folder / "refused"),
        )  # fmt: skip
        ungraded = str(self.folder / "ungraded")
        shutil.copytree(self.dataset, ungraded)
        listed = Path(ungraded, "datalist.json")
        listed.write_text(listed.read_text().replace('"grade": 3', '"grade": 7'))
        self.assert_refused(
            DataError, "7", "train", "recipes/acgan", **ACGAN_TRAIN, dataset_dir=ungraded,
            output_dir=str(self.folder / "refused"),
        )  # fmt: skip

    def test_the_growing_gan_can_be_augmented_too(self):
        out = self.folder / "growing"
        run_bundle_in_process(
            self.bundle, "train", dataset_dir=self.dataset, output_dir=str(out), label_set="fundus_lesion",
            resolution=8, latent_size=8, base_channels=64,
            max_channels=8, min_channels=4, fade_images=16, stabilise_images=16,
            epoch_length=2, picture_interval=4, batch_sizes=4, device="cpu", augment_groups=["blit", "geometry"],
            augment_target=-0.9, augment_speed_images=100,
            adversarial_loss="non_saturating",
        )  # fmt: skip
        self.assertIn("p", last_checkpoint(out)["augment_control"])


class TestSpade(GradedPhantoms):
    bundle = "label_to_image_translation"

    def train(self, name: str, **overrides) -> Path:
        out = self.folder / name
        settings = {**SPADE_TRAIN, "dataset_dir": self.dataset, "output_dir": str(out), **overrides}
        run_bundle_in_process(self.bundle, "train", "recipes/spade", **settings)
        return out

    def generate(self, out: Path, name: str, **overrides) -> list[dict]:
        settings = {
            **SPADE, "dataset_dir": self.dataset, "val_count": 0, "label_maps_dir": self.dataset,
            "checkpoint": str(out / "models" / "model.pt"), "output_dir": str(out / name), **overrides,
        }  # fmt: skip
        run_bundle_in_process(self.bundle, "inference", "recipes/spade", **settings)
        return load_cases(str(out / name), "all")

    @parameterized.expand([("style", {"noise_channels": 0}), ("noise", {"style_size": 0, "kl_weight": None})])
    def test_each_source_alone_gives_many_photographs(self, name, settings):
        out = self.train(f"only_{name}", **settings)
        cases = self.generate(
            out, "two_each", photographs_per_map=2, colour="mean", label_maps_section="training", **settings
        )
        pictures = [read_rgb(case["image"]).astype(int) for case in cases[:2]]
        self.assertGreater(np.abs(pictures[0] - pictures[1]).max(), 0)

    def test_one_label_map_gives_many_photographs(self):
        out = self.train("styles", augment_groups=["blit", "geometry", "colour"], augment_p=0.3, augment_target=None)
        cases = self.generate(out, "two_each", photographs_per_map=2, colour="mean", label_maps_section="training")
        self.assertEqual([case["grade"] for case in cases], [1, 1, 3, 3, 1, 1, 3, 3])
        pictures = [read_rgb(case["image"]).astype(int) for case in cases]
        self.assertEqual(pictures[0].shape, (32, 32, 3))
        np.testing.assert_array_equal(*(read_label_map(c["label"], "fundus_lesion") for c in cases[:2]))
        self.assertGreater(np.abs(pictures[0] - pictures[1]).max(), 0)
        again = self.generate(out, "again", photographs_per_map=2, colour="mean", label_maps_section="training")
        np.testing.assert_array_equal(pictures[5], read_rgb(again[5]["image"]))

    def test_without_an_encoder(self):
        out = self.train("no_encoder", kl_weight=None)
        self.assertNotIn("encoder", " ".join(last_checkpoint(out)["g_network"]))
        cases = self.generate(out, "made", kl_weight=None)
        self.assertEqual(len(cases), 6)
        with self.assertRaises(Exception) as caught:
            self.generate(out, "with")
        self.assertIsInstance(root_cause(caught.exception), CheckpointError)

    def test_evaluation_has_the_mean_style(self):
        out = self.train("evaluated")
        run_bundle_in_process(
            self.bundle, "train", "evaluate", "recipes/spade", **SPADE_TRAIN, dataset_dir=self.dataset,
            output_dir=str(out), layout="datalist",
        )  # fmt: skip
        self.assertTrue((out / "fidelity.json").is_file())


del GradedPhantoms  # the base holds no test of its own

if __name__ == "__main__":
    unittest.main()
