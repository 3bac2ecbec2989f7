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
"""The translation bundle's evaluate.json, after a training of two iterations on phantoms."""

from __future__ import annotations

import json
import shutil
import tempfile
import unittest
from contextlib import contextmanager
from pathlib import Path

from monai_retinasynth.data import load_cases
from monai_retinasynth.metrics import FIDELITY_KEYS
from monai_retinasynth.utils import CheckpointError, ConfigError, read_label_map, read_rgb
from tests.bundles.bundle_tester import phantom_dataset, run_bundle, run_bundle_in_process

BUNDLE = "label_to_image_translation"
TINY = {
    "device": "cpu",
    "channels": 4,
    "max_channels": 8,
    "num_downs": 5,
    "image_size": [64, 64],
    "crop_size": [64, 64],
    "d_channels": 4,
    "d_max_channels": 8,
    "d_num_layers": 2,
    "epoch_length": 2,
    "max_epochs": 1,
    "picture_interval": 100,
}
NOISE = {
    "_target_": "RandGaussianNoised",
    "keys": "degraded",
    "prob": 1.0,
    "std": 0.1,
}


class TestTranslationEvaluation(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.dataset = phantom_dataset(cls.folder / "data", size=80)

    def train(self, name: str, **overrides) -> dict:
        """Settings with which a network was trained."""
        settings = {"dataset_dir": self.dataset, "output_dir": str(self.folder / name), **TINY, **overrides}
        run_bundle_in_process(BUNDLE, "train", "recipes/pix2pix", **settings)
        return settings

    def evaluate(self, settings: dict, **overrides) -> dict:
        settings = {**settings, **overrides}
        run_bundle_in_process(BUNDLE, "train", "evaluate", "recipes/pix2pix", **settings)
        return json.loads(Path(settings["output_dir"], "fidelity.json").read_text())

    @contextmanager
    def refused(self, kind: type[Exception], pattern: str):
        """MONAI wraps what happens inside a bundle; what matters is its cause."""
        with self.assertRaises(RuntimeError) as caught:
            yield
        cause = caught.exception
        while cause is not None and not isinstance(cause, kind):
            cause = cause.__cause__
        self.assertRegex(str(cause), pattern)

    def test_vessel_masks(self):
        settings = self.train("masks")
        report = self.evaluate(settings, save_sets=True, num_pictures=1)
        rows = report["rows"]
        self.assertEqual(set(rows), {"generated", "mean_photograph", "mean_photograph_own_colour", "mean_colour"})
        for row in rows.values():
            self.assertEqual(row["num_images"], 2)
            self.assertLessEqual(set(FIDELITY_KEYS), set(row))
        # two iterations teach nothing; the mean of phantoms is a fair guess
        self.assertLess(rows["mean_photograph"]["mse_pm1"], rows["generated"]["mse_pm1"])
        self.assertLess(rows["mean_photograph_own_colour"]["mse_pm1"], rows["mean_colour"]["mse_pm1"])
        self.assertEqual(report["context"]["section"], "test")
        out = Path(settings["output_dir"])
        picture = read_rgb(out / "fidelity.png")
        self.assertEqual(picture.shape[:2], (20 + 64 + 2 * 4, 3 * 64 + 4 * 4))  # source | generated | expected
        real = load_cases(self.dataset, "test")
        for name, row in rows.items():
            made = load_cases(str(out / "sets" / name), "test")
            self.assertEqual(len(made), len(real))
            self.assertEqual(read_rgb(made[0]["image"]).shape, (64, 64, 3))
            self.assertEqual(read_label_map(made[0]["label"], "fundus_vessel").shape, (64, 64))
            self.assertEqual(len(row["per_case"]), 2)
        again = self.evaluate(settings)
        self.assertEqual(again["rows"], rows)

    def test_baselines_of_chosen_cases(self):
        settings = self.train("chosen")
        name = load_cases(self.dataset, "training")[0]["case_id"]
        one = self.evaluate(settings, baseline_cases=[name])["rows"]["mean_photograph"]
        all_of_them = self.evaluate(settings)["rows"]["mean_photograph"]
        self.assertGreater(one["mse_pm1"], all_of_them["mse_pm1"])
        with self.refused(ConfigError, "no_such_eye.*phantom_00000"):
            self.evaluate(settings, baseline_cases=["no_such_eye"])

    def test_normalised_colour_with_coordinates_at_the_size_of_the_files(self):
        settings = self.train("colour", normalise_colour=True, use_coordinates=True, mask_class=None, image_size=None)
        rows = self.evaluate(settings, test_section="validation")["rows"]
        # 80 pixels are no multiple of 32: padded and cropped back
        self.assertEqual(rows["generated"]["num_images"], 2)
        self.assertNotEqual(rows["generated"]["mse_pm1"], rows["generated_own_colour"]["mse_pm1"])

    def test_restoration_is_degraded_alike_in_every_run(self):
        settings = self.train("restoration", degradation=NOISE, mask_class=None)
        baselines = {"blurred": "$lambda sample: @blur(sample['degraded'])"}
        blur = {"_target_": "GaussianSmooth", "sigma": 1.0}
        first, second = (self.evaluate(settings, baselines=baselines, blur=blur)["rows"] for _ in range(2))
        self.assertEqual(first, second)
        # the noise's variance, less what is clipped, and the transform draws the noise's strength
        self.assertGreater(first["degraded_input"]["mse_pm1"], 1e-3)
        self.assertLess(first["degraded_input"]["mse_pm1"], 0.011)
        self.assertNotEqual(first["blurred"]["mse_pm1"], first["degraded_input"]["mse_pm1"])
        other = self.evaluate({**settings, "seed": 1}, baselines=baselines, blur=blur)["rows"]
        self.assertNotEqual(first["degraded_input"]["mse_pm1"], other["degraded_input"]["mse_pm1"])

    def test_from_the_command_line_without_a_checkpoint(self):
        result = run_bundle(
            BUNDLE, "train", "evaluate", "recipes/pix2pix", cwd=self.folder, dataset_dir=self.dataset,
            output_dir="none", **TINY,
        )  # fmt: skip
        self.assertNotEqual(result.returncode, 0)
        self.assertRegex(result.stderr, "no checkpoint at none/models/model.pt|checkpoint not found")

    def test_checkpoint_of_another_network(self):
        settings = self.train("other")
        with self.refused(CheckpointError, "holds another network"):
            self.evaluate(settings, channels=8)


if __name__ == "__main__":
    unittest.main()
