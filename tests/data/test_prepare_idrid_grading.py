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
import shutil
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from monai_retinasynth.data import load_graded_cases, prepare_idrid_grading
from monai_retinasynth.utils import ConfigError, DataError, read_rgb
from tests.data.grading_layout import GROUND, PARTS, make_idrid_grading
from tests.data.test_cases import FolderTestCase


class TestPrepareIdridGrading(FolderTestCase):
    def setUp(self):
        super().setUp()
        self.idrid = make_idrid_grading(self.folder / "IDRiD")
        self.target = self.folder / "grading"

    def prepare(self, **settings) -> dict:
        path = prepare_idrid_grading(self.target, self.idrid, **{"size": 24, "progress": False, **settings})
        self.assertEqual(path, self.target / "grading.json")
        return json.loads(path.read_text())

    def test_data_set(self):
        content = self.prepare()
        self.assertEqual([len(content[s]) for s in ("training", "validation", "test")], [6, 0, 2])
        self.assertIn("CC BY 4.0", content["reference"])
        case = content["training"][4]
        self.assertEqual((case["image"], case["grade"]), ("images/training_IDRiD_005.png", 4))
        self.assertEqual((case["edema_risk"], case["source"]), (2, "real"))
        picture = read_rgb(self.target / case["image"])
        self.assertEqual(picture.shape, (24, 24, 3))
        # the square is filled from side to side; above and below lies the ground that the sensor cut away
        self.assertGreater(picture[12, 1:-1].max(axis=1).min(), 100)
        self.assertEqual(picture[:2].max(), 0)
        self.assertEqual(picture[-2:].max(), 0)
        # greener with every grade, as the photographs are
        green = [read_rgb(self.target / c["image"])[12, 12, 1] for c in content["training"][:5]]
        self.assertTrue((np.diff(np.array(green, dtype=int)) > 0).all(), green)

    def test_sections_and_exclusions(self):
        folder = self.idrid / GROUND / "1. Original Images"
        shutil.copy(folder / PARTS[1][0] / "IDRiD_002.jpg", folder / PARTS[0][0] / "IDRiD_003.jpg")
        content = self.prepare(val_count=1, exclude=["IDRiD_002"])
        self.assertEqual([len(content[s]) for s in ("training", "validation", "test")], [3, 1, 2])
        self.assertEqual([entry["image"] for entry in content["left_out"]], ["IDRiD_002", "IDRiD_003"])
        self.assertEqual(len(load_graded_cases(self.target, "validation", val_count=2)), 1)

    def test_goes_on_where_it_stopped(self):
        self.prepare()
        times = {path.name: path.stat().st_mtime_ns for path in (self.target / "images").iterdir()}
        damaged = self.target / "images" / "training_IDRiD_003.png"
        damaged.write_bytes(damaged.read_bytes()[:40])
        with mock.patch(
            "monai_retinasynth.data.prepare_idrid_grading.square_photograph",
            return_value=np.full((24, 24, 3), 9, np.uint8),
        ) as made:
            self.prepare(val_count=1)
        self.assertEqual(made.call_count, 1)
        changed = {p.name for p in (self.target / "images").iterdir() if p.stat().st_mtime_ns != times[p.name]}
        self.assertEqual(changed, {damaged.name})
        with self.assertRaisesRegex(DataError, "cases of other settings"):
            self.prepare(size=32)

    def test_refused(self):
        for settings, message in (
            ({"idrid_dir": None}, "set idrid_dir"),
            ({"output_dir": None}, "set output_dir"),
            ({"size": 8}, "16 pixels or more"),
        ):
            with self.subTest(message), self.assertRaisesRegex(ConfigError, message):
                prepare_idrid_grading(**{"output_dir": self.target, "idrid_dir": self.idrid, **settings})
        black: Path = self.idrid / GROUND / "1. Original Images" / PARTS[0][0] / "IDRiD_004.jpg"
        Image.fromarray(np.zeros((32, 48, 3), np.uint8)).save(black)
        with self.assertRaisesRegex(DataError, "IDRiD_004.jpg: no field of view found"):
            self.prepare()


if __name__ == "__main__":
    unittest.main()
