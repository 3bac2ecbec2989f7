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

import csv
import io
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
from parameterized import parameterized
from rich.console import Console
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score

from monai_retinasynth.metrics import (
    GradingReport,
    print_grading_results,
    read_grading_results,
    write_grading_results,
)
from monai_retinasynth.metrics.grading import _confusion, _scores
from monai_retinasynth.utils import DataError


def report(true, predicted, **settings) -> dict:
    filled = GradingReport(**{"bootstrap_samples": 200, **settings})
    for number, (grade, guess) in enumerate(zip(true, predicted)):
        filled.update(np.eye(5)[guess] * 0.6 + 0.08, grade, f"eye_{number}")
    return filled.compute()


class TestGradingReport(unittest.TestCase):
    def test_known_values(self):
        # by hand: 4 of 6 right; disagreements of 1 and of 2 grades
        scores = report([0, 0, 1, 2, 2, 4], [0, 1, 1, 2, 4, 4])
        self.assertAlmostEqual(scores["accuracy"], 4 / 6)
        self.assertAlmostEqual(scores["balanced_accuracy"], (0.5 + 1 + 0.5 + 1) / 4)
        observed = (1 + 4) / 6
        expected = sum((a - b) ** 2 for a in [0, 0, 1, 2, 2, 4] for b in [0, 1, 1, 2, 4, 4]) / 36
        self.assertAlmostEqual(scores["quadratic_kappa"], 1 - observed / expected)
        self.assertEqual(scores["confusion_matrix"][2], [0, 0, 1, 0, 1])
        self.assertEqual(scores["images"], 6)
        case = scores["per_case"][4]
        self.assertEqual((case["case_id"], case["grade"], case["predicted"]), ("eye_4", 2, 4))
        self.assertAlmostEqual(sum(case["probabilities"]), 1)

    def test_same_as_scikit_learn(self):
        rng = np.random.default_rng(3)
        true, predicted = rng.integers(0, 5, (20, 40)), rng.integers(0, 5, (20, 40))
        ours = _scores(np.stack([_confusion(t, p, 5) for t, p in zip(true, predicted)]))
        for row, (t, p) in enumerate(zip(true, predicted)):
            self.assertAlmostEqual(ours["quadratic_kappa"][row], cohen_kappa_score(t, p, weights="quadratic"))
            self.assertAlmostEqual(ours["balanced_accuracy"][row], balanced_accuracy_score(t, p))
            self.assertAlmostEqual(ours["accuracy"][row], np.mean(t == p))

    def test_far_confusions_cost_more(self):
        true = [0, 1, 2, 3, 4] * 4
        near, far = ([*true[:-1], 3], [*true[:-1], 0])
        self.assertGreater(report(true, near)["quadratic_kappa"], report(true, far)["quadratic_kappa"])

    def test_intervals(self):
        rng = np.random.default_rng(0)
        true = rng.integers(0, 5, 400)
        predicted = np.where(rng.random(400) < 0.7, true, rng.integers(0, 5, 400))
        small, large = (report(true[:n], predicted[:n], bootstrap_samples=1000) for n in (100, 400))
        for scores in (small, large):
            for name in ("accuracy", "quadratic_kappa", "balanced_accuracy"):
                low, high = scores[f"{name}_interval"]
                self.assertTrue(low < scores[name] < high, name)
        # the normal approximation of a share
        width = np.subtract(*small["accuracy_interval"][::-1])
        share = small["accuracy"]
        self.assertAlmostEqual(width, 2 * 1.96 * np.sqrt(share * (1 - share) / 100), delta=0.03)
        self.assertLess(np.subtract(*large["accuracy_interval"][::-1]), width)
        again = report(true[:100], predicted[:100], bootstrap_samples=1000)
        self.assertEqual(again["accuracy_interval"], small["accuracy_interval"])
        other = report(true[:100], predicted[:100], bootstrap_samples=1000, seed=1)
        self.assertNotEqual(other["quadratic_kappa_interval"], small["quadratic_kappa_interval"])

    def test_kappa_of_one_grade_is_not_defined(self):
        scores = report([2, 2, 2], [2, 2, 2])
        self.assertIsNone(scores["quadratic_kappa"])
        self.assertIsNone(scores["quadratic_kappa_interval"])
        self.assertEqual(scores["accuracy"], 1.0)
        # always the same guess is no better than chance
        self.assertAlmostEqual(report([0, 1, 2], [1, 1, 1])["quadratic_kappa"], 0)

    @parameterized.expand(
        [
            ("shape", [0.5, 0.5], 0, ValueError, "5 finite probabilities"),
            ("nan", [np.nan] * 5, 0, ValueError, "5 finite probabilities"),
            ("grade", [0.2] * 5, 5, DataError, "image eye: 5 is no grade"),
        ]
    )
    def test_refused(self, _, probabilities, grade, error, message):
        with self.assertRaisesRegex(error, message):
            GradingReport().update(probabilities, grade, "eye")

    def test_nothing_to_score_and_wrong_settings(self):
        filled = GradingReport()
        filled.update([1, 0, 0, 0, 0], 0, "eye")
        filled.reset()
        with self.assertRaisesRegex(ValueError, "no image to score"):
            filled.compute()
        with self.assertRaisesRegex(ValueError, "confidence between 0 and 1"):
            GradingReport(confidence=95)


class TestGradingResults(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.results = {"REAL": report([0, 1, 2, 4], [0, 1, 2, 3])}

    def test_files(self):
        json_path, csv_path = write_grading_results(self.results, self.folder)
        self.assertEqual(read_grading_results(json_path), self.results)
        rows = list(csv.DictReader(csv_path.read_text().splitlines()))
        self.assertEqual(len(rows), 4)
        self.assertEqual((rows[3]["run"], rows[3]["grade"], rows[3]["predicted"]), ("REAL", "4", "3"))
        self.assertEqual(rows[3]["probability_3"], "0.680000")

    def test_table(self):
        stream = io.StringIO()
        print_grading_results(self.results, console=Console(file=stream, width=30))
        text = stream.getvalue()
        self.assertIn("0.7500 (", text)
        self.assertIn("quadratic kappa", text)
        self.assertIn("95% interval", text)
        undefined = io.StringIO()
        print_grading_results({"ONE": report([2], [2])}, console=Console(file=undefined, width=30))
        self.assertIn("n/a", undefined.getvalue())

    def test_wrong_files_are_named(self):
        path = self.folder / "grading.json"
        wrong = ({}, {"REAL": 3}, {"REAL": {"images": 1}})
        for text in ("", "{}", *(json.dumps({"grading": content}) for content in wrong)):
            path.write_text(text)
            with (
                self.subTest(text),
                self.assertRaisesRegex(DataError, "grading.json cannot be read as grading results"),
            ):
                read_grading_results(path)


if __name__ == "__main__":
    unittest.main()
