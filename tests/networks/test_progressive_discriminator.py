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
from parameterized import parameterized

from monai_retinasynth.losses import WassersteinGradientPenalty
from monai_retinasynth.networks import ProgressiveDiscriminator
from tests.networks.network_tester import NetworkTester


def tiny(**kwargs) -> ProgressiveDiscriminator:
    return ProgressiveDiscriminator(**{"resolution": 32, "base_channels": 64, "max_channels": 12, **kwargs})


class TestProgressiveDiscriminator(NetworkTester, unittest.TestCase):
    expected_shapes = [(4, 1)]
    bf16_tolerance = 0.1

    def make(self):
        return tiny()

    def inputs(self, resolution=32, batch=4):
        return (torch.rand(batch, 3, resolution, resolution, generator=torch.Generator().manual_seed(1)),)

    def everything(self, network):
        return [network(*self.inputs(r)) for r in network.resolutions]

    def test_paper_size(self):
        with torch.device("meta"):
            network = ProgressiveDiscriminator()
        self.assertAlmostEqual(sum(p.numel() for p in network.parameters()) / 1e6, 23.1, delta=0.05)

    @parameterized.expand([(r, alpha) for r in (4, 8, 16, 32) for alpha in (0.0, 0.4, 1.0)])
    def test_every_resolution_and_alpha(self, resolution, alpha):
        self.assertEqual(tuple(tiny()(*self.inputs(resolution), alpha).shape), (4, 1))

    def test_alpha_zero_sees_only_the_halved_input(self):
        network, (x,) = self.make(), self.inputs()
        torch.testing.assert_close(network(x, 0.0), network(F.avg_pool2d(x, 2)))
        self.assertFalse(torch.allclose(network(x, 0.5), network(x, 0.0)))

    def test_sees_a_collapsed_batch(self):
        # the same sample scores differently when the others of its batch are its copies
        network, (x,) = self.make(), self.inputs()
        varied, collapsed = network(x)[0], network(x[:1].expand(4, -1, -1, -1))[0]
        self.assertGreater((varied - collapsed).abs().item(), 1e-4)

    def test_groups_are_contiguous(self):
        network, (x,) = tiny(minibatch_group=2), self.inputs()
        torch.testing.assert_close(network(x), torch.cat([network(x[:2]), network(x[2:])]), rtol=1e-4, atol=1e-5)

    def test_resample_forms_are_the_same_function(self):
        fused, separate, (x,) = tiny(resample="fused"), tiny(resample="separate"), self.inputs()
        separate.load_state_dict(fused.state_dict())
        torch.testing.assert_close(separate(x), fused(x), rtol=1e-4, atol=1e-5)

    def test_penalty_gradients_of_both_forms_are_the_same(self):
        fused, separate, (x,) = tiny(resample="fused").double(), tiny(resample="separate").double(), self.inputs()
        separate.load_state_dict(fused.state_dict())
        for network in (fused, separate):
            inputs = x.double().requires_grad_(True)  # the penalties would make it float32
            (gradients,) = torch.autograd.grad(network(inputs, 0.7).sum(), inputs, create_graph=True)
            (gradients.flatten(1).norm(dim=1) - 1).square().mean().backward()
        for (name, a), b in zip(fused.named_parameters(), separate.parameters()):
            if a.grad is not None:
                torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-6, msg=name)

    def test_penalty_after_autocast(self):
        network, (x,) = self.make().to(memory_format=torch.channels_last), self.inputs()
        with torch.autocast("cpu", torch.bfloat16):
            penalty = WassersteinGradientPenalty()(network, x, torch.rand_like(x))
        penalty.backward()
        self.assertEqual(penalty.dtype, torch.float32)
        grads = [p.grad for p in network.parameters() if p.grad is not None]
        self.assertTrue(all(torch.isfinite(g).all() for g in grads))

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, r"r in \[4, 8, 16, 32\]"):
            self.make()(torch.rand(1, 3, 64, 64))
        with self.assertRaisesRegex(ValueError, "batch, 3"):
            self.make()(torch.rand(1, 3, 32, 16))
        with self.assertRaisesRegex(ValueError, "batch, 3"):
            self.make()(torch.rand(1, 1, 32, 32))
        with self.assertRaisesRegex(ValueError, "use 32 or 64"):
            tiny(resolution=48)


if __name__ == "__main__":
    unittest.main()
