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
"""The two restoration recipes: what they degrade, how they start, and a folder of photographs through restore.json."""

from __future__ import annotations

import json
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from monai.bundle import ConfigParser
from parameterized import parameterized
from PIL import Image

from monai_retinasynth.utils import from_picture, read_rgb, save_checkpoint, to_picture
from tests.bundles.bundle_tester import config_files, phantom_dataset, run_bundle, run_bundle_in_process

BUNDLE = "label_to_image_translation"
DENOISING, SUPER_RESOLUTION = "recipes/restore_denoising", "recipes/restore_super_resolution"
TINY = {
    "device": "cpu",
    "channels": 4,
    "max_channels": 8,
    "num_downs": 2,
}
TRAIN = {
    **TINY,
    "layout": "auto",
    "d_channels": 4,
    "d_max_channels": 8,
    "d_num_layers": 2,
    "crop_size": [32, 32],
    "batch_size": 2,
    "epoch_length": 2,
    "max_epochs": 1,
    "picture_interval": 2,
}


def parsed(*names: str, **overrides) -> ConfigParser:
    """The bundle's configuration from some of its files."""
    parser = ConfigParser()
    parser.read_config(config_files(BUNDLE, *names))
    parser.update(overrides)
    return parser


def enlarged(picture: np.ndarray, mode: str = "bicubic") -> np.ndarray:
    """Twice as large, as `torch.nn.functional.interpolate` does it, in whole grey levels."""
    values = from_picture(picture).float() / 127.5 - 1
    values = F.interpolate(values[None], scale_factor=2.0, mode=mode)[0].clamp(-1, 1)
    return to_picture(((values + 1) * 127.5).round().to(torch.uint8))


class TestRestoration(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.dataset = phantom_dataset(cls.folder / "data", size=66)
        # neither square nor divisible by anything, different in every corner
        y, x = np.mgrid[:37, :45]
        cls.photograph = np.stack([y * 6, x * 5, (x * y) % 200], axis=-1).astype(np.uint8)
        cls.degraded = cls.folder / "degraded"
        cls.degraded.mkdir()
        Image.fromarray(cls.photograph).save(cls.degraded / "left eye.png")
        Image.fromarray(cls.photograph[:30, ::-1]).save(cls.degraded / "right.tif")

    def untrained(self, recipe: str) -> str:
        """A checkpoint of a network that still adds nothing to its input."""
        network = parsed("inference", "restore", recipe, **TINY).get_parsed_content("network_def")
        torch.nn.init.zeros_(network.head.weight)
        path = self.folder / "untrained.pt"
        save_checkpoint(path, {"model": network.state_dict()}, kind=BUNDLE, network=network)
        return str(path)

    @parameterized.expand([(DENOISING, {"gaussian_blur"}), (SUPER_RESOLUTION, {"nearest", "bicubic"})])
    def test_train_evaluate_and_restore(self, recipe, baselines):
        out = self.folder / Path(recipe).name
        settings = {"dataset_dir": self.dataset, "output_dir": str(out), **TRAIN}
        run_bundle_in_process(BUNDLE, "train", recipe, **settings)
        self.assertTrue(list((out / "pictures").glob("*.png")))
        run_bundle_in_process(BUNDLE, "train", "evaluate", recipe, **settings)
        rows = json.loads((out / "fidelity.json").read_text())["rows"]
        self.assertLessEqual({"generated", "degraded_input", *baselines}, set(rows))
        for row in rows.values():
            self.assertEqual(row["num_images"], 2)
        if recipe == DENOISING:
            self.assertLess(rows["gaussian_blur"]["mse_pm1"], rows["degraded_input"]["mse_pm1"])
            self.assertAlmostEqual(rows["degraded_input"]["mse_pm1_fov"], 0.04, delta=0.008)
        else:
            self.assertEqual(rows["bicubic"], rows["degraded_input"])
            self.assertGreater(rows["nearest"]["mse_pm1"], rows["bicubic"]["mse_pm1"])
        run_bundle_in_process(
            BUNDLE, "inference", "restore", recipe, dataset_dir=str(self.degraded), output_dir=str(out / "restored"),
            checkpoint=str(out / "models" / "model.pt"), **TINY,
        )  # fmt: skip
        names = sorted(path.name for path in (out / "restored").iterdir())
        self.assertEqual(names, ["left eye.png", "right.png"])
        factor = 1 if recipe == DENOISING else 2
        self.assertEqual(read_rgb(out / "restored" / "left eye.png").shape, (37 * factor, 45 * factor, 3))
        self.assertEqual(read_rgb(out / "restored" / "right.png").shape, (30 * factor, 45 * factor, 3))

    @parameterized.expand([(DENOISING, lambda picture: picture), (SUPER_RESOLUTION, enlarged)])
    def test_restoration_begins_at_the_photograph_it_is_given(self, recipe, expected):
        out = self.folder / f"first {Path(recipe).name}"
        run_bundle_in_process(
            BUNDLE, "inference", "restore", recipe, dataset_dir=str(self.degraded), output_dir=str(out),
            checkpoint=self.untrained(recipe), amp=False, **TINY,
        )  # fmt: skip
        for name, picture in (("left eye", self.photograph), ("right", self.photograph[:30, ::-1])):
            np.testing.assert_array_equal(read_rgb(out / f"{name}.png"), expected(picture))

    def test_denoising_learns_from_noise_in_the_range_of_a_photograph(self):
        parser = parsed("train", DENOISING, dataset_dir=self.dataset, **TRAIN)
        noise, clipped = [], 0
        dataset = parser.get_parsed_content("train::dataset")
        for item in (dataset[index] for index in range(len(dataset))):
            self.assertEqual(tuple(item["degraded"].shape), (3, 32, 32))
            self.assertLessEqual(item["degraded"].abs().max().item(), 1.0)
            clipped += int((item["degraded"].abs() == 1).sum())
            inner = item["image"].abs() < 0.3  # far enough from the ends
            noise.append((item["degraded"] - item["image"])[inner])
        noise = torch.cat(noise)
        self.assertAlmostEqual(noise.std().item(), 0.2, delta=0.01)
        self.assertAlmostEqual(noise.mean().item(), 0.0, delta=0.01)
        self.assertGreater(clipped, 0)

    def test_super_resolution_learns_from_area_means_enlarged(self):
        parser = parsed("train", SUPER_RESOLUTION, dataset_dir=self.dataset, **TRAIN)
        prepare, dataset = parser.get_parsed_content("prepare_batch"), parser.get_parsed_content("train::dataset")
        for item in (dataset[index] for index in range(len(dataset))):
            low = F.interpolate(item["image"][None], (16, 16), mode="area")
            expected = F.interpolate(low, (32, 32), mode="bicubic").clamp(-1, 1)
            condition, target = prepare({key: value[None] for key, value in item.items()}, "cpu")
            torch.testing.assert_close(condition, expected)
            torch.testing.assert_close(target, item["image"][None])
            self.assertGreater((condition - target).abs().max().item(), 0.05)

    @parameterized.expand([(DENOISING,), (SUPER_RESOLUTION,)])
    def test_a_crop_is_restored_as_in_the_whole_photograph(self, recipe):
        network = parsed("inference", "restore", recipe, **TINY).get_parsed_content("network_def").eval()
        torch.nn.init.normal_(network.head.weight, std=1.0)
        x = torch.rand(1, 3, 64, 64) * 2 - 1
        with torch.no_grad():  # where the border is not seen
            whole, crop = network(x)[..., 24:40, 24:40], network(x[..., 8:56, 8:56])[..., 16:32, 16:32]
        torch.testing.assert_close(whole, crop, rtol=1e-3, atol=1e-4)
        self.assertGreater((whole - x[..., 24:40, 24:40]).abs().max().item(), 1e-3)

    def test_small_adversarial_weight(self):
        parser = parsed("train", DENOISING, adversarial_weight=0.25)
        loss, logits = parser.get_parsed_content("g_loss"), torch.tensor([[0.3], [-1.0]])
        expected = 0.25 * F.binary_cross_entropy_with_logits(logits, torch.ones(2, 1))
        torch.testing.assert_close(loss([[logits]]), expected)

    def test_errors_from_the_command_line(self):
        checkpoint = self.untrained(DENOISING)
        for folder, message in ((self.folder / "nothing", "folder of photographs not found"), (None, "dataset_dir")):
            given = {} if folder is None else {"dataset_dir": str(folder)}
            result = run_bundle(
                BUNDLE, "inference", "restore", DENOISING, cwd=self.folder, checkpoint=checkpoint, **given, **TINY
            )
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(message, result.stderr)


if __name__ == "__main__":
    unittest.main()
