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

import copy
import unittest

import torch
from monai.networks.nets import DynUNet
from parameterized import parameterized
from torch import nn

from monai_retinasynth.inferers import AutocastInferer
from monai_retinasynth.networks import ChannelsLastInstanceNorm2d, can_be_channels_last, to_channels_last


def small_net(width: int = 16, norm=("INSTANCE", {"affine": True})) -> DynUNet:
    torch.manual_seed(0)
    return DynUNet(2, 3, 3, [3] * 3, [1, 2, 2], [2, 2], filters=[width, 32, 32], res_block=True, norm_name=norm)


class TestChannelsLastInstanceNorm(unittest.TestCase):
    @parameterized.expand([("one", 1), ("more", 3)])
    def test_the_same_function_and_gradients(self, _, batch):
        ours, plain = ChannelsLastInstanceNorm2d(5, affine=True), nn.InstanceNorm2d(5, affine=True)
        with torch.no_grad():
            for norm in (ours, plain):
                norm.weight.copy_(torch.linspace(0.5, 2, 5))
                norm.bias.copy_(torch.linspace(-1, 1, 5))
        x = torch.randn(batch, 5, 12, 9) * 3 + 1
        inputs = [x.contiguous(memory_format=torch.channels_last).requires_grad_(), x.clone().requires_grad_()]
        results = [norm(value) for norm, value in zip((ours, plain), inputs)]
        self.assertTrue(results[0].is_contiguous(memory_format=torch.channels_last))
        torch.testing.assert_close(*results)
        weight = torch.randn_like(x)
        for result in results:
            (result * weight).sum().backward()
        torch.testing.assert_close(inputs[0].grad, inputs[1].grad, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.weight.grad, plain.weight.grad, rtol=1e-4, atol=1e-4)
        ours.eval()
        torch.testing.assert_close(ours(inputs[0]), plain(x))

    def test_wrong_number_of_channels(self):
        x = torch.randn(2, 4, 8, 8).contiguous(memory_format=torch.channels_last)
        with self.assertRaises((ValueError, RuntimeError)):
            ChannelsLastInstanceNorm2d(5, affine=True)(x)


class TestToChannelsLast(unittest.TestCase):
    def test_same_parameters_names_and_results(self):
        network = small_net()
        before, parameters, x = copy.deepcopy(network), list(network.parameters()), torch.randn(2, 3, 32, 32)
        self.assertIs(to_channels_last(network), network)
        self.assertEqual([id(p) for p in network.parameters()], [id(p) for p in parameters])
        self.assertEqual(list(network.state_dict()), list(before.state_dict()))
        self.assertFalse(any(type(layer) is nn.InstanceNorm2d for layer in network.modules()))
        self.assertTrue(network.input_block.conv1.conv.weight.is_contiguous(memory_format=torch.channels_last))
        result = network(x.contiguous(memory_format=torch.channels_last))
        torch.testing.assert_close(result, before(x), rtol=1e-4, atol=1e-4)

    def test_running_statistics_are_kept(self):
        network = nn.Sequential(nn.Conv2d(3, 16, 3), nn.InstanceNorm2d(16, track_running_stats=True))
        network(torch.randn(2, 3, 9, 9))
        mean = network[1].running_mean.clone()
        self.assertTrue(torch.equal(to_channels_last(network)[1].running_mean, mean))

    def test_a_network_that_would_crash_stays(self):
        self.assertTrue(can_be_channels_last(small_net(16)))
        network = small_net(8)
        self.assertFalse(can_be_channels_last(network))
        to_channels_last(network)
        self.assertTrue(network.input_block.conv1.conv.weight.is_contiguous())
        seen = []
        network.input_block.register_forward_hook(lambda m, i, o: seen.append(i[0].is_contiguous()))
        AutocastInferer(channels_last=True)(torch.rand(2, 3, 32, 32), network).sum().backward()
        self.assertEqual(seen, [True])


if __name__ == "__main__":
    unittest.main()
