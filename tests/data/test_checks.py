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

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

from monai_retinasynth.data import check_dataset, write_datalist
from monai_retinasynth.utils import DataError, write_label_map
from tests.data.layouts import make_drive
from tests.data.test_cases import make_synthetic
from tests.real_data import data_root


class TestCheckDataset(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_report(self):
        folder = make_drive(self.folder)
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            report = check_dataset(folder)
        self.assertIn("no problem found", output.getvalue())
        self.assertIn("training", output.getvalue())
        self.assertTrue(report["ok"])
        json.dumps(report)
        self.assertEqual(list(report["sections"]), ["training", "validation", "test"])
        training = report["sections"]["training"]
        self.assertEqual((training["cases"], training["images"], training["sizes"]), (2, 2, {"32 x 24": 2}))
        self.assertAlmostEqual(sum(training["class_fractions"].values()), 1)
        self.assertEqual(training["cases_with_class"], {"outside": 2, "retina": 2, "vessel": 2})

    def test_every_problem_is_named(self):
        folder = make_drive(self.folder, training=9)
        manual = folder / "training" / "1st_manual"
        Image.fromarray(np.zeros((9, 9), np.uint8)).save(manual / "03_manual1.gif")
        (manual / "04_manual1.gif").write_bytes((manual / "04_manual1.gif").read_bytes()[:60])
        Image.fromarray(np.ones((24, 32), np.uint8) * (np.arange(32) % 2).astype(np.uint8)).save(
            manual / "05_manual1.gif"
        )
        Image.fromarray(np.zeros((24, 32), np.uint8)).save(manual / "06_manual1.gif")
        Image.fromarray(np.full((24, 32), 255, np.uint8)).save(manual / "07_manual1.gif")
        (folder / "training" / "images" / "08_training.tif").write_bytes(b"II*\0")
        with self.assertRaises(DataError) as caught:
            check_dataset(folder, verbose=False)
        message = str(caught.exception)
        for expected in (
            "6 problem(s)",
            "03_manual1.gif is 9 x 9",
            "04_manual1.gif",
            "05_manual1.gif: they reach 1 only",
            "06_manual1.gif: no vessel",
            "07_manual1.gif: more vessel",
            "08_training.tif",
        ):
            self.assertIn(expected, message)
        report = check_dataset(folder, verbose=False, raise_on_error=False)
        self.assertFalse(report["ok"])
        self.assertEqual(len(report["problems"]), 6)

    def test_multiple_min_cases_and_images(self):
        folder = make_drive(self.folder)
        report = check_dataset(folder, sections="test", multiple=5, min_cases=3, raise_on_error=False, verbose=False)
        self.assertEqual(len(report["problems"]), 3)
        self.assertIn("too few cases, 2 found and 3 needed", report["problems"][0])
        self.assertIn("32 x 24 is no multiple of 5; pad or resize it to 35 x 25", report["problems"][1])
        made = make_synthetic(self.folder / "made", images=False)
        self.assertTrue(check_dataset(made, verbose=False, val_count=0)["ok"])
        with self.assertRaisesRegex(DataError, "no photograph"):
            check_dataset(made, verbose=False, require_image=True)

    def test_masks_with_grey_levels_are_counted(self):
        folder = make_drive(self.folder, training=5)
        manual = folder / "training" / "1st_manual"
        with contextlib.redirect_stdout(io.StringIO()) as output:
            report = check_dataset(folder)
        self.assertEqual([row["vessel_masks"] for row in report["sections"].values()], [3, 2, 2])
        self.assertEqual([row["grey_masks"] for row in report["sections"].values()], [0, 0, 0])
        self.assertNotIn("grey", output.getvalue())
        for name, levels in (("03", (0, 40, 255)), ("04", (3, 253)), ("07", (0, 40, 200, 255))):
            mask = np.array(Image.open(manual / f"{name}_manual1.gif").convert("L"))
            grey = np.where(mask > 0, levels[-1], levels[0]).astype(np.uint8)
            grey[0, : len(levels) - 2] = levels[1:-1]
            Image.fromarray(grey).save(manual / f"{name}_manual1.gif")
        with contextlib.redirect_stdout(io.StringIO()) as output:
            report = check_dataset(folder)
        # two levels of whatever value are none between
        self.assertEqual([row["grey_masks"] for row in report["sections"].values()], [1, 1, 0])
        self.assertIn("2 of 7 vessel masks hold grey levels; above 127 is vessel", output.getvalue())
        made = check_dataset(make_synthetic(self.folder / "made"), verbose=False, val_count=0)
        self.assertEqual(made["sections"]["training"]["vessel_masks"], 0)

    def graded(self, grades: list[int | None], test: int = 0) -> Path:
        """Data set of lesion maps with these grades, the last `test` of them in the section test."""
        cases = []
        for number, grade in enumerate(grades):
            label = np.full((8, 8), 1, dtype=np.uint8)
            label[0], label[4, number % 8] = 0, 7
            write_label_map(self.folder / "graded" / "labels" / f"{number}.png", label, "fundus_lesion")
            case = {"label": f"labels/{number}.png", "case_id": str(number), "source": "synthetic"}
            cases.append(case if grade is None else {**case, "grade": grade})
        sections = {"training": cases[: len(cases) - test], "test": cases[len(cases) - test :]}
        write_datalist(self.folder / "graded", sections, "fundus_lesion", "graded")
        return self.folder / "graded"

    def test_grades_are_counted(self):
        folder = self.graded([0, 3, 3, 4, 1], test=1)
        with contextlib.redirect_stdout(io.StringIO()) as output:
            report = check_dataset(folder, "fundus_lesion", num_grades=5)
        self.assertEqual([row["grades"] for row in report["sections"].values()], [{"0": 1, "3": 2, "4": 1}, {"1": 1}])
        self.assertEqual(report["grades_without_training_case"], [1, 2])
        self.assertTrue(report["ok"])
        self.assertIn("no training case of grade 1, 2", output.getvalue())
        table, classes = output.getvalue().split("Share of the pixels")
        self.assertIn("grades", table)
        self.assertIn("3: 2", table)
        self.assertRegex(classes, "microaneurysm .* 1.56; 4 .* 1.56; 1 ")
        with self.assertRaisesRegex(DataError, "(?s)training: no case of grade 1, .*training: no case of grade 2, "):
            check_dataset(folder, "fundus_lesion", num_grades=5, require_all_grades=True, verbose=False)
        with contextlib.redirect_stdout(io.StringIO()) as output:  # counted in any case, compared only when asked for
            report = check_dataset(folder, "fundus_lesion")
        self.assertEqual(report["sections"]["training"]["grades"], {"0": 1, "3": 2, "4": 1})
        self.assertEqual(report["grades_without_training_case"], [])
        self.assertNotIn("no training case", output.getvalue())
        with contextlib.redirect_stdout(io.StringIO()) as output:
            report = check_dataset(self.graded([None]), "fundus_lesion")
        self.assertEqual(report["sections"]["training"]["grades"], {})
        self.assertNotIn("grades", output.getvalue())

    def test_wrong_grades_are_named(self):
        folder = self.graded([0, None, 5, 2, 7], test=1)
        report = check_dataset(folder, "fundus_lesion", num_grades=5, verbose=False, raise_on_error=False)
        missing, first, second = report["problems"]
        self.assertRegex(missing, "1.png: case 1 without a grade; give it one in its data list")
        self.assertRegex(first, "2.png: grade outside 0-4, case 2 has 5; correct it")
        self.assertRegex(second, "4.png: grade outside 0-4, case 4 has 7")
        self.assertEqual(report["sections"]["training"]["grades"], {"0": 1, "2": 1, "5": 1})
        self.assertTrue(check_dataset(folder, "fundus_lesion", verbose=False)["ok"])

    def test_lesion_map_without_retina(self):
        folder = self.graded([0, 1])
        write_label_map(folder / "labels" / "1.png", np.zeros((8, 8), np.uint8), "fundus_lesion")
        with self.assertRaisesRegex(DataError, "1.png: no retina in the label map"):
            check_dataset(folder, "fundus_lesion", verbose=False)

    def test_zero_files_is_an_error(self):
        with self.assertRaisesRegex(DataError, "it is empty"):
            check_dataset(self.folder, verbose=False)
        with self.assertRaisesRegex(DataError, "not found"):
            check_dataset(self.folder / "none", verbose=False)
        with self.assertRaisesRegex(DataError, "no test case"):
            check_dataset(make_synthetic(self.folder / "s"), sections=["test"], verbose=False)

    def test_other_label_set(self):
        folder = make_synthetic(self.folder / "s")
        two = {"name": "two", "class_names": ["ground", "vessel"], "colors": [[0, 0, 0], [255, 255, 255]]}
        with self.assertRaisesRegex(DataError, "(?s)unexpected values.*its label maps have the classes"):
            check_dataset(folder, label_set=two, verbose=False, val_count=0)

    def test_mixed(self):
        made, drive = make_synthetic(self.folder / "s"), make_drive(self.folder / "d")
        report = check_dataset([str(drive), {"dataset_dir": str(made), "val_count": 0}], verbose=False)
        self.assertEqual(report["sections"]["training"]["sources"], {"real": 2, "synthetic": 3})
        json.dumps(report)

    def test_photograph_in_training_and_test(self):
        folder = make_drive(self.folder)
        photographs = folder / "training" / "images" / "03_training.tif", folder / "test" / "images" / "02_test.tif"
        photographs[1].write_bytes(photographs[0].read_bytes())
        with self.assertRaises(DataError) as caught:
            check_dataset(folder, verbose=False)
        self.assertIn("has 1 problem(s)", str(caught.exception))
        for expected in (*map(str, photographs), "in training and", "in test are the same photograph; take one"):
            self.assertIn(expected, str(caught.exception))
        self.assertTrue(check_dataset(folder, verbose=False, sections=["training", "validation"])["ok"])

    def test_case_in_two_sections_of_a_data_list(self):
        def problems(training: dict, test: dict) -> list[str]:
            write_datalist(folder, {"training": cases[:1] + [training], "test": [test]}, "fundus_vessel", "x")
            return check_dataset(folder, val_count=0, verbose=False, raise_on_error=False)["problems"]

        folder = make_synthetic(self.folder / "s", 4)
        cases = json.loads((folder / "datalist.json").read_text())["training"]
        self.assertEqual(problems(cases[1], cases[2]), [])
        same_file = problems(cases[1], {**cases[1], "case_id": "other"})
        self.assertEqual(len(same_file), 1)
        self.assertRegex(same_file[0], "synthetic_00001.png is the photograph of a case in training and of one in test")
        same_case = problems(cases[1], cases[1])
        self.assertEqual(len(same_case), 1)
        same_name = problems(cases[1], {**cases[2], "case_id": "synthetic_00001"})
        self.assertEqual(len(same_name), 1)
        self.assertRegex(same_name[0], "case synthetic_00001 stands in training .*00001.png.* test .*00002.png")
        cases = [{key: value for key, value in case.items() if key != "image"} for case in cases]
        self.assertEqual(problems(cases[1], cases[2]), [])
        same_map = problems(cases[1], {**cases[1], "case_id": "other"})
        self.assertEqual(len(same_map), 1)
        self.assertIn("is the label map of a case in training and of one in test", same_map[0])

    def test_folders_with_names_of_their_own(self):
        first, second = (make_synthetic(self.folder / name, 2) for name in "ab")
        for folder, shift in ((first, 0), (second, 2)):  # other eyes under the same names
            cases = json.loads((folder / "datalist.json").read_text())["training"]
            for index, case in enumerate(cases):
                photograph = np.array(Image.open(folder / case["image"]))
                photograph[0, 0] = shift + index
                Image.fromarray(photograph).save(folder / case["image"])
            write_datalist(folder, {"training": cases[:1], "test": cases[1:]}, "fundus_vessel", folder.name)
        sources = [{"dataset_dir": str(first), "val_count": 0}, {"dataset_dir": str(second), "val_count": 0}]
        report = check_dataset(sources, sections=["training", "test"], verbose=False)
        self.assertEqual([row["cases"] for row in report["sections"].values()], [2, 2])
        (second / "images" / "synthetic_00001.png").write_bytes((first / "images/synthetic_00000.png").read_bytes())
        with self.assertRaisesRegex(DataError, "a/images.*00000.png in training and .*b/images.*00001.png in test"):
            check_dataset(sources, sections=["training", "test"], verbose=False)

    def test_retina_blood_vessel(self):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            check_dataset(data_root("KAGGLE_RETINA_BLOOD_VESSEL"), sections="test")
        self.assertIn("20 of 20 vessel masks hold grey levels; above 127 is vessel", output.getvalue())

    def test_drive(self):
        report = check_dataset(data_root("DRIVE"), verbose=False)
        self.assertEqual([s["cases"] for s in report["sections"].values()], [18, 2, 20])
        self.assertAlmostEqual(report["sections"]["test"]["class_fractions"]["vessel"], 0.0875, delta=0.001)


if __name__ == "__main__":
    unittest.main()
