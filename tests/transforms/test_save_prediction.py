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
"""Predictions on disk: upright, in class indices, with or without a fixed threshold."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from monai_retinasynth.transforms.save_prediction import SavePredictiond
from monai_retinasynth.utils.image_io import read_label_map


def probabilities() -> torch.Tensor:
    """(3, 5, 4): X 5, Y 4; one vessel pixel at x 3, y 1 with probability 0.6, one at x 1, y 2 with 0.4."""
    prediction = torch.zeros(3, 5, 4)
    prediction[1] = 1.0
    prediction[:, 3, 1] = torch.tensor([0.1, 0.3, 0.6])
    prediction[:, 1, 2] = torch.tensor([0.05, 0.55, 0.4])
    prediction[:, 0, 0] = torch.tensor([0.9, 0.1, 0.0])
    return prediction


class TestSavePrediction(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "out"

    def save(self, **kwargs) -> np.ndarray:
        data = {"pred": probabilities(), "case_id": "eye"}
        result = SavePredictiond(keys="pred", output_dir=self.folder, **kwargs)(data)
        self.assertTrue(torch.equal(result["pred"], probabilities()))
        return read_label_map(self.folder / "eye.png", "fundus_vessel")

    def test_most_probable_class(self):
        label = self.save()
        expected = np.ones((4, 5), np.uint8)
        expected[1, 3] = 2
        expected[0, 0] = 0
        np.testing.assert_array_equal(label, expected)
        with Image.open(self.folder / "eye.png") as image:
            self.assertEqual(image.mode, "P")
        self.assertEqual([p.name for p in self.folder.iterdir()], ["eye.png"])

    def test_threshold_and_probability(self):
        label = self.save(probability_class="vessel", threshold=0.35)
        self.assertEqual((label == 2).sum(), 2)
        self.assertEqual(label[2, 1], 2)
        self.assertEqual(label[0, 0], 0)
        with Image.open(self.folder / "eye_vessel.png") as image:
            grey = np.asarray(image.convert("L"))
        self.assertEqual(grey[1, 3], round(0.6 * 255))
        self.assertEqual(grey[2, 1], round(0.4 * 255))
        # a threshold above the winner's probability takes the vessel away
        self.assertEqual((self.save(probability_class="vessel", threshold=0.7) == 2).sum(), 0)

    def test_threshold_needs_a_class(self):
        with self.assertRaisesRegex(ValueError, "probability_class"):
            SavePredictiond(keys="pred", output_dir=self.folder, threshold=0.5)


if __name__ == "__main__":
    unittest.main()
