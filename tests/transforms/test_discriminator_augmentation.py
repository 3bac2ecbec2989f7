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
from typing import Any

import torch
import torch.nn.functional as F
from parameterized import parameterized

from monai_retinasynth.losses import R1Penalty
from monai_retinasynth.transforms import AugmentationParameters, DiscriminatorAugmentation
from monai_retinasynth.utils.errors import ConfigError

ALL = ("blit", "geometry", "colour", "noise", "cutout")


def label_maps(batch: int = 6, x: int = 24, y: int = 24, classes: int = 4) -> torch.Tensor:
    """Smooth class probabilities, no class 0 at the border."""
    logits = F.interpolate(torch.randn(batch, classes, 5, 5), size=(x, y), mode="bilinear")
    logits[:, 0] = -30
    return logits.mul(3).softmax(1)


def change(count: int = 1, **values: Any) -> AugmentationParameters:
    parameters = vars(AugmentationParameters.neutral(count))
    changed = {
        name: value if name == "noise_seed" else torch.as_tensor(value, dtype=parameters[name].dtype)
        for name, value in values.items()
    }
    return AugmentationParameters(**{**parameters, **changed})


class TestDiscriminatorAugmentation(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.labels = DiscriminatorAugmentation(label_channels=4, groups=("blit", "geometry", "noise", "cutout"))
        self.paired = DiscriminatorAugmentation(4, coordinate_channels=2, image_channels=3, groups=ALL)

    def paired_batch(self, x: int = 24, y: int = 24) -> torch.Tensor:
        return torch.cat([label_maps(6, x, y), torch.rand(6, 5, x, y) * 2 - 1], dim=1)

    def test_identity_at_0(self):
        for batch in (label_maps(), label_maps().bfloat16()):
            before = torch.get_rng_state()
            self.assertIs(self.labels(batch), batch)
            self.assertIs(self.labels(batch, self.labels.draw(batch)), batch)
            self.assertTrue(torch.equal(torch.get_rng_state(), before))

    def test_everything_changes_at_1(self):
        self.paired.p = 1.0
        batch = self.paired_batch()
        changed = self.paired(batch)
        self.assertEqual(changed.shape, batch.shape)
        self.assertTrue(bool(changed.isfinite().all()))
        self.assertTrue(bool(((changed - batch).abs().amax((2, 3)) > 0.05).all()))
        self.assertGreater(float((changed[0] - changed[1]).abs().max()), 0.1)

    @parameterized.expand([(24, 24), (24, 40), (31, 17)])
    def test_flip_is_exact(self, x, y):
        batch = label_maps(2, x, y)
        changed = self.labels(batch, change(2, flip=[True, False]))
        torch.testing.assert_close(changed[0], batch[0].flip(1), rtol=0, atol=0)
        torch.testing.assert_close(changed[1], batch[1], rtol=0, atol=0)

    @parameterized.expand([(24,), (31,), (4,)])
    def test_quarter_turns_are_exact(self, size):
        batch = label_maps(4, size, size)
        changed = self.labels(batch, change(4, quarter_turns=[0, 1, 2, 3]))
        expected = torch.stack([torch.rot90(batch[k], k, (1, 2)) for k in range(4)])
        torch.testing.assert_close(changed, expected, rtol=0, atol=0)

    def test_only_half_turns_where_not_square(self):
        batch = label_maps(4, 20, 30)
        changed = self.labels(batch, change(4, quarter_turns=[0, 1, 2, 3]))
        expected = torch.stack([batch[0], batch[1], batch[2].flip(1, 2), batch[3].flip(1, 2)])
        torch.testing.assert_close(changed, expected, rtol=0, atol=0)

    def test_whole_shift_is_exact_and_brings_background(self):
        batch = label_maps(1, 20, 33)
        changed = self.labels(batch, change(shift=[[0.1, -0.1]]))  # 2 px right, 3 px up
        torch.testing.assert_close(changed[:, :, 2:, :-3], batch[:, :, :-2, 3:], rtol=0, atol=0)
        outside = torch.tensor([1.0, 0, 0, 0]).view(1, 4, 1, 1)
        torch.testing.assert_close(changed[:, :, :2], outside.expand(1, 4, 2, 33), rtol=0, atol=0)
        torch.testing.assert_close(changed[:, :, :, -3:], outside.expand(1, 4, 20, 3), rtol=0, atol=0)

    @parameterized.expand([(24, 24), (20, 30), (4, 4)])
    def test_label_maps_stay_distributions(self, x, y):
        augment = DiscriminatorAugmentation(label_channels=4, groups=("blit", "geometry", "cutout"), p=1.0)
        batch = label_maps(16, x, y)
        changed = augment(batch)
        torch.testing.assert_close(changed.sum(1), torch.ones(16, x, y))
        self.assertGreaterEqual(float(changed.min()), -1e-6)
        self.assertGreater(float(changed[:, 0].mean()), 0.2)  # cut out and turned in

    def test_fill_by_kind_of_channel(self):
        away = change(shift=[[2.0, 0.0]])  # the whole picture leaves
        cut = change(cutout=[4.0], cutout_centre=[[0.5, 0.5]])
        one_hot = DiscriminatorAugmentation(3, "one_hot", 2, 3, fill_channel=1)
        masks = DiscriminatorAugmentation(2, "mask", 0, 3, image_fill=[0.5, -1.0, -0.5])
        for augment, fill in (
            (one_hot, [0.0, 1.0, 0.0, 0.0, 0.0, -1.0, -1.0, -1.0]),
            (masks, [-1.0, -1.0, 0.5, -1.0, -0.5]),
        ):
            batch = torch.rand(1, len(fill), 8, 8)
            for parameters in (away, cut):
                expected = torch.tensor(fill).view(1, -1, 1, 1).expand(batch.shape)
                torch.testing.assert_close(augment(batch, parameters), expected, rtol=0, atol=0)

    def test_condition_and_photograph_move_together(self):
        marked = torch.zeros(8, 9, 32, 32)
        marked[:, :, 18:20, 11:14] = 1  # in every channel
        augment = DiscriminatorAugmentation(4, "mask", 2, 3, ("blit", "geometry"), p=1.0, mask_fill=0.0, image_fill=0.0)
        changed = augment(marked)
        torch.testing.assert_close(changed, changed[:, :1].expand(changed.shape))
        self.assertGreater(float((changed - marked).abs().max()), 0.5)
        self.assertGreater(float(changed.sum()), 0.3 * float(marked.sum()))

    def test_colour_changes_photographs_only(self):
        augment = DiscriminatorAugmentation(4, coordinate_channels=2, image_channels=3, groups=("colour",), p=1.0)
        batch = self.paired_batch()
        changed = augment(batch)
        torch.testing.assert_close(changed[:, :6], batch[:, :6], rtol=0, atol=0)
        self.assertTrue(bool(((changed - batch)[:, 6:].abs().amax((1, 2, 3)) > 0.05).all()))

    def test_noise(self):
        batch = torch.zeros(2, 9, 64, 64)
        parameters = change(2, noise=[0.0, 0.2], noise_seed=5)
        changed = self.paired(batch, parameters)
        torch.testing.assert_close(changed[0], batch[0], rtol=0, atol=0)
        strength = changed[1].std(dim=(1, 2))
        torch.testing.assert_close(strength, torch.tensor([0.1] * 4 + [0.0] * 2 + [0.2] * 3), rtol=0.1, atol=0)
        other = self.paired(batch, change(2, noise=[0.0, 0.2], noise_seed=6))
        self.assertGreater(float((other - changed).abs().max()), 0.1)

    def test_cutout_is_half_as_wide_and_high(self):
        batch = label_maps(1, 40, 20)
        changed = self.labels(batch, change(cutout=[0.5], cutout_centre=[[0.5, 0.25]]))
        self.assertEqual(changed[0, :, 10:30, :10].flatten(1).unique(dim=1).flatten().tolist(), [1, 0, 0, 0])
        kept = torch.ones(40, 20, dtype=torch.bool)
        kept[10:30, :10] = False
        torch.testing.assert_close(changed[:, :, kept], batch[:, :, kept], rtol=0, atol=0)

    def test_same_parameters_same_change(self):
        self.paired.p = 0.7
        batch = self.paired_batch()
        parameters = self.paired.draw(batch)
        first, second = self.paired(batch, parameters), self.paired(batch, parameters)
        torch.testing.assert_close(first, second, rtol=0, atol=0)
        # new ones change it otherwise, unless they are drawn from the same state
        self.assertGreater(float((self.paired(batch) - first).abs().max()), 0.1)
        torch.manual_seed(3)
        drawn = self.paired(batch)
        torch.manual_seed(3)
        torch.testing.assert_close(self.paired(batch), drawn, rtol=0, atol=0)

    def test_share_of_changed_samples(self):
        batch = torch.ones(3000, 1, 4, 4)
        for p in (0.2, 0.6):
            augment = DiscriminatorAugmentation(1, "mask", groups=("cutout",), p=p)
            changed = (augment(batch) != batch).flatten(1).any(1)
            self.assertAlmostEqual(float(changed.float().mean()), p, delta=0.03)

    @parameterized.expand([(("blit",),), (("geometry",),), (("colour", "noise", "cutout"),)])
    def test_gradient_is_the_adjoint(self, groups):
        augment = DiscriminatorAugmentation(2, coordinate_channels=1, image_channels=3, groups=groups, p=0.7)
        x, other = (torch.rand(5, 6, 9, 9, dtype=torch.float64) for _ in range(2))
        x.requires_grad_(True)
        weights = torch.rand_like(x)
        parameters = augment.draw(x)
        changed = augment(x, parameters)
        (gradient,) = torch.autograd.grad((changed * weights).sum(), x)
        # the whole is affine in x
        torch.testing.assert_close(
            ((changed - augment(other, parameters)) * weights).sum(), ((x - other) * gradient).sum()
        )
        self.assertGreater(float(gradient.abs().sum()), 1)

    def test_second_derivatives(self):
        augment = DiscriminatorAugmentation(image_channels=3, groups=ALL, p=0.8)
        x = torch.rand(3, 3, 5, 5, dtype=torch.float64, requires_grad=True)
        parameters = augment.draw(x)
        self.assertTrue(torch.autograd.gradgradcheck(lambda x: augment(x**2, parameters) ** 2, (x,)))

    def test_gradient_penalty_through_it(self):
        weight = torch.ones(1, requires_grad=True)
        self.labels.p = 0.8
        penalty = R1Penalty()(lambda x: (weight * self.labels(x)).square().sum((1, 2, 3)), label_maps())
        penalty.backward()
        self.assertGreater(float(weight.grad), 0)

    @parameterized.expand([(4, 4), (8, 8), (6, 10), (1, 3)])
    def test_any_size(self, x, y):
        self.paired.p = 1.0
        batch = torch.rand(5, 9, x, y)
        parameters = self.paired.draw(batch)
        self.assertEqual(self.paired(batch, parameters).shape, batch.shape)
        self.assertEqual(self.paired(torch.rand(5, 9, 2 * x, 2 * y), parameters).shape, (5, 9, 2 * x, 2 * y))

    def test_same_under_autocast_and_type_is_kept(self):
        self.paired.p = 0.8
        batch = self.paired_batch()
        parameters = self.paired.draw(batch)
        expected = self.paired(batch, parameters)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            torch.testing.assert_close(self.paired(batch, parameters), expected, rtol=0, atol=0)
        half = self.paired(batch.bfloat16(), parameters)
        self.assertEqual(half.dtype, torch.bfloat16)
        torch.testing.assert_close(half.float(), expected, rtol=0.05, atol=0.05)

    def test_memory_format_is_kept(self):
        self.paired.p = 0.8
        batch = self.paired_batch().contiguous(memory_format=torch.channels_last)
        self.assertTrue(self.paired(batch).is_contiguous(memory_format=torch.channels_last))
        self.assertTrue(self.paired(batch.contiguous()).is_contiguous())

    def test_p_is_its_state(self):
        self.labels.p = 0.123456789
        other = DiscriminatorAugmentation(label_channels=4)
        other.load_state_dict(self.labels.state_dict())
        self.assertEqual(other.p, 0.123456789)
        self.assertTrue(all(isinstance(value, torch.Tensor) for value in self.labels.state_dict().values()))

    @parameterized.expand(
        [
            ({}, "not all 0"),
            ({"label_channels": 2, "label_range": "logits"}, "label_range"),
            ({"label_channels": 2, "fill_channel": 2}, "fill_channel"),
            ({"label_channels": 2, "groups": ["blur"]}, "unknown groups .*blit"),
            ({"label_channels": 2, "groups": ["colour"]}, "colour"),
            ({"image_channels": 3, "image_fill": [0.0]}, "image_fill"),
            ({"image_channels": 3, "strengths": {"rotation": 3}}, "strengths.*rotation"),
            ({"image_channels": 3, "p": 1.5}, "p of a change"),
        ]
    )
    def test_settings_that_cannot_work(self, settings, message):
        with self.assertRaisesRegex(ConfigError, message):
            DiscriminatorAugmentation(**settings)

    def test_batch_that_does_not_fit(self):
        with self.assertRaisesRegex(ConfigError, "label_channels"):
            self.labels(torch.zeros(1, 3, 8, 8))
        with self.assertRaisesRegex(ValueError, "drawn for 2"):
            self.labels(label_maps(3), change(2))


if __name__ == "__main__":
    unittest.main()
