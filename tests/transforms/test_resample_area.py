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

from monai_retinasynth.transforms import resample_area


def covered(old: int, new: int) -> np.ndarray:
    """(new, old): the share of each new pixel that an old one covers, added up in a thousand steps a pixel."""
    shares = np.zeros((new, old))
    places = (np.arange(1000 * old) + 0.5) / 1000
    np.add.at(shares, (np.floor(places * new / old).astype(int), np.floor(places).astype(int)), 1.0)
    return shares / shares.sum(axis=1, keepdims=True)


class TestResampleArea(unittest.TestCase):
    def test_blocks(self):
        image = torch.arange(2 * 6 * 4, dtype=torch.uint8).reshape(2, 6, 4)
        expected = image.float().reshape(2, 3, 2, 2, 2).mean(dim=(2, 4))
        result = resample_area(image, (3, 2))
        self.assertEqual(result.dtype, torch.float32)
        torch.testing.assert_close(result, expected, rtol=0, atol=0)

    @parameterized.expand([((7, 5), (3, 4)), ((9, 4), (4, 4)), ((13, 11), (5, 2))])
    def test_pixels_on_a_border_count_by_their_shares(self, old, new):
        image = np.random.default_rng(0).random((1, *old))
        expected = covered(old[0], new[0]) @ image[0] @ covered(old[1], new[1]).T
        np.testing.assert_allclose(resample_area(torch.from_numpy(image), new)[0], expected, atol=2e-3)

    def test_a_side_that_grows_is_interpolated(self):
        image = torch.tensor([[[0.0, 8.0], [0.0, 8.0], [4.0, 12.0], [4.0, 12.0]]])
        expected = [[0.0, 2.0, 6.0, 8.0], [4.0, 6.0, 10.0, 12.0]]
        torch.testing.assert_close(resample_area(image, (2, 4))[0], torch.tensor(expected))

    def test_same_size(self):
        image = torch.rand(3, 5, 4)
        torch.testing.assert_close(resample_area(image, (5, 4)), image)


if __name__ == "__main__":
    unittest.main()
