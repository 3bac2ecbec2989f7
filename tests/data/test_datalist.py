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

import errno
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from monai_retinasynth.data import load_datalist, write_datalist
from monai_retinasynth.utils import FUNDUS_VESSEL, DataError


class TestDatalist(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.case = {
            "image": "images/a.png",
            "label": "labels/a.png",
            "case_id": "a",
            "source": "synthetic",
            "grade": 2,
        }

    def test_round_trip(self):
        absolute = {**self.case, "label": self.folder / "labels" / "b.png", "case_id": "b"}
        sections = {"training": [self.case, absolute], "test": [self.case]}
        path = write_datalist(self.folder, sections, "fundus_vessel", "mine", {"seed": 3})
        content = load_datalist(self.folder)
        self.assertEqual(content, load_datalist(path))
        self.assertEqual(content["training"][0], self.case)
        self.assertEqual(content["training"][1]["label"], "labels/b.png")
        self.assertEqual((content["validation"], content["name"], content["seed"]), ([], "mine", 3))
        self.assertEqual(content["label_set"], FUNDUS_VESSEL.to_dict())

    def test_refused_cases(self):
        for change, message in (
            ({"source": "fake"}, "source 'fake'"),
            ({"label": "/elsewhere/a.png"}, "outside the data set"),
        ):
            with self.assertRaisesRegex(DataError, message):
                write_datalist(self.folder, {"training": [{**self.case, **change}]}, "fundus_vessel", "x")
        with self.assertRaisesRegex(DataError, "lacks .*'source'"):
            write_datalist(self.folder, {"training": [{"label": "a.png", "case_id": "a"}]}, "fundus_vessel", "x")
        with self.assertRaisesRegex(DataError, "unknown sections"):
            write_datalist(self.folder, {"train": []}, "fundus_vessel", "x")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_grades(self):
        for grade in (-1, 1.0, "2", None, True, float("nan")):
            message = "case a in .*datalist.json has the grade .*; a grade is a whole number from 0 on"
            with self.subTest(grade):
                with self.assertRaisesRegex(DataError, message):
                    write_datalist(self.folder, {"training": [{**self.case, "grade": grade}]}, "fundus_vessel", "x")
                self.assertEqual(list(self.folder.iterdir()), [])
                content = {"label_set": FUNDUS_VESSEL.to_dict(), "test": [{**self.case, "grade": grade}]}
                (self.folder / "datalist.json").write_text(json.dumps(content))
                with self.assertRaisesRegex(DataError, message):
                    load_datalist(self.folder)
                (self.folder / "datalist.json").unlink()
        for grade in ({"grade": 0}, {"grade": 12}, {}):  # how many there are is up to the check of a data set
            case = {**{k: v for k, v in self.case.items() if k != "grade"}, **grade}
            write_datalist(self.folder, {"training": [case]}, "fundus_vessel", "x")
            self.assertEqual(load_datalist(self.folder)["training"], [case])

    def test_full_disk(self):
        error = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch("os.fsync", side_effect=error), self.assertRaisesRegex(DataError, "datalist.json: No space"):
            write_datalist(self.folder, {"training": [self.case]}, "fundus_vessel", "x")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_unreadable(self):
        with self.assertRaisesRegex(DataError, "data list not found"):
            load_datalist(self.folder)
        path = self.folder / "datalist.json"
        path.write_text('{"training": [')
        with self.assertRaisesRegex(DataError, "cannot read the data list"):
            load_datalist(self.folder)
        path.write_text("{}")
        with self.assertRaisesRegex(DataError, "no 'label_set'"):
            load_datalist(self.folder)
        path.write_text(json.dumps({"label_set": FUNDUS_VESSEL.to_dict(), "training": [{"image": "a.png"}]}))
        with self.assertRaisesRegex(DataError, "case 0 of section 'training' .* has no 'label'"):
            load_datalist(self.folder)


if __name__ == "__main__":
    unittest.main()
