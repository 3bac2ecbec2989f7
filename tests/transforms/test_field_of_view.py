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

from monai_retinasynth.transforms import DeriveFieldOfViewd, derive_field_of_view
from monai_retinasynth.transforms.field_of_view import field_of_view_scale
from monai_retinasynth.utils import DataError, from_picture, read_mask, read_rgb
from tests.real_data import data_root


def disc(height: int, width: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return (x + 0.5 - width / 2) ** 2 + (y + 0.5 - height / 2) ** 2 <= radius**2


def photograph(fov: np.ndarray, ground: int = 6, seed: int = 0) -> np.ndarray:
    """A disc that is four times as bright on the left as on the right, with dark spots, on noisy ground."""
    rng = np.random.default_rng(seed)
    light = np.linspace(200, 50, fov.shape[1])[None, :] * np.ones(fov.shape)
    light[fov.shape[0] // 2 - 4 : fov.shape[0] // 2 + 4, 40:60] = 10
    level = np.where(fov, light, ground) + rng.normal(0, 2, fov.shape)
    return np.clip(level[..., None] * (1, 0.5, 0.2), 0, 255).astype(np.uint8)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


class TestDeriveFieldOfView(unittest.TestCase):
    def test_unevenly_lit_disc(self):
        for height, width in ((120, 160), (605, 700), (900, 1200)):
            with self.subTest(f"{height} x {width}"):
                true = disc(height, width, 0.45 * height)
                self.assertGreater(overlap(derive_field_of_view(photograph(true)), true), 0.98)

    def test_cut_off_at_top_and_bottom(self):
        true = disc(120, 200, 75)
        found = derive_field_of_view(photograph(true))
        self.assertGreater(overlap(found, true), 0.98)
        self.assertTrue(found[0].any() and found[-1].any())

    def test_caption_is_left_out(self):
        true = disc(200, 240, 80)
        picture = photograph(true)
        picture[185:195, 5:60] = 255
        self.assertGreater(overlap(derive_field_of_view(picture), true), 0.98)

    def test_no_dark_ground_means_everything(self):
        self.assertTrue(derive_field_of_view(np.full((40, 60, 3), 120, np.uint8)).all())

    def test_black_and_tiny(self):
        with self.assertRaisesRegex(DataError, "no field of view found"):
            derive_field_of_view(np.zeros((40, 60, 3), np.uint8))
        with self.assertRaisesRegex(DataError, "field-of-view mask file"):
            derive_field_of_view(photograph(disc(200, 200, 20)))

    def test_scale(self):
        self.assertAlmostEqual(field_of_view_scale(disc(600, 580, 270)), 1.0, places=2)
        self.assertAlmostEqual(field_of_view_scale(disc(600, 580, 135).T), 0.5, places=2)
        with self.assertRaisesRegex(DataError, "field of view is empty"):
            field_of_view_scale(np.zeros((8, 8), dtype=bool))

    def test_dictionary_form(self):
        true = disc(120, 160, 50)
        data = DeriveFieldOfViewd()({"image": from_picture(photograph(true)).float()})
        self.assertEqual(data["fov"].dtype, torch.uint8)
        self.assertEqual(tuple(data["fov"].shape), (1, 160, 120))
        self.assertGreater(overlap(data["fov"][0].numpy().T > 0, true), 0.98)


class TestOnRealEyes(unittest.TestCase):
    def test_drive(self):
        folder = data_root("DRIVE")
        images = sorted(folder.glob("*/images/*.tif"))
        self.assertEqual(len(images), 40)
        for path in images:
            given = read_mask(path.parents[1] / "mask" / f"{path.stem}_mask.gif")
            self.assertGreater(overlap(derive_field_of_view(read_rgb(path)), given), 0.98, path.name)

    def test_chase_db1(self):
        folder = data_root("CHASE_DB1")
        for path in sorted(folder.glob("*.jpg"))[::3]:
            found = derive_field_of_view(read_rgb(path))
            self.assertTrue(0.65 < found.mean() < 0.71, path.name)
            vessel = read_mask(path.with_name(f"{path.stem}_1stHO.png"))
            self.assertGreater((vessel & found).sum() / vessel.sum(), 0.99, path.name)


if __name__ == "__main__":
    unittest.main()
