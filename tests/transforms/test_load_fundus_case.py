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

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from monai.data import DataLoader, Dataset
from parameterized import parameterized
from PIL import Image

from monai_retinasynth.transforms import LoadFundusCased
from monai_retinasynth.utils import ConfigError, DataError, read_mask, write_label_map, write_rgb
from tests.real_data import data_root


class TestLoadFundusCased(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        y, x = np.mgrid[:60, :80]
        self.fov = (x - 40) ** 2 + (y - 30) ** 2 <= 28**2
        self.vessel = (np.abs(y - 20) < 2) & (x < 60)  # reaches beyond the field of view on the left
        photograph = np.where(self.fov[..., None], (180, 90, 40), 2).astype(np.uint8)
        self.image = self._save("image.png", photograph)
        self.vessel_file = self._save("vessel.gif", self.vessel.astype(np.uint8) * 255)
        self.fov_file = self._save("fov.png", self.fov)
        self.expected = self.fov.astype(np.uint8) + (self.fov & self.vessel)

    def _save(self, name: str, array: np.ndarray) -> str:
        Image.fromarray(array).save(self.folder / name)
        return str(self.folder / name)

    def test_masks_are_composed(self):
        case = {"image": self.image, "vessel": self.vessel_file, "fov": self.fov_file, "case_id": "7", "grade": 2}
        loaded = LoadFundusCased()(case)
        self.assertEqual(set(loaded), {"image", "label", "case_id", "grade"})
        self.assertIs(type(loaded["image"]), torch.Tensor)
        self.assertEqual((loaded["image"].dtype, tuple(loaded["image"].shape)), (torch.float32, (3, 80, 60)))
        self.assertEqual(float(loaded["image"].max()), 180)
        self.assertEqual(loaded["label"].dtype, torch.uint8)
        np.testing.assert_array_equal(loaded["label"][0].numpy().T, self.expected)
        self.assertIn("vessel", case)  # the case itself is left alone

    def test_field_of_view_is_derived(self):
        loaded = LoadFundusCased(image_dtype="uint8")({"image": self.image, "vessel": self.vessel_file})
        self.assertEqual(loaded["image"].dtype, torch.uint8)
        self.assertGreater((loaded["label"][0].numpy().T == self.expected).mean(), 0.98)

    def test_label_file_with_and_without_image(self):
        write_label_map(self.folder / "label.png", self.expected, "fundus_vessel")
        for case in ({"image": self.image}, {}):
            loaded = LoadFundusCased()({**case, "label": self.folder / "label.png"})
            np.testing.assert_array_equal(loaded["label"][0].numpy().T, self.expected)
            self.assertEqual("image" in loaded, bool(case))

    def test_collates(self):
        cases = [{"image": self.image, "vessel": self.vessel_file, "case_id": str(i)} for i in range(2)]
        batch = next(iter(DataLoader(Dataset(cases, LoadFundusCased()), batch_size=2)))
        self.assertEqual(tuple(batch["image"].shape), (2, 3, 80, 60))
        self.assertEqual(batch["case_id"], ["0", "1"])

    def test_sizes_differ(self):
        other = self._save("other.png", np.zeros((61, 80), np.uint8))
        write_rgb(self.folder / "wide.png", np.full((60, 81, 3), 99, np.uint8))
        write_label_map(self.folder / "label.png", self.expected, "fundus_vessel")
        for case in (
            {"image": self.image, "vessel": other},
            {"image": self.image, "vessel": self.vessel_file, "fov": other},
            {"image": str(self.folder / "wide.png"), "label": str(self.folder / "label.png")},
        ):
            with self.assertRaisesRegex(DataError, "sizes differ: .*png is .* is .*width x height"):
                LoadFundusCased()(case)

    def test_errors_name_the_file(self):
        empty = self._save("empty.png", np.zeros((60, 80), np.uint8))
        zero_one = self._save("zero_one.png", self.vessel.astype(np.uint8))
        dark = self._save("dark.png", np.zeros((60, 80, 3), np.uint8))
        for case, message in (
            ({"image": self.image, "case_id": "9"}, "case 9 names neither"),
            ({"image": str(self.folder / "none.png"), "vessel": self.vessel_file}, "none.png"),
            ({"image": self.image, "vessel": zero_one}, "zero_one.png"),
            ({"image": self.image, "label": self.fov_file.replace("fov", "image")}, "image.png"),
            ({"image": self.image, "vessel": self.vessel_file, "fov": empty}, "empty.png: it is empty"),
            ({"image": dark, "vessel": self.vessel_file}, "dark.png: no field of view"),
            ({"vessel": self.vessel_file}, "neither a 'fov' mask nor an 'image'"),
        ):
            with self.subTest(message), self.assertRaisesRegex(DataError, message):
                LoadFundusCased()(case)
        other = {"name": "two", "class_names": ["ground", "vessel"], "colors": [[0, 0, 0], [9, 9, 9]]}
        with self.assertRaisesRegex(DataError, "store label maps"):
            LoadFundusCased(other)({"image": self.image, "vessel": self.vessel_file})

    @parameterized.expand([((40, 30),), ((20, 60),), ([33, 17],), ((120, 100),), ((60, 100),)])
    def test_sizes(self, size):
        case = {"image": self.image, "vessel": self.vessel_file, "fov": self.fov_file}
        loaded = LoadFundusCased(spatial_size=size)(case)
        self.assertEqual((tuple(loaded["image"].shape[1:]), tuple(loaded["label"].shape[1:])), (tuple(size),) * 2)
        self.assertEqual((loaded["image"].dtype, loaded["label"].dtype), (torch.float32, torch.uint8))
        self.assertEqual(set(loaded["label"].unique().tolist()), {0, 1, 2})
        inside = (loaded["label"] > 0).float().mean().item()
        self.assertAlmostEqual(inside, self.fov.mean(), delta=0.02)
        # the photograph follows its label map: bright inside, dark outside
        level = loaded["image"][0][loaded["label"][0] == 1].mean()
        self.assertGreater(float(level), 170)

    def test_one_number_for_both_sides(self):
        case = {"image": self.image, "vessel": self.vessel_file, "fov": self.fov_file}
        loaded = LoadFundusCased(spatial_size=32, image_dtype="uint8")(case)
        self.assertEqual((tuple(loaded["image"].shape), loaded["image"].dtype), ((3, 32, 32), torch.uint8))
        for wrong in ((0, 4), (4, 5, 6), "big", (-3, 3)):
            with self.subTest(wrong), self.assertRaisesRegex(ConfigError, "two whole numbers"):
                LoadFundusCased(spatial_size=wrong)

    def test_photograph_is_averaged_over_areas(self):
        picture = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype(np.uint8)
        image = self._save("random.png", picture)
        write_label_map(self.folder / "label.png", np.ones((4, 6)), "fundus_vessel")
        case = {"image": image, "label": self.folder / "label.png"}
        loaded = LoadFundusCased(spatial_size=(3, 2))(case)["image"]
        means = picture.reshape(2, 2, 3, 2, 3).astype(float).mean(axis=(1, 3))
        np.testing.assert_array_equal(loaded.numpy().transpose(2, 1, 0), np.round(means))
        # a column of three that becomes two: the middle one counts for both by half
        thirds = LoadFundusCased(spatial_size=(4, 4))(case)["image"].numpy().transpose(2, 1, 0)
        expected = (picture[:, 0].astype(float) + 0.5 * picture[:, 1]) / 1.5
        np.testing.assert_allclose(thirds[:, 0], expected, atol=0.51)

    def test_ties_go_to_the_later_class(self):
        # every other column is vessel: at (3, 2) each pixel is half vessel
        columns = np.broadcast_to(np.arange(6) % 2, (4, 6))
        write_label_map(self.folder / "label.png", 1 + columns, "fundus_vessel")
        for size, expected in (((3, 2), [2, 2, 2]), ((4, 4), [1, 1, 2, 2]), ((2, 2), [1, 2])):
            label = LoadFundusCased(spatial_size=size)({"label": self.folder / "label.png"})["label"][0]
            self.assertEqual(label[:, 0].tolist(), expected)
        # the outside and the vessel tie, and retina has less
        write_label_map(self.folder / "label.png", np.array([[0, 2, 0, 2, 1]]), "fundus_vessel")
        label = LoadFundusCased(spatial_size=(1, 1))({"label": self.folder / "label.png"})["label"]
        self.assertEqual(label.tolist(), [[[2]]])

    @parameterized.expand([(3,), (5,), (7,), (11,)])
    def test_ties_do_not_depend_on_rounding(self, new):
        # a row of `new` pixels, each of which covers as much of the two classes, at sizes that are no binary fractions
        row = np.repeat([1, 2], new)[None]
        mixed = row.reshape(2, new).T.reshape(1, -1)  # 1 2 1 2 ...
        write_label_map(self.folder / "label.png", np.repeat(mixed, 3, axis=0), "fundus_vessel")
        label = LoadFundusCased(spatial_size=(new, 1))({"label": self.folder / "label.png"})["label"]
        self.assertEqual(label[0, :, 0].tolist(), [2] * new)

    def test_label_maps_alone_and_of_other_label_sets(self):
        classes = np.array([[0, 0, 1, 1], [0, 0, 1, 3], [2, 2, 3, 3], [2, 0, 3, 3]])
        write_label_map(self.folder / "label.png", classes, "fundus_disc_vessel")
        load = LoadFundusCased("fundus_disc_vessel", spatial_size=(2, 2))
        label = load({"label": self.folder / "label.png"})["label"]
        self.assertEqual(label[0].T.tolist(), [[0, 1], [2, 3]])
        larger = LoadFundusCased("fundus_disc_vessel", spatial_size=(16, 12))({"label": self.folder / "label.png"})
        self.assertEqual(set(larger["label"].unique().tolist()), {0, 1, 2, 3})  # nothing between two classes

    def test_size_of_the_files_is_left_alone(self):
        case = {"image": self.image, "vessel": self.vessel_file, "fov": self.fov_file}
        plain, same = LoadFundusCased()(case), LoadFundusCased(spatial_size=(80, 60))(case)
        for key in ("image", "label"):
            torch.testing.assert_close(plain[key], same[key], rtol=0, atol=0)

    def test_drive(self):
        root = data_root("DRIVE") / "test"
        case = {
            "image": root / "images" / "01_test.tif",
            "vessel": root / "1st_manual" / "01_manual1.gif",
            "fov": root / "mask" / "01_test_mask.gif",
        }
        loaded = LoadFundusCased()(case)
        self.assertEqual(tuple(loaded["image"].shape), (3, 565, 584))
        fov = read_mask(case["fov"])
        np.testing.assert_array_equal(loaded["label"][0].numpy().T > 0, fov)

    def test_grey_levels(self):
        grey = np.arange(60 * 80, dtype=np.uint8).reshape(60, 80)
        case = {"image": self._save("grey.png", grey), "vessel": self.vessel_file, "fov": self.fov_file}
        loaded = LoadFundusCased(image_channels=1, image_dtype="uint8")(case)
        np.testing.assert_array_equal(loaded["image"][0].numpy().T, grey)
        self.assertEqual(tuple(loaded["image"].shape), (1, 80, 60))
        # of a colour photograph its brightness; the field of view is derived as before
        loaded = LoadFundusCased(image_channels=1)({"image": self.image, "vessel": self.vessel_file})
        self.assertEqual(tuple(loaded["image"].shape), (1, 80, 60))
        self.assertGreater((loaded["label"][0].numpy().T == self.expected).mean(), 0.98)
        with self.assertRaisesRegex(ConfigError, "image_channels must be 3 .* or 1"):
            LoadFundusCased(image_channels=2)

    def test_second_label_map(self):
        label, target = np.zeros((60, 80), np.uint8), self.expected
        write_label_map(self.folder / "label.png", label, "fundus_vessel")
        write_label_map(self.folder / "target.png", target, "fundus_vessel")
        case = {"label": str(self.folder / "label.png"), "target": str(self.folder / "target.png")}
        loaded = LoadFundusCased(target_label_set="fundus_vessel")(case)
        np.testing.assert_array_equal(loaded["target"][0].numpy().T, target)
        half = LoadFundusCased(target_label_set="fundus_vessel", spatial_size=(40, 30))(case)
        self.assertEqual((tuple(half["target"].shape), half["target"].dtype), ((1, 40, 30), torch.uint8))
        write_label_map(self.folder / "target.png", target[:, :50], "fundus_vessel")
        with self.assertRaisesRegex(DataError, "sizes differ.*target.png is 50 x 60"):
            LoadFundusCased(target_label_set="fundus_vessel")(case)


if __name__ == "__main__":
    unittest.main()
