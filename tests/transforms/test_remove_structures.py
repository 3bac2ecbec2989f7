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
from scipy.ndimage import distance_transform_edt, gaussian_filter

from monai_retinasynth.data import load_cases
from monai_retinasynth.transforms import (
    LoadFundusCased,
    RemoveStructures,
    RemoveStructuresd,
    remove_structures,
)
from monai_retinasynth.transforms.fill_holes import fill_holes
from monai_retinasynth.utils import CHEST_ORGAN, ConfigError, DataError
from tests.real_data import data_root


def eye(size: tuple[int, int] = (140, 128), channels: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A disc with a gradient and grain, a dark rim, and two dark vessels with soft walls; vessels; field of view."""
    rng = np.random.default_rng(0)
    x, y = np.indices(size) - np.reshape([(side - 1) / 2 for side in size], (2, 1, 1))
    radius = np.hypot(x, y)
    inside = radius < min(size) / 2 - 4
    structures = ((np.abs(y - x / 3) < 2) | (np.abs(x + 12) < 1.2)) & inside
    level = 120 + 0.4 * x + rng.normal(0, 3, (channels, *size))
    level -= 60 * np.clip(gaussian_filter(structures.astype(float), 0.6) * 1.3, 0, 1)
    level[:, radius > min(size) / 2 - 6] *= 0.4
    return np.where(inside, level, 0).astype(np.float32), structures, inside


class TestRemoveStructures(unittest.TestCase):
    @parameterized.expand([((140, 128), 3), ((97, 131), 1), ((300, 280), 3)])
    def test_level_of_the_surroundings(self, size, channels):
        photograph, structures, inside = eye(size, channels)
        background = remove_structures(photograph, structures, inside, margin=9.0, rim=14.0)
        self.assertEqual((background.shape, background.dtype), (photograph.shape, np.float32))
        deep = structures & (distance_transform_edt(inside) > 10)
        x = np.indices(size)[0] - (size[0] - 1) / 2
        off = background - (120 + 0.4 * x)  # what the eye would be without vessels
        for plane in off:
            self.assertLess(abs(float(plane[deep].mean())), 1.5)
            self.assertLess(abs(float(plane[inside & ~structures].mean())), 1.5)
            self.assertGreater(plane[deep].std(), 1.5)  # grain, not a smear
            self.assertLess(plane[deep].std(), 4.5)
            self.assertLess(np.abs(plane[inside]).max(), 25)  # the dark rim is gone
        self.assertEqual(float(np.abs(background[:, ~inside]).max()), 0.0)

    def test_what_is_far_stays(self):
        photograph, structures, inside = eye()
        background = remove_structures(photograph, structures, inside)
        scale = 2 * np.sqrt(inside.sum() / np.pi) / 540
        far = (distance_transform_edt(~structures) > 5 * scale) & (distance_transform_edt(inside) > 10 * scale)
        self.assertGreater(int(far.sum()), 1000)
        np.testing.assert_array_equal(background[:, far], photograph[:, far])
        self.assertGreater(np.abs(background - photograph)[:, structures].mean(), 20)
        untouched = remove_structures(photograph, np.zeros_like(structures), inside, rim=0.0)
        core = distance_transform_edt(inside) > 2
        np.testing.assert_array_equal(untouched[:, core], photograph[:, core])

    def test_seeded(self):
        photograph, structures, inside = eye()
        first, again, other = (remove_structures(photograph, structures, inside, seed=seed) for seed in (3, 3, 4))
        np.testing.assert_array_equal(first, again)
        self.assertTrue((first != other).any())

    def test_decoys_are_filled(self):
        photograph, structures, inside = eye()
        decoys = np.zeros_like(structures)
        decoys[60:100, 30:34] = True
        decoys &= ~structures
        plain = remove_structures(photograph, structures, inside)
        decoyed = remove_structures(photograph, structures, inside, decoys=decoys)
        only = decoys & (distance_transform_edt(~structures) > 4)
        np.testing.assert_array_equal(plain[:, only], photograph[:, only])
        self.assertGreater((decoyed[:, only] != photograph[:, only]).mean(), 0.95)
        self.assertLess(abs(float((decoyed - photograph)[:, only].mean())), 1.5)

    def test_black_notch_in_the_field_of_view(self):
        photograph, structures, inside = eye()
        notch = np.zeros_like(inside)
        notch[60:80, :20] = True
        photograph[:, notch] = 0
        background = remove_structures(photograph, structures, inside, rim=14.0)
        self.assertGreater(float(background[:, notch & inside].min()), 60)

    def test_field_of_view_cut_by_the_picture(self):
        photograph, structures, inside = (a[..., 30:100] for a in eye())
        background = remove_structures(photograph, structures, inside)
        far = (distance_transform_edt(~structures) > 3) & (distance_transform_edt(inside) > 4)
        self.assertTrue(far[:, 0].any() and far[:, -1].any())  # no rim where the picture ends
        np.testing.assert_array_equal(background[:, far], photograph[:, far])

    @parameterized.expand(
        [
            ("black", lambda p, s, i: (p * 0.01, s, i), "black"),
            ("all structure", lambda p, s, i: (p, i, i), "60%"),
            ("most structure", lambda p, s, i: (p, i & (np.indices(i.shape)[0] > 40), i), "thin or small"),
            ("no field of view", lambda p, s, i: (p, s, i & False), "field of view is empty"),
            ("other size", lambda p, s, i: (p, s[1:], i), "its own size"),
        ]
    )
    def test_errors(self, _, spoil, message):
        with self.assertRaisesRegex(DataError, message):
            remove_structures(*spoil(*eye()))

    def test_nothing_left_to_fill_from(self):
        photograph, structures, inside = eye()
        with self.assertRaisesRegex(DataError, "smaller rim"):
            remove_structures(photograph, structures, inside, rim=400.0)

    def test_real_eyes(self):
        for name, index in (("DRIVE", 3), ("CHASE_DB1", 2)):
            case = LoadFundusCased(image_dtype="uint8")(load_cases(str(data_root(name)), "training")[index])
            image, label = case["image"].numpy(), case["label"].numpy()[0]
            background = remove_structures(image, label == 2, label > 0)
            scale = 2 * np.sqrt((label > 0).sum() / np.pi) / 540
            away = distance_transform_edt(label != 2) / scale
            deep = distance_transform_edt(label > 0) > 15 * scale
            ring = ((away > 7) & (away < 14) & deep).astype(np.float32)
            share = gaussian_filter(ring, 12 * scale)
            vessel = (label == 2) & deep
            for plane in background:
                around = gaussian_filter(plane * ring, 12 * scale) / np.maximum(share, 1e-6)
                self.assertLess(abs(float((plane - around)[vessel].mean())), 1.0)  # no ghosts, dark or light
                self.assertLess(float((plane - around)[vessel].std()), 12.0)
            green = image[1].astype(np.float32)
            around = gaussian_filter(green * ring, 12 * scale) / np.maximum(share, 1e-6)
            self.assertLess(float((green - around)[vessel].mean()), -10)  # where vessels had been


class TestRemoveStructuresTransforms(unittest.TestCase):
    def case(self) -> dict:
        photograph, structures, inside = eye()
        label = torch.from_numpy(inside.astype(np.uint8) + structures)[None]
        return {"image": torch.from_numpy(photograph).round().byte(), "label": label, "case_id": "eye_7"}

    def test_array_and_dictionary(self):
        case = self.case()
        background = RemoveStructures()(case["image"], case["label"])
        self.assertEqual((background.dtype, background.shape), (torch.uint8, case["image"].shape))
        result = RemoveStructuresd()(case)
        self.assertTrue(torch.equal(result["background"], background))
        self.assertTrue(torch.equal(result["image"], case["image"]))
        expected = remove_structures(case["image"].numpy(), case["label"][0].numpy() == 2, case["label"][0].numpy() > 0)
        np.testing.assert_array_equal(background.numpy(), np.rint(expected))
        floating = RemoveStructures()(case["image"].float(), case["label"])
        self.assertTrue(floating.is_floating_point())

    def test_decoys_and_seed_of_one_photograph(self):
        case = self.case()
        decoys = torch.zeros_like(case["label"])
        decoys[0, 60:100, 30:34] = 1
        remove = RemoveStructures(seed=3)
        plain = remove(case["image"], case["label"])
        self.assertFalse(torch.equal(plain, remove(case["image"], case["label"], decoys)))
        other = remove(case["image"], case["label"], seed=4)
        self.assertFalse(torch.equal(plain, other))
        self.assertTrue(torch.equal(RemoveStructures(seed=4)(case["image"], case["label"]), other))
        self.assertTrue(torch.equal(remove(case["image"], case["label"]), plain))

    def test_other_classes_stay(self):
        case = self.case()
        case["label"][0, 60:70, 80:90] = 3
        before = case["image"][:, 63:67, 83:87]
        names = {"name": "own", "class_names": ["outside", "retina", "vessel", "spot"], "colors": [[0, 0, 0]] * 4}
        result = RemoveStructuresd(label_set=names, classes=["vessel"])(case)["background"][:, 63:67, 83:87]
        self.assertTrue(torch.equal(result, before))
        result = RemoveStructuresd(label_set=names)(case)["background"][:, 63:67, 83:87]
        self.assertFalse(torch.equal(result, before))

    def test_errors(self):
        case = self.case()
        case["label"].clamp_(max=1)
        with self.assertRaisesRegex(DataError, r"eye_7.*\['vessel'\]"):
            RemoveStructuresd()(case)
        healthy = RemoveStructuresd(allow_absent=True)(case)["background"]
        core = distance_transform_edt(case["label"][0].numpy()) > 6
        self.assertTrue(torch.equal(healthy[:, core], case["image"][:, core]))
        with self.assertRaisesRegex(ConfigError, "lesion"):
            RemoveStructures(classes=["lesion"])
        with self.assertRaisesRegex(ConfigError, "outside"):
            RemoveStructures(classes=["outside"])
        with self.assertRaisesRegex(ConfigError, "output keys"):
            RemoveStructuresd(output_key=("a", "b"))
        with self.assertRaisesRegex(ConfigError, "chest_organ.*not for organs"):
            RemoveStructures(CHEST_ORGAN)
        large = self.case()
        large["label"][0, 40:] *= 2
        with self.assertRaisesRegex(DataError, "eye_7.*organs"):
            RemoveStructuresd()(large)


class TestFillHoles(unittest.TestCase):
    def test_a_wide_hole_is_told_by_its_border(self):
        # a bright disc that is almost all hole, in wide dark surroundings
        x, y = np.indices((160, 160)) - 79.5
        radius = np.hypot(x, y)
        picture = np.where(radius < 40, 200.0, 50.0)[None]
        hole = radius < 24
        known = ~hole
        filled = fill_holes(picture, known, np.ones(known.shape), hole)
        self.assertEqual(filled.shape, (1, int(hole.sum())))
        self.assertGreater(float(filled.min()), 150)
        self.assertGreater(float(filled.mean()), 185)

    def test_no_seam(self):
        y = np.indices((90, 120))[1]
        picture = (50.0 + y)[None]
        hole = np.zeros((90, 120), dtype=bool)
        hole[20:70, 40:80] = True
        result = picture[0].copy()
        result[hole] = fill_holes(picture, ~hole, np.ones(hole.shape), hole)[0]
        self.assertLess(np.abs(np.diff(result[5:-5, 5:-5], axis=0)).max(), 3)
        self.assertLess(np.abs(np.diff(result[5:-5, 5:-5], axis=1)).max(), 5)
        self.assertLess(abs(float((result - picture[0])[hole].mean())), 1.0)

    def test_large_pictures_are_scaled_ones(self):
        photograph, structures, inside = eye((140, 128))
        smooth = gaussian_filter(photograph, (0, 2, 2))
        small = remove_structures(smooth, structures, inside, rim=14.0)
        large = (np.repeat(np.repeat(a, 4, -1), 4, -2) for a in (smooth, structures, inside))
        large = remove_structures(*large, rim=14.0)[:, 2::4, 2::4]
        self.assertLess(float(np.abs(large - small)[:, inside].mean()), 1.0)


if __name__ == "__main__":
    unittest.main()
