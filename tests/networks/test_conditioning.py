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

from parameterized import parameterized
from torch import nn

from monai_retinasynth.networks import (
    AuxiliaryClassifierGenerator,
    Pix2PixUNetGenerator,
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    SpatiallyAdaptiveGenerator,
    check_conditioning,
)
from monai_retinasynth.utils import ConfigError

NETWORKS = {
    "unet": lambda: Pix2PixUNetGenerator(3, channels=4, num_downs=2),
    "spade": lambda: SpatiallyAdaptiveGenerator(
        3, channels=4, max_channels=4, num_ups=1, hidden_channels=4, style_size=6
    ),
    "growing": lambda: ProgressiveGenerator(4, 3, resolution=8, base_channels=8, max_channels=4),
    "growing_d": lambda: ProgressiveDiscriminator(3, resolution=8, base_channels=8, max_channels=4),
    "acgan": lambda: AuxiliaryClassifierGenerator(4, num_conditions=5, out_channels=3, start_channels=4, channels=(4,)),
}


class TestCheckConditioning(unittest.TestCase):
    @parameterized.expand(
        [
            ("unet", {"style_size": 0}),
            ("spade", {"style_size": 6}),
            ("spade", {"style_size": 0}),
            ("growing", {"num_conditions": 0}),
            ("acgan", {"num_conditions": 5}),
            ("unet", {"num_conditions": 3}),
        ]
    )
    def test_what_fits(self, name, wanted):
        check_conditioning(NETWORKS[name](), **wanted)

    @parameterized.expand(
        [
            ("spade", {"style_size": 5}, "style_size is 5.*takes 6: set style_size to 6"),
            ("unet", {"style_size": 6}, "Pix2PixUNetGenerator takes no style"),
            ("unet", {"noise_channels": 2}, "noise_channels is 2.*takes no noise"),
            ("growing", {"num_conditions": 5}, "5 classes .*ProgressiveGenerator was made for 0.*acgan"),
            ("growing_d", {"num_conditions": 5}, "ProgressiveDiscriminator was made for 0"),
            ("acgan", {"num_conditions": 4}, "4 classes .*was made for 5"),
        ]
    )
    def test_what_does_not(self, name, wanted, message):
        with self.assertRaisesRegex(ConfigError, message):
            check_conditioning(NETWORKS[name](), **wanted)

    def test_a_foreign_network_is_not_questioned(self):
        check_conditioning(nn.Linear(3, 3), num_conditions=5)

    def test_images_beside_label_maps(self):
        joint = ProgressiveGenerator(4, 4, resolution=8, base_channels=8, max_channels=4, image_channels=1)
        check_conditioning(joint, image_channels=1)
        check_conditioning(joint)
        check_conditioning(NETWORKS["acgan"](), image_channels=0)
        with self.assertRaisesRegex(ConfigError, "image_channels is 3, but ProgressiveGenerator makes 1"):
            check_conditioning(joint, image_channels=3)
        with self.assertRaisesRegex(ConfigError, "AuxiliaryClassifierGenerator makes no image channels"):
            check_conditioning(NETWORKS["acgan"](), image_channels=1)


if __name__ == "__main__":
    unittest.main()
