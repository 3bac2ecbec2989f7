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
"""Baselines that need no network."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from monai_retinasynth.data import load_cases, write_datalist
from monai_retinasynth.metrics import TrivialBaselines, mean_colour_photograph, mean_photograph
from monai_retinasynth.transforms import FieldOfViewColour, LoadFundusCased
from monai_retinasynth.utils import ConfigError, DataError, write_label_map, write_rgb


def write_eyes(folder: Path, greys: list[int], sizes: list[tuple[int, int]] | None = None) -> None:
    """Training eyes of one grey level each (a little brighter to the right), black outside; one test eye."""
    sections: dict[str, list[dict]] = {"training": [], "test": []}
    for number, (grey, (height, width)) in enumerate(zip(greys, sizes or [(16, 12)] * len(greys))):
        label = np.ones((height, width), np.uint8)
        label[:2] = 0
        image = np.where(label[..., None] > 0, grey + np.arange(width)[None, :, None] // 6, 0).repeat(3, 2)
        write_label_map(folder / "labels" / f"eye{number}.png", label, "fundus_vessel")
        write_rgb(folder / "images" / f"eye{number}.png", image.astype(np.uint8))
        case = {"image": f"images/eye{number}.png", "label": f"labels/eye{number}.png", "case_id": f"eye{number}"}
        sections["test" if number == len(greys) - 1 else "training"].append({**case, "source": "real"})
    write_datalist(folder, sections, "fundus_vessel", "eyes")


class TestFunctions(unittest.TestCase):
    def test_mean_photograph(self):
        images = [torch.full((3, 4, 5), value, dtype=torch.uint8) for value in (200, 250, 255)]
        mean = mean_photograph(iter(images))
        self.assertEqual(mean.dtype, torch.float32)
        torch.testing.assert_close(mean, torch.full((3, 4, 5), 235.0))
        with self.assertRaisesRegex(DataError, r"\(3, 4, 5\) and \(3, 5, 4\).*image_size"):
            mean_photograph([images[0], torch.zeros(3, 5, 4)])
        with self.assertRaisesRegex(DataError, "no photograph"):
            mean_photograph([])

    def test_mean_colour_photograph(self):
        outside = torch.tensor([[True, False], [False, False]])
        picture = mean_colour_photograph([0.5, 0.0, -0.5, 9.0, 9.0, 9.0], outside)
        self.assertEqual(picture[:, 0, 0].tolist(), [-1.0, -1.0, -1.0])
        self.assertEqual(picture[:, 1, 0].tolist(), [0.5, 0.0, -0.5])


class TestTrivialBaselines(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def sample(self, **arguments) -> dict:
        loaded = LoadFundusCased(**arguments)(load_cases(str(self.folder), "test")[0])
        return {**loaded, "colour": FieldOfViewColour()(loaded["image"], loaded["label"])}

    def baselines(self, **arguments) -> TrivialBaselines:
        return TrivialBaselines(str(self.folder), val_count=0, **arguments)

    def test_rows(self):
        write_eyes(self.folder, [60, 100, 120])
        baselines, sample = self.baselines(), self.sample()
        rows = {name: row(sample) for name, row in baselines.callables().items()}
        inside = sample["label"][0] != 0
        column = (80 + torch.arange(12) // 6) / 127.5 - 1  # grey of the mean eye from left to right
        for picture in rows.values():
            self.assertEqual(tuple(picture.shape), (3, 12, 16))
            self.assertTrue((picture[:, ~inside] == -1).all())
        torch.testing.assert_close(rows["mean_photograph"][0, :, 5], column)
        torch.testing.assert_close(rows["mean_colour"][1][inside], torch.full((12 * 14,), 80.5 / 127.5 - 1))
        # eyes of one pattern: in its own colour the mean photograph is the test photograph
        own = rows["mean_photograph_own_colour"]
        torch.testing.assert_close(own, sample["image"] / 127.5 - 1, atol=1e-4, rtol=0)

    def test_chosen_cases_leave_the_training_colour_alone(self):
        write_eyes(self.folder, [60, 100, 120])
        baselines, sample = self.baselines(baseline_cases=["eye0"]), self.sample()
        self.assertAlmostEqual(float(baselines.mean_photograph(sample)[0, 0, 5]), 60 / 127.5 - 1, places=5)
        self.assertAlmostEqual(float(baselines.mean_colour(sample)[0, 0, 5]), 60.5 / 127.5 - 1, places=5)
        self.assertAlmostEqual(float(baselines.training_colour()[0]), 80.5 / 127.5 - 1, places=5)

    def test_only_what_is_needed_is_read(self):
        write_eyes(self.folder, [60, 100, 120])
        (self.folder / "images" / "eye1.png").write_bytes(b"no picture")
        baselines, sample = self.baselines(baseline_cases=["eye0"]), self.sample()
        self.assertIsNotNone(baselines.mean_photograph(sample))
        with self.assertRaisesRegex(DataError, "eye1.png"):
            baselines.training_colour()

    def test_sizes_that_differ(self):
        write_eyes(self.folder, [60, 100, 120], [(16, 12), (14, 12), (16, 12)])
        sample = self.sample()
        self.assertIsNone(self.baselines().mean_photograph(sample))
        self.assertIsNone(self.baselines().mean_photograph_own_colour(sample))
        self.assertIsNotNone(self.baselines().mean_colour(sample))
        # the mean of eyes of one size, but not of that of the case
        self.assertIsNone(self.baselines(baseline_cases=["eye1"]).mean_photograph(sample))
        resized = self.baselines(spatial_size=[8, 8]).mean_photograph(self.sample(spatial_size=[8, 8]))
        self.assertEqual(tuple(resized.shape), (3, 8, 8))

    def test_bad_input(self):
        write_eyes(self.folder, [60, 100, 120])
        for chosen, said in ((["eye7"], "eye7"), ([], "no case")):
            with self.assertRaisesRegex(ConfigError, f"baseline_cases names {said}.*has eye0, eye1"):
                self.baselines(baseline_cases=chosen).training_colour()
        with self.assertRaisesRegex(DataError, "data set folder not found"):
            TrivialBaselines(str(self.folder / "none")).training_colour()


if __name__ == "__main__":
    unittest.main()
