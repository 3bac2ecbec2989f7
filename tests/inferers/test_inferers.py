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
import torch.nn.functional as F
from monai.inferers import SlidingWindowInferer
from parameterized import parameterized
from torch import nn

from monai_retinasynth.inferers import AutocastInferer, DivisiblePadInferer, FlipAverageInferer


class TestAutocastInferer(unittest.TestCase):
    def test_computes_in_bfloat16_and_returns_float32(self):
        network, seen = nn.Conv2d(3, 2, 3), []
        network.register_forward_hook(lambda m, i, o: seen.append((o.dtype, i[0])))
        image = torch.rand(1, 3, 9, 9)
        got = AutocastInferer(channels_last=True)(image, network)
        self.assertEqual((seen[0][0], got.dtype), (torch.bfloat16, torch.float32))
        self.assertTrue(seen[0][1].is_contiguous(memory_format=torch.channels_last))
        torch.testing.assert_close(got, network(image), rtol=0.05, atol=0.05)

    def test_switched_off(self):
        network, image = nn.Conv2d(3, 2, 3), torch.rand(1, 3, 9, 9)
        self.assertTrue(torch.equal(AutocastInferer(enabled=False)(image, network), network(image)))

    def test_nested_outputs_and_arguments(self):
        def network(x, n, key):
            return {"a": [x.bfloat16()], key: (x.long(), n)}

        got = AutocastInferer()(torch.rand(1, 4), network, 3, key="k")
        self.assertEqual((got["a"][0].dtype, got["k"][0].dtype, got["k"][1]), (torch.float32, torch.int64, 3))


class TestDivisiblePadInferer(unittest.TestCase):
    @parameterized.expand([(565, 584), (605, 700), (999, 960), (33, 16), (3, 5)])
    def test_identity_of_any_size(self, x, y):
        image, seen = torch.rand(1, 2, x, y), []

        def network(padded):
            seen.append(padded.shape[-2:])
            return padded * 2

        got = DivisiblePadInferer(16)(image, network)
        self.assertTrue(torch.equal(got, image * 2))
        self.assertEqual(tuple(seen[0]), (-(-x // 16) * 16, -(-y // 16) * 16))

    def test_further_maps_are_padded_and_cut_like_the_input(self):
        x, noise, style = torch.rand(2, 1, 13, 18), torch.rand(2, 3, 13, 18), torch.rand(2, 4)
        seen = {}

        def network(inputs, noise, style):
            seen.update(noise=noise.shape, style=style)
            return inputs + noise[:, :1]

        result = DivisiblePadInferer(8)(x, network, noise=noise, style=style)
        torch.testing.assert_close(result, x + noise[:, :1])
        self.assertEqual(tuple(seen["noise"]), (2, 3, 16, 24))
        self.assertIs(seen["style"], style)

    def test_mirrors_and_repeats_only_where_it_cannot_mirror(self):
        image, seen = torch.rand(1, 1, 12, 3), []
        DivisiblePadInferer((16, 16))(image, lambda padded: seen.append(padded) or padded)
        rows = F.pad(image, [0, 0, 2, 2], mode="reflect")
        self.assertTrue(torch.equal(seen[0], F.pad(rows, [6, 7, 0, 0], mode="replicate")))

    def test_around_sliding_windows(self):
        network = nn.Conv2d(1, 1, 1)
        inferer = DivisiblePadInferer(8, SlidingWindowInferer((16, 16), overlap=0.5))
        image = torch.rand(1, 1, 37, 21)
        torch.testing.assert_close(inferer(image, network), network(image))

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, "input's size"):
            DivisiblePadInferer(4)(torch.rand(1, 1, 5, 5), lambda x: x[..., ::2, ::2])
        with self.assertRaisesRegex(ValueError, "batch, channels"):
            DivisiblePadInferer(4)(torch.rand(1, 5, 5), lambda x: x)
        with self.assertRaisesRegex(ValueError, "positive"):
            DivisiblePadInferer(0)


class TestFlipAverageInferer(unittest.TestCase):
    def test_mean_over_mirror_images_by_hand(self):
        network, image = nn.Conv2d(1, 3, 3, padding=1), torch.rand(2, 1, 6, 7)
        expected = sum(torch.flip(network(torch.flip(image, axes)).softmax(1), axes) for axes in ([], [2], [3], [2, 3]))
        torch.testing.assert_close(FlipAverageInferer()(image, network), expected / 4)

    @parameterized.expand([(1, "sigmoid"), (2, None), (4, torch.tanh)])
    def test_a_mirror_symmetric_network_is_unchanged(self, flips, activation):
        image = torch.rand(1, 2, 5, 6)
        plain = {"sigmoid": torch.sigmoid, None: lambda x: x}.get(activation, activation)
        got = FlipAverageInferer(num_flips=flips, activation=activation)(image, lambda x: x * 3)
        torch.testing.assert_close(got, plain(image * 3))

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, "num_flips"):
            FlipAverageInferer(num_flips=3)
        with self.assertRaisesRegex(ValueError, "activation"):
            FlipAverageInferer(activation="relu")


if __name__ == "__main__":
    unittest.main()
