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
"""Segmentation results as JSON, CSV and table."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from rich.console import Console

from monai_retinasynth.metrics import (
    SCORE_NAMES,
    print_segmentation_results,
    read_segmentation_results,
    write_segmentation_results,
)
from monai_retinasynth.utils.errors import DataError
from tests.metrics.test_vessel_segmentation import filled_report


class TestSegmentationResults(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "results"
        self.results = {"REAL": filled_report(3).compute(0.5), "SYNTH": filled_report(2).compute(0.4)}

    def test_json_round_trip(self):
        path, _ = write_segmentation_results(self.results, self.folder)
        self.assertEqual(read_segmentation_results(path), self.results)
        self.assertEqual(set(json.loads(path.read_text())["conventions"]), {"fov", "whole"})

    def test_csv_rows(self):
        _, path = write_segmentation_results(self.results, self.folder, stem="scores")
        self.assertEqual(path.name, "scores.csv")
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 2 * (1 + 3) + 2 * (1 + 2))
        pooled = next(r for r in rows if (r["run"], r["convention"], r["case_id"]) == ("SYNTH", "fov", "pooled"))
        for name in SCORE_NAMES:
            self.assertAlmostEqual(float(pooled[name]), self.results["SYNTH"]["fov"][name])

    def test_table_names_runs_and_conventions(self):
        console = Console(file=io.StringIO(), width=150)
        print_segmentation_results(self.results, console=console)
        text = console.file.getvalue()
        for word in ("REAL", "SYNTH", "in FOV", "whole image", "clDice", f"{self.results['REAL']['fov']['f1']:.4f}"):
            self.assertIn(word, text)

    def test_missing_auc_is_written_and_shown(self):
        self.results["REAL"]["fov"]["auc"] = None
        path, _ = write_segmentation_results(self.results, self.folder)
        self.assertIsNone(read_segmentation_results(path)["REAL"]["fov"]["auc"])
        console = Console(file=io.StringIO(), width=150)
        print_segmentation_results(self.results, console=console)
        self.assertIn("n/a", console.file.getvalue())

    def test_full_disk_leaves_nothing(self):
        with mock.patch("os.replace", side_effect=OSError(28, "No space left on device")):
            with self.assertRaisesRegex(DataError, "segmentation.json"):
                write_segmentation_results(self.results, self.folder)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_foreign_file(self):
        self.folder.mkdir()
        (self.folder / "x.json").write_text("{")
        with self.assertRaisesRegex(DataError, "x.json"):
            read_segmentation_results(self.folder / "x.json")


if __name__ == "__main__":
    unittest.main()
