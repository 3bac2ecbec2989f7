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

import unittest

import numpy as np
import torch
from parameterized import parameterized

from monai_retinasynth.data import load_cases
from monai_retinasynth.transforms import (
    ExpandClassProbabilitiesd,
    LoadFundusCased,
    ReduceLabelMapd,
    calibrate_class_weights,
    expand_class_probabilities,
    reduce_label_map,
)
from monai_retinasynth.utils import DataError
from tests.real_data import data_root


def thin_lines(x: int = 200, y: int = 160) -> torch.Tensor:
    """A disc of class 1 with lines of class 2 in it, two pixels wide."""
    gx, gy = torch.meshgrid(torch.arange(x), torch.arange(y), indexing="ij")
    label = ((gx - x / 2) ** 2 + (gy - y / 2) ** 2 < (0.45 * min(x, y)) ** 2).to(torch.uint8)
    line = ((gx + 2 * gy) % 50 < 3) | ((gx - gy) % 60 < 2)
    return (label + (label & line.to(torch.uint8)))[None]


def dice(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


class TestReduce(unittest.TestCase):
    def test_whole_factor_equals_average_pooling(self):
        label = thin_lines(192, 192)
        one_hot = torch.nn.functional.one_hot(label[0].long(), 3).permute(2, 0, 1).float()
        expected = torch.nn.functional.avg_pool2d(one_hot[None], 6)[0]
        torch.testing.assert_close(reduce_label_map(label, 3, (32, 32)), expected)

    @parameterized.expand(
        [((565, 584), (64, 64)), ((200, 160), (48, 48)), ((160, 200), (30, 50)), ((30, 20), (64, 64))]
    )
    def test_mass_is_kept(self, shape, size):
        label = thin_lines(*shape)
        prob = reduce_label_map(label, 3, size)
        self.assertEqual(tuple(prob.shape), (3, *size))
        torch.testing.assert_close(prob.sum(0), torch.ones(size))
        self.assertGreaterEqual(float(prob.min()), 0)
        area = max(shape[0] / size[0], shape[1] / size[1]) ** 2  # fine pixels in a coarse one
        for c in (1, 2):
            self.assertAlmostEqual(float(prob[c].sum()) * area / float((label == c).sum()), 1, places=4)

    def test_padding_is_class_0_and_centred(self):
        prob = reduce_label_map(torch.ones(1, 40, 20, dtype=torch.uint8), 3, (20, 20))
        torch.testing.assert_close(prob[1, :, 5:15], torch.ones(20, 10))
        torch.testing.assert_close(prob[0, :, :5], torch.ones(20, 5))
        torch.testing.assert_close(prob[0, :, 15:], torch.ones(20, 5))

    def test_axes_are_not_swapped(self):
        label = torch.zeros(1, 40, 20, dtype=torch.uint8)
        label[0, 30:, :5] = 2
        prob = reduce_label_map(label, 3, (8, 4))
        self.assertEqual(prob[2].argmax().item() // 4, 6)
        self.assertEqual(float(prob[2, 7, 0]), 1.0)

    def test_wrong_value(self):
        with self.assertRaisesRegex(DataError, "value 3, there are 3 classes"):
            reduce_label_map(torch.full((1, 4, 4), 3), 3, (2, 2))


class TestExpand(unittest.TestCase):
    @parameterized.expand(
        [((565, 584), (256, 256)), ((200, 160), (100, 100)), ((100, 100), (100, 100)), ((50, 70), (128, 128))]
    )
    def test_round_trip(self, shape, size):
        label = thin_lines(*shape)
        weights = calibrate_class_weights([label], size, 3, thin_class=2)
        again = expand_class_probabilities(reduce_label_map(label, 3, size), shape, weights)
        self.assertEqual((again.dtype, tuple(again.shape)), (torch.uint8, (1, *shape)))
        self.assertGreater(dice(again == 2, label == 2), 0.8)
        self.assertGreater(dice(again > 0, label > 0), 0.99)

    def test_same_size_is_the_identity(self):
        label = thin_lines(60, 60)
        torch.testing.assert_close(expand_class_probabilities(reduce_label_map(label, 3, (60, 60)), (60, 60)), label)

    def test_uniform_stays_uniform(self):
        prob = torch.tensor([0.2, 0.5, 0.3])[:, None, None].expand(3, 8, 8)
        self.assertTrue((expand_class_probabilities(prob, (31, 20)) == 1).all())
        self.assertTrue((expand_class_probabilities(prob, (31, 20), [1, 1, 2]) == 2).all())
        with self.assertRaisesRegex(ValueError, "3 classes"):
            expand_class_probabilities(prob, (31, 20), [1, 1])

    def test_calibration_beats_equal_weights(self):
        label = thin_lines(400, 400)
        size = (100, 100)
        weights = calibrate_class_weights([label], size, 3, thin_class=2)
        self.assertEqual(weights[:2], [1.0, 1.0])
        prob = reduce_label_map(label, 3, size)
        with_weights = dice(expand_class_probabilities(prob, (400, 400), weights) == 2, label == 2)
        without = dice(expand_class_probabilities(prob, (400, 400)) == 2, label == 2)
        self.assertGreater(with_weights, without)
        # the search scores exactly what expanding gives
        scores = [
            dice(expand_class_probabilities(prob, (400, 400), [1, 1, w]) == 2, label == 2) for w in (0.8, 1.3, 2.0)
        ]
        best = calibrate_class_weights([label], size, 3, 2, candidates=[0.8, 1.3, 2.0])[2]
        self.assertAlmostEqual(best, (0.8, 1.3, 2.0)[int(np.argmax(scores))], places=5)

    def test_calibration_needs_the_class(self):
        with self.assertRaisesRegex(DataError, "no label map given holds it"):
            calibrate_class_weights([torch.zeros(1, 8, 8, dtype=torch.uint8)], (4, 4), 3, 2)

    def test_dictionary_forms(self):
        label = thin_lines(100, 80)
        reduced = ReduceLabelMapd("label", 3, (50, 50))({"label": label})
        self.assertEqual(tuple(reduced["label"].shape), (3, 50, 50))
        expanded = ExpandClassProbabilitiesd("label", (100, 80), [1, 1, 1.2])(reduced)
        self.assertEqual(tuple(expanded["label"].shape), (1, 100, 80))

    def test_thin_vessels_of_drive_survive(self):
        cases = load_cases(data_root("DRIVE"), "training", num_cases=3)
        maps = [LoadFundusCased(image_dtype="uint8")(case)["label"] for case in cases]
        weights = calibrate_class_weights(maps, (256, 256), 3, 2)
        for label in maps:
            again = expand_class_probabilities(reduce_label_map(label, 3, (256, 256)), label.shape[1:], weights)
            self.assertGreater(dice(again == 2, label == 2), 0.9)
            self.assertAlmostEqual(float((again == 2).sum() / (label == 2).sum()), 1, delta=0.08)


if __name__ == "__main__":
    unittest.main()
