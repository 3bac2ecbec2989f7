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
from monai.data import MetaTensor
from monai.transforms import LoadImaged

from monai_retinasynth.transforms import FundusReader, SquarePhotographd, square_photograph
from monai_retinasynth.utils import DataError, write_rgb
from tests.data.grading_layout import graded_eye
from tests.data.test_cases import FolderTestCase


class TestSquarePhotograph(FolderTestCase):
    def test_border_and_size_do_not_matter(self):
        eye = graded_eye(2, width=120, height=80)
        wide = np.zeros((140, 200, 3), np.uint8)
        wide[30:110, 50:170] = eye
        first, second = (square_photograph(picture, 40) for picture in (eye, wide))
        self.assertEqual(first.shape, (40, 40, 3))
        self.assertLess(np.abs(first.astype(int) - second).mean(), 3)
        self.assertEqual(first[:3].max(), 0)
        again = square_photograph(first, 40)
        self.assertLess(np.abs(first.astype(int) - again).mean(), 10)

    def test_dictionary_form(self):
        path = self.folder / "eye.png"
        eye = graded_eye(1, width=60, height=40)
        write_rgb(path, eye)
        item = LoadImaged("image", reader=FundusReader("RGB"), ensure_channel_first=True)({"image": str(path)})
        image = SquarePhotographd("image", 24)(item)["image"]
        self.assertEqual((image.shape, image.dtype), ((3, 24, 24), torch.float32))
        self.assertNotIsInstance(image, MetaTensor)
        np.testing.assert_array_equal(image.numpy().transpose(2, 1, 0), square_photograph(eye, 24))

    def test_the_file_is_named(self):
        path = self.folder / "black.png"
        write_rgb(path, np.zeros((40, 40, 3), np.uint8))
        item = LoadImaged("image", reader=FundusReader("RGB"), ensure_channel_first=True)({"image": str(path)})
        with self.assertRaisesRegex(DataError, "black.png: no field of view found"):
            SquarePhotographd("image", 24)(item)


if __name__ == "__main__":
    unittest.main()
