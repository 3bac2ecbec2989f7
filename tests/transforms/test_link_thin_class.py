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
from scipy import ndimage

from monai_retinasynth.data import load_cases
from monai_retinasynth.transforms import (
    LoadFundusCased,
    calibrate_class_weights,
    expand_class_probabilities,
    link_thin_class,
    reduce_label_map,
)
from tests.real_data import data_root


class TestLinkThinClass(unittest.TestCase):
    def setUp(self):
        self.label = np.ones((40, 60), np.uint8)
        self.label[:3] = 0
        self.probability = np.zeros((40, 60))
        self.probability[19:22, 5:55] = 0.3  # one weak branch, three pixels wide
        self.label[20, 10:15] = self.label[20, 40:45] = 2
        self.probability[30:32, 5:55] = 0.3  # another that nothing strong hangs on
        self.probability[1, 10:20] = 0.3  # and one outside

    def test_joined_by_a_line(self):
        linked = link_thin_class(self.label, self.probability, 2)
        vessel = linked == 2
        self.assertEqual(ndimage.label(vessel, np.ones((3, 3)))[1], 1)
        self.assertTrue(vessel[20, 10:45].all())
        self.assertLess(vessel.sum(), 60)  # the centre line, not the region
        self.assertFalse(vessel[25:].any())
        self.assertTrue((linked[:3] == 0).all())
        self.assertEqual((self.label == 2).sum(), 10)  # the input is left alone

    def test_level_and_absent_class(self):
        np.testing.assert_array_equal(link_thin_class(self.label, self.probability, 2, level=0.4), self.label)
        none = np.where(self.label == 2, 1, self.label)
        np.testing.assert_array_equal(link_thin_class(none, self.probability, 2), none)
        with self.assertRaises(ValueError):
            link_thin_class(self.label, self.probability[1:], 2)

    def test_drive_keeps_its_connections(self):
        cases = load_cases(data_root("DRIVE"), "training", num_cases=2)
        maps = [LoadFundusCased(image_dtype="uint8")(case)["label"] for case in cases]
        weights = calibrate_class_weights(maps, (256, 256), 3, 2)
        for label in maps:
            prob = reduce_label_map(label, 3, (256, 256))
            results = []
            for thin_class in (None, 2):
                vessel = expand_class_probabilities(prob, label.shape[1:], weights, thin_class)[0].numpy() == 2
                true = label[0].numpy() == 2
                dice = 2 * (vessel & true).sum() / (vessel.sum() + true.sum())
                results.append((dice, ndimage.label(vessel, np.ones((3, 3)))[1]))
            self.assertGreater(results[1][0], results[0][0])
            self.assertGreater(results[0][1], 100)
            self.assertLess(results[1][1], 15)


if __name__ == "__main__":
    unittest.main()
