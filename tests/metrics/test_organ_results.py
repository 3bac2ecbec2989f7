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
"""Organ segmentation results as JSON, CSV and table."""

from __future__ import annotations

import csv
import io
import tempfile
import unittest
from pathlib import Path

import numpy as np
from rich.console import Console

from monai_retinasynth.metrics import (
    OrganSegmentationReport,
    print_organ_results,
    read_lesion_results,
    read_organ_results,
    write_organ_results,
)
from monai_retinasynth.utils.errors import DataError
from tests.metrics.test_organ_segmentation import ORGANS, filled_report


class TestOrganResults(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.results = {"REAL": {"seed": 3, **filled_report(3).compute()}}

    def test_json_round_trip(self):
        path, _ = write_organ_results(self.results, self.folder)
        self.assertEqual(path.name, "organs.json")
        self.assertEqual(read_organ_results(path), self.results)
        with self.assertRaisesRegex(DataError, "cannot be read as lesion segmentation results"):
            read_lesion_results(path)

    def test_csv_rows(self):
        _, path = write_organ_results(self.results, self.folder, stem="scores")
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        # pooled, mean and three cases for five organs and two groups
        self.assertEqual(len(rows), 7 * 5)
        lungs = {row["case_id"]: row for row in rows if row["organ"] == "lungs"}
        scores = self.results["REAL"]["groups"]["lungs"]
        self.assertAlmostEqual(float(lungs["pooled"]["jaccard"]), scores["jaccard"])
        self.assertAlmostEqual(float(lungs["pooled"]["accuracy"]), scores["accuracy"])
        self.assertAlmostEqual(float(lungs["mean"]["dice"]), scores["dice_mean"])
        self.assertEqual(lungs["mean"]["accuracy"], "")
        case = self.results["REAL"]["per_case"][1]["organs"]["lungs"]
        self.assertAlmostEqual(float(lungs["chest1"]["jaccard"]), case["jaccard"])

    def test_scores_that_do_not_exist(self):
        report = OrganSegmentationReport(["heart"])
        report.update(np.zeros((1, 3, 3), bool), np.zeros((1, 3, 3), bool), "a")
        json_path, csv_path = write_organ_results({"REAL": report.compute()}, self.folder)
        self.assertIsNone(read_organ_results(json_path)["REAL"]["organs"]["heart"]["jaccard_mean"])
        self.assertIn("REAL,heart,a,,,1.0", csv_path.read_text())

    def test_table(self):
        console = Console(file=io.StringIO(), width=40)
        print_organ_results(self.results, console=console)
        text = console.file.getvalue()
        heart = self.results["REAL"]["organs"]["heart"]
        spread = f"{heart['jaccard_mean']:.4f} ± {heart['jaccard_sd']:.3f}"
        for word in ("REAL", *ORGANS, "lungs", "clavicles", "all organs", "3 of 3", spread, f"{heart['accuracy']:.4f}"):
            self.assertIn(word, text)


if __name__ == "__main__":
    unittest.main()
