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

import json
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np

from monai_retinasynth.data import check_dataset, declared_label_set, load_cases, write_dot_dataset
from monai_retinasynth.simulation import write_chest_phantom_dataset
from monai_retinasynth.utils import CHEST_ORGANS, CheckpointError, ConfigError, open_image, read_label_map, read_rgb
from tests.bundles.bundle_tester import (
    TWO_PROCESSES,
    phantom_dataset,
    run_bundle,
    run_bundle_in_process,
    without_device,
)
from tests.bundles.test_label_map_generation import TINY, TRAIN
from tests.bundles.test_two_stage_workflow import root_cause

CHEST = {"label_set": "chest_organ", "image_channels": 1, "thin_class": None, "fill_field_of_view": False}
NO_REGULARISER = {"adversarial_loss": "non_saturating", "drift": 0.0, "d_regularizers": []}


class TestImageTogetherWithLabelMap(unittest.TestCase):
    """The single-stage way: one generator for both."""

    bundle = "label_map_generation"

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.chest = str(cls.folder / "chest")
        write_chest_phantom_dataset(
            cls.chest, size=32, num_training=6, num_validation=1, num_test=1, source="real", progress=False
        )
        cls.run_of("train", cls.chest, cls.folder / "trained", **TRAIN, **CHEST, **NO_REGULARISER)
        cls.checkpoint = str(cls.folder / "trained" / "models" / "model.pt")

    @classmethod
    def run_of(cls, config: str, dataset: str, output: Path, **settings) -> None:
        run_bundle_in_process(cls.bundle, config, dataset_dir=dataset, output_dir=str(output), **settings)

    def test_grey_pictures_with_label_maps(self):
        made = {}
        for batch_size in (1, 3):
            output = self.folder / f"made_{batch_size}"
            settings = {"num_samples": 3, "batch_size": batch_size, "amp": False, "checkpoint": self.checkpoint}
            self.run_of("inference", self.chest, output, **settings, **TINY, **CHEST)
            report = check_dataset(str(output), "chest_organ", require_image=True, verbose=False)
            self.assertEqual(report["sections"]["training"]["sizes"], {"32 x 32": 3})
            cases = load_cases(str(output), "training")
            self.assertEqual({open_image(case["image"], "L").mode for case in cases}, {"L"})
            made[batch_size] = [
                (read_label_map(case["label"], "chest_organ"), np.asarray(open_image(case["image"], "L")))
                for case in cases
            ]
        for one, three in zip(made[1], made[3]):
            np.testing.assert_array_equal(one[0], three[0])
            np.testing.assert_array_equal(one[1], three[1])
        self.assertTrue((made[1][0][1] != made[1][1][1]).any())
        grid = read_rgb(sorted((self.folder / "trained" / "pictures").glob("*.png"))[-1])
        self.assertGreater(grid.shape[1], 4 * 128)  # label map and picture of each column side by side

    def test_colours_at_another_size(self):
        data = phantom_dataset(self.folder / "eyes")  # 64 px, made at 16
        out = self.folder / "eye_gan"
        self.run_of("train", data, out, **TRAIN, image_channels=3)
        self.run_of(
            "inference", data, out / "made", num_samples=2, checkpoint=str(out / "models" / "model.pt"),
            image_channels=3, **TINY,
        )  # fmt: skip
        for case in load_cases(str(out / "made"), "training"):
            self.assertEqual(read_rgb(case["image"]).shape, (64, 64, 3))
            self.assertEqual(read_label_map(case["label"], "fundus_vessel").shape, (64, 64))

    def test_checkpoint_of_label_maps_alone_is_refused(self):
        with self.assertRaises(Exception) as caught:
            self.run_of(
                "inference", self.chest, self.folder / "wrong", num_samples=1, checkpoint=self.checkpoint,
                **TINY, **{**CHEST, "image_channels": 0},
            )  # fmt: skip
        self.assertIsInstance(root_cause(caught.exception), CheckpointError)
        self.assertIn("image_channels", str(root_cause(caught.exception)))

    def test_network_without_images_is_refused(self):
        with self.assertRaises(Exception) as caught:
            run_bundle_in_process(
                self.bundle, "train", "recipes/acgan", dataset_dir=self.chest, output_dir=str(self.folder / "no"),
                image_channels=1, num_grades=0,
            )  # fmt: skip
        self.assertIsInstance(root_cause(caught.exception), ConfigError)
        self.assertIn("image_channels is 1", str(root_cause(caught.exception)))

    def test_two_processes(self):
        settings = {**without_device(TRAIN), **CHEST, "fade_images": 8, "stabilise_images": 8}
        result = run_bundle(
            self.bundle, "train", "multi_gpu_train", cwd=self.folder, launcher=TWO_PROCESSES, dataset_dir=self.chest,
            output_dir="two", **settings,
        )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stderr[-2000:])
        self.assertTrue((self.folder / "two" / "models" / "model.pt").is_file())

    def test_recipes(self):
        eyes = phantom_dataset(self.folder / "phantom_eyes", size=32, num_training=2)
        for recipe, dataset in (("jsrt", self.chest), ("drive_256", eyes)):
            with self.subTest(recipe):
                output = self.folder / f"out_{recipe}"
                settings = {**TRAIN, "fade_images": 1, "stabilise_images": 1, "train_images": 24}
                run_bundle_in_process(
                    self.bundle, "train", f"recipes/{recipe}", f"recipes/{recipe}_joint", dataset_dir=dataset,
                    output_dir=str(output), **settings,
                )  # fmt: skip
                self.assertTrue((output / "models" / "model.pt").is_file())


class TestDotMaps(unittest.TestCase):
    """The first of three stages: a generator of dot maps."""

    def test_train_then_generate(self):
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        write_chest_phantom_dataset(
            folder / "chest", size=32, num_training=4, num_validation=1, num_test=1, source="real", progress=False
        )
        dots = str(folder / "dots")
        write_dot_dataset(
            str(folder / "chest"), dots, "chest_organ", {"radius": 1, "merge": CHEST_ORGANS}, progress=False
        )
        own = {"label_set": "$monai_retinasynth.data.declared_label_set(@dataset_dir)", "thin_class": None,
               "fill_field_of_view": False, "val_count": 0}  # fmt: skip
        run_bundle_in_process(
            "label_map_generation", "train", dataset_dir=dots, output_dir=str(folder / "gan"), **TRAIN, **own,
            **NO_REGULARISER,
        )  # fmt: skip
        run_bundle_in_process(
            "label_map_generation", "inference", dataset_dir=dots, output_dir=str(folder / "made"), num_samples=2,
            checkpoint=str(folder / "gan" / "models" / "model.pt"), **TINY, **own,
        )  # fmt: skip
        self.assertEqual(declared_label_set(str(folder / "made")), declared_label_set(dots))
        content = json.loads((folder / "made" / "datalist.json").read_text())
        self.assertEqual(content["label_set"]["class_names"][1:], list(CHEST_ORGANS))
        self.assertEqual(len(content["training"]), 2)


if __name__ == "__main__":
    unittest.main()
