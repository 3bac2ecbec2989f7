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

from PIL import Image

from monai_retinasynth.data import (
    IdridLink,
    find_idrid_links,
    leaking_grading_cases,
    read_idrid_grades,
    read_idrid_links,
    write_idrid_links,
)
from monai_retinasynth.utils import DataError
from tests.data.idrid_layout import add_grading, make_idrid, write_links
from tests.data.test_cases import FolderTestCase
from tests.real_data import data_root

# grades of the drawn grading part, see add_grading
GRADES = {
    "training": {"IDRiD_001": 0, "IDRiD_002": 2, "IDRiD_003": 0, "IDRiD_004": 3, "IDRiD_005": 1},
    "test": {"IDRiD_001": 3, "IDRiD_002": 3, "IDRiD_003": 4},
}


class TestIdridLinks(FolderTestCase):
    def setUp(self):
        super().setUp()
        self.root = make_idrid(self.folder / "IDRiD")
        self.grading = add_grading(self.root)
        self.table = self.root / "seg_to_grading_nearest.csv"

    def links(self, *rows):
        write_links(self.table, list(rows))
        return read_idrid_links(self.root)

    def test_grades(self):
        for folder in (self.root, self.root / "A. Segmentation", self.grading):
            self.assertEqual(read_idrid_grades(folder), GRADES)

    def test_read(self):
        rows = [
            ("training", 1, "test", 2, 1.0),
            ("training", 2, "training", 3, 0.9995),
            ("test", 4, "training", 1, 0.9996),
        ]
        expected = [
            IdridLink("IDRiD_01", "training", "IDRiD_002", "test", 3, 1.0),
            IdridLink("IDRiD_04", "test", "IDRiD_001", "training", 0, 0.9996),
        ]
        self.assertEqual(self.links(*rows), expected)  # 0.9995 is not above 0.9995
        self.assertEqual(read_idrid_links(self.root / "A. Segmentation"), expected)
        self.assertEqual(len(read_idrid_links(self.root, min_correlation=0.9)), 3)
        other = write_links(self.folder / "mine.csv", rows[:1])
        self.assertEqual(read_idrid_links(self.root, other), expected[:1])

    def test_find_and_write(self):
        links = find_idrid_links(self.root, progress=False)
        self.assertEqual([link.segmentation_image for link in links], [f"IDRiD_{n:02d}" for n in range(1, 6)])
        same = {link.segmentation_image: link for link in links if link.correlation > 0.9995}
        self.assertEqual(sorted(same), ["IDRiD_01", "IDRiD_02", "IDRiD_04"])
        self.assertEqual((same["IDRiD_01"].grading_section, same["IDRiD_01"].grading_image), ("test", "IDRiD_002"))
        self.assertEqual((same["IDRiD_02"].grading_image, same["IDRiD_02"].grade), ("IDRiD_003", 0))
        self.assertIn(same["IDRiD_04"].grading_image, ("IDRiD_001", "IDRiD_004"))  # copies of each other
        write_idrid_links(self.table, links)
        read = read_idrid_links(self.root)
        for before, after in zip(same.values(), read, strict=True):
            self.assertAlmostEqual(before.correlation, after.correlation, places=4)
            self.assertEqual(before.grading_image, after.grading_image)
        self.assertEqual(len(read_idrid_links(self.root, min_correlation=-1)), 5)

    def test_leaks(self):
        self.links(("training", 1, "test", 2, 1), ("training", 2, "training", 3, 1), ("test", 4, "training", 1, 1))
        leaks = leaking_grading_cases(self.root)
        self.assertEqual(leaks.training_in_segmentation_test, ("IDRiD_001", "IDRiD_004"))  # the copy leaks as well
        self.assertEqual(leaks.test_in_segmentation_training, ("IDRiD_002",))
        self.assertEqual(leaks.training_in_grading_test, ("IDRiD_005",))
        self.assertEqual(leaks.segmentation_training_in_grading_test, ("IDRiD_01",))

    def test_refused_tables(self):
        with self.assertRaisesRegex(DataError, "no file .*seg_to_grading_nearest.csv; make it with write_idrid_links"):
            read_idrid_links(self.root)
        good = ("training", 1, "test", 2, 1.0)
        with self.assertRaisesRegex(DataError, "line 2: a second link for .*IDRiD_01.jpg"):
            self.links(good, ("training", 1, "training", 3, 0.9999))
        with self.assertRaisesRegex(DataError, "line 2: .*IDRiD_099.jpg has no grade in b. IDRiD_Disease"):
            self.links(good, ("training", 2, "test", 99, 1.0))
        self.links(good)
        text = self.table.read_text()
        for broken in (text.replace(",1.0", ""), text.replace("1.0", "one"), text.replace("IDRiD_01.jpg", "eye.jpg"),
                       text.replace("b. Testing Set", "c. Other Set")):  # fmt: skip
            self.table.write_text(text.replace("_01", "_02") + "\n" + broken)
            with self.assertRaisesRegex(DataError, "line 3: .*is no row of a photograph.*write the table again"):
                read_idrid_links(self.root)
        self.table.write_bytes(b"\xff\xfe\x00")
        with self.assertRaisesRegex(DataError, "cannot read .*csv"):
            read_idrid_links(self.root)

    def test_refused_grades(self):
        labels = self.grading / "2. Groundtruths" / "b. IDRiD_Disease Grading_Testing Labels.csv"
        text = labels.read_text()
        for before, after in (("IDRiD_002,3", "IDRiD_002,5"), ("IDRiD_002,3", "IDRiD_002,")):
            labels.write_text(text.replace(before, after))
            with self.assertRaisesRegex(DataError, "Testing Labels.csv, line 3, photograph IDRiD_002: .* no grade"):
                read_idrid_grades(self.root)
        labels.unlink()
        with self.assertRaisesRegex(DataError, "no file .*Testing Labels.csv"):
            read_idrid_grades(self.root)
        self.grading.rename(self.folder / "elsewhere")
        with self.assertRaisesRegex(DataError, "no folder 'B. Disease Grading' in .*unpack it there"):
            find_idrid_links(self.root)

    def test_even_photograph(self):
        path = self.grading / "1. Original Images" / "a. Training Set" / "IDRiD_002.jpg"
        Image.new("RGB", (48, 32)).save(path)
        with self.assertRaisesRegex(DataError, "IDRiD_002.jpg is one even grey"):
            find_idrid_links(self.root, progress=False)

    def test_real(self):
        root = data_root("IDRiD")
        links = read_idrid_links(root)
        self.assertEqual(len(links), 60)
        counts = Counter((link.segmentation_section, link.grading_section) for link in links)
        expected = {("training", "training"): 42, ("training", "test"): 3, ("test", "training"): 15}
        self.assertEqual(counts, expected)
        self.assertEqual(Counter(link.grade for link in links), {2: 37, 3: 14, 4: 9})
        leaks = leaking_grading_cases(root)
        self.assertEqual(len(leaks.training_in_segmentation_test), 17)  # 15, two of which are there twice
        self.assertEqual(leaks.test_in_segmentation_training, ("IDRiD_088", "IDRiD_089", "IDRiD_091"))
        self.assertEqual(leaks.training_in_grading_test, ("IDRiD_118",))
        self.assertEqual(len(leaks.segmentation_training_in_grading_test), 3)


if __name__ == "__main__":
    unittest.main()
