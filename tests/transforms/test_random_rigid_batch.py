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

import math
import unittest
from unittest import mock

import torch
from scipy import ndimage

from monai_retinasynth.transforms import RandomFlipRotateBatch


def one_hot(batch: int = 4, x: int = 40, y: int = 60) -> torch.Tensor:
    index = torch.zeros(batch, x, y, dtype=torch.long)
    index[:, 8:32, 10:50] = 1
    index[:, 10:14, 12:40] = 2
    return torch.nn.functional.one_hot(index, 3).permute(0, 3, 1, 2).float()


class TestRandomFlipRotateBatch(unittest.TestCase):
    def test_stays_a_distribution(self):
        batch = one_hot()
        turned = RandomFlipRotateBatch(max_angle_deg=25)(batch)
        self.assertEqual(turned.shape, batch.shape)
        torch.testing.assert_close(turned.sum(1), torch.ones(4, 40, 60))
        self.assertGreaterEqual(float(turned.min()), 0)
        # areas are kept: a rotation by the true angle, not sheared by the aspect ratio
        torch.testing.assert_close(turned[:, 1:].sum((2, 3)), batch[:, 1:].sum((2, 3)), rtol=0.03, atol=0)
        self.assertGreater(float((turned[0] - turned[1]).abs().max()), 0.1)

    def test_flips_only_are_exact(self):
        batch = one_hot()
        both = RandomFlipRotateBatch(flip_prob=1, max_angle_deg=0)(batch)
        torch.testing.assert_close(both, batch.flip(2, 3), rtol=0, atol=0)
        x_only = RandomFlipRotateBatch(flip_prob=1, max_angle_deg=0, flip_axes=(0,))(batch)
        torch.testing.assert_close(x_only, batch.flip(2), rtol=0, atol=0)
        torch.testing.assert_close(RandomFlipRotateBatch(0, 0)(batch), batch, rtol=0, atol=0)

    def test_flips_are_drawn_for_each_sample(self):
        torch.manual_seed(0)
        batch = one_hot(64)
        turned = RandomFlipRotateBatch(flip_prob=0.5, max_angle_deg=0, flip_axes=(0,))(batch)
        flipped = int((turned == batch.flip(2)).flatten(1).all(1).sum())
        self.assertTrue(20 < flipped < 44, flipped)

    def test_angle_is_in_degrees_of_square_pixels(self):
        batch = one_hot(1)
        with mock.patch("torch.rand", side_effect=[torch.ones(1, 2), torch.ones(1)]):  # largest angle, no flip
            turned = RandomFlipRotateBatch(max_angle_deg=30)(batch)
        results = [ndimage.rotate(batch[0, 1].numpy(), sign * 30, reshape=False, order=1) for sign in (1, -1)]
        errors = [float(abs(turned[0, 1].numpy() - result).mean()) for result in results]
        self.assertLess(min(errors), 0.005)
        self.assertGreater(max(errors), 0.05)

    def test_corner_becomes_class_0(self):
        full = torch.zeros(1, 3, 32, 32)
        full[:, 1] = 1
        with mock.patch("torch.rand", side_effect=[torch.ones(1, 2), torch.ones(1)]):
            turned = RandomFlipRotateBatch(max_angle_deg=math.degrees(math.pi / 4))(full)
        self.assertEqual(turned[0, :, 0, 0].tolist(), [1, 0, 0])
        self.assertEqual(turned[0, :, 16, 16].tolist(), [0, 1, 0])

    def test_photographs_repeat_the_border(self):
        image = torch.full((2, 3, 20, 20), -0.5)
        turned = RandomFlipRotateBatch(max_angle_deg=40, fill_channel=None)(image)
        torch.testing.assert_close(turned, image)

    def test_types_and_errors(self):
        self.assertEqual(RandomFlipRotateBatch()(one_hot().bfloat16()).dtype, torch.bfloat16)
        with self.assertRaises(ValueError):
            RandomFlipRotateBatch(flip_axes=(2,))
        with self.assertRaises(ValueError):
            RandomFlipRotateBatch()(torch.zeros(3, 4, 4))

    def test_an_image_turns_with_its_label_map(self):
        labels = one_hot()
        # the mask of class 1 as an image of -1 and 1
        joint = torch.cat([labels, labels[:, 1:2] * 2 - 1], dim=1)
        turned = RandomFlipRotateBatch(max_angle_deg=20, num_classes=3)(joint)
        torch.testing.assert_close(turned[:, :3].sum(1), torch.ones(4, 40, 60))
        inner = (slice(None), slice(None), slice(12, 28), slice(20, 40))  # nothing is turned in from beyond the border
        torch.testing.assert_close(turned[:, 3:][inner], turned[:, 1:2][inner] * 2 - 1, rtol=0, atol=1e-5)
        bright = torch.cat([labels, torch.ones(4, 1, 40, 60)], dim=1)
        turned = RandomFlipRotateBatch(max_angle_deg=40, num_classes=3)(bright)
        torch.testing.assert_close(turned[:, 3], torch.ones(4, 40, 60))  # the border is repeated, not black


if __name__ == "__main__":
    unittest.main()
