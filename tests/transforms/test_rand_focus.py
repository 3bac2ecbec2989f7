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

import numpy as np
import torch
from scipy import ndimage

from monai_retinasynth.transforms import RandFocus, RandFocusd
from monai_retinasynth.utils.errors import ConfigError


class TestRandFocus(unittest.TestCase):
    def test_blur_is_gaussian(self):
        image = torch.rand(3, 40, 30, generator=torch.Generator().manual_seed(0))
        changed = RandFocus(blur=(1.2, 1.2), blur_prob=1.0, sharpen_prob=0.0)(image)
        expected = np.stack([ndimage.gaussian_filter(c, 1.2, mode="nearest", truncate=4.0) for c in image.numpy()])
        self.assertLess(np.abs(changed.numpy() - expected).max(), 0.02)

    def test_edges_do_not_darken(self):
        changed = RandFocus(blur=(1.5, 1.5), blur_prob=1.0, sharpen_prob=0.0)(torch.ones(3, 16, 16))
        torch.testing.assert_close(changed, torch.ones(3, 16, 16))

    def test_sharpening_raises_contrast(self):
        image = torch.zeros(1, 20, 20)
        image[:, 10:] = 0.5
        changed = RandFocus(sharpen=(1.0, 1.0), blur_prob=0.0, sharpen_prob=1.0)(image)
        self.assertGreater(changed.max().item(), 0.6)
        self.assertLess(changed.min().item(), -0.1)
        self.assertAlmostEqual(changed.mean().item(), image.mean().item(), places=5)

    def test_how_often(self):
        image = torch.rand(1, 6, 6)
        transform = RandFocus(blur=(1, 1), sharpen=(1, 1), blur_prob=0.4, sharpen_prob=0.2).set_random_state(0)
        spread = [transform(image).std().item() / image.std().item() for _ in range(400)]
        shares = [sum(s < 0.99 for s in spread) / 400, sum(s > 1.01 for s in spread) / 400]
        self.assertAlmostEqual(shares[0], 0.4, delta=0.08)
        self.assertAlmostEqual(shares[1], 0.2, delta=0.06)

    def test_seed_and_keys(self):
        data = {"image": torch.rand(3, 8, 8), "label": torch.rand(1, 8, 8)}
        one, two = (RandFocusd("image", blur_prob=1.0, sharpen_prob=0).set_random_state(4)(data) for _ in range(2))
        self.assertTrue(torch.equal(one["image"], two["image"]))
        self.assertFalse(torch.equal(one["image"], data["image"]))
        self.assertTrue(torch.equal(one["label"], data["label"]))

    def test_wrong_numbers(self):
        with self.assertRaisesRegex(ConfigError, "ranges"):
            RandFocus(blur=(2, 1))
        with self.assertRaisesRegex(ConfigError, "at most 1"):
            RandFocus(blur_prob=0.8, sharpen_prob=0.3)


if __name__ == "__main__":
    unittest.main()
