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
"""Scores of lesion segmentation against scikit-learn, and images without lesions."""

from __future__ import annotations

import json
import unittest

import numpy as np
from parameterized import parameterized
from sklearn.metrics import average_precision_score, precision_recall_curve, precision_recall_fscore_support

from monai_retinasynth.metrics import LESION_SCORE_NAMES, LesionSegmentationReport
from monai_retinasynth.utils.errors import ConfigError, DataError

NAMES = ("exudate", "bleeding")


def random_case(seed: int, digits: int | None = None, shape=(40, 50)):
    """Probabilities and true pixels of two classes in a round field of view, some of them outside of it."""
    rng = np.random.default_rng(seed)
    target = rng.random((2, *shape)) < np.array([0.05, 0.02])[:, None, None]
    logit = rng.normal(-4, 2, (2, *shape)) + 5 * target
    probability = 1 / (1 + np.exp(-logit))
    if digits is not None:
        probability = probability.round(digits)
    y, x = np.mgrid[: shape[0], : shape[1]]
    fov = (y - shape[0] / 2) ** 2 + (x - shape[1] / 2) ** 2 < (shape[0] / 2) ** 2
    return probability.astype(np.float32), target, fov


def filled_report(count: int = 3, digits: int | None = None, **kwargs) -> LesionSegmentationReport:
    report = LesionSegmentationReport(NAMES, **kwargs)
    for seed in range(count):
        report.update(*random_case(seed, digits), f"case{seed}")
    return report


def vectors(number: int, digits: int | None = None, count: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    """True pixels and probabilities inside the field of view, an entry a case."""
    cases = [random_case(seed, digits) for seed in range(count)]
    return [(target[number][fov], probability[number][fov]) for probability, target, fov in cases]


class TestAgainstScikitLearn(unittest.TestCase):
    @parameterized.expand([(0,), (1,)])
    def test_average_precision(self, number):
        cases = vectors(number)
        scores = filled_report().compute(dict.fromkeys(NAMES, 0.5))["classes"][NAMES[number]]
        truth, probability = (np.concatenate(part) for part in zip(*cases))
        self.assertAlmostEqual(scores["auprc"], average_precision_score(truth, probability), delta=2e-3)
        self.assertAlmostEqual(
            scores["auprc_mean"], np.mean([average_precision_score(t, p) for t, p in cases]), delta=2e-3
        )
        self.assertAlmostEqual(scores["lesion_share"], truth.mean(), places=12)

    def test_average_precision_of_few_levels_is_exact(self):
        scores = filled_report(digits=1).compute(dict.fromkeys(NAMES, 0.5))["classes"][NAMES[0]]
        truth, probability = (np.concatenate(part) for part in zip(*vectors(0, digits=1)))
        self.assertAlmostEqual(scores["auprc"], average_precision_score(truth, probability), places=12)

    @parameterized.expand([("half", 0.5), ("chosen", 0.123)])
    def test_counts_at_a_threshold(self, point, threshold):
        report = filled_report().compute(dict.fromkeys(NAMES, threshold))
        for number, name in enumerate(NAMES):
            scores = report["classes"][name]
            used = 0.5 if point == "half" else scores["threshold"]
            self.assertAlmostEqual(used, threshold, places=2)
            cases = vectors(number)
            of_images = [
                precision_recall_fscore_support(t, p >= used, average="binary", zero_division=0)[:3] for t, p in cases
            ]
            truth, probability = (np.concatenate(part) for part in zip(*cases))
            pooled = precision_recall_fscore_support(truth, probability >= used, average="binary")[:3]
            for key, one, mean in zip(("precision", "recall", "f1"), pooled, np.mean(of_images, axis=0)):
                self.assertAlmostEqual(scores[point][key], one, places=12)
                self.assertAlmostEqual(scores[point][f"{key}_mean"], mean, places=12)
            self.assertAlmostEqual(scores[point]["f1_sd"], np.std([f1 for *_, f1 in of_images], ddof=1), places=12)
            own = report["per_case"][1]["classes"][name]
            self.assertAlmostEqual(own[point]["recall"], of_images[1][1], places=12)
            self.assertEqual(own["true_pixels"], int(cases[1][0].sum()))

    def test_best_threshold(self):
        report = filled_report(digits=1, section="validation")
        best = report.best_thresholds()
        scores = report.compute(best)["classes"]
        for number, name in enumerate(NAMES):
            truth, probability = (np.concatenate(part) for part in zip(*vectors(number, digits=1)))
            precision, recall, _ = precision_recall_curve(truth, probability)
            f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
            self.assertAlmostEqual(scores[name]["chosen"]["f1"], f1.max(), places=12)
            self.assertGreaterEqual(scores[name]["chosen"]["f1"], scores[name]["half"]["f1"])

    def test_saturated_probabilities_are_told_apart(self):
        # a thousand classes equally wide in probability would see one value only
        logit = np.linspace(8, 12, 64)
        probability = (1 / (1 + np.exp(-logit))).reshape(1, 8, 8)
        target = (logit > 11).reshape(1, 8, 8)
        report = LesionSegmentationReport(["a"])
        report.update(probability, target, np.ones((8, 8), bool), "x")
        self.assertEqual(report.compute({"a": 0.5})["classes"]["a"]["auprc"], 1.0)
        self.assertEqual(report.compute(report.best_thresholds())["classes"]["a"]["chosen"]["f1"], 1.0)


class TestDegenerateImages(unittest.TestCase):
    FOV = np.ones((4, 4), bool)

    def report(self, *cases: tuple[float, int]) -> LesionSegmentationReport:
        """Each case is (probability of its first pixel, number of true pixels); all other pixels are 0."""
        report = LesionSegmentationReport(["a"], section="validation")
        for number, (probability, true) in enumerate(cases):
            values, target = np.zeros((1, 4, 4)), np.zeros((1, 4, 4), bool)
            values[0, 0, 0] = probability
            target.reshape(-1)[:true] = True
            report.update(values, target, self.FOV, f"case{number}")
        return report

    def test_image_with_nothing_is_left_out(self):
        scores = self.report((0.9, 1), (0.1, 0)).compute({"a": 0.3})["classes"]["a"]
        self.assertEqual((scores["images_with_lesion"], scores["half"]["images_scored"]), (1, 1))
        self.assertEqual([scores["half"][f"{k}_mean"] for k in ("precision", "recall", "f1")], [1.0, 1.0, 1.0])

    def test_false_alarm_counts_against_precision_and_f1(self):
        report = self.report((0.9, 1), (0.9, 0)).compute({"a": 0.5})
        scores = report["classes"]["a"]["half"]
        self.assertEqual(scores["images_scored"], 2)
        self.assertEqual((scores["precision_mean"], scores["recall_mean"], scores["f1_mean"]), (0.5, 1.0, 0.5))
        self.assertIsNone(report["per_case"][1]["classes"]["a"]["half"]["recall"])
        self.assertIsNone(report["per_case"][1]["classes"]["a"]["auprc"])

    def test_missed_lesion_counts_as_zero(self):
        scores = self.report((0.1, 1)).compute({"a": 0.5})["classes"]["a"]["half"]
        keys = ("precision_mean", "recall_mean", "f1_mean", "f1_sd", "precision", "recall", "f1")
        self.assertEqual([scores[key] for key in keys], [0.0] * 7)

    def test_no_lesion_anywhere(self):
        report = self.report((0.1, 0)).compute({"a": None})
        scores = report["classes"]["a"]
        self.assertIsNone(scores["chosen"])
        self.assertEqual({scores["half"][key] for key in LESION_SCORE_NAMES}, {None})
        self.assertIsNone(scores["auprc"])
        self.assertEqual(scores["half"]["images_scored"], 0)
        json.dumps(report, allow_nan=False)
        with self.assertRaisesRegex(DataError, "no pixel of a in section validation"):
            self.report((0.1, 0)).best_thresholds()

    def test_class_that_no_validation_image_has(self):
        report = LesionSegmentationReport(NAMES, section="validation")
        probability, target, fov = random_case(0)
        target[1] = False
        report.update(probability, target, fov, "x")
        best = report.best_thresholds()
        self.assertIsNone(best["bleeding"])
        self.assertIsNone(report.compute(best)["classes"]["bleeding"]["chosen"])
        self.assertIsNotNone(report.compute(best)["classes"]["exudate"]["chosen"])

    def test_tie_goes_to_the_middle(self):
        self.assertAlmostEqual(self.report((0.9, 1), (0.1, 0)).best_thresholds()["a"], 0.5, places=2)


class TestRefusals(unittest.TestCase):
    def test_threshold_of_the_test_section(self):
        with self.assertRaisesRegex(ConfigError, "must not be chosen on the test section"):
            filled_report(section="test").best_thresholds()

    def test_no_threshold(self):
        with self.assertRaisesRegex(ConfigError, "no thresholds"):
            filled_report().compute()
        with self.assertRaisesRegex(ConfigError, "no threshold for bleeding"):
            filled_report().compute({"exudate": 0.5})
        with self.assertRaisesRegex(ConfigError, "between 0 and 1, got 3"):
            filled_report().compute(dict.fromkeys(NAMES, 3))

    @parameterized.expand(
        [
            ("classes", (1, 4, 4), (1, 4, 4), (4, 4), "2 maps"),
            ("size", (2, 4, 4), (2, 4, 4), (4, 5), "must be 2 maps"),
        ]
    )
    def test_shapes(self, _, probability, target, fov, message):
        with self.assertRaisesRegex(DataError, message):
            LesionSegmentationReport(NAMES).update(np.zeros(probability), np.zeros(target), np.ones(fov), "x")

    def test_bad_cases(self):
        probability, target, fov = random_case(0)
        report = LesionSegmentationReport(NAMES, section="validation")
        with self.assertRaisesRegex(DataError, "no cases"):
            report.best_thresholds()
        with self.assertRaisesRegex(DataError, "field of view is empty"):
            report.update(probability, target, np.zeros_like(fov), "x")
        with self.assertRaisesRegex(DataError, "NaN"):
            report.update(np.full_like(probability, np.nan), target, fov, "x")
        report.update(probability, target, fov, "x")
        with self.assertRaisesRegex(DataError, "added twice"):
            report.update(probability, target, fov, "x")


if __name__ == "__main__":
    unittest.main()
