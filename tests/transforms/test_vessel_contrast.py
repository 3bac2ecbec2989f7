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

from monai_retinasynth.transforms import VesselContrast, VesselContrastd, VesselGeometryd
from monai_retinasynth.utils import DataError

SIZE = 160


def eye() -> dict:
    """A disc with two straight vessels: the first takes 30 % of the light, the second 10 %."""
    x, y = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    label = (np.hypot(x, y) < 75).astype(np.uint8)
    background = np.full((3, SIZE, SIZE), 120.0, dtype=np.float32) * label
    photograph = background.copy()
    for column, share in ((50, 0.7), (110, 0.9)):
        strip = (np.abs(x + (SIZE - 1) / 2 - column) < 2) & (np.abs(y) < 45)
        label[strip] = 2
        photograph[1, strip] = 128 * share - 8
    tensors = {"image": photograph, "background": background, "label": label[None]}
    return {key: torch.from_numpy(value) for key, value in tensors.items()}


class TestVesselContrast(unittest.TestCase):
    def test_each_vessel_has_its_own(self):
        case = eye()
        contrast = VesselContrast()(case["image"], case["background"], case["label"])
        self.assertEqual((tuple(contrast.shape), contrast.dtype), ((1, SIZE, SIZE), torch.float32))
        for column, share in ((50, 0.7), (110, 0.9)):
            self.assertAlmostEqual(contrast[0, column, SIZE // 2].item(), -np.log(share) / 0.4, places=2)
            # of the nearest vessel, also beside it
            self.assertEqual(contrast[0, column + 6, SIZE // 2].item(), contrast[0, column, SIZE // 2].item())

    def test_it_changes_along_a_vessel_smoothly(self):
        case = eye()
        case["image"][1, 45:56, SIZE // 2 :] = case["background"][1, 45:56, SIZE // 2 :]
        along = VesselContrast()(case["image"], case["background"], case["label"])[0, 50, 40:120]
        self.assertGreater(along[0].item(), 0.7)
        self.assertLess(along[-1].item(), 0.2)
        self.assertLess(along.diff().abs().max().item(), 0.25)

    def test_dictionary_puts_it_before_the_geometry(self):
        case = VesselGeometryd()({**eye(), "case_id": "eye"})
        geometry = case["geometry"]
        variants = torch.cat([case["background"], case["background"] * 0])
        made = VesselContrastd()({**case, "background": variants})["geometry"]
        self.assertTrue(torch.equal(made[1:], geometry))
        self.assertTrue(
            torch.equal(made[:1], VesselContrast()(case["image"], case["background"], case["label"]))
        )
        with self.assertRaisesRegex(DataError, "case eye: .*one size"):
            VesselContrastd()({**case, "background": variants[:, 1:]})

    def test_no_vessel_and_grey(self):
        case = eye()
        bare = case["label"].clamp(max=1)
        self.assertFalse(VesselContrast()(case["image"], case["background"], bare).any())
        grey = VesselContrast()(case["image"][1:2], case["background"][1:2], case["label"])
        self.assertTrue(torch.equal(grey, VesselContrast()(case["image"], case["background"], case["label"])))


if __name__ == "__main__":
    unittest.main()
