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
from torch import nn

from monai_retinasynth.networks.blocks import (
    DoublingConvTranspose2d,
    HalvingConv2d,
    doubling_conv_transpose2d,
    halving_conv2d,
)


class TestSmallMapConv(unittest.TestCase):
    @parameterized.expand([(1, 2, 2), (1, 8, 4), (3, 4, 6)])
    def test_product_is_the_convolution(self, batch, height, width):
        torch.manual_seed(0)
        for function, shape in ((halving_conv2d, (5, 6, 4, 4)), (doubling_conv_transpose2d, (6, 5, 4, 4))):
            results = []
            for product in (True, False):
                torch.manual_seed(1)
                x = torch.randn(batch, 6, height, width, dtype=torch.double, requires_grad=True)
                weight = torch.randn(shape, dtype=torch.double, requires_grad=True)
                bias = torch.randn(5, dtype=torch.double, requires_grad=True)
                y = function(x, weight, bias, product)
                y.square().sum().backward()
                results.append((y, x.grad, weight.grad, bias.grad))
            for a, b in zip(*results):
                # overlapping columns of the transposed form are summed in float32
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)

    @parameterized.expand([(4,), (32,)])
    def test_layers_take_weights_of_torch(self, size):
        x = torch.randn(2, 3, size, size)
        for ours, plain in (
            (HalvingConv2d(3, 7), nn.Conv2d(3, 7, 4, 2, 1)),
            (DoublingConvTranspose2d(3, 7), nn.ConvTranspose2d(3, 7, 4, 2, 1)),
        ):
            ours.load_state_dict(plain.state_dict())
            torch.testing.assert_close(ours(x), plain(x), rtol=1e-4, atol=1e-5)

    def test_product_under_autocast_gives_the_type_of_a_convolution(self):
        x = torch.randn(1, 3, 4, 4)
        with torch.autocast("cpu", torch.bfloat16):
            for layer in (HalvingConv2d(3, 7), DoublingConvTranspose2d(3, 7)):
                self.assertEqual(layer(x).dtype, torch.bfloat16)


if __name__ == "__main__":
    unittest.main()
