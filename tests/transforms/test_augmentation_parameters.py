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

import math
import unittest

import torch
from parameterized import parameterized

from monai_retinasynth.transforms import AugmentationParameters, AugmentationStrengths, draw_augmentation
from monai_retinasynth.transforms.augmentation_parameters import AUGMENTATION_GROUPS

COUNT = 4000


class TestDrawAugmentation(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)

    def draw(self, p: float, groups: tuple[str, ...] = AUGMENTATION_GROUPS, **strengths: float):
        return draw_augmentation(COUNT, p, groups, AugmentationStrengths(**strengths))

    def test_each_change_happens_with_probability_p(self):
        p = 0.3
        drawn = self.draw(p)
        neutral = {"scale": 1, "stretch": 1, "contrast": 1, "saturation": 1}
        rates = {"flip": p / 2, "luma_flip": p / 2, "quarter_turns": p * 3 / 4}
        for name, value in vars(drawn).items():
            if name in ("noise_seed", "cutout_centre"):
                continue
            changed = value != neutral.get(name, 0)
            changed = changed.flatten(1).any(1) if changed.ndim > 1 else changed
            rate = rates.get(name, 1 - math.sqrt(1 - p) if name.startswith("turn") else p)
            self.assertAlmostEqual(float(changed.float().mean()), rate, delta=0.03, msg=name)
        turned = (drawn.turn_before != 0) | (drawn.turn_after != 0)
        self.assertAlmostEqual(float(turned.float().mean()), p, delta=0.03)

    def test_strengths(self):
        drawn = self.draw(1.0)
        self.assertAlmostEqual(float(drawn.scale.log2().std()), 0.2, delta=0.01)
        self.assertAlmostEqual(float(drawn.saturation.log2().std()), 1.0, delta=0.05)
        self.assertAlmostEqual(float(drawn.fractional_shift.std()), 0.125, delta=0.005)
        self.assertTrue(0.12 < float(drawn.shift.abs().max()) <= 0.125)
        self.assertTrue(3.1 < float(drawn.hue.abs().max()) <= math.pi)
        self.assertAlmostEqual(float(drawn.noise.square().mean().sqrt()), 0.1, delta=0.005)
        weak = self.draw(1.0, turn_deg=10, scale=0)
        self.assertLessEqual(float(weak.turn_after.abs().max()), math.radians(10) * 1.0001)
        self.assertEqual(set(weak.scale.tolist()), {1.0})

    @parameterized.expand([(name,) for name in AUGMENTATION_GROUPS])
    def test_only_the_wanted_groups(self, group):
        drawn, neutral = self.draw(1.0, (group,)), AugmentationParameters.neutral(COUNT)
        changed = [
            name
            for name, value in vars(drawn).items()
            if isinstance(value, torch.Tensor) and not torch.equal(value, getattr(neutral, name))
        ]
        expected = {
            "blit": ["flip", "quarter_turns", "shift"],
            "geometry": ["scale", "turn_before", "stretch", "turn_after", "fractional_shift"],
            "colour": ["brightness", "contrast", "luma_flip", "hue", "saturation"],
            "noise": ["noise"],
            "cutout": ["cutout", "cutout_centre"],
        }
        self.assertEqual(changed, expected[group])

    def test_nothing_is_drawn_at_0(self):
        before = torch.get_rng_state()
        drawn = self.draw(0.0)
        self.assertTrue(torch.equal(torch.get_rng_state(), before))
        self.assertFalse(bool(drawn.resamples.any()) or bool(drawn.recolours.any()))

    def test_movement_is_in_pixels_and_in_order(self):
        values = vars(AugmentationParameters.neutral(1))
        values |= {"shift": torch.tensor([[0.1, 0.0]]), "scale": torch.tensor([2.0])}
        values |= {"turn_after": torch.tensor([math.pi / 2]), "fractional_shift": torch.tensor([[0.0, 0.5]])}
        matrix = AugmentationParameters(**values).movement(20, 40)[0]
        # (1, 0) is shifted by 2 px to (3, 0), scaled to (6, 0), turned to (0, 6), shifted by 20 px along Y
        moved = matrix @ torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
        torch.testing.assert_close(moved[:2], torch.tensor([0.0, 26.0], dtype=torch.float64), atol=1e-5, rtol=0)

    def test_negative_strength(self):
        with self.assertRaisesRegex(ValueError, "scale"):
            AugmentationStrengths(scale=-1)


if __name__ == "__main__":
    unittest.main()
