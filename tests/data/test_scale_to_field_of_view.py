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
from parameterized import parameterized
from PIL import Image

from monai_retinasynth.data import (
    check_dataset,
    load_cases,
    load_datalist,
    scale_to_field_of_view,
    second_observer_cases,
)
from monai_retinasynth.simulation import write_chest_phantom_dataset, write_phantom_dataset
from monai_retinasynth.utils import ConfigError, DataError, read_label_map, read_rgb
from tests.data.layouts import make_chase_db1, make_drive


def diameter_of(label_map: np.ndarray) -> float:
    return 2 * np.sqrt(np.count_nonzero(label_map) / np.pi)


def ids(folder: Path, section: str) -> list[str]:
    return [case["case_id"] for case in load_datalist(folder)[section]]


class TestScaleToFieldOfView(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.scaled = self.folder / "scaled"

    def phantoms(self, size: tuple[int, int] = (80, 64), training: int = 3, validation: int = 1) -> Path:
        counts = {"num_training": training, "num_validation": validation, "num_test": 1}
        write_phantom_dataset(self.folder / "eyes", size, **counts, source="real", progress=False)
        return self.folder / "eyes"

    @parameterized.expand([("smaller", 40.0), ("larger", 100.0)])
    def test_every_field_of_view_has_the_diameter(self, _, diameter):
        scale_to_field_of_view(self.phantoms(), self.scaled, diameter, progress=False)
        report = check_dataset(str(self.scaled), require_image=True, verbose=False)
        self.assertEqual({name: row["cases"] for name, row in report["sections"].items()},
                         {"training": 3, "validation": 1, "test": 1})  # fmt: skip
        for case in load_cases(str(self.scaled), "all"):
            label = read_label_map(case["label"], "fundus_vessel")
            self.assertAlmostEqual(diameter_of(label) / diameter, 1, delta=0.03)
            # proportions are kept
            self.assertAlmostEqual(label.shape[0] / label.shape[1], 80 / 64, delta=0.03)
            self.assertEqual(read_rgb(case["image"]).shape[:2], label.shape)
            self.assertIn(2, label)

    def test_a_small_change_keeps_the_pixels(self):
        eyes = self.phantoms()
        own = diameter_of(read_label_map(load_cases(str(eyes), "test")[0]["label"], "fundus_vessel"))
        scale_to_field_of_view(eyes, self.scaled, own * 1.015, progress=False)
        for section in ("training", "test"):
            for before, after in zip(load_cases(str(eyes), section), load_cases(str(self.scaled), section)):
                np.testing.assert_array_equal(read_rgb(before["image"]), read_rgb(after["image"]))
        scale_to_field_of_view(eyes, self.folder / "strict", own * 1.015, tolerance=0.0, progress=False)
        self.assertNotEqual(read_rgb(load_cases(str(self.folder / "strict"), "test")[0]["image"]).shape, (80, 64, 3))

    def test_goes_on(self):
        eyes = self.phantoms()
        scale_to_field_of_view(eyes, self.scaled, 40, progress=False)
        files = sorted(self.scaled.glob("images/*.png"))
        content = files[1].read_bytes()
        files[0].unlink()
        files[1].write_bytes(content[:50])
        stamp = files[2].stat().st_mtime_ns
        scale_to_field_of_view(eyes, self.scaled, 40, progress=False)
        self.assertTrue(files[0].is_file())
        self.assertEqual(files[1].read_bytes(), content)
        self.assertEqual(files[2].stat().st_mtime_ns, stamp)
        with self.assertRaisesRegex(DataError, "other settings"):
            scale_to_field_of_view(eyes, self.scaled, 44, progress=False)

    def test_all_as_test_with_the_second_observer(self):
        make_chase_db1(self.folder / "CHASE_DB1", children=2)
        scale_to_field_of_view(self.folder / "CHASE_DB1", self.scaled, 44, all_as_test=True, progress=False)
        self.assertEqual(ids(self.scaled, "test"), ["Image_01L", "Image_01R", "Image_02L", "Image_02R"])
        self.assertEqual(ids(self.scaled, "training") + ids(self.scaled, "validation"), [])
        second = second_observer_cases(self.scaled)
        self.assertEqual(sorted(second), ids(self.scaled, "test"))
        for case in load_cases(str(self.scaled), "test"):
            first, other = (read_label_map(c["label"], "fundus_vessel") for c in (case, second[case["case_id"]]))
            np.testing.assert_array_equal(first, other)  # these layouts have the same mask twice

    def test_changed_files_are_made_anew(self):
        folder = make_chase_db1(self.folder / "CHASE_DB1", children=1)
        scale_to_field_of_view(folder, self.scaled, 44, all_as_test=True, progress=False)
        second = self.scaled / "second_observer"
        stamps = {path.name: path.stat().st_mtime_ns for path in (self.scaled / "images").iterdir()}
        before = read_label_map(second / "Image_01L.png", "fundus_vessel")
        with Image.open(folder / "Image_01L_2ndHO.png") as mask:
            exchanged = Image.fromarray(255 - np.asarray(mask.convert("L")))
        exchanged.save(folder / "Image_01L_2ndHO.png")
        scale_to_field_of_view(folder, self.scaled, 44, all_as_test=True, progress=False)
        self.assertTrue((read_label_map(second / "Image_01L.png", "fundus_vessel") != before).any())
        self.assertEqual({path.name: path.stat().st_mtime_ns for path in (self.scaled / "images").iterdir()}, stamps)

    def test_chosen_training_cases(self):
        make_drive(self.folder / "DRIVE", training=6)
        scale_to_field_of_view(self.folder / "DRIVE", self.scaled, 22, training_cases=2, progress=False)
        self.assertEqual(ids(self.scaled, "training"), ["03_training", "04_training"])
        self.assertEqual(ids(self.scaled, "validation"), ["07_training", "08_training"])
        named = ["06_training", "04_training"]
        scale_to_field_of_view(self.folder / "DRIVE", self.folder / "b", 22, training_cases=named, progress=False)
        self.assertEqual(ids(self.folder / "b", "training"), named)
        with self.assertRaisesRegex(ConfigError, "different training cases of"):
            scale_to_field_of_view(
                self.folder / "DRIVE", self.folder / "c", 22, training_cases=["07_training"], progress=False
            )

    def test_choices_leave_the_test_section_closed(self):
        drive = make_drive(self.folder / "DRIVE", training=6)
        for path in drive.glob("test/*/*"):
            path.write_bytes(b"not to be read")
        scale_to_field_of_view(drive, self.scaled, 22, val_count=3, choice_count=2, progress=False)
        self.assertEqual(ids(self.scaled, "test"), ["06_training", "07_training"])
        self.assertEqual(ids(self.scaled, "validation"), ["08_training"])
        self.assertEqual(len(ids(self.scaled, "training")), 3)
        with self.assertRaisesRegex(ConfigError, "raise val_count"):
            scale_to_field_of_view(drive, self.folder / "b", 22, val_count=3, choice_count=3, progress=False)

    def test_errors(self):
        with self.assertRaisesRegex(ConfigError, "16 pixels"):
            scale_to_field_of_view(self.folder, self.scaled, 8)
        with self.assertRaisesRegex(ConfigError, "neither"):
            scale_to_field_of_view(self.phantoms(), self.scaled, 40, all_as_test=True, training_cases=1)
        counts = {"num_training": 2, "num_validation": 1, "num_test": 1}
        write_chest_phantom_dataset(self.folder / "chest", 32, **counts, progress=False)
        with self.assertRaisesRegex(DataError, "no photograph of an eye"):
            scale_to_field_of_view(self.folder / "chest", self.scaled, 40, "chest_organ", progress=False)
        self.assertFalse(self.scaled.exists())


class TestSecondObserverCases(unittest.TestCase):
    def test_layouts(self):
        with tempfile.TemporaryDirectory() as folder:
            drive, chase = make_drive(Path(folder, "DRIVE")), make_chase_db1(Path(folder, "CHASE_DB1"), 12)
            of_drive = second_observer_cases(drive)
            self.assertEqual(sorted(of_drive), ["01_test", "02_test"])
            self.assertTrue(of_drive["01_test"]["vessel"].endswith("2nd_manual/01_manual2.gif"))
            self.assertEqual(second_observer_cases(drive, "training"), {})
            self.assertEqual(len(second_observer_cases(chase)), 4)
            write_phantom_dataset(Path(folder, "eyes"), 48, 1, 1, 1, progress=False)
            self.assertEqual(second_observer_cases(Path(folder, "eyes")), {})


if __name__ == "__main__":
    unittest.main()
