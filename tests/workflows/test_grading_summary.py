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
from parameterized import parameterized

from monai_retinasynth.metrics import GradingReport, write_grading_results
from monai_retinasynth.utils import ConfigError, DataError
from monai_retinasynth.workflows import summarise_grading


class TestSummariseGrading(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for row, right in (("real", (2, 4)), ("real_and_synthetic", (5, 5))):
            for seed, count in enumerate(right):
                self.write(row, seed, [0, 1, 2, 3, 4], count)

    def write(self, row: str, seed: int, grades: list[int], right: int) -> None:
        report = GradingReport(bootstrap_samples=10)
        for number, grade in enumerate(grades):
            report.update(np.eye(5)[grade if number < right else 0], grade, str(number))
        write_grading_results({"RUN": report.compute()}, self.folder / f"evaluation_{row}_seed{seed}")

    def summarise(self, rows=("real", "real_and_synthetic"), seeds=(0, 1), **settings) -> tuple[dict, str]:
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream):
            summary = summarise_grading(str(self.folder / "summary"), str(self.folder), rows, seeds, **settings)
        return summary, stream.getvalue()

    def test_table(self):
        summary, text = self.summarise()
        self.assertEqual(json.loads((self.folder / "summary" / "grading_summary.json").read_text()), summary)
        real, both = summary["grading"].values()
        self.assertAlmostEqual(real["accuracy"]["mean"], 0.6)
        self.assertAlmostEqual(real["accuracy"]["sd"], np.std([0.4, 0.8], ddof=1))
        self.assertEqual(real["accuracy"]["values"], [0.4, 0.8])
        self.assertEqual((both["accuracy"]["mean"], both["quadratic_kappa"]["mean"]), (1.0, 1.0))
        self.assertEqual(real["confusion_matrix"][4], [2, 0, 0, 0, 0])
        self.assertEqual((both["title"], real["images"], real["seeds"]), ("real and synthetic", 5, [0, 1]))
        self.assertIn("0.6000 ± 0.2828", text)

    def test_one_seed_and_titles(self):
        summary, _ = self.summarise({"real": "REAL"}, [1])
        self.assertEqual(
            (summary["grading"]["real"]["title"], summary["grading"]["real"]["accuracy"]["sd"]), ("REAL", None)
        )

    def test_a_score_that_is_not_defined_is_left_out(self):
        for seed in (0, 1):
            self.write("real", seed, [0, 0, 0, 0, 0 if seed else 1], 5)
        kappa = self.summarise(["real"])[0]["grading"]["real"]["quadratic_kappa"]
        self.assertEqual((kappa["values"], kappa["mean"], kappa["n"]), ([1.0, None], 1.0, 1))

    @parameterized.expand(
        [
            ([], (0,), "at least one row"),
            (["real", "real"], (0,), "each once"),
            (["real"], (0, 0), "each once"),
        ]
    )
    def test_wrong_rows(self, rows, seeds, message):
        with self.assertRaisesRegex(ConfigError, message):
            self.summarise(rows, seeds)

    def test_missing_and_unlike_results(self):
        with self.assertRaisesRegex(DataError, "evaluation_real_seed7.*\n.*evaluation_real_seed8"):
            self.summarise(["real"], (0, 7, 8))
        with self.assertRaisesRegex(ConfigError, "put {row} and {seed} in it"):
            self.summarise(results="evaluation_real_seed0/grading.json")
        self.write("real", 1, [0, 1], 2)
        with self.assertRaisesRegex(DataError, "different numbers of images"):
            self.summarise()


if __name__ == "__main__":
    unittest.main()
