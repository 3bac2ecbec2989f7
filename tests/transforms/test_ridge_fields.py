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
from parameterized import parameterized
from scipy import ndimage

from monai_retinasynth.simulation import FundusPhantom
from monai_retinasynth.transforms import (
    LabelMapToRidge,
    LabelMapToRidged,
    RidgeLayout,
    RidgeToLabelMap,
    RidgeToLabelMapd,
    calibrate_ridge_level,
)
from monai_retinasynth.utils import FUNDUS_DISC_VESSEL, FUNDUS_VESSEL, ConfigError, DataError

VESSEL = FUNDUS_VESSEL.index("vessel")


def phantom_maps(count: int, size: int = 320) -> list[torch.Tensor]:
    phantom = FundusPhantom(size, seed=2)
    return [torch.from_numpy(phantom.label_map(i).T.copy())[None] for i in range(count)]


def line(half_width: float, size: int = 200) -> torch.Tensor:
    """A field of view with one vessel along X."""
    x, y = np.indices((size, size)) - size // 2
    label = (np.hypot(x, y) < 0.45 * size).astype(np.uint8)
    label[(np.abs(y) <= half_width) & (label > 0)] = VESSEL
    return torch.from_numpy(label)[None]


def pieces(mask: torch.Tensor) -> int:
    return ndimage.label(mask.numpy(), np.ones((3, 3)))[1]


class TestRidgeFields(unittest.TestCase):
    @parameterized.expand([(96, 0.72), (160, 0.8)])
    def test_round_trip(self, reduced, least):
        for label in phantom_maps(2):
            fields = LabelMapToRidge("fundus_vessel", (reduced, reduced))(label)
            self.assertEqual(tuple(fields.shape), (3, reduced, reduced))
            self.assertTrue((fields >= 0).all() and (fields <= 1).all())
            back = RidgeToLabelMap("fundus_vessel", label.shape[1:])(fields)
            self.assertEqual((back.dtype, back.shape), (torch.uint8, label.shape))
            true, drawn = label[0] == VESSEL, back[0] == VESSEL
            self.assertGreater(2 * int((true & drawn).sum()) / int(true.sum() + drawn.sum()), least)
            self.assertLessEqual(pieces(drawn), pieces(true) + 3)
            self.assertAlmostEqual(float(drawn.sum() / true.sum()), 1.0, delta=0.2)
            self.assertLess(float(((label > 0) != (back > 0)).float().mean()), 0.005)

    def test_thin_is_as_firm_as_thick(self):
        thin, thick = (LabelMapToRidge("fundus_vessel", (100, 100))(line(half)) for half in (0, 5))
        profile = [fields[1, 50, 40:60].max().item() for fields in (thin, thick)]
        self.assertGreater(profile[0], 0.6)
        self.assertAlmostEqual(profile[0], profile[1], delta=0.06)
        # the radius alone tells them apart, and only where the ridge is
        radius = [fields[2, 50].max().item() / fields[1, 50].max().item() for fields in (thin, thick)]
        self.assertGreater(radius[1] - radius[0], 0.3)
        self.assertEqual(float(thin[2][thin[1] == 0].abs().max()), 0.0)

    @parameterized.expand([(0,), (1,), (3,), (6,)])
    def test_width_comes_back(self, half_width):
        label = line(half_width, 540)
        fields = LabelMapToRidge("fundus_vessel", (128, 128))(label)
        back = RidgeToLabelMap("fundus_vessel", (540, 540))(fields)
        drawn = (back[0, 150:390] == VESSEL).sum(1).float().mean()
        self.assertAlmostEqual(float(drawn), 2 * half_width + 1, delta=1.1)

    @parameterized.expand([((300, 200),), ((200, 300),)])
    def test_other_aspect_ratio(self, size):
        x, y = np.indices(size)
        label = np.ones(size, dtype=np.uint8)
        label[20:-20, size[1] // 2 - 1 : size[1] // 2 + 2] = VESSEL
        label = torch.from_numpy(label)[None]
        fields = LabelMapToRidge("fundus_vessel", (96, 96))(label)
        outside = fields[0].mean().item()
        self.assertAlmostEqual(outside, 1 / 3, delta=0.02)
        back = RidgeToLabelMap("fundus_vessel", size)(fields)
        self.assertGreater(float((back == label).float().mean()), 0.97)
        self.assertEqual(pieces(back[0] == VESSEL), 1)

    def test_other_classes_keep_their_area(self):
        label = line(2)
        label[0, 30:60, 90:120] = FUNDUS_DISC_VESSEL.index("optic_disc")
        label[label == VESSEL] = FUNDUS_DISC_VESSEL.index("vessel")
        label[0, 30:60, 90:120] = FUNDUS_DISC_VESSEL.index("optic_disc")
        layout = RidgeLayout(FUNDUS_DISC_VESSEL)
        self.assertEqual(layout.num_fields, 4)
        fields = LabelMapToRidge("fundus_disc_vessel", (100, 100))(label)
        back = RidgeToLabelMap("fundus_disc_vessel", (200, 200))(fields)
        disc = FUNDUS_DISC_VESSEL.index("optic_disc")
        union = ((back == disc) | (label == disc)).sum()
        self.assertGreater(float(((back == disc) & (label == disc)).sum() / union), 0.75)

    def test_weak_ridges_are_followed_and_specks_left_out(self):
        fields = LabelMapToRidge("fundus_vessel", (200, 200))(line(1, 400))
        draw = RidgeToLabelMap("fundus_vessel", (400, 400), level=0.55)
        weak = fields.clone()
        weak[1:, 120:] *= 0.93 * 0.55 / weak[1, 130].max()
        self.assertTrue((draw(weak)[0, 260:360] == VESSEL).any(1).all())
        weak[1:] *= 0.93 * 0.55 / weak[1].max()
        self.assertEqual(int((draw(weak) == VESSEL).sum()), 0)
        speck = torch.zeros_like(fields)
        speck[0] = fields[0]
        speck[1:, 50:52, 50:52] = 0.9
        self.assertEqual(int((draw(speck) == VESSEL).sum()), 0)

    def test_calibration_takes_the_best_level(self):
        maps = phantom_maps(2)
        level = calibrate_ridge_level(maps, (96, 96), "fundus_vessel", candidates=(0.05, 0.5, 0.95))
        self.assertEqual(level, 0.5)
        with self.assertRaisesRegex(DataError, "no label map given holds vessel"):
            calibrate_ridge_level([(m > 0).to(torch.uint8) for m in maps], (96, 96), "fundus_vessel")

    def test_dictionary_form_and_determinism(self):
        label = phantom_maps(1, 160)[0]
        there = LabelMapToRidged("label", "fundus_vessel", (64, 64))
        back = RidgeToLabelMapd("label", "fundus_vessel", (160, 160), level=0.5)
        first, second = (back(there({"label": label}))["label"] for _ in range(2))
        self.assertTrue(torch.equal(first, second))
        plain = RidgeToLabelMap("fundus_vessel", (160, 160), 0.5)(LabelMapToRidge("fundus_vessel", (64, 64))(label))
        self.assertTrue(torch.equal(first, plain))

    def test_maps_that_have_little(self):
        forth = LabelMapToRidge("fundus_vessel", (64, 64))
        bare = (line(1) > 0).to(torch.uint8)
        fields = forth(bare)
        self.assertEqual(float(fields[1:].abs().max()), 0.0)
        back = RidgeToLabelMap("fundus_vessel", (200, 200))
        self.assertFalse(bool((back(fields) == VESSEL).any()))
        all_vessel = torch.full((1, 100, 100), VESSEL, dtype=torch.uint8)
        self.assertTrue(torch.isfinite(forth(all_vessel)).all())
        outside = torch.zeros(3, 64, 64)
        outside[0] = 1
        self.assertEqual(int(back(outside).max()), 0)
        with self.assertRaisesRegex(DataError, "field of view is empty"):
            forth(torch.zeros(1, 64, 64, dtype=torch.uint8))

    def test_errors(self):
        with self.assertRaisesRegex(ConfigError, "thin_class is 'retina'"):
            LabelMapToRidge("fundus_vessel", (64, 64), thin_class="retina")
        with self.assertRaisesRegex(ConfigError, "width of the ridge"):
            LabelMapToRidge("fundus_vessel", (64, 64), width=0)
        with self.assertRaisesRegex(DataError, "does not fit into a label map of 100 x 100"):
            LabelMapToRidge("fundus_vessel", (64, 64), width=1000)(line(1, 100))
        with self.assertRaisesRegex(ConfigError, "level of the ridge"):
            RidgeToLabelMap("fundus_vessel", (64, 64), level=1.0)
        with self.assertRaisesRegex(DataError, "3 fields .* are expected .*another representation"):
            RidgeToLabelMap("fundus_vessel", (64, 64))(torch.zeros(5, 32, 32))


if __name__ == "__main__":
    unittest.main()
