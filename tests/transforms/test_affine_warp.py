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

from monai_retinasynth.transforms import affine_warp


def rotation(degrees: float, batch: int = 1) -> torch.Tensor:
    angle = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    matrix = torch.eye(3, dtype=torch.float64)
    matrix[:2, :2] = torch.stack([torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])])
    return matrix.repeat(batch, 1, 1)


def shift(x: float, y: float) -> torch.Tensor:
    matrix = torch.eye(3, dtype=torch.float64)[None].clone()
    matrix[0, :2, 2] = torch.tensor([x, y], dtype=torch.float64)
    return matrix


class TestAffineWarp(unittest.TestCase):
    def test_half_a_pixel_mixes_neighbours_and_fill(self):
        row = torch.tensor([1.0, 2.0, 4.0, 8.0]).view(1, 1, 4, 1).expand(1, 1, 4, 3)
        moved = affine_warp(row, shift(0.5, 0), [10.0])
        self.assertEqual(moved[0, 0, :, 1].tolist(), [5.5, 1.5, 3.0, 6.0])

    def test_rotation_turns_x_into_y_in_square_pixels(self):
        picture = torch.zeros(1, 1, 41, 61)
        picture[0, 0, 35, 30] = 1  # 15 px from the centre along X
        turned = affine_warp(picture, rotation(90), [0.0])
        self.assertGreater(float(turned[0, 0, 20, 45]), 0.99)
        turned = affine_warp(torch.ones(1, 1, 64, 64), rotation(45), [0.0])  # what stays inside is an octagon
        self.assertAlmostEqual(float(turned.mean()), 2 * (2**0.5 - 1), delta=0.01)

    @parameterized.expand([("bilinear",), ("nearest",)])
    def test_identity_and_constant_pictures(self, mode):
        picture = torch.rand(2, 3, 32, 64)
        same = affine_warp(picture, torch.eye(3).repeat(2, 1, 1), [0.0, 1.0, -1.0], mode)
        torch.testing.assert_close(same, picture, rtol=0, atol=0)
        constant = torch.tensor([0.25, -1.0]).view(1, 2, 1, 1).expand(1, 2, 17, 23)
        torch.testing.assert_close(affine_warp(constant, rotation(33), [0.25, -1.0], mode), constant)

    @parameterized.expand([("bilinear",), ("nearest",)])
    def test_gradient_is_the_adjoint(self, mode):
        matrices = rotation(25, 2) @ shift(1.3, -0.4)
        x, y = torch.rand(2, 2, 9, 7, dtype=torch.float64, requires_grad=True), torch.rand(2, 2, 9, 7).double()
        (adjoint,) = torch.autograd.grad((affine_warp(x, matrices, [1.0, -2.0], mode) * y).sum(), x)
        linear = affine_warp(x, matrices, [0.0, 0.0], mode)
        torch.testing.assert_close((linear * y).sum(), (x * adjoint).sum())
        self.assertGreater(float(adjoint.abs().sum()), 1)

    @parameterized.expand([("bilinear",), ("nearest",)])
    def test_derivatives_of_both_orders(self, mode):
        matrices = rotation(25, 2) @ shift(1.3, -0.4)
        x = torch.rand(2, 2, 5, 4, dtype=torch.float64, requires_grad=True)

        def cubed(images: torch.Tensor) -> torch.Tensor:  # linear alone would have no second derivative
            return affine_warp(images**3, matrices, [1.0, 0.5], mode) ** 2

        self.assertTrue(torch.autograd.gradcheck(cubed, (x,)))
        self.assertTrue(torch.autograd.gradgradcheck(cubed, (x,)))

    def test_errors(self):
        for images, fill, mode in (
            (torch.zeros(1, 4, 4), [0.0], "bilinear"),
            (torch.zeros(1, 2, 4, 4), [0.0], "bilinear"),
            (torch.zeros(1, 1, 4, 4), [0.0], "bicubic"),
        ):
            with self.assertRaises(ValueError):
                affine_warp(images, shift(0, 0), fill, mode)


if __name__ == "__main__":
    unittest.main()
