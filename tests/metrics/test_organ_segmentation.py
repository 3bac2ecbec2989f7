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
"""Organ segmentation scores against counts by hand, scikit-learn and MONAI."""

from __future__ import annotations

import unittest

import numpy as np
import torch
from monai.metrics import DiceMetric, MeanIoU
from parameterized import parameterized
from sklearn.metrics import accuracy_score, f1_score, jaccard_score

from monai_retinasynth.metrics import ORGAN_SCORE_NAMES, OrganSegmentationReport
from monai_retinasynth.utils import CHEST_ORGANS
from monai_retinasynth.utils.errors import ConfigError, DataError

ORGANS = tuple(CHEST_ORGANS)


def random_masks(number: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true masks of five organs that agree in most pixels."""
    rng = np.random.default_rng(number)
    target = rng.random((5, *size)) < np.array([0.4, 0.35, 0.2, 0.05, 0.06])[:, None, None]
    return target ^ (rng.random(target.shape) < 0.1), target


def filled_report(count: int = 3) -> OrganSegmentationReport:
    report = OrganSegmentationReport(section="test")
    for number in range(count):
        report.update(*random_masks(number, (20 + number, 17)), f"chest{number}")
    return report


class TestOrganSegmentationReport(unittest.TestCase):
    def test_counts_by_hand(self):
        report = OrganSegmentationReport(["heart", "lung"])
        target = np.zeros((2, 2, 5), bool)
        target[0, 0] = True  # heart: five pixels, four of them found and two more
        prediction = np.zeros_like(target)
        prediction[0, 0, :4] = True
        prediction[0, 1, :2] = True
        report.update(prediction, target, "a")
        target, prediction = target.copy(), prediction.copy()
        prediction[0] = target[0]  # all right
        target[1, 1, 0] = True  # a lung that is missed
        report.update(prediction, target, "b")
        result = report.compute()
        heart, lung = result["organs"]["heart"], result["organs"]["lung"]
        self.assertEqual((result["images"], result["groups"]), (2, {}))
        self.assertAlmostEqual(heart["jaccard_mean"], (4 / 7 + 1) / 2)
        self.assertAlmostEqual(heart["jaccard_sd"], np.std([4 / 7, 1], ddof=1))
        self.assertAlmostEqual(heart["dice_mean"], (8 / 11 + 1) / 2)
        self.assertAlmostEqual(heart["jaccard"], 9 / 12)
        self.assertAlmostEqual(heart["dice"], 18 / 21)
        self.assertAlmostEqual(heart["accuracy"], 17 / 20)
        # the first image has no lung at all and is left out of its means, but its pixels are right
        self.assertEqual((lung["images_scored"], lung["jaccard_mean"], lung["dice_mean"]), (1, 0.0, 0.0))
        self.assertAlmostEqual(lung["accuracy"], 19 / 20)
        self.assertEqual(result["per_case"][0]["organs"]["lung"], {"jaccard": None, "dice": None, "accuracy": 1.0})
        every = result["all_organs"]
        self.assertAlmostEqual(every["jaccard_mean"], (4 / 7 + 1) / 4)
        self.assertAlmostEqual(every["dice_mean"], (8 / 11 + 1) / 4)
        self.assertAlmostEqual(every["accuracy"], 36 / 40)

    def test_scikit_learn_gives_the_same(self):
        result = filled_report(3).compute()
        cases = [random_masks(number, (20 + number, 17)) for number in range(3)]
        rows = {**{organ: [n] for n, organ in enumerate(ORGANS)}, "lungs": [0, 1], "clavicles": [3, 4]}
        for organ, own in {**result["organs"], **result["groups"]}.items():
            pairs = [(t[rows[organ]].any(0).ravel(), p[rows[organ]].any(0).ravel()) for p, t in cases]
            jaccards = [jaccard_score(*pair) for pair in pairs]
            dices = [f1_score(*pair) for pair in pairs]
            pooled = [np.concatenate(column) for column in zip(*pairs)]
            self.assertEqual(sorted(own), sorted([*ORGAN_SCORE_NAMES, "images_scored"]))
            expected = {
                "jaccard_mean": np.mean(jaccards),
                "jaccard_sd": np.std(jaccards, ddof=1),
                "dice_mean": np.mean(dices),
                "dice_sd": np.std(dices, ddof=1),
                "jaccard": jaccard_score(*pooled),
                "dice": f1_score(*pooled),
                "accuracy": accuracy_score(*pooled),
            }
            for key, value in expected.items():
                self.assertAlmostEqual(own[key], value, msg=f"{organ} {key}")
            for case, jaccard, pair in zip(result["per_case"], jaccards, pairs):
                self.assertAlmostEqual(case["organs"][organ]["jaccard"], jaccard)
                self.assertAlmostEqual(case["organs"][organ]["accuracy"], accuracy_score(*pair))

    def test_monai_gives_the_same(self):
        result = filled_report(3).compute()["all_organs"]
        metrics = {"dice_mean": DiceMetric(), "jaccard_mean": MeanIoU()}
        for key, metric in metrics.items():
            for number in range(3):
                prediction, target = random_masks(number, (20 + number, 17))
                metric(torch.from_numpy(prediction)[None].float(), torch.from_numpy(target)[None].float())
            self.assertAlmostEqual(result[key], float(metric.aggregate()), places=5)

    def test_groups_join_masks(self):
        # left and right lung interchanged: each organ is wrong, both together are right
        target = np.zeros((5, 4, 4), bool)
        target[0, :2], target[1, 2:], target[2:, 0, 0] = True, True, True
        report = OrganSegmentationReport()
        report.update(target[[1, 0, 2, 3, 4]], target, "mirrored")
        result = report.compute()
        self.assertEqual(list(result["organs"]), list(ORGANS))
        self.assertEqual(list(result["groups"]), ["lungs", "clavicles"])
        self.assertEqual(result["organs"]["right_lung"]["jaccard_mean"], 0.0)
        self.assertEqual(result["groups"]["lungs"]["jaccard_mean"], 1.0)
        self.assertEqual(result["organs"]["heart"]["jaccard_sd"], 0.0)

    def test_an_organ_that_nobody_sees(self):
        report = OrganSegmentationReport(["heart"])
        report.update(np.zeros((1, 3, 3), bool), np.zeros((1, 3, 3), bool), "a")
        result = report.compute()
        heart = {**dict.fromkeys(ORGAN_SCORE_NAMES), "accuracy": 1.0, "images_scored": 0}
        self.assertEqual(result["organs"]["heart"], heart)
        self.assertEqual(result["all_organs"], {"jaccard_mean": None, "dice_mean": None, "accuracy": 1.0})

    def test_reset(self):
        report = filled_report(2)
        self.assertEqual(len(report), 2)
        report.reset()
        self.assertEqual(len(report), 0)
        with self.assertRaisesRegex(DataError, "no cases to score in section test"):
            report.compute()

    @parameterized.expand(
        [
            ("size", (5, 4, 4), (5, 4, 3), bool, "a: predicted masks .* one size"),
            ("organs", (4, 4, 4), (4, 4, 4), bool, "must be 5 masks"),
            ("values", (5, 4, 4), (5, 4, 4), float, "masks are bool"),
            ("empty", (5, 0, 4), (5, 0, 4), bool, "one pixel at least"),
        ]
    )
    def test_wrong_masks(self, _, prediction, target, dtype, message):
        report = OrganSegmentationReport()
        with self.assertRaisesRegex(DataError, message):
            report.update(np.zeros(prediction, dtype), np.zeros(target, bool), "a")
        self.assertEqual(len(report), 0)

    def test_case_twice(self):
        report = filled_report(1)
        with self.assertRaisesRegex(DataError, "chest0 was added twice"):
            report.update(*random_masks(0, (20, 17)), "chest0")

    @parameterized.expand(
        [
            ("none", [], None),
            ("twice", ["heart", "heart"], None),
            ("group", ["heart"], {"lungs": ["left_lung"]}),
            ("name", ["heart"], {"heart": ["heart"]}),
            ("empty", ["heart"], {"nothing": []}),
        ]
    )
    def test_wrong_names(self, _, organs, groups):
        with self.assertRaisesRegex(ConfigError, "each name once"):
            OrganSegmentationReport(organs, groups=groups)


if __name__ == "__main__":
    unittest.main()
