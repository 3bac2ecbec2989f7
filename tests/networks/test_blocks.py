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

import monai.networks.blocks
import monai.networks.nets
import torch
import torch.nn.functional as F
from parameterized import parameterized
from torch.autograd import gradgradcheck

import monai_retinasynth.networks as networks
from monai_retinasynth.networks import blocks
from monai_retinasynth.networks.blocks import (
    EqualizedConv2d,
    EqualizedLinear,
    EqualizedResamplingConv2d,
    FastInstanceNorm2d,
    MinibatchStdDev,
    PixelNorm,
    UpsampledConv2d,
    downsampling_conv2d,
    kernel_sums,
    make_image_norm,
    progressive_width,
    upsampling_conv2d,
)

LAYOUTS = [(torch.contiguous_format,), (torch.channels_last,)]


class TestResampledConv(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.x = torch.randn(2, 3, 6, 8, dtype=torch.float64)
        self.weight = torch.randn(5, 3, 3, 3, dtype=torch.float64)
        self.bias = torch.randn(5, dtype=torch.float64)

    @parameterized.expand([(upsampling_conv2d, True), (downsampling_conv2d, False)])
    def test_fused_form_is_the_same_function(self, function, up):
        sums = kernel_sums(up).double()
        fused, separate = function(self.x, self.weight, self.bias, sums), function(self.x, self.weight, self.bias)
        torch.testing.assert_close(fused, separate, rtol=1e-12, atol=1e-12)

    @parameterized.expand([(upsampling_conv2d, True), (downsampling_conv2d, False)])
    def test_second_derivatives_of_the_fused_form(self, function, up):
        sums = kernel_sums(up).double()
        x, weight = (
            self.x[:1, :1, :4, :4].clone().requires_grad_(True),
            self.weight[:1, :1].clone().requires_grad_(True),
        )
        self.assertTrue(gradgradcheck(lambda a, b: function(a, b, None, sums).square(), (x, weight)))

    def test_layers_do_not_keep_the_sums_in_their_state(self):
        self.assertEqual(set(UpsampledConv2d(2, 3).state_dict()), {"weight", "bias"})
        self.assertEqual(set(EqualizedResamplingConv2d(2, 3, up=True).state_dict()), {"weight", "bias"})

    def test_resize_convolution_keeps_a_constant_map_constant(self):
        layer, x = UpsampledConv2d(2, 3), torch.ones(1, 2, 8, 8)
        inner = layer(x)[:, :, 2:-2, 2:-2]
        torch.testing.assert_close(inner, inner[:, :, :1, :1].expand_as(inner))


class TestEqualized(unittest.TestCase):
    def test_variance_is_kept(self):
        torch.manual_seed(0)
        x = torch.randn(4, 64, 32, 32)
        for layer in (
            EqualizedConv2d(64, 64, gain=1.0),
            EqualizedResamplingConv2d(64, 64, up=True, gain=1.0, fused=False),
            EqualizedConv2d(64, 64, kernel_size=1, gain=1.0),
        ):
            self.assertAlmostEqual(layer(x)[:, :, 4:-4, 4:-4].std().item(), 1.0, delta=0.1)
        self.assertAlmostEqual(EqualizedLinear(64, 512, gain=1.0)(torch.randn(64, 64)).std().item(), 1.0, delta=0.1)

    def test_scale_is_of_run_time(self):
        layer = EqualizedConv2d(16, 8, gain=2.0**0.5)
        self.assertAlmostEqual(layer.weight.std().item(), 1.0, delta=0.1)
        x = torch.randn(1, 16, 5, 5)
        expected = F.conv2d(x, layer.weight * (2.0 / (16 * 9)) ** 0.5, padding=1)
        torch.testing.assert_close(layer(x), expected)

    def test_even_kernel_is_refused(self):
        with self.assertRaisesRegex(ValueError, "odd"):
            EqualizedConv2d(1, 1, kernel_size=4)


class TestNorms(unittest.TestCase):
    @parameterized.expand([(layout[0], batch) for layout in LAYOUTS for batch in (1, 3)])
    def test_instance_norm_equals_that_of_torch(self, layout, batch):
        torch.manual_seed(0)
        x = (torch.randn(batch, 4, 6, 5) * 3 + 7).contiguous(memory_format=layout).requires_grad_(True)
        other = x.detach().clone().requires_grad_(True)
        weight = torch.randn(batch, 4, 6, 5)
        a, b = FastInstanceNorm2d()(x), torch.nn.InstanceNorm2d(4)(other)
        (a * weight).sum().backward()
        (b * weight).sum().backward()
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(x.grad, other.grad, rtol=1e-4, atol=1e-5)

    @parameterized.expand([(layout[0], batch) for layout in LAYOUTS for batch in (1, 3)])
    def test_instance_norm_of_bfloat16_has_float32_statistics(self, layout, batch):
        torch.manual_seed(0)
        # a mean of bfloat16 sums over 65536 pixels would be off by far more than the tolerance
        x = (torch.randn(batch, 2, 256, 256) + 2.0).bfloat16().contiguous(memory_format=layout)
        found, expected = FastInstanceNorm2d()(x), torch.nn.InstanceNorm2d(2)(x.float())
        self.assertEqual(found.dtype, torch.bfloat16)
        torch.testing.assert_close(found.float(), expected, rtol=0.02, atol=0.02)
        self.assertLess((found.float() - expected).mean().abs().item(), 2e-3)

    @parameterized.expand(LAYOUTS)
    def test_pixel_norm(self, layout):
        torch.manual_seed(0)
        x = (torch.randn(2, 16, 5, 7) * 40).contiguous(memory_format=layout)
        expected = x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()
        torch.testing.assert_close(PixelNorm()(x), expected)
        torch.testing.assert_close(PixelNorm()(x.bfloat16()).float(), expected, rtol=0.03, atol=0.01)
        torch.testing.assert_close(PixelNorm()(x.half() * 100).float(), expected, rtol=5e-3, atol=5e-3)
        zero = torch.zeros(1, 16, 2, 2).contiguous(memory_format=layout).requires_grad_(True)
        PixelNorm()(zero).sum().backward()
        self.assertTrue(torch.isfinite(zero.grad).all())

    @parameterized.expand(LAYOUTS)
    def test_pixel_norm_second_derivatives(self, layout):
        torch.manual_seed(0)
        x = torch.randn(1, 3, 2, 2).contiguous(memory_format=layout).requires_grad_(True)
        (gradient,) = torch.autograd.grad(PixelNorm()(x).pow(3).sum(), x, create_graph=True)
        gradient.square().sum().backward()
        self.assertTrue(torch.isfinite(x.grad).all())
        y = x.detach().double().requires_grad_(True)
        normed = y / (y.square().mean(1, keepdim=True) + 1e-8).sqrt()
        (gradient,) = torch.autograd.grad(normed.pow(3).sum(), y, create_graph=True)
        gradient.square().sum().backward()
        torch.testing.assert_close(x.grad, y.grad.float(), rtol=1e-3, atol=1e-3)

    def test_norm_names(self):
        for name in blocks.IMAGE_NORMS:
            self.assertEqual(make_image_norm(name, 6)(torch.rand(2, 6, 4, 4)).shape, (2, 6, 4, 4))
        with self.assertRaisesRegex(ValueError, ", ".join(blocks.IMAGE_NORMS)):
            make_image_norm("layer", 4)


class TestMinibatchStdDev(unittest.TestCase):
    def test_against_hand_values(self):
        x = torch.tensor([1.0, 3.0, 5.0, 5.0]).reshape(4, 1, 1, 1).expand(-1, 2, 3, 3)
        channel = MinibatchStdDev(2)(x)[:, 2]
        torch.testing.assert_close(channel[:2], torch.ones(2, 3, 3))  # values 1 and 3
        torch.testing.assert_close(channel[2:], torch.full((2, 3, 3), 1e-4))  # equal values: sqrt(eps)

    @parameterized.expand([(8, 4), (6, 3), (5, 1), (3, 3), (1, 1)])
    def test_group_is_the_largest_divisor(self, batch, group):
        x = torch.randn(batch, 2, 4, 4)
        channel = MinibatchStdDev(4)(x)[:, -1]
        expected = torch.cat(
            [(part.var(0, correction=0) + 1e-8).sqrt().mean().expand(group, 4, 4) for part in x.split(group)]
        )
        torch.testing.assert_close(channel, expected)

    def test_sees_collapse(self):
        layer, x = MinibatchStdDev(4), torch.randn(4, 2, 4, 4)
        self.assertGreater(layer(x)[:, -1].min().item(), 0.5)
        self.assertLess(layer(x[:1].expand(4, -1, -1, -1))[:, -1].max().item(), 1e-3)

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, "group_size"):
            MinibatchStdDev(0)


class TestNames(unittest.TestCase):
    def test_no_name_of_monai_is_repeated(self):
        theirs = {*dir(monai.networks.nets), *dir(monai.networks.blocks)}
        ours = {*blocks.__all__, *networks.__all__}
        self.assertEqual(ours & theirs, set())

    def test_width_table(self):
        self.assertEqual([progressive_width(2**k, 8192, 512, 8) for k in (2, 5, 6, 10)], [512, 512, 256, 16])
        self.assertEqual(progressive_width(1024, 256, 32, 8), 8)


if __name__ == "__main__":
    unittest.main()
