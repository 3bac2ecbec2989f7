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

from monai_retinasynth.data import write_datalist
from monai_retinasynth.utils import ConfigError, DataError, write_label_map
from monai_retinasynth.workflows import measure_collapse, summarise_ablation

MICROANEURYSM, HARD_EXUDATE = 7, 6


def eye(seed: int, lesions: int, side: int = 48) -> np.ndarray:
    """A round field of view with a disc and so many microaneurysms that do not touch each other."""
    rng = np.random.default_rng(seed)
    x, y = np.indices((side, side))
    label_map = ((x - side / 2) ** 2 + (y - side / 2) ** 2 < (side / 2) ** 2).astype(np.uint8)
    row, column = rng.integers(16, 32, 2)
    label_map[row : row + 4, column : column + 4] = 3
    free = np.flatnonzero((label_map == 1) & (x % 3 == 0) & (y % 3 == 0))
    label_map.flat[rng.choice(free, lesions, replace=False)] = MICROANEURYSM
    return label_map


def write_set(folder: Path, maps: list[np.ndarray], grades: list[int] | None, source: str) -> str:
    (folder / "labels").mkdir(parents=True)
    cases = []
    for i, label_map in enumerate(maps):
        write_label_map(folder / "labels" / f"{i:03d}.png", label_map, "fundus_lesion")
        grade = {} if grades is None else {"grade": grades[i]}
        cases.append({"label": f"labels/{i:03d}.png", "case_id": f"{i:03d}", "source": source, **grade})
    write_datalist(folder, {"training": cases}, "fundus_lesion", source)
    return str(folder)


class TestLabelMapCollapse(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name)
        self.grades = [0, 1, 2, 2]
        # the last is held out for validation: its many lesions must not be counted
        real = [eye(i, 4 * grade) for i, grade in enumerate(self.grades)] + [eye(9, 60)]
        self.real = write_set(self.root / "real", real, [*self.grades, 4], "real")

    def measure(self, generated: str, real: str | None = None, name: str = "out", **options):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            report = measure_collapse(
                str(self.root / name), generated, real or self.real, **{"resolution": 48, "val_count": 1, **options}
            )
        self.printed = printed.getvalue()
        return report

    def test_figures_lesions_and_grades(self):
        maps = [eye(20 + i, 8 * grade) for i, grade in enumerate(self.grades)]
        report = self.measure(write_set(self.root / "generated", maps, self.grades, "synthetic"))
        self.assertEqual(json.loads((self.root / "out" / "collapse.json").read_text()), report)
        self.assertEqual((report["generated"]["maps"], report["real"]["maps"]), (4, 4))
        self.assertEqual(report["structures"][0], "vessel")
        self.assertEqual(report["lesions"]["generated"]["microaneurysm"]["count"], (8 + 16 + 16) / 4)
        self.assertEqual(report["lesions"]["real"]["microaneurysm"]["count"], (4 + 8 + 8) / 4)
        field = (eye(1, 4) != 0).sum()
        grade_one = report["by_grade"]["1"]
        self.assertEqual(grade_one["real"]["maps"], 1)
        self.assertAlmostEqual(grade_one["real"]["lesions"]["microaneurysm"]["area_share"], 4 / field)
        self.assertEqual(report["by_grade"]["2"]["generated"]["lesions"]["microaneurysm"]["count"], 16)
        self.assertEqual(report["by_grade"]["2"]["generated"]["lesions"]["hard_exudate"]["count"], 0)
        # three grades, four classes, of which one differs in two grades
        expected = (np.log2(9 / 5) + np.log2(17 / 9)) / 12
        self.assertAlmostEqual(report["lesion_count_log2_error"], expected)
        self.assertAlmostEqual(report["grade_correlation"]["generated"], 1.0)
        self.assertIn("near-duplicates", self.printed)
        self.assertIn("microaneurysm", self.printed)
        self.assertIn("16.0 / 8.0", self.printed)
        self.assertIn("0.89 / 0.45", self.printed)

    def test_grade_without_effect(self):
        maps = [eye(20 + i, 5) for i in range(4)]
        report = self.measure(write_set(self.root / "generated", maps, [0, 1, 2, 4], "synthetic"))
        self.assertIsNone(report["grade_correlation"]["generated"])  # all counts are equal
        self.assertIsNone(report["by_grade"]["4"]["real"]["lesions"])
        self.assertEqual(report["by_grade"]["4"]["generated"]["maps"], 1)

    def test_connected_over_corners(self):
        maps = [eye(i, 0) for i in range(2)]
        maps[0][20, 5] = maps[0][21, 6] = maps[0][25, 6] = HARD_EXUDATE
        report = self.measure(write_set(self.root / "generated", maps, None, "synthetic"))
        self.assertEqual(report["lesions"]["generated"]["hard_exudate"]["count"], 1.0)  # two in one of two maps

    def test_collapsed_generator_without_grades(self):
        generated = write_set(self.root / "generated", [eye(50, 6)] * 6, None, "synthetic")
        report = self.measure(generated, num_samples=5)
        self.assertEqual(report["generated"]["maps"], 5)
        self.assertEqual(report["generated"]["near_duplicate_share"], 1.0)
        self.assertIsNone(report["by_grade"])
        self.assertGreater(report["lesion_count_log2_error"], 0.0)
        self.assertIn("not split by grade", " ".join(self.printed.split()))

    def test_copies(self):
        maps = [np.rot90(eye(i, 4 * grade)) for i, grade in enumerate(self.grades)]
        report = self.measure(write_set(self.root / "generated", maps, self.grades, "synthetic"))
        self.assertAlmostEqual(report["generated"]["training_dice_mean"], 1.0)
        self.assertEqual(report["generated"]["copy_share"], 1.0)

    def test_empty_maps(self):
        empty = np.ones((48, 48), dtype=np.uint8)
        report = self.measure(write_set(self.root / "generated", [empty] * 3, [0, 1, 2], "synthetic"))
        self.assertEqual(report["maps_without_structures"], {"generated": 3, "real": 0})
        self.assertEqual(report["generated"]["near_duplicate_share"], 1.0)

    def test_an_ablation_reads_the_figures(self):
        for row, maps in (("base", [eye(20 + i, 6) for i in range(4)]), ("collapsed", [eye(50, 6)] * 4)):
            generated = write_set(self.root / row, maps, [0, 1, 2, 4], "synthetic")
            self.measure(generated, name=f"runs/{row}_seed0/collapse")
        places = ("generated::pairwise_distance_mean", "generated::near_duplicate_share", "real::training_dice_max",
                  "grade_correlation::generated", "lesion_count_log2_error",
                  "by_grade::2::generated::lesions::microaneurysm::count")  # fmt: skip
        with contextlib.redirect_stdout(io.StringIO()):
            summary = summarise_ablation(
                root=str(self.root / "runs"),
                rows=[{"name": "base"}, {"name": "collapsed"}],
                seeds=[0],
                figures={place: f"collapse/collapse.json::{place}" for place in places},
                curves=None,
                output_dir=str(self.root / "summary"),
            )
        collapsed = summary["rows"]["collapsed"]["figures"]
        self.assertEqual(collapsed["generated::near_duplicate_share"]["mean"], 1.0)
        self.assertEqual(collapsed["by_grade::2::generated::lesions::microaneurysm::count"]["mean"], 6.0)

    def test_label_set_without_lesions_and_maps_without_an_eye(self):
        labels = self.root / "vessels"
        labels.mkdir()
        rng = np.random.default_rng(0)
        for i in range(3):
            vessels = np.where(rng.random((48, 48)) < 0.1, 2, 1).astype(np.uint8)
            write_label_map(labels / f"{i}.png", vessels, "fundus_vessel")
        report = self.measure(str(labels), str(labels), label_set="fundus_vessel")
        self.assertEqual(report["structures"], ["vessel"])
        self.assertEqual(report["lesions"], {"generated": {}, "real": {}})
        self.assertIsNone(report["lesion_count_log2_error"])
        nothing = write_set(self.root / "nothing", [np.zeros((48, 48), np.uint8)] * 2, [0, 1], "synthetic")
        self.assertEqual(self.measure(nothing)["lesions"]["generated"]["haemorrhage"]["count"], 0.0)

    def test_errors(self):
        one = write_set(self.root / "one", [eye(0, 1)], [0], "synthetic")
        with self.assertRaisesRegex(DataError, "one has 1 label map in section 'all'"):
            self.measure(one)
        two = write_set(self.root / "two", [eye(0, 1)] * 2, [0, 0], "synthetic")
        with self.assertRaisesRegex(ConfigError, "tolerance in"):
            self.measure(two, tolerance=3.0)
        with self.assertRaisesRegex(DataError, "num_samples|num_cases"):
            self.measure(two, num_samples=3)
        self.assertFalse((self.root / "out").exists())


if __name__ == "__main__":
    unittest.main()
