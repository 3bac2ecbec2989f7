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

import torch

from monai_retinasynth.transforms import apply_colour, colour_matrices

NEUTRAL = {"brightness": 0.0, "contrast": 1.0, "luma_flip": 0.0, "hue": 0.0, "saturation": 1.0}


def recoloured(rgb: list[float], **changes: float) -> torch.Tensor:
    numbers = {name: torch.tensor([value], dtype=torch.float64) for name, value in {**NEUTRAL, **changes}.items()}
    picture = torch.tensor(rgb, dtype=torch.float64).view(1, 3, 1, 1)
    return apply_colour(picture, colour_matrices(**numbers)).flatten()


class TestColourMatrix(unittest.TestCase):
    def assert_colour(self, found: torch.Tensor, expected: list[float]) -> None:
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))

    def test_each_change(self):
        rgb = [0.9, 0.1, -0.4]
        self.assert_colour(recoloured(rgb), rgb)
        self.assert_colour(recoloured(rgb, brightness=0.25), [1.15, 0.35, -0.15])
        self.assert_colour(recoloured(rgb, contrast=2.0), [1.8, 0.2, -0.8])
        self.assert_colour(recoloured(rgb, luma_flip=1.0), [0.5, -0.3, -0.8])  # the mean of 0.2 becomes -0.2
        self.assert_colour(recoloured(rgb, hue=2 * math.pi / 3), [-0.4, 0.9, 0.1])
        self.assert_colour(recoloured(rgb, saturation=0.0), [0.2, 0.2, 0.2])
        self.assert_colour(recoloured(rgb, saturation=2.0), [1.6, 0.0, -1.0])

    def test_brightness_comes_before_contrast(self):
        self.assert_colour(recoloured([0.0, 0.1, 0.2], brightness=0.1, contrast=2.0), [0.2, 0.4, 0.6])

    def test_several_photographs_of_a_sample_change_alike(self):
        hue = torch.tensor([0.5, 2.0])
        one, zero = torch.ones(2), torch.zeros(2)
        matrices = colour_matrices(zero, one, zero, hue, one)
        first = torch.rand(2, 3, 4, 5)
        both = apply_colour(torch.cat([first, first.flip(3)], dim=1), matrices)
        torch.testing.assert_close(both[:, :3], both[:, 3:].flip(3))
        torch.testing.assert_close(both[1:, :3], apply_colour(first[1:], matrices[1:]))

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, "3 n"):
            apply_colour(torch.zeros(1, 4, 2, 2), torch.zeros(1, 3, 4))


if __name__ == "__main__":
    unittest.main()
