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

import unittest

import numpy as np
from parameterized import parameterized
from sklearn.metrics import f1_score, roc_auc_score

from monai_retinasynth.metrics import (
    VesselSegmentationReport,
    confusion_counts,
    paired_bootstrap,
    patient_of_case,
    pooled_auc,
    pooled_f1,
)
from monai_retinasynth.utils import ConfigError
from tests.metrics.test_vessel_segmentation import filled_report, random_case


def counts_of(f1: list[float]) -> np.ndarray:
    """Counts of images of these F1, 1000 pixels each, shape (images, 3)."""
    return np.array([[500 * f, 500 * (1 - f), 500 * (1 - f)] for f in f1])


class TestPooledScores(unittest.TestCase):
    def test_f1_equals_sklearn(self):
        rng = np.random.default_rng(0)
        pairs = [(rng.random(60) < 0.4, rng.random(60) < 0.5) for _ in range(3)]
        counts = np.array([list(confusion_counts(*pair).values()) for pair in pairs])
        pred, target = (np.concatenate(part) for part in zip(*pairs))
        self.assertAlmostEqual(float(pooled_f1(counts.sum(0))), f1_score(target, pred))
        self.assertEqual(float(pooled_f1(np.zeros(3))), 1.0)

    def test_auc_of_histograms_equals_sklearn(self):
        histograms = filled_report().histograms()
        stacked = np.stack([histograms["vessel"], histograms["background"]], axis=1)
        cases = [random_case(seed) for seed in range(3)]
        for number, (probability, target, fov) in enumerate(cases):
            expected = roc_auc_score(target[fov], probability[fov])
            self.assertAlmostEqual(float(pooled_auc(stacked[number])), expected, delta=2e-3)
        probability, target = (np.concatenate([case[k][case[2]] for case in cases]) for k in (0, 1))
        self.assertAlmostEqual(float(pooled_auc(stacked.sum(0))), roc_auc_score(target, probability), delta=2e-3)

    def test_auc_without_vessels_is_none(self):
        self.assertTrue(np.isnan(pooled_auc(np.array([[0, 0], [3, 4]]))))

    def test_histograms_know_crowded_probabilities(self):
        report = VesselSegmentationReport()
        target = np.array([[True, True, False, False]])
        report.update(np.array([[0.9999, 0.9998, 0.9990, 0.0]]), target, np.ones((1, 4), bool), "a")
        histograms = report.histograms()
        self.assertEqual(float(pooled_auc(np.stack([histograms["vessel"][0], histograms["background"][0]]))), 1.0)
        self.assertEqual(histograms["vessel"].sum(), 2)


class TestPairedBootstrap(unittest.TestCase):
    def test_a_constant_gain_is_certain(self):
        easy_and_difficult = [0.3, 0.5, 0.6, 0.7, 0.9]
        other = counts_of(easy_and_difficult)[None]
        method = counts_of([f + 0.05 for f in easy_and_difficult])[None]
        result = paired_bootstrap(method, other, list("abcde"), pooled_f1, 500)
        for key in ("difference", "low", "high"):
            self.assertAlmostEqual(result[key], 0.05)
        self.assertEqual(result["patients"], 5)

    def test_mean_of_seeds(self):
        method = np.stack([counts_of([0.6, 0.6]), counts_of([0.8, 0.8])])
        other = counts_of([0.5, 0.5])[None]
        self.assertAlmostEqual(paired_bootstrap(method, other, ["a", "b"], pooled_f1, 50)["difference"], 0.2)

    def test_interval_has_the_width_of_the_spread(self):
        rng = np.random.default_rng(1)
        gains = rng.normal(0, 0.1, 40)
        method, other = counts_of(list(0.5 + gains))[None], counts_of([0.5] * 40)[None]
        result = paired_bootstrap(method, other, [str(i) for i in range(40)], pooled_f1, 2000)
        expected = 2 * 1.96 * gains.std() / np.sqrt(40)
        self.assertAlmostEqual((result["high"] - result["low"]) / expected, 1, delta=0.1)

    def test_eyes_of_a_patient_stay_together(self):
        # each patient has one eye that gains and one that loses as much: no draw of patients shows a difference
        gains = [0.2, -0.2] * 6
        method, other = counts_of([0.5 + g for g in gains])[None], counts_of([0.5] * 12)[None]
        eyes = [f"Image_{i:02d}{side}" for i in range(6) for side in "LR"]
        together = paired_bootstrap(method, other, [patient_of_case(eye) for eye in eyes], pooled_f1, 300)
        apart = paired_bootstrap(method, other, eyes, pooled_f1, 300)
        self.assertEqual((together["patients"], apart["patients"]), (6, 12))
        self.assertLess(together["high"] - together["low"], 1e-9)
        self.assertGreater(apart["high"] - apart["low"], 0.1)

    def test_auc(self):
        good = np.array([[[0, 9], [9, 0]], [[0, 9], [9, 0]]])[None]
        chance = np.array([[[5, 5], [5, 5]], [[5, 5], [5, 5]]])[None]
        result = paired_bootstrap(good, chance, ["a", "b"], pooled_auc, 20)
        self.assertAlmostEqual(result["difference"], 0.5)

    @parameterized.expand(
        [("Image_03L", "Image_03"), ("Image_03R", "Image_03"), ("01_test", "01_test"), ("L", "L")]
    )
    def test_patient_of_case(self, case, patient):
        self.assertEqual(patient_of_case(case), patient)

    def test_errors(self):
        counts = counts_of([0.5, 0.6])[None]
        with self.assertRaisesRegex(ConfigError, "two patients or more"):
            paired_bootstrap(counts, counts, ["a", "a"], pooled_f1)
        with self.assertRaisesRegex(ConfigError, "2 and 1 images"):
            paired_bootstrap(counts, counts[:, :1], ["a", "b"], pooled_f1)


if __name__ == "__main__":
    unittest.main()
