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
"""Lesion segmentation results as JSON, CSV and table."""

from __future__ import annotations

import csv
import io
import tempfile
import unittest
from pathlib import Path

from rich.console import Console

from monai_retinasynth.metrics import (
    print_lesion_results,
    read_lesion_results,
    read_segmentation_results,
    write_lesion_results,
)
from monai_retinasynth.utils.errors import DataError
from tests.metrics.test_lesion_segmentation import NAMES, filled_report


class TestLesionResults(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.results = {"REAL": filled_report(3).compute({"exudate": 0.4, "bleeding": None})}

    def test_json_round_trip(self):
        path, _ = write_lesion_results(self.results, self.folder)
        self.assertEqual(path.name, "lesion_segmentation.json")
        self.assertEqual(read_lesion_results(path), self.results)
        with self.assertRaisesRegex(DataError, "cannot be read as segmentation results"):
            read_segmentation_results(path)

    def test_csv_rows(self):
        _, path = write_lesion_results(self.results, self.folder, stem="scores")
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        # pooled, mean and three cases; one of the two classes has no chosen threshold
        self.assertEqual(len(rows), 3 * 5)
        scores = self.results["REAL"]["classes"]["exudate"]
        chosen = {r["case_id"]: r for r in rows if (r["lesion"], r["point"]) == ("exudate", "chosen")}
        self.assertAlmostEqual(float(chosen["pooled"]["f1"]), scores["chosen"]["f1"])
        self.assertAlmostEqual(float(chosen["mean"]["f1"]), scores["chosen"]["f1_mean"])
        self.assertAlmostEqual(float(chosen["mean"]["auprc"]), scores["auprc_mean"])
        self.assertAlmostEqual(float(chosen["pooled"]["threshold"]), scores["threshold"])

    def test_table(self):
        console = Console(file=io.StringIO(), width=40)
        print_lesion_results(self.results, console=console)
        text = console.file.getvalue()
        f1 = self.results["REAL"]["classes"]["exudate"]["chosen"]["f1"]
        for word in ("REAL", *NAMES, "3 of 3", "0.5000", "n/a", f"{f1:.4f}"):
            self.assertIn(word, text)


if __name__ == "__main__":
    unittest.main()
