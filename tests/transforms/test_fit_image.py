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

import torch
from parameterized import parameterized

from monai_retinasynth.transforms import ExpandImaged, ReduceImaged, expand_image, reduce_image, reduce_label_map


class TestFitImage(unittest.TestCase):
    @parameterized.expand([((60, 60), (20, 20)), ((60, 40), (16, 16)), ((37, 90), (32, 32))])
    def test_aligned_with_the_label_map(self, size, small):
        label = torch.randint(0, 2, (1, *size), generator=torch.Generator().manual_seed(0))
        coverage = reduce_label_map(label, 2, small)
        torch.testing.assert_close(reduce_image(label.float(), small)[0], coverage[1], rtol=0, atol=1e-5)

    def test_mean_of_what_is_covered(self):
        image = torch.arange(16.0).view(1, 4, 4)
        expected = torch.tensor([[[2.5, 4.5], [10.5, 12.5]]])
        torch.testing.assert_close(reduce_image(image, (2, 2)), expected)

    def test_border_beside_a_narrow_image(self):
        reduced = reduce_image(torch.full((1, 8, 4), 3.0), (4, 4), border=-1.0)
        # 4 of 8 rows are there: the middle two of four
        torch.testing.assert_close(reduced[0, 0], torch.tensor([-1.0, 3.0, 3.0, -1.0]))

    @parameterized.expand([((60, 60),), ((50, 60),), ((33, 20),)])
    def test_smooth_image_comes_back(self, size):
        x, y = torch.linspace(-1, 1, size[0])[:, None], torch.linspace(-1, 1, size[1])[None]
        image = torch.stack([x + 0 * y, 0.5 * y + 0 * x])
        back = expand_image(reduce_image(image, (32, 32)), size)
        self.assertEqual(back.shape, image.shape)
        inner = (slice(None), slice(4, -4), slice(4, -4))
        torch.testing.assert_close(back[inner], image[inner], rtol=0, atol=0.02)

    def test_never_leaves_the_range(self):
        step = torch.cat([torch.full((1, 8, 8), -1.0), torch.full((1, 8, 8), 1.0)], dim=1)
        large = expand_image(step, (64, 32))
        self.assertEqual((float(large.min()), float(large.max())), (-1.0, 1.0))

    def test_dictionary_forms(self):
        case = {"image": torch.rand(3, 20, 30), "case_id": "a"}
        reduced = ReduceImaged("image", (8, 8))(case)
        torch.testing.assert_close(reduced["image"], reduce_image(case["image"], (8, 8)))
        torch.testing.assert_close(
            ExpandImaged("image", (20, 30))(reduced)["image"], expand_image(reduced["image"], (20, 30))
        )
        self.assertEqual(ReduceImaged("other", (8, 8), allow_missing_keys=True)(case), case)

    def test_shapes(self):
        for function in (reduce_image, expand_image):
            with self.assertRaisesRegex(ValueError, "shape"):
                function(torch.zeros(4, 4), (2, 2))


if __name__ == "__main__":
    unittest.main()
