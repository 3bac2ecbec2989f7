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
import csv
import io
import tempfile
import unittest
from pathlib import Path

import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from monai.transforms import Activationsd

from monai_retinasynth.handlers import GradePredictionsHandler, GradingReportHandler
from monai_retinasynth.metrics import GradingReport, read_grading_results

GRADES = [0, 1, 2, 3, 4, 4]


def run(handler, with_label: bool = True) -> SupervisedEvaluator:
    """Evaluate a network that says what stands in its input; the last image looks like grade 3."""
    items = [
        {"image": 9.0 * torch.eye(5)[min(g, 3) if i == 5 else g], "case_id": f"eye_{i}"} for i, g in enumerate(GRADES)
    ]
    if with_label:
        items = [{**item, "label": grade} for item, grade in zip(items, GRADES)]
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(items), batch_size=4),
        network=torch.nn.Identity(),
        postprocessing=Activationsd("pred", softmax=True),
        val_handlers=[handler],
    )
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator.run()
    return evaluator


class TestGradingHandlers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_report(self):
        report = GradingReport(bootstrap_samples=50)
        handler = GradingReportHandler(report, self.folder, name="REAL", context={"section": "test"})
        for _ in range(2):  # a second run begins anew
            evaluator = run(handler)
        found = read_grading_results(self.folder / "grading.json")["REAL"]
        self.assertEqual((found["images"], found["section"]), (6, "test"))
        self.assertAlmostEqual(found["accuracy"], 5 / 6)
        self.assertEqual(found["confusion_matrix"][4], [0, 0, 0, 1, 1])
        self.assertEqual([case["case_id"] for case in found["per_case"]], [f"eye_{i}" for i in range(6)])
        self.assertAlmostEqual(evaluator.state.metrics["accuracy"], 5 / 6)
        self.assertEqual(evaluator.state.metrics["quadratic_kappa"], found["quadratic_kappa"])
        self.assertTrue((self.folder / "grading.csv").is_file())

    def test_report_without_files(self):
        run(GradingReportHandler(GradingReport(bootstrap_samples=5), print_table=False))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_predictions(self):
        run(GradePredictionsHandler(self.folder / "deep" / "grades.csv"), with_label=False)
        rows = list(csv.DictReader((self.folder / "deep" / "grades.csv").read_text().splitlines()))
        self.assertEqual([row["case_id"] for row in rows], [f"eye_{i}" for i in range(6)])
        self.assertEqual([int(row["predicted"]) for row in rows], [0, 1, 2, 3, 4, 3])
        self.assertAlmostEqual(sum(float(rows[0][f"probability_{g}"]) for g in range(5)), 1, places=4)
        self.assertGreater(float(rows[1]["probability_1"]), 0.9)


if __name__ == "__main__":
    unittest.main()
