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

from monai_retinasynth.networks import GRADING_NETWORKS, grading_network


class TestGradingNetwork(unittest.TestCase):
    @parameterized.expand([("DenseNet121", 7.0e6), ("EfficientNet-B0", 4.0e6)])
    def test_names_and_sizes(self, name, parameters):
        self.assertIn(name, GRADING_NETWORKS)
        network = grading_network(name)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        network(torch.rand(4, 3, 32, 48))  # without statistics of its norms, EfficientNet-B0 answers 0 to everything
        network.eval()
        self.assertAlmostEqual(sum(p.numel() for p in network.parameters()), parameters, delta=0.05e6)
        image = torch.rand(2, 3, 32, 48)
        with torch.no_grad():
            logits = network(image)
        self.assertEqual(logits.shape, (2, 5))
        with torch.no_grad():  # without pretrained weights, images are not mixed up in a batch
            alone = network(image[1:])
        tolerance = 1e-2 * (logits[0] - logits[1]).abs().max().item()
        self.assertGreater(tolerance, 0.0)
        torch.testing.assert_close(alone, logits[1:], rtol=0.0, atol=tolerance)

    def test_number_of_grades_and_unknown_names(self):
        self.assertEqual(grading_network("EfficientNet-B0", 3).eval()(torch.rand(1, 3, 32, 32)).shape, (1, 3))
        with self.assertRaisesRegex(ValueError, "ResNet7.*choose DenseNet121 or EfficientNet-B0"):
            grading_network("ResNet7")


if __name__ == "__main__":
    unittest.main()
