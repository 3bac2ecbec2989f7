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

import pickle
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from parameterized import parameterized
from scipy.ndimage import distance_transform_edt

from monai_retinasynth.data import BackgroundLibrary, write_background_dataset, write_datalist
from monai_retinasynth.data.structure_correlation import fovea_place, structures_on_grid
from monai_retinasynth.simulation import FundusPhantom, write_phantom_dataset
from monai_retinasynth.transforms import FitBackgroundd, LoadFundusCased
from monai_retinasynth.utils import ConfigError, DataError, write_label_map, write_rgb


def arcade(size: int = 108, offset: tuple[int, int] = (0, 0), radius: int | None = None) -> np.ndarray:
    """Label map (X, Y): a field of view with an arc beside its middle and a branch, which no mirror leaves alike."""
    radius = radius or size // 2 - 4
    x, y = np.indices((size, size)) - size // 2
    x, y = x - offset[0], y - offset[1]
    unit = radius / 50
    label = (np.hypot(x, y) <= radius).astype(np.uint8)
    arc = (np.abs(np.hypot(x + 12 * unit, y - 5 * unit) - 26 * unit) < 2 * unit) & (x < 8 * unit)
    branch = (np.abs(y + 20 * unit + x / 4) < 1.5 * unit) & (x > 0)
    label[(arc | branch) & (label > 0)] = 2
    return label


def write_backgrounds(folder: Path, labels: list[np.ndarray]) -> Path:
    """A background set; the level of eye k is 60 + 30 k, with a gradient along X and Y by which places are told."""
    eyes, cases = folder / "eyes", []
    for number, label in enumerate(labels):
        x, y = np.indices(label.shape)
        level = 60 + 30 * number + np.stack([0.1 * x, 0.1 * y, 0 * x])
        level = np.where(label == 2, 0.4 * level, level) * (label > 0)
        files = {"image": f"images/eye_{number}.png", "label": f"labels/eye_{number}.png"}
        write_rgb(eyes / files["image"], level.round().astype(np.uint8).transpose(2, 1, 0))
        write_label_map(eyes / files["label"], label.T, "fundus_vessel")
        cases.append({**files, "case_id": f"eye_{number}", "source": "real"})
    write_datalist(eyes, {"training": cases}, "fundus_vessel", "drawn")
    write_background_dataset(eyes, folder / "backgrounds", val_count=0, progress=False)
    return folder / "backgrounds"


class TestBackgroundLibrary(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    @parameterized.expand(
        [
            ((False, False), (0, 0)),
            ((True, False), (3, -2)),
            ((False, True), (-4, 4)),
            ((True, True), (0, 5)),
        ]
    )
    def test_finds_mirror_and_shift(self, mirrored, shift):
        own = arcade()
        backgrounds = write_backgrounds(self.folder, [own, np.ascontiguousarray(own.T)])
        library = BackgroundLibrary(backgrounds, num_candidates=1)
        # the eye's vessels, mirrored and shifted within a field of view that stays
        vessels = own == 2
        for axis, mirror in enumerate(mirrored):
            vessels = np.roll(np.flip(vessels, axis), 1, axis) if mirror else vessels
        label = (own > 0).astype(np.uint8)
        label[np.roll(vessels, shift, (0, 1)) & (own > 0)] = 2
        fitted = library.fit(torch.from_numpy(label)[None], seed=0)
        self.assertEqual((fitted.case_id, fitted.mirrored), ("eye_0", mirrored))
        np.testing.assert_allclose(fitted.shift, shift, atol=1)
        # the gradient says where a pixel comes from
        slope = [np.polyfit(np.arange(30, 80), fitted.image[0, 30:80, 54].numpy(), 1)[0],
                 np.polyfit(np.arange(30, 80), fitted.image[1, 54, 30:80].numpy(), 1)[0]]  # fmt: skip
        self.assertEqual(tuple(s < 0 for s in slope), mirrored)
        middle = 60 + 0.1 * np.where(mirrored, 107 - 53 + np.array(shift), 54 - np.array(shift))
        np.testing.assert_allclose(fitted.image[:2, 54, 54].numpy(), middle, atol=2)

    def test_threads_that_want_other_sizes(self):
        class Raced(dict):
            """Another thread puts another size there at once."""

            def __setitem__(self, key, value):
                super().__setitem__(key, (value[0] + 1, None))

        backgrounds = write_backgrounds(self.folder, [arcade()])
        label = torch.from_numpy(arcade(160, radius=70))[None]
        library = BackgroundLibrary(backgrounds)
        expected = library.fit(label, seed=0).image
        self.assertTrue(library._resized)
        library._resized = Raced()
        self.assertTrue(torch.equal(library.fit(label, seed=0).image, expected))

    def test_every_pixel_of_the_field_of_view_and_none_outside(self):
        library = BackgroundLibrary(write_backgrounds(self.folder, [arcade(), arcade()]))
        for seed in range(6):
            label = torch.from_numpy(FundusPhantom(size=108, seed=5).label_map(seed).T.copy())[None]
            image = library.fit(label, seed).image
            self.assertEqual((image.dtype, tuple(image.shape)), (torch.uint8, (3, 108, 108)))
            inside = label[0] > 0
            self.assertGreater(int(image[:, inside].min()), 50)
            self.assertEqual(int(image[:, ~inside].max()), 0)

    @parameterized.expand([(1.0,), (0.7,), (2.2,)])
    def test_other_size_and_place_of_the_field_of_view(self, factor):
        library = BackgroundLibrary(write_backgrounds(self.folder, [arcade(), arcade()[::-1].copy()]), num_candidates=1)
        radius = round(50 * factor)
        size = 2 * radius + 40
        label = arcade(size, (12, -9), radius)
        fitted = library.fit(torch.from_numpy(label)[None], seed=1)
        self.assertEqual((fitted.case_id, fitted.mirrored, fitted.shift), ("eye_0", (False, False), (0, 0)))
        self.assertEqual(tuple(fitted.image.shape), (3, size, size))
        middle = (size // 2 + 12, size // 2 - 9)
        np.testing.assert_allclose(fitted.image[:2, middle[0], middle[1]].numpy(), 60 + 5.4, atol=2)
        deep = distance_transform_edt(label) > 8 * factor
        gradient = np.polyfit(np.nonzero(deep)[0], fitted.image[0][torch.from_numpy(deep)].numpy(), 1)[0]
        self.assertAlmostEqual(gradient, 0.1 / factor, delta=0.02)

    def test_seeded_choice_among_the_best(self):
        library = BackgroundLibrary(write_backgrounds(self.folder, [arcade(), arcade(), arcade()]), num_candidates=3)
        label = torch.from_numpy(arcade())[None]
        fits = [library.fit(label, seed) for seed in range(12)]
        self.assertEqual({fit.case_id for fit in fits}, {"eye_0", "eye_1", "eye_2"})
        again = pickle.loads(pickle.dumps(library)).fit(label, 4)
        self.assertTrue(torch.equal(again.image, fits[4].image))
        self.assertEqual(again.case_id, fits[4].case_id)

    def test_exclude(self):
        library = BackgroundLibrary(write_backgrounds(self.folder, [arcade(), arcade()]))
        label = torch.from_numpy(arcade())[None]
        self.assertEqual({library.fit(label, seed, ["eye_0"]).case_id for seed in range(6)}, {"eye_1"})
        self.assertEqual(library.fit(label, 0, "eye_1").case_id, "eye_0")
        with self.assertRaisesRegex(DataError, "all backgrounds .*eye_0, eye_1"):
            library.fit(label, 0, ("eye_0", "eye_1"))

    def test_bare_fovea_is_preferred(self):
        label = np.full((108, 108), 0, dtype=np.uint8)
        label[arcade() > 0] = 1
        radius = np.hypot(*(np.indices(label.shape) - 50))
        label[(radius > 22) & (radius < 25)] = 2
        place = fovea_place(structures_on_grid(label, [2]))
        x, y = np.unravel_index(place.argmax(), place.shape)
        self.assertLess(max(abs(x - 59.5), abs(y - 59.5)), 3)
        library = BackgroundLibrary(write_backgrounds(self.folder, [label]), num_candidates=1, max_shift=0)
        bare = library.fit(torch.from_numpy(label)[None], 0).score
        label[48:52, 34:66] = 2
        self.assertLess(library.fit(torch.from_numpy(label)[None], 0).score, bare - 0.05)

    def test_rotation(self):
        own = arcade()
        backgrounds = write_backgrounds(self.folder, [own])
        library = BackgroundLibrary(backgrounds, rotation_degrees=12.0, num_candidates=1)
        angle = np.radians(-12.0)
        x, y = np.indices(own.shape) - 54
        back = np.rint([np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x]).astype(int) + 54
        back = back.clip(0, 107)
        label = np.where(own > 0, np.maximum(own[back[0], back[1]], 1), 0).astype(np.uint8)
        fitted = library.fit(torch.from_numpy(label)[None], 0)
        self.assertEqual((fitted.rotation, fitted.mirrored), (-12.0, (False, False)))
        inside = label > 0
        self.assertGreater(int(fitted.image[:, torch.from_numpy(inside)].min()), 50)
        # red is 60 + 0.1 x of the eye before it was turned
        deep = distance_transform_edt(inside) > 8
        expected = 60 + 0.1 * back[0][deep]
        np.testing.assert_allclose(fitted.image[0].numpy()[deep], expected, atol=2)

    @parameterized.expand([((False, False), (0, 0)), ((True, False), (8, -6))])
    def test_narrower_field_of_view(self, mirrored, shift):
        own = arcade()
        backgrounds = write_backgrounds(self.folder, [np.ascontiguousarray(own.T), own])
        library = BackgroundLibrary(backgrounds, num_candidates=1, field_degrees=45)
        # two thirds of the eye, enlarged: pixel p of the label map shows place `at` of the eye
        x, y = np.indices(own.shape)
        at = [54 + (axis - 54 - moved) / 1.5 for axis, moved in zip((x, y), shift)]
        at = [107 - place if mirror else place for place, mirror in zip(at, mirrored)]
        near = tuple(np.rint(place).astype(int) for place in at)
        label = np.where(own > 0, np.maximum(own[near], 1), 0).astype(np.uint8)
        fitted = library.fit(torch.from_numpy(label)[None], 0, field_degrees=30)
        self.assertEqual((fitted.case_id, fitted.mirrored, fitted.zoom), ("eye_1", mirrored, 1.5))
        np.testing.assert_allclose(fitted.shift, shift, atol=2)
        inside = distance_transform_edt(label) > 8
        np.testing.assert_allclose(fitted.image[0].numpy()[inside], 90 + 0.1 * at[0][inside], atol=1.5)
        np.testing.assert_allclose(fitted.image[1].numpy()[inside], 90 + 0.1 * at[1][inside], atol=1.5)

    def test_zoom_by_the_angles_of_both(self):
        backgrounds = write_backgrounds(self.folder, [arcade()])
        label = torch.from_numpy(arcade())[None]
        for own, other, zoom in ((None, 30, 1.0), (45, None, 1.0), (45, 45, 1.0), (30, 45, 1.0), (50, 40, 1.25)):
            fitted = BackgroundLibrary(backgrounds, field_degrees=own).fit(label, 0, field_degrees=other)
            self.assertEqual(fitted.zoom, zoom)
        case = {"label": label, "index": 0, "field_degrees": 36.0}
        fit = FitBackgroundd("label", BackgroundLibrary(backgrounds, num_candidates=1, field_degrees=45))
        expected = fit.library.fit(label, 0, field_degrees=36.0).image
        self.assertTrue(torch.equal(fit(case)["background"], expected))
        for angle in (0, 0.7, "45"):
            with self.assertRaisesRegex(ConfigError, "visual angle"):
                BackgroundLibrary(backgrounds, field_degrees=angle)
            with self.assertRaisesRegex(ConfigError, "visual angle"):
                fit.library.fit(label, 0, field_degrees=angle)

    def test_field_of_view_that_no_background_covers(self):
        library = BackgroundLibrary(write_backgrounds(self.folder, [arcade()]))
        wide = np.ones((200, 40), dtype=np.uint8)
        wide[60:140, 20] = 2
        with self.assertRaisesRegex(DataError, "covers the field of view .*200 x 40"):
            library.fit(torch.from_numpy(wide)[None], 0)
        with self.assertRaisesRegex(DataError, "field of view is empty"):
            library.fit(torch.zeros(1, 50, 50, dtype=torch.uint8), 0)

    def test_errors(self):
        backgrounds = write_backgrounds(self.folder, [arcade()])
        with self.assertRaisesRegex(DataError, "2 backgrounds are asked for"):
            BackgroundLibrary(backgrounds, num_backgrounds=2)
        with self.assertRaisesRegex(DataError, "colours"):
            BackgroundLibrary(backgrounds, image_channels=1)
        with self.assertRaisesRegex(DataError, "no backgrounds in"):
            BackgroundLibrary(self.folder)
        with self.assertRaisesRegex(DataError, "not one of backgrounds"):
            BackgroundLibrary(self.folder / "eyes")
        for wrong in ({"max_shift": 100.0}, {"num_candidates": 0}, {"rotation_degrees": -1.0}):
            with self.assertRaisesRegex(ConfigError, "max_shift"):
                BackgroundLibrary(backgrounds, **wrong)
        (backgrounds / "images" / "eye_0.png").unlink()
        with self.assertRaisesRegex(DataError, "eye_0.png"):
            BackgroundLibrary(backgrounds)


class TestGreyBackgrounds(unittest.TestCase):
    def test_one_channel(self):
        with tempfile.TemporaryDirectory() as folder:
            write_phantom_dataset(
                f"{folder}/eyes", size=96, num_training=2, num_validation=1, num_test=0, source="real", progress=False
            )
            write_background_dataset(f"{folder}/eyes", f"{folder}/b", image_channels=1, progress=False)
            library = BackgroundLibrary(f"{folder}/b", image_channels=1)
            case = LoadFundusCased()({"label": f"{folder}/b/labels/{library.case_ids[0]}.png"})
            case = FitBackgroundd("label", library)({**case, "index": 0})
            self.assertEqual(tuple(case["background"].shape), (1, 96, 96))
            self.assertIn(case["background_id"], library.case_ids)


if __name__ == "__main__":
    unittest.main()
