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

from monai_retinasynth.networks import ProgressiveGenerator
from tests.networks.network_tester import NetworkTester


def tiny(**kwargs) -> ProgressiveGenerator:
    return ProgressiveGenerator(
        **{"latent_size": 8, "resolution": 32, "base_channels": 64, "max_channels": 12, **kwargs}
    )


class TestProgressiveGenerator(NetworkTester, unittest.TestCase):
    expected_shapes = [(3, 3, 32, 32)]

    def make(self):
        return tiny(out_activation="tanh")

    def inputs(self):
        return (torch.randn(3, 8, generator=torch.Generator().manual_seed(1)),)

    def everything(self, network):
        return [network(*self.inputs(), r) for r in network.resolutions]

    def test_paper_widths(self):
        with torch.device("meta"):
            network = ProgressiveGenerator()
        widths = [to_output.weight.shape[1] for to_output in network.to_outputs]
        self.assertEqual(widths, [512, 512, 512, 512, 256, 128, 64, 32, 16])
        # 23.1 million parameters, table 2 of the paper
        self.assertAlmostEqual(sum(p.numel() for p in network.parameters()) / 1e6, 23.1, delta=0.05)

    @parameterized.expand([(r, alpha) for r in (4, 8, 16, 32) for alpha in (0.0, 0.4, 1.0)])
    def test_every_resolution_and_alpha_gives_probabilities(self, resolution, alpha):
        output = tiny(out_activation="softmax")(*self.inputs(), resolution, alpha)
        self.assertEqual(tuple(output.shape), (3, 3, resolution, resolution))
        self.assertGreaterEqual(output.min().item(), 0.0)
        torch.testing.assert_close(output.sum(1), torch.ones(3, resolution, resolution))

    def test_alpha_zero_is_the_previous_resolution_upsampled(self):
        network, (latents,) = tiny(out_activation="softmax"), self.inputs()
        coarse, faded = network(latents, 16), network(latents, 32, 0.0)
        self.assertTrue(torch.equal(faded, F.interpolate(coarse, scale_factor=2.0, mode="nearest")))
        halfway = network(latents, 32, 0.5)
        torch.testing.assert_close(halfway, (faded + network(latents, 32)) / 2)

    def test_length_of_latents_does_not_matter(self):
        network, (latents,) = self.make(), self.inputs()
        torch.testing.assert_close(network(latents * 7), network(latents), rtol=1e-4, atol=1e-5)

    def test_resample_forms_are_the_same_function(self):
        fused, separate, (latents,) = tiny(resample="fused"), tiny(resample="separate"), self.inputs()
        separate.load_state_dict(fused.state_dict())
        torch.testing.assert_close(separate(latents), fused(latents), rtol=1e-4, atol=1e-5)

    def test_output_is_float32_under_autocast(self):
        with torch.autocast("cpu", torch.bfloat16):
            output = tiny(out_activation="softmax")(*self.inputs())
        self.assertEqual(output.dtype, torch.float32)
        torch.testing.assert_close(output.sum(1), torch.ones(3, 32, 32))

    def test_scripted_network_takes_resolution_and_alpha(self):
        network, (latents,) = self.make(), self.inputs()
        torch.testing.assert_close(torch.jit.script(network)(latents, 16, 0.3), network(latents, 16, 0.3))

    def test_features_are_of_unit_size_at_any_depth(self):
        # equalised learning rate and pixel norm: no growth or decay of the signal at initialisation
        network, (latents,) = self.make(), self.inputs()
        x = latents
        for stage in network.stages:
            x = stage(x)
            torch.testing.assert_close(x.square().mean(1), torch.ones_like(x[:, 0]), rtol=1e-3, atol=1e-3)

    def test_errors(self):
        with self.assertRaisesRegex(ValueError, "power of two.*use 64 or 128"):
            tiny(resolution=100)
        with self.assertRaisesRegex(ValueError, r"one of \[4, 8, 16, 32\], not 64"):
            self.make()(*self.inputs(), 64)
        with self.assertRaisesRegex(ValueError, r"latents must be \(batch, 8\)"):
            self.make()(torch.randn(2, 9))
        with self.assertRaisesRegex(ValueError, "out_activation"):
            tiny(out_activation="relu")
        with self.assertRaisesRegex(ValueError, "resample"):
            tiny(resample="bicubic")


class TestImageBesideLabelMap(NetworkTester, unittest.TestCase):
    """The single-stage method: class probabilities and an image of one latent vector."""

    expected_shapes = [(3, 4, 32, 32)]

    def make(self):
        return tiny(out_channels=4, image_channels=1)

    def inputs(self):
        return (torch.randn(3, 8, generator=torch.Generator().manual_seed(1)),)

    def everything(self, network):
        return [network(*self.inputs(), r) for r in network.resolutions]

    @parameterized.expand([(0.0,), (0.4,), (1.0,)])
    def test_probabilities_then_image(self, alpha):
        made = self.make()(*self.inputs(), 32, alpha)
        torch.testing.assert_close(made[:, :3].sum(1), torch.ones(3, 32, 32))
        self.assertGreaterEqual(float(made[:, :3].detach().min()), 0.0)
        self.assertLess(float(made[:, 3].detach().min()), 0.0)
        self.assertLessEqual(float(made[:, 3].detach().abs().max()), 1.0)

    def test_same_logits_as_the_plain_network(self):
        joint, plain = self.make(), tiny(out_channels=4, out_activation="none")
        plain.load_state_dict(joint.state_dict())
        made, logits = joint(*self.inputs()), plain(*self.inputs())
        torch.testing.assert_close(made[:, :3], torch.softmax(logits[:, :3], 1))
        torch.testing.assert_close(made[:, 3:], torch.tanh(logits[:, 3:]))

    @parameterized.expand(
        [(4, 3, "softmax"), (4, 4, "softmax"), (4, 1, "tanh"), (2, 1, "softmax"), (4, -1, "softmax")]
    )
    def test_refused(self, out_channels, image_channels, activation):
        with self.assertRaisesRegex(ValueError, "image channels go with class probabilities"):
            tiny(out_channels=out_channels, image_channels=image_channels, out_activation=activation)


if __name__ == "__main__":
    unittest.main()
