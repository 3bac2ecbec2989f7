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

import csv
import unittest
from pathlib import Path

import numpy as np
from parameterized import parameterized
from PIL import Image

from monai_retinasynth.data import detect_layout, list_paired_folder_cases, load_cases
from monai_retinasynth.data.paired_folders import is_paired_folders_layout
from monai_retinasynth.transforms import LoadFundusCased
from monai_retinasynth.utils import DataError
from tests.data.layouts import eye
from tests.data.test_cases import FolderTestCase
from tests.real_data import data_root


def make_paired(root: Path, train: str = "train", test: str = "test", image: str = "image", mask: str = "mask") -> Path:
    """Five training and two test pairs."""
    for part, count in ((train, 5), (test, 2)):
        for number in range(1, count + 1):
            photograph, vessel, _ = eye(number)
            for folder, array in ((image, photograph), (mask, vessel.astype(np.uint8) * 255)):
                (root / part / folder).mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(root / part / folder / f"{number:02d}.png")
    return root


class TestPairedFolders(FolderTestCase):
    @parameterized.expand(
        [
            ("the_plain_names", {}, ""),
            ("plurals", {"train": "training", "test": "testing", "image": "images", "mask": "masks"}, ""),
            ("mixed", {"test": "testing", "mask": "masks"}, ""),
            ("nested", {}, "Data"),
        ]
    )
    def test_names_and_sections(self, _, names, below):
        make_paired(self.folder / below, **names)
        self.assertTrue(is_paired_folders_layout(self.folder))
        self.assertEqual(detect_layout(self.folder), "paired_folders")
        expected = {
            "training": ["training_01", "training_02", "training_03"],
            "validation": ["training_04", "training_05"],
            "test": ["test_01", "test_02"],
        }
        for section, identifiers in expected.items():
            cases = list_paired_folder_cases(self.folder, section)
            self.assertEqual([case["case_id"] for case in cases], identifiers)
        self.assertEqual(len(list_paired_folder_cases(self.folder, "all")), 7)
        case = list_paired_folder_cases(self.folder, "test")[1]
        test = self.folder / below / names.get("test", "test")
        self.assertEqual(case["image"], str(test / names.get("image", "image") / "02.png"))
        self.assertEqual(case["vessel"], str(test / names.get("mask", "mask") / "02.png"))

    def test_val_count(self):
        make_paired(self.folder)
        for val_count, counts in ((0, (5, 0)), (1, (4, 1)), (4, (1, 4))):
            found = [len(list_paired_folder_cases(self.folder, s, val_count)) for s in ("training", "validation")]
            self.assertEqual(tuple(found), counts)
        with self.assertRaisesRegex(DataError, "too few cases in the training pairs in .*lower val_count"):
            list_paired_folder_cases(self.folder, "training", 5)

    def test_pairs_go_by_name_and_load(self):
        make_paired(self.folder)
        Image.open(self.folder / "test" / "mask" / "02.png").save(self.folder / "test" / "mask" / "02.gif")
        (self.folder / "test" / "mask" / "02.png").unlink()
        (self.folder / "test" / "image" / "._01.png").write_bytes(b"hidden")
        case = load_cases(self.folder, "test")[1]
        self.assertTrue(case["vessel"].endswith("02.gif"))
        label = LoadFundusCased()(case)["label"][0].numpy().T
        _, vessel, fov = eye(2)
        np.testing.assert_array_equal((label == 2), vessel & (label > 0))
        self.assertGreater((fov == (label > 0)).mean(), 0.95)

    @parameterized.expand([("photograph", "image", "mask"), ("mask", "mask", "image")])
    def test_file_without_partner(self, _, extra, lacking):
        make_paired(self.folder)
        photograph, vessel, _ = eye()
        Image.fromarray(photograph).save(self.folder / "train" / extra / "77.png")
        message = rf"1 of 6 files have no partner: .*{extra}/77.png needs a file named 77\.\* in .*train/{lacking}\."
        with self.assertRaisesRegex(DataError, message):
            list_paired_folder_cases(self.folder, "training")
        self.assertEqual(len(list_paired_folder_cases(self.folder, "test")), 2)

    def test_two_files_of_a_name(self):
        make_paired(self.folder)
        Image.new("RGB", (32, 24)).save(self.folder / "train" / "image" / "03.jpg")
        with self.assertRaisesRegex(DataError, "03.jpg and .*03.png are called the same"):
            list_paired_folder_cases(self.folder, "training")

    def test_missing_folders(self):
        make_paired(self.folder)
        (self.folder / "test").rename(self.folder / "other")
        self.assertTrue(is_paired_folders_layout(self.folder))
        with self.assertRaisesRegex(DataError, "no folder test or testing in "):
            list_paired_folder_cases(self.folder, "all")
        (self.folder / "train" / "mask").rename(self.folder / "train" / "vessels")
        self.assertFalse(is_paired_folders_layout(self.folder))
        with self.assertRaisesRegex(DataError, "no folder mask or masks in .*train; the masks"):
            list_paired_folder_cases(self.folder, "training")
        with self.assertRaisesRegex(DataError, "not found: .*nowhere"):
            list_paired_folder_cases(self.folder / "nowhere", "training")
        self.assertFalse(is_paired_folders_layout(self.folder / "nowhere"))
        with self.assertRaisesRegex(DataError, "unknown section 'train'"):
            list_paired_folder_cases(self.folder, "train")

    def test_no_files(self):
        for name in ("image", "mask"):
            (self.folder / "train" / name).mkdir(parents=True)
        with self.assertRaisesRegex(DataError, "no photograph in .*image and no mask in .*mask"):
            list_paired_folder_cases(self.folder, "training")

    def test_a_folder_data_beside_the_parts(self):
        make_paired(self.folder)
        (self.folder / "Data").mkdir()
        self.assertEqual(len(list_paired_folder_cases(self.folder, "test")), 2)

    def test_retina_blood_vessel(self):
        root = data_root("KAGGLE_RETINA_BLOOD_VESSEL")
        self.assertEqual(detect_layout(root), "paired_folders")
        cases = [list_paired_folder_cases(root, section, val_count=0) for section in ("training", "test")]
        self.assertEqual([len(part) for part in cases], [80, 20])
        with open(root / "DRIVE_origin.csv") as file:
            self.assertEqual(sum(1 for _ in csv.reader(file)), 101)
        loaded = LoadFundusCased(image_dtype="uint8", spatial_size=256)(cases[1][0])
        self.assertEqual((tuple(loaded["image"].shape), tuple(loaded["label"].shape)), ((3, 256, 256), (1, 256, 256)))
        fractions = [(loaded["label"] == c).float().mean().item() for c in range(3)]
        self.assertTrue(0.25 < fractions[0] < 0.4 and 0.05 < fractions[2] < 0.12, fractions)


if __name__ == "__main__":
    unittest.main()
