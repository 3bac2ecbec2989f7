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

import json
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image
from scipy import ndimage

from monai_retinasynth.data import load_cases, load_datalist, prepare_idrid_lesions
from monai_retinasynth.data.prepare_lesions import read_two_valued_mask
from monai_retinasynth.utils import ConfigError, DataError, read_label_map, read_mask, read_rgb
from tests.data.idrid_layout import add_grading, make_idrid, write_links
from tests.data.test_cases import FolderTestCase
from tests.real_data import data_root

OUTSIDE, RETINA, VESSEL, DISC, SOFT, HAEMORRHAGE, HARD, MICRO = range(8)
REDUCE = "monai_retinasynth.data.prepare_lesions._reduce"
ENDINGS = {"MA": "microaneurysms", "HE": "haemorrhages", "EX": "hard_exudates", "SE": "soft_exudates"}


class TestPrepareIdridLesions(FolderTestCase):
    def setUp(self):
        super().setUp()
        self.idrid = make_idrid(self.folder / "IDRiD")
        self.target = self.folder / "lesions"
        y, x = np.mgrid[:64, :96]
        # each kind of lesion in a place of its own, but microaneurysms of one pixel, one of them on a haemorrhage
        micro = np.zeros((64, 96), dtype=bool)
        micro[20, 40] = micro[40, 30] = micro[40, 55] = True
        self.masks = {
            "MA": micro,
            "HE": (x - 30) ** 2 + (y - 40) ** 2 <= 16,
            "EX": (x - 50) ** 2 + (y - 26) ** 2 <= 9,
            "SE": (x - 40) ** 2 + (y - 50) ** 2 <= 9,
        }
        for ending, mask in self.masks.items():
            for path in self.idrid.rglob(f"*_{ending}.tif"):
                Image.fromarray(mask).save(path)

    def links(self):
        add_grading(self.idrid)
        rows = [("training", 1, "test", 2, 1.0), ("training", 2, "training", 3, 1.0), ("test", 4, "training", 1, 1.0)]
        write_links(self.idrid / "seg_to_grading_nearest.csv", rows)

    def prepare(self, size: int = 46, val_count: int = 0, grades: bool = False, **settings) -> Path:
        return prepare_idrid_lesions(
            self.idrid, self.target, size=size, val_count=val_count, grades=grades, progress=False, **settings
        )

    def file(self, name: str) -> Path:
        (path,) = (self.idrid / "A. Segmentation").rglob(name)
        return path

    def test_data_set(self):
        self.assertEqual(self.prepare(val_count=1), self.target / "datalist.json")
        content = load_datalist(self.target)
        self.assertEqual([len(content[s]) for s in ("training", "validation", "test")], [2, 1, 2])
        self.assertEqual(content["label_set"]["name"], "fundus_lesion")
        self.assertEqual((content["licence"], content["size"]), ("CC BY 4.0", 46))
        self.assertIn("Porwal", content["reference"])
        for case in load_cases(self.target, "all"):
            self.assertNotIn("grade", case)
            image, label = read_rgb(case["image"]), read_label_map(case["label"], "fundus_lesion")
            self.assertEqual((image.shape, label.shape), ((46, 46, 3), (46, 46)))
            # the square is filled from side to side; above and below lies the ground that the sensor cut away
            self.assertTrue((label[23, 2:-2] != OUTSIDE).all())
            self.assertTrue((label[:7] == OUTSIDE).all() and (label[-7:] == OUTSIDE).all())
            self.assertEqual(image[:6].max(), 0)
            self.assertGreater(image[label != OUTSIDE].mean(), 40)
            soft = case["case_id"] in ("IDRiD_01", "IDRiD_04")  # a missing file is a missing lesion
            expected = {OUTSIDE, RETINA, DISC, HAEMORRHAGE, HARD, MICRO, *([SOFT] if soft else [])}
            self.assertEqual(set(np.unique(label)), expected)
            # 92 pixels became 46: large lesions a quarter, microaneurysms of a pixel stay one
            self.assertEqual(np.count_nonzero(label == MICRO), 3)
            for index, ending in ((HAEMORRHAGE, "HE"), (HARD, "EX")):
                self.assertAlmostEqual(np.count_nonzero(label == index), self.masks[ending].sum() / 4, delta=4)
            for place, index in (((20, 40), MICRO), ((40, 30), MICRO), ((40, 55), MICRO), ((40, 32), HAEMORRHAGE)):
                row, column = (22.5 + (p + 0.25 - m) / 2 for p, m in zip(place, (31.5, 47.5)))
                near = label[round(row) - 1 : round(row) + 2, round(column) - 1 : round(column) + 2]
                self.assertIn(index, near)

    def test_other_sizes(self):
        for size in (128, 20):  # larger than the photographs, and small
            self.target = self.folder / str(size)
            self.prepare(size)
            (case, *_) = load_cases(self.target, "test")
            self.assertEqual(read_rgb(case["image"]).shape, (size, size, 3))
            label = read_label_map(case["label"], "fundus_lesion")
            self.assertEqual(ndimage.label(label == MICRO, np.ones((3, 3)))[1], 3)

    def test_grades(self):
        self.links()
        self.prepare(grades=True)
        content = load_datalist(self.target)
        cases = {case["case_id"]: case for section in ("training", "test") for case in content[section]}
        graded = {"IDRiD_01": 3, "IDRiD_02": 0, "IDRiD_04": 0}
        self.assertEqual({name: case["grade"] for name, case in cases.items() if "grade" in case}, graded)
        self.assertIn("test set, IDRiD_002 (correlation 1.00000)", cases["IDRiD_01"]["provenance"]["grade"])
        with mock.patch(REDUCE) as again:  # other choices need no new pictures
            self.prepare(grades=True, missing_grade="drop", val_count=1)
            # IDRiD_05 has no grade, but is a test case
            self.assertEqual([case["case_id"] for case in load_cases(self.target, "all")], [*graded, "IDRiD_05"])
            self.assertEqual(len(load_datalist(self.target)["validation"]), 1)
            self.prepare(grades=True, missing_grade="estimate")
            self.assertEqual(
                {case["case_id"]: case["grade"] for case in load_cases(self.target, "all")},
                {**graded, "IDRiD_03": 2, "IDRiD_05": 2},
            )
            estimated = load_datalist(self.target)["training"][2]["provenance"]["grade"]
            self.assertIn("estimated from the lesions", estimated)
            self.prepare(grades=True, exclude_grading_test=True)
            self.assertEqual([c["case_id"] for c in load_datalist(self.target)["training"]], ["IDRiD_02", "IDRiD_03"])
            self.assertEqual(len(load_datalist(self.target)["test"]), 2)
            self.prepare(grades=True, num_cases=1, val_count=1)
            self.assertEqual(
                [case["case_id"] for case in load_cases(self.target, "all")], ["IDRiD_01", "IDRiD_03", "IDRiD_04"]
            )
        again.assert_not_called()

    def test_links_are_found_where_there_is_no_table(self):
        add_grading(self.idrid)
        self.prepare(grades=True)
        table = self.target / "seg_to_grading_nearest.csv"
        self.assertEqual(len(table.read_text().splitlines()), 5)
        self.assertEqual(load_datalist(self.target)["training"][0]["grade"], 3)
        with mock.patch("monai_retinasynth.data.prepare_idrid_lesions.find_idrid_links") as again:
            self.prepare(grades=True)
        again.assert_not_called()

    def test_goes_on(self):
        last = self.file("IDRiD_05_HE.tif")
        content = last.read_bytes()
        last.write_bytes(content[:40])
        with self.assertRaisesRegex(DataError, "IDRiD_05_HE.tif"):
            self.prepare()
        self.assertFalse((self.target / "datalist.json").exists())
        last.write_bytes(content)
        stamps = {path: path.stat().st_mtime_ns for path in self.target.rglob("*.png")}
        self.assertEqual(len(stamps), 8)
        half = self.target / "images" / "IDRiD_02.png"
        half.write_bytes(half.read_bytes()[:500])
        self.prepare()
        for path, stamp in stamps.items():
            self.assertEqual(path.stat().st_mtime_ns == stamp, path.stem != "IDRiD_02", path)
        with self.assertRaisesRegex(DataError, "other settings .*46.*32.*choose another output_dir"):
            self.prepare(size=32)
        self.assertEqual(json.loads((self.target / "lesions.json").read_text())["label_set"], "fundus_lesion")

    def test_masks_of_any_two_values(self):
        for value, mode in ((1, "L"), (76, "L"), (255, "L"), (255, "1"), (3, "P"), (255, "RGB")):
            path = self.folder / "mask.png"
            picture = Image.fromarray(self.masks["HE"].astype(np.uint8) * value)
            if mode == "P":
                picture.putpalette([0, 0, 0] * 3 + [200, 0, 0])
            elif mode == "RGB":
                picture = Image.merge("RGB", [picture, Image.new("L", picture.size), Image.new("L", picture.size)])
            picture.convert(mode).save(path)
            with self.subTest(value=value, mode=mode):
                self.assertTrue(np.array_equal(read_two_valued_mask(path), self.masks["HE"]))
        Image.new("L", (4, 4)).save(path)
        self.assertFalse(read_two_valued_mask(path).any())

    def test_refused_masks(self):
        path = self.file("IDRiD_02_HE.tif")
        mask = self.masks["HE"].astype(np.uint8) * 255
        grey = mask.copy()
        grey[0, :3] = 1, 2, 128
        corner = np.zeros_like(mask)
        corner[:2, :2] = 255
        for picture, message in (
            (mask[:, :-1], "sizes differ: .*IDRiD_02.jpg is 96 x 64, .*IDRiD_02_HE.tif is 95 x 64.*of its own size"),
            (
                grey,
                "unexpected values in the mask .*IDRiD_02_HE.tif: 0, 1, 2, 128, 255. .*0 and one other value; store",
            ),
            (np.full_like(mask, 255), "IDRiD_02_HE.tif: 255. A mask holds 0"),
            (corner, "IDRiD_02_HE.tif: nothing of it lies inside the field of view of .*IDRiD_02.jpg"),
        ):
            Image.fromarray(picture).save(path)
            with self.subTest(message), self.assertRaisesRegex(DataError, message):
                self.prepare()

    def test_refused(self):
        with self.assertRaisesRegex(ConfigError, "set idrid_dir"):
            prepare_idrid_lesions(None, self.target)
        for settings, message in (
            ({"size": 8}, "16 pixels or more"),
            ({"missing_grade": "guess"}, "missing_grade must be one of .*'estimate'.*'guess'"),
            ({"num_cases": 0}, "num_cases must be 1 or more"),
            ({"missing_grade": "drop"}, "missing_grade='drop' needs the links"),
            ({"exclude_grading_test": True}, "exclude_grading_test needs the links"),
        ):
            with self.subTest(message), self.assertRaisesRegex(ConfigError, message):
                self.prepare(**settings)
        with self.assertRaisesRegex(DataError, "no folder 'B. Disease Grading'"):
            self.prepare(grades=True)
        self.links()
        with self.assertRaisesRegex(DataError, "no case of the training photographs of IDRiD .* has a grade"):
            self.prepare(grades=True, missing_grade="drop", min_correlation=1.0)
        with self.assertRaisesRegex(DataError, "too few cases.*val_count=3"):
            self.prepare(val_count=3)
        self.file("IDRiD_02_OD.tif").unlink()
        with mock.patch(REDUCE) as reduced, self.assertRaisesRegex(DataError, "IDRiD_02 has no optic disc mask"):
            self.prepare()
        reduced.assert_not_called()  # said before any photograph is read

    def test_real(self):
        root = data_root("IDRiD")
        settings = {"size": 128, "val_count": 0, "num_cases": 1}
        prepare_idrid_lesions(root, self.target, **settings, progress=False)
        content = load_datalist(self.target)
        self.assertEqual([len(content[s]) for s in ("training", "validation", "test")], [1, 0, 1])
        self.assertEqual(content["training"][0]["grade"], 2)
        (case,) = load_cases(self.target, "training", val_count=0)
        label = read_label_map(case["label"], "fundus_lesion")
        self.assertEqual(set(np.unique(label)), {OUTSIDE, RETINA, DISC, HAEMORRHAGE, HARD, MICRO})
        (mask,) = root.rglob("IDRiD_01_OD.tif")
        reduction = (128 / 3417) ** 2  # the field of view is 3417 pixels wide
        self.assertAlmostEqual((label == DISC).sum() / (read_mask(mask).sum() * reduction), 1, delta=0.03)
        # the photograph is bright at the disc and dark outside
        grey = read_rgb(case["image"]).mean(axis=2)
        self.assertGreater(grey[label == DISC].mean(), 1.2 * grey[label == RETINA].mean())
        self.assertLess(grey[label == OUTSIDE].mean(), 0.2 * grey[label == RETINA].mean())


if __name__ == "__main__":
    unittest.main()
