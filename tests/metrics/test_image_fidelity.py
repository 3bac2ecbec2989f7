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
"""MSE, SSIM and PSNR agree with scikit-image's, and with the figures known of a real data set."""

from __future__ import annotations

import csv
import io
import json
import math
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from monai.metrics import SSIMMetric
from parameterized import parameterized
from PIL import Image
from rich.console import Console
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from monai_retinasynth.metrics import (
    FIDELITY_FORMS,
    FIDELITY_KEYS,
    ImageFidelityReport,
    image_fidelity,
    mean_photograph,
    print_fidelity_results,
    read_fidelity_results,
    write_fidelity_results,
)
from monai_retinasynth.simulation import FundusPhantom
from monai_retinasynth.utils import DataError, from_picture
from tests.real_data import data_root


def random_pair(channels: int = 3, size: tuple[int, int] = (40, 29), seed: int = 0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    reference = torch.rand(channels, *size, generator=generator) * 2 - 1
    return (reference + 0.2 * torch.randn(reference.shape, generator=generator)).clamp(-1, 1), reference


def phantom_pair() -> tuple[torch.Tensor, ...]:
    phantoms = FundusPhantom(size=(64, 80))
    return tuple(from_picture(phantoms.pair(index)[0]).float() / 127.5 - 1 for index in (0, 1))


def with_scikit_image(image: torch.Tensor, reference: torch.Tensor) -> dict[str, float]:
    """The same figures by another library, from ordinary (H, W, C) arrays."""
    made, true = (item.permute(2, 1, 0).numpy().astype(np.float64) for item in (image, reference))
    made_01, true_01 = (made + 1) / 2, (true + 1) / 2
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return {
        "mse_pm1": mean_squared_error(true, made),
        "mse_01": mean_squared_error(true_01, made_01),
        "ssim": structural_similarity(true, made, channel_axis=2, data_range=2.0),
        "ssim_gaussian": structural_similarity(true_01, made_01, channel_axis=2, data_range=1.0, **gaussian),
        "psnr": peak_signal_noise_ratio(true_01, made_01, data_range=1.0),
    }


PAIRS = [
    ("random", random_pair()),
    ("one_channel", random_pair(channels=1)),
    ("phantoms", phantom_pair()),
]


class TestImageFidelity(unittest.TestCase):
    @parameterized.expand(PAIRS)
    def test_as_scikit_image(self, _, pair):
        scores = image_fidelity(*pair)
        expected = with_scikit_image(*pair)
        self.assertEqual(set(scores), set(expected))
        for key, value in expected.items():
            self.assertAlmostEqual(scores[key], value, delta=2e-4 * max(1.0, abs(value)), msg=key)

    @parameterized.expand(PAIRS)
    def test_uniform_window_of_monai_is_that_of_scikit_image(self, _, pair):
        made, true = pair
        monai = float(SSIMMetric(2, data_range=2.0, kernel_type="uniform", win_size=7)(made[None], true[None]))
        theirs = structural_similarity(
            made.numpy(), true.numpy(), channel_axis=0, data_range=2.0, use_sample_covariance=False
        )
        self.assertAlmostEqual(monai, float(theirs), delta=2e-4)
        # sample covariances, which `ssim` has and MONAI has not, change little
        self.assertAlmostEqual(monai, image_fidelity(made, true)["ssim"], delta=5e-3)

    def test_known_error(self):
        true = torch.zeros(3, 16, 16)
        made = true + 0.2
        scores = image_fidelity(made, true)
        self.assertAlmostEqual(scores["mse_pm1"], 0.04, places=6)
        self.assertAlmostEqual(scores["mse_01"], 0.01, places=6)
        self.assertAlmostEqual(scores["psnr"], 20.0, places=4)

    def test_inside_the_field_of_view(self):
        true = torch.full((3, 16, 16), -1.0)
        true[:, 4:12] = 0.0
        made = true.clone()
        made[:, 4:12] += 0.5
        inside = true[0] > -1
        for fov in (inside, inside[None]):
            scores = image_fidelity(made, true, fov)
            self.assertAlmostEqual(scores["mse_pm1_fov"], 0.25, places=6)
            self.assertAlmostEqual(scores["mse_pm1"], 0.125, places=6)
            self.assertAlmostEqual(scores["psnr_fov"], 10 * math.log10(1 / 0.0625), places=4)

    def test_equal_pictures(self):
        _, true = random_pair()
        scores = image_fidelity(true, true)
        self.assertEqual(scores["mse_pm1"], 0.0)
        self.assertAlmostEqual(scores["ssim"], 1.0, places=6)
        self.assertEqual(scores["psnr"], math.inf)

    def test_beyond_the_range_is_clipped_as_on_disk(self):
        true = torch.ones(3, 16, 16)
        self.assertEqual(image_fidelity(true * 1.5, true)["mse_pm1"], 0.0)

    @parameterized.expand(
        [
            ("sizes", torch.zeros(3, 16, 16), torch.zeros(3, 16, 18), None, "shape .*16, 18.*equal"),
            ("channels", torch.zeros(2, 16, 16), torch.zeros(2, 16, 16), None, "1 or 3"),
            ("small", torch.zeros(3, 16, 8), torch.zeros(3, 16, 8), None, "SSIM needs 11"),
            ("nan", torch.full((3, 16, 16), math.nan), torch.zeros(3, 16, 16), None, "not finite"),
            ("blind", torch.zeros(3, 16, 16), torch.zeros(3, 16, 16), torch.zeros(16, 16), "field of view is empty"),
        ]
    )
    def test_bad_input(self, _, image, reference, fov, pattern):
        with self.assertRaisesRegex(DataError, f"eye 7.*{pattern}"):
            image_fidelity(image, reference, fov, name="eye 7")


class TestImageFidelityReport(unittest.TestCase):
    def report(self) -> ImageFidelityReport:
        report = ImageFidelityReport()
        for number in range(3):
            made, true = random_pair(seed=number)
            fov = torch.ones(true.shape[1:], dtype=torch.bool)
            report.update("generated", made * 0.5, true, f"eye{number}", fov)
            report.update("perfect", true, true, f"eye{number}", fov)
        return report

    def test_each_picture_then_the_mean(self):
        results = self.report().results()
        row = results["generated"]
        self.assertEqual(row["num_images"], 3)
        for key in FIDELITY_KEYS:
            values = [case[key] for case in row["per_case"]]
            self.assertAlmostEqual(row[key], np.mean(values))
            self.assertAlmostEqual(row[f"{key}_sd"], np.std(values, ddof=1))
        # the mean of decibels is not the decibels of the mean
        self.assertNotAlmostEqual(row["psnr"], -10 * math.log10(row["mse_01"]), places=6)
        self.assertEqual(results["perfect"]["mse_pm1"], 0.0)
        self.assertIsNone(results["perfect"]["psnr"])

    def test_written_read_and_printed(self):
        results = self.report().results()
        with tempfile.TemporaryDirectory() as folder:
            path = write_fidelity_results(results, folder, {"section": "test"})
            self.assertEqual(read_fidelity_results(path), results)
            document = json.loads(path.read_text())
            self.assertEqual([p.name for p in Path(folder).iterdir()], ["fidelity.json"])
            Path(folder, "other.json").write_text("[]")
            with self.assertRaisesRegex(DataError, "other.json cannot be read"):
                read_fidelity_results(Path(folder, "other.json"))
        self.assertEqual(document["context"], {"section": "test"})
        self.assertEqual(document["forms"], FIDELITY_FORMS)
        text = io.StringIO()
        print_fidelity_results(results, console=Console(file=text, width=40))
        self.assertIn(f"{results['generated']['ssim']:.4f} ± {results['generated']['ssim_sd']:.4f}", text.getvalue())
        self.assertIn("inf", text.getvalue())

    def test_a_case_twice(self):
        report = self.report()
        with self.assertRaisesRegex(DataError, "eye1 was added twice to generated"):
            report.update("generated", *random_pair(), case_id="eye1")
        report.reset()
        self.assertEqual(report.results(), {})


class TestKnownBaseline(unittest.TestCase):
    def test_mean_photograph_of_retina_blood_vessel_segmentation(self):
        """The form of SSIM is the one in which the mean of the 20 unaltered photographs scores 0.767."""
        root = data_root("KAGGLE_RETINA_BLOOD_VESSEL")
        rows = list(csv.DictReader((root / "DRIVE_origin.csv").open()))

        def read(split: str, transform: str | None) -> list[torch.Tensor]:
            names = [r["file"] for r in rows if r["split"] == split and transform in (None, r["transform"])]
            return [reduced(root / "Data" / split / "image" / name) for name in names]

        def reduced(path: Path) -> torch.Tensor:
            picture = Image.open(path).convert("RGB").resize((256, 256), Image.Resampling.BILINEAR)
            return from_picture(np.asarray(picture)).float() / 127.5 - 1

        training, test = read("train", "original"), read("test", None)
        self.assertEqual((len(training), len(test)), (20, 20))
        mean = mean_photograph(training)
        report = ImageFidelityReport()
        for number, photograph in enumerate(test):
            report.update("mean_photograph", mean, photograph, str(number))
        row = report.results()["mean_photograph"]
        self.assertAlmostEqual(row["mse_pm1"], 0.0275, delta=1e-4)
        self.assertAlmostEqual(row["ssim"], 0.767, delta=5e-4)
        self.assertAlmostEqual(row["psnr"], 22.2, delta=0.05)
        self.assertAlmostEqual(row["ssim_gaussian"], 0.850, delta=5e-4)


if __name__ == "__main__":
    unittest.main()
