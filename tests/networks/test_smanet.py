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

from monai_retinasynth.networks import MultiscaleAttention, SegmentationMultiscaleAttentionNet
from tests.networks.network_tester import NetworkTester

LIGHT = {"block": "basic", "num_blocks": (2, 2, 2, 2), "channels": 16}


def tiny(**kwargs) -> SegmentationMultiscaleAttentionNet:
    sizes = {"block": "basic", "num_blocks": (1, 1, 1, 1), "channels": 4}
    return SegmentationMultiscaleAttentionNet(**{"in_channels": 1, "out_channels": 3, **sizes, **kwargs})


def extent(tensor: torch.Tensor) -> int:
    """Edge of the smallest square that holds everything but zeros."""
    places = tensor.nonzero()
    return int((places.amax(dim=0) - places.amin(dim=0)).max()) + 1


class TestSmaNet(NetworkTester, unittest.TestCase):
    expected_shapes = [(2, 3, 64, 48)]
    kwargs: dict = {}

    def make(self):
        return tiny(**self.kwargs)

    def inputs(self):
        return (torch.rand(2, 1, 64, 48, generator=torch.Generator().manual_seed(1)),)

    def test_any_multiple_of_eight(self):
        network = self.make()
        self.assertEqual(network.size_multiple, 8)
        for size in ((16, 16), (24, 40), (56, 104)):
            self.assertEqual(tuple(network(torch.rand(2, 1, *size)).shape), (2, 3, *size))

    def test_float32_scores_under_autocast(self):
        with torch.autocast("cpu", torch.bfloat16):
            self.assertEqual(self.make()(*self.inputs()).dtype, torch.float32)

    def test_attention_is_a_share_and_depends_on_the_place(self):
        network, image = self.make(), torch.rand(2, 1, 136, 104)
        with torch.no_grad():
            maps = network.attention_maps(image)
        self.assertEqual([tuple(a.shape) for a in maps], [(2, 1, 17, 13)] * 4)
        for attention in maps:
            self.assertGreaterEqual(attention.min().item(), 0.0)
            self.assertLessEqual(attention.max().item(), 1.0)
            self.assertGreater(attention.std(dim=(2, 3)).min().item(), 1e-4)

    def test_size_errors_name_usable_sizes(self):
        with self.assertRaisesRegex(ValueError, "multiples of 8.*pad to 568 x 584.*DivisiblePadInferer with k=8"):
            self.make()(torch.rand(1, 1, 565, 584))
        with self.assertRaisesRegex(ValueError, "pad to 16 x 32"):
            self.make()(torch.rand(1, 1, 8, 32))
        with self.assertRaisesRegex(ValueError, r"image must be \(batch, 1"):
            self.make()(torch.rand(1, 3, 32, 32))


class TestBottleneckBatch(TestSmaNet):
    kwargs = {"block": "bottleneck", "norm": "batch", "attention_scales": (1, 2, 3, 6)}
    bf16_tolerance = 0.08  # three roundings a block


class TestGroup(TestSmaNet):
    kwargs = {"norm": "group"}


class TestIdea(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)

    def test_published_size_and_light_form(self):
        for kwargs, millions in (({}, 38.56), (LIGHT, 1.089)):
            with torch.device("meta"):
                network = SegmentationMultiscaleAttentionNet(1, 2, **kwargs)
            self.assertAlmostEqual(sum(p.numel() for p in network.parameters()) / 1e6, millions, delta=0.01)
        with torch.device("meta"):
            network = SegmentationMultiscaleAttentionNet(1, 2)
            # ResNet-50 keeps an eighth of the size and 2048 channels
            self.assertEqual(tuple(network.encode(torch.empty(1, 1, 64, 64))[2].shape), (1, 2048, 8, 8))

    def test_dilation_widens_the_view_at_the_same_resolution_and_size(self):
        seen, parameters = [], []
        for dilations in ((2, 4), (1, 1)):
            network = tiny(norm="none", dilations=dilations)
            parameters.append(sum(p.numel() for p in network.parameters()))
            for parameter in network.parameters():  # positive weights: no ReLU hides a pixel
                torch.nn.init.uniform_(parameter, 0.01, 0.1)
            image = torch.rand(1, 1, 384, 384, requires_grad=True)
            features = network.encode(image)[2]
            self.assertEqual(tuple(features.shape[2:]), (48, 48))
            features[0, :, 24, 24].sum().backward()
            seen.append(extent(image.grad[0, 0]))
        self.assertEqual(*parameters)
        self.assertGreater(seen[0], 2 * seen[1])

    def test_each_scale_looks_at_its_own_squares(self):
        attention = MultiscaleAttention(3, 8, scales=(1, 4), norm="none")
        features = torch.rand(1, 3, 10, 13)
        mixed = features.clone()  # two positions of one square of 4 x 4 change places
        mixed[:, :, 4, 4], mixed[:, :, 7, 7] = features[:, :, 7, 7], features[:, :, 4, 4]
        with torch.no_grad():
            fine, coarse = (
                (a - b).abs().max().item()
                for a, b in zip(attention.attention_maps(features), attention.attention_maps(mixed))
            )
            # a part of it turned to zero shows where the features are weighed
            attention.scales[1].where[2].weight.zero_()
            attention.scales[1].where[2].bias.fill_(-100.0)
            self.assertEqual(attention.scales[1](features).abs().max().item(), 0.0)
            self.assertGreater(attention.scales[0](features).abs().max().item(), 0.0)
        self.assertGreater(fine, 1e-4)
        self.assertLess(coarse, 1e-6)

    def test_skips_of_the_encoder_carry_what_is_close_by(self):
        reach = {}
        image = torch.rand(1, 1, 320, 320)
        changed = image.clone()
        changed[0, 0, 160, 160] += 0.5
        # first input channel of each decoder level that belongs to the skip: 8w, then 2w
        for name, deep, skip in (("all", True, True), ("stem", False, False), ("stem and first stage", False, True)):
            torch.manual_seed(1)
            network = tiny(norm="none")
            with torch.no_grad():
                if not deep:
                    network.decoder_quarter.body[0].weight[:, :32] = 0
                if not skip:
                    network.decoder_half.body[0].weight[:, :8] = 0
                difference = (network(changed) - network(image)).abs().sum(dim=1)[0]
            reach[name] = extent(difference)
            self.assertGreater(difference[152:168, 152:168].max().item(), 0.0)
        self.assertLess(reach["stem"], 24)
        self.assertLess(reach["stem and first stage"], 72)
        self.assertGreater(reach["all"], 160)

    def test_constructor_errors(self):
        for kwargs, message in [
            ({"block": "inverted"}, "block must be one of bottleneck, basic"),
            ({"num_blocks": (2, 2)}, "num_blocks must be four"),
            ({"num_blocks": (2, 2, 0, 2)}, "num_blocks must be four"),
            ({"dilations": (2,)}, "dilations must be two"),
            ({"attention_scales": ()}, "one or more pooling factors"),
            ({"attention_scales": (0, 2)}, "one or more pooling factors"),
            ({"norm": "layer"}, "norm must be one of instance"),
        ]:
            with self.assertRaisesRegex(ValueError, message):
                tiny(**kwargs)


if __name__ == "__main__":
    unittest.main()
