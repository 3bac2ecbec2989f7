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
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from monai_retinasynth.data import (
    FGADR_STRUCTURES,
    check_dataset,
    list_fgadr_cases,
    load_cases,
    load_datalist,
    prepare_fgadr_lesions,
)
from monai_retinasynth.utils import ConfigError, DataError, read_label_map
from tests.data.test_cases import FolderTestCase

OUTSIDE, RETINA, VESSEL, DISC, SOFT, HAEMORRHAGE, HARD, MICRO = range(8)
SIDE, COUNT = 48, 8


def make_fgadr(root: Path) -> Path:
    """Seg-set with smaller eyes in the owners' layout: soft masks, in colour for haemorrhages, IRMA in one eye only."""
    y, x = np.mgrid[:SIDE, :SIDE]
    fov = (x - 23.5) ** 2 + (y - 23.5) ** 2 <= 24**2
    places = {
        "microaneurysms": (15, 15),
        "haemorrhages": (30, 14),
        "hard_exudates": (14, 32),
        "soft_exudates": (32, 32),
    }
    for number in range(COUNT):
        name = f"{number:04d}_1.png"
        _save(root / "Original_Images" / name, np.where(fov[..., None], (180, 90 - number, 40), 2).astype(np.uint8))
        for structure, folder in FGADR_STRUCTURES.items():
            row, column = places.get(structure, (40, 24))
            if structure in places or number == 0:
                distance = np.hypot(y - row, x - column)
                mask = (255 * np.clip(3.5 - distance, 0, 1)).astype(np.uint8)
                _save(root / folder / name, np.stack([mask] * 3, axis=-1) if structure == "haemorrhages" else mask)
    rows = [f"{number:04d}_1.png,{number % 5}" for number in range(COUNT)]
    (root / "DR_Seg_Grading_Label.csv").write_text("\n".join(rows) + "\n")
    return root


def _save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


class TestFgadr(FolderTestCase):
    def setUp(self):
        super().setUp()
        self.root = make_fgadr(self.folder / "FGADR-Seg-set_Release" / "Seg-set")

    def list(self, section: str, **settings):
        return list_fgadr_cases(self.root, section, **{"val_count": 1, "test_count": 2, **settings})

    def test_sections(self):
        names = {s: [case["case_id"] for case in self.list(s)] for s in ("training", "validation", "test", "all")}
        self.assertEqual([len(listed) for listed in names.values()], [5, 1, 2, 8])
        self.assertEqual(sorted(names["training"] + names["validation"] + names["test"]), names["all"])
        self.assertEqual(names["test"], [case["case_id"] for case in self.list("test")])
        tests = {tuple(case["case_id"] for case in self.list("test", seed=seed)) for seed in range(6)}
        self.assertGreater(len(tests), 2)
        for root in (self.root.parent, self.folder):
            self.assertEqual(len(list_fgadr_cases(root, "all")), COUNT)

    def test_cases(self):
        first, second, *_ = self.list("all")
        self.assertEqual((first["case_id"], first["grade"], second["grade"], first["source"]), ("0000_1", 0, 1, "real"))
        self.assertEqual(set(first["masks"]), set(FGADR_STRUCTURES))
        absent = {"microvascular_abnormalities", "neovascularisation"}
        self.assertEqual(set(second["masks"]), set(FGADR_STRUCTURES) - absent)
        self.assertEqual(Path(second["masks"]["haemorrhages"]).parts[-2:], ("Hemohedge_Masks", "0001_1.png"))
        for path in (first["image"], *first["masks"].values()):
            self.assertTrue(Path(path).is_file() and Path(path).is_absolute())

    def test_prepare(self):
        target = self.folder / "lesions"
        path = prepare_fgadr_lesions(self.root, target, size=24, val_count=1, test_count=2, progress=False)
        content = load_datalist(path)
        self.assertEqual([len(content[s]) for s in ("training", "validation", "test")], [5, 1, 2])
        self.assertIn("not to be passed on", content["licence"])
        cases = load_cases(target, "all")
        self.assertEqual(Counter(case["grade"] for case in cases), Counter(n % 5 for n in range(COUNT)))
        for case in cases:
            label = read_label_map(case["label"], "fundus_lesion")
            # no disc; new vessels and microvascular abnormalities have no class
            self.assertEqual(set(np.unique(label)), {OUTSIDE, RETINA, SOFT, HAEMORRHAGE, HARD, MICRO})
            self.assertAlmostEqual(np.count_nonzero(label == HAEMORRHAGE), np.pi * 9 / 4, delta=4)
            for index, place in ((MICRO, (7, 7)), (HAEMORRHAGE, (15, 7)), (HARD, (7, 16)), (SOFT, (16, 16))):
                self.assertEqual(label[place], index)
        self.assertTrue(check_dataset(target, "fundus_lesion", verbose=False, num_grades=5)["ok"])

    def test_mask_of_zero_and_one(self):
        path = self.root / "SoftExudate_Masks" / "0002_1.png"
        mask = np.array(Image.open(path)) // 255
        for picture, message in ((mask, "SoftExudate_Masks/0002_1.png: they reach 1 only"), (mask[1:], "sizes differ")):
            _save(path, picture if message.startswith("Soft") else picture * 255)
            with self.assertRaisesRegex(DataError, message):
                prepare_fgadr_lesions(self.root, self.folder / "x", 24, val_count=1, test_count=2, progress=False)

    def test_refused_settings(self):
        with self.assertRaisesRegex(DataError, "unknown section 'train' of FGADR"):
            self.list("train")
        with self.assertRaisesRegex(DataError, "8 of 8 would be test cases .test_count=8."):
            self.list("training", test_count=8)
        with self.assertRaisesRegex(DataError, "too few cases.*val_count=6"):
            self.list("training", val_count=6)
        with self.assertRaisesRegex(ConfigError, "set fgadr_dir"):
            prepare_fgadr_lesions("", self.folder / "x")
        with self.assertRaisesRegex(ConfigError, "num_cases must be 1 or more"):
            prepare_fgadr_lesions(self.root, self.folder / "x", num_cases=0)

    def test_refused_files(self):
        with self.assertRaisesRegex(DataError, "no folder Original_Images in .*nowhere"):
            list_fgadr_cases(self.folder / "nowhere", "all")
        grades = self.root / "DR_Seg_Grading_Label.csv"
        text = grades.read_text()
        grades.write_text("image,grade\n" + text)  # a heading is no row
        self.assertEqual(len(self.list("all")), COUNT)
        for before, after, message in (
            ("0001_1.png,1", "0001_1.png,7", "line 2: the grade of '0001_1.png' is '7', not one of 0 to 4"),
            ("0000_1.png,0", "0000_1.png,-1", "line 1: the grade of '0000_1.png' is '-1'"),
            ("0001_1.png,1\n", "", "0001_1.png has no grade: add a row '0001_1.png,<0 to 4>' to .*Label.csv"),
        ):
            grades.write_text(text.replace(before, after))
            with self.assertRaisesRegex(DataError, message):
                self.list("all")
        grades.unlink()
        with self.assertRaisesRegex(DataError, "grades not found: no file .*Label.csv"):
            self.list("all")
        grades.write_text(text)
        photograph = self.root / "Original_Images" / "0003_1.png"
        photograph.rename(self.folder / "away.png")
        with self.assertRaisesRegex(DataError, "no photograph for the mask .*0003_1.png"):
            self.list("all")
        (self.folder / "away.png").rename(photograph)
        (self.root / "IRMA_Masks").rename(self.folder / "elsewhere")
        with self.assertRaisesRegex(
            DataError, "masks of microvascular_abnormalities not found: no folder .*IRMA_Masks"
        ):
            self.list("all")


if __name__ == "__main__":
    unittest.main()
