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
"""The sheet by grade."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import numpy as np

from monai_retinasynth.data import write_datalist
from monai_retinasynth.utils import DataError, read_rgb, write_label_map, write_rgb
from monai_retinasynth.workflows import write_grade_sheet


def write_pairs(folder: Path, grades: list[int], graded: bool = True) -> None:
    cases = []
    for number, grade in enumerate(grades):
        write_label_map(folder / f"labels/{number}.png", np.full((40, 40), 1, np.uint8), "fundus_lesion")
        write_rgb(folder / f"images/{number}.png", np.full((40, 40, 3), 40 * grade, np.uint8))
        case = {"label": f"labels/{number}.png", "image": f"images/{number}.png", "case_id": str(number)}
        cases.append({**case, "source": "synthetic", **({"grade": grade} if graded else {})})
    write_datalist(folder, {"training": cases}, "fundus_lesion", "pairs")


class TestGradeSheet(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def test_a_column_pair_a_grade_in_their_order(self):
        write_pairs(self.folder, [4, 1, 4])
        write_grade_sheet(str(self.folder), self.folder / "sheet.png", pairs_a_grade=2)
        sheet = read_rgb(self.folder / "sheet.png")
        self.assertGreater(sheet.shape[1], 4 * 40)
        centres = [sheet[-20, x] for x in range(sheet.shape[1])]
        # bottom row: grade 1 has one pair only, so its column ends in black
        values = [tuple(int(v) for v in c) for c in centres]
        self.assertIn((160, 160, 160), values)
        self.assertNotIn((40, 40, 40), values)
        self.assertIn((0, 0, 0), values)

    def test_needs_grades(self):
        write_pairs(self.folder, [1, 2], graded=False)
        with self.assertRaisesRegex(DataError, "has no grade"):
            write_grade_sheet(str(self.folder), self.folder / "sheet.png")


if __name__ == "__main__":
    unittest.main()
