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
"""Vessel segmentation scores against scikit-learn and against cases worked out by hand."""

from __future__ import annotations

import math
import unittest

import numpy as np
from parameterized import parameterized
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

from monai_retinasynth.metrics import CONVENTIONS, SCORE_NAMES, VesselSegmentationReport, confusion_scores
from monai_retinasynth.utils.errors import ConfigError, DataError


def random_case(seed: int, shape=(40, 50)):
    """Noisy probabilities of random blobs in a round field of view."""
    rng = np.random.default_rng(seed)
    target = np.zeros(shape, bool)
    for column in rng.integers(5, shape[1] - 5, 3):
        target[:, column : column + 2] = True
    probability = np.clip(0.6 * target + rng.normal(0.2, 0.2, shape), 0, 1).astype(np.float32)
    y, x = np.mgrid[: shape[0], : shape[1]]
    fov = (y - shape[0] / 2) ** 2 + (x - shape[1] / 2) ** 2 < (shape[0] / 2) ** 2
    return probability, target & fov, fov


def filled_report(count: int = 3, **kwargs) -> VesselSegmentationReport:
    report = VesselSegmentationReport(**kwargs)
    for seed in range(count):
        report.update(*random_case(seed), f"case{seed}")
    return report


class TestConfusionScores(unittest.TestCase):
    def test_by_hand(self):
        # TP 2, FP 1, FN 3, TN 4
        target = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0], bool)
        pred = np.array([1, 1, 0, 0, 0, 1, 0, 0, 0, 0], bool)
        scores = confusion_scores(pred, target)
        self.assertAlmostEqual(scores["f1"], 4 / 8)
        self.assertAlmostEqual(scores["accuracy"], 0.6)
        self.assertAlmostEqual(scores["sensitivity"], 0.4)
        self.assertAlmostEqual(scores["specificity"], 0.8)

    @parameterized.expand(
        [
            ("both_empty", 0, 0, {"f1": 1, "accuracy": 1, "sensitivity": 1, "specificity": 1}),
            ("false_alarm", 1, 0, {"f1": 0, "accuracy": 0, "sensitivity": 1, "specificity": 0}),
            ("all_missed", 0, 1, {"f1": 0, "accuracy": 0, "sensitivity": 0, "specificity": 1}),
            ("both_full", 1, 1, {"f1": 1, "accuracy": 1, "sensitivity": 1, "specificity": 1}),
        ]
    )
    def test_degenerate_masks_have_scores(self, _, pred, target, expected):
        self.assertEqual(confusion_scores(np.full((3, 4), pred, bool), np.full((3, 4), target, bool)), expected)


class TestVesselSegmentationReport(unittest.TestCase):
    def test_pooled_scores_equal_sklearn(self):
        report = filled_report().compute(0.45)
        cases = [random_case(seed) for seed in range(3)]
        for convention in CONVENTIONS:
            masks = [fov if convention == "fov" else np.ones_like(fov) for _, _, fov in cases]
            probability = np.concatenate([c[0][m] for c, m in zip(cases, masks)])
            target = np.concatenate([c[1][m] for c, m in zip(cases, masks)])
            pred = probability >= 0.45
            scores = report[convention]
            self.assertAlmostEqual(scores["auc"], roc_auc_score(target, probability), places=6)
            self.assertAlmostEqual(scores["f1"], f1_score(target, pred))
            self.assertAlmostEqual(scores["accuracy"], accuracy_score(target, pred))
            self.assertAlmostEqual(scores["sensitivity"], recall_score(target, pred))
            self.assertAlmostEqual(scores["specificity"], recall_score(target, pred, pos_label=0))
            per_image = [f1_score(c[1][m], c[0][m] >= 0.45) for c, m in zip(cases, masks)]
            self.assertAlmostEqual(scores["f1_per_image_mean"], np.mean(per_image))
            self.assertAlmostEqual(scores["f1_per_image_sd"], np.std(per_image, ddof=1))
            self.assertEqual(tuple(scores), SCORE_NAMES)
            for case, expected in zip(report["per_case"], per_image):
                self.assertAlmostEqual(case[convention]["f1"], expected)

    def test_conventions_by_hand(self):
        # left half is the FOV with 1 TP, 1 FN, 2 TN of 4; the right half adds 4 TN
        target = np.array([[1, 0, 0, 0], [1, 0, 0, 0]], bool)
        probability = np.array([[0.9, 0.1, 0, 0], [0.2, 0.1, 0, 0]], np.float32)
        fov = np.array([[1, 1, 0, 0], [1, 1, 0, 0]], bool)
        report = VesselSegmentationReport(threshold=0.5)
        report.update(probability, target, fov, "a")
        result = report.compute()
        self.assertEqual(result["fov"]["accuracy"], 3 / 4)
        self.assertEqual(result["whole"]["accuracy"], 7 / 8)
        self.assertAlmostEqual(result["fov"]["f1"], 2 / 3)
        self.assertAlmostEqual(result["whole"]["f1"], 2 / 3)
        self.assertEqual(result["fov"]["f1_per_image_sd"], 0.0)
        self.assertEqual(result["fov"]["auc"], 1.0)

    def test_pooling_is_over_pixels_not_images(self):
        report = VesselSegmentationReport(threshold=0.5)
        ones = np.ones((1, 10), bool)
        target = np.zeros((1, 10), bool)
        target[0, :8] = True
        report.update(target.astype(np.float32), target, ones, "good")
        small = np.zeros((1, 10), bool)
        small[0, 0] = True
        report.update(np.zeros((1, 10)), small, ones, "missed")
        scores = report.compute()["fov"]
        self.assertAlmostEqual(scores["f1"], 2 * 8 / (2 * 8 + 1))
        self.assertAlmostEqual(scores["f1_per_image_mean"], 0.5)

    def test_best_threshold_is_the_best_of_all(self):
        report = filled_report(2, section="validation")
        best = report.best_threshold()
        best_f1 = report.compute(best)["fov"]["f1"]
        probability = np.concatenate([p[f] for p, _, f in (random_case(s) for s in range(2))])
        for candidate in np.unique(probability)[::7]:
            self.assertGreaterEqual(best_f1, report.compute(float(candidate))["fov"]["f1"])

    def test_best_f1_is_that_of_the_best_threshold(self):
        report = filled_report(2)
        scores = report.compute(0.9)
        self.assertLess(scores["fov"]["f1"], scores["fov"]["best_f1"] - 0.1)
        self.assertAlmostEqual(scores["fov"]["best_f1"], report.compute(report.best_threshold())["fov"]["f1"])

    def test_counts_of_the_cases_add_up_to_the_score(self):
        report = filled_report().compute(0.45)
        tp, fp, fn = (sum(case["counts"][key] for case in report["per_case"]) for key in ("tp", "fp", "fn"))
        self.assertAlmostEqual(report["fov"]["f1"], 2 * tp / (2 * tp + fp + fn))

    def test_best_threshold_refuses_test_data(self):
        with self.assertRaisesRegex(ConfigError, "validation"):
            filled_report(section="test").best_threshold()

    def test_empty_masks_never_give_nan(self):
        report = VesselSegmentationReport(threshold=0.5)
        report.update(np.zeros((6, 6)), np.zeros((6, 6), bool), np.ones((6, 6), bool), "empty")
        result = report.compute()
        for scores in (result["fov"], result["whole"], result["per_case"][0]["fov"]):
            self.assertIsNone(scores["auc"])
            self.assertTrue(all(math.isfinite(v) for v in scores.values() if v is not None))
        self.assertEqual(result["fov"]["f1"], 1.0)
        self.assertEqual(result["fov"]["cldice"], 1.0)
        with self.assertRaisesRegex(DataError, "no vessel pixel"):
            report.best_threshold()

    def test_bad_input(self):
        report = VesselSegmentationReport()
        probability, target, fov = random_case(0)
        with self.assertRaisesRegex(DataError, "case x.*one shape"):
            report.update(probability, target[:-1], fov, "x")
        with self.assertRaisesRegex(DataError, "field of view is empty"):
            report.update(probability, target, np.zeros_like(fov), "x")
        with self.assertRaisesRegex(DataError, "NaN"):
            report.update(np.full_like(probability, np.nan), target, fov, "x")
        with self.assertRaisesRegex(DataError, "no cases"):
            report.compute(0.5)
        report.update(probability, target, fov, "x")
        with self.assertRaisesRegex(DataError, "twice"):
            report.update(probability, target, fov, "x")
        with self.assertRaisesRegex(ConfigError, "no threshold"):
            report.compute()
        report.reset()
        self.assertEqual(len(report), 0)


if __name__ == "__main__":
    unittest.main()
