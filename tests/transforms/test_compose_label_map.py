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

from monai_retinasynth.transforms import ComposeFundusLabelMapd, compose_fundus_label_map
from monai_retinasynth.utils import DataError


class TestComposeFundusLabelMap(unittest.TestCase):
    def test_vessel_outside_the_field_of_view_is_outside(self):
        vessel = np.array([[1, 1, 0, 0]])
        fov = np.array([[1, 0, 1, 0]])
        label = compose_fundus_label_map(vessel, fov)
        self.assertEqual(label.dtype, np.uint8)
        np.testing.assert_array_equal(label, [[2, 0, 1, 0]])

    def test_sizes_differ(self):
        with self.assertRaisesRegex(DataError, "differ in size"):
            compose_fundus_label_map(np.zeros((2, 3)), np.zeros((3, 2)))

    def test_dictionary_form(self):
        data = {"label": torch.tensor([[[255.0, 0.0]]]), "fov": torch.tensor([[[1, 1]]])}
        result = ComposeFundusLabelMapd()(data)
        self.assertEqual(result["label"].tolist(), [[[2, 1]]])
        self.assertEqual(result["label"].dtype, torch.uint8)
        self.assertEqual(ComposeFundusLabelMapd("other", allow_missing_keys=True)(data).keys(), data.keys())


if __name__ == "__main__":
    unittest.main()
