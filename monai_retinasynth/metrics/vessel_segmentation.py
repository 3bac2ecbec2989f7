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
"""
Scores of a vessel segmentation, in the two conventions of the literature: pixels inside the field of view (`fov`) and
all pixels of the photographs (`whole`). Pixels of all cases are pooled; clDice and the spread of F1 are taken over
images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_auc_score

from monai_retinasynth.metrics.cldice import centerline_dice
from monai_retinasynth.utils.errors import ConfigError, DataError

__all__ = [
    "CONVENTIONS",
    "HISTOGRAM_EDGES",
    "SCORE_NAMES",
    "VesselSegmentationReport",
    "confusion_counts",
    "confusion_scores",
]

CONVENTIONS = ("fov", "whole")
SCORE_NAMES = (
    "auc",
    "f1",
    "accuracy",
    "sensitivity",
    "specificity",
    "f1_per_image_mean",
    "f1_per_image_sd",
    "cldice",
    "best_f1",
)
#: inner edges of the classes of `VesselSegmentationReport.histograms`: evenly spaced log-odds, since probabilities of a
#: trained network crowd at 0 and 1
HISTOGRAM_EDGES = 1 / (1 + np.exp(-np.linspace(-12.0, 12.0, 511)))


class _Case(NamedTuple):
    case_id: str
    probability: np.ndarray  # (H, W) float32
    target: np.ndarray  # (H, W) bool
    fov: np.ndarray  # (H, W) bool


def confusion_counts(pred: np.ndarray, target: np.ndarray) -> dict[str, int]:
    """
    Pixels that are rightly (`tp`), wrongly (`fp`) and not (`fn`) found; of several images they add up.

    Args:
        pred: predicted vessels, bool, any shape.
        target: true vessels, bool, the same shape.
    """
    pred, target = np.asarray(pred, dtype=bool), np.asarray(target, dtype=bool)
    tp = int(np.count_nonzero(pred & target))
    return {"tp": tp, "fp": int(np.count_nonzero(pred)) - tp, "fn": int(np.count_nonzero(target)) - tp}


def confusion_scores(pred: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """
    F1, accuracy, sensitivity and specificity of two binary maps.

    A ratio that has nothing to be wrong about is 1.0: F1 of two empty maps, sensitivity without vessels, specificity
    without background. Thus no score is ever NaN.

    Args:
        pred: predicted vessels, bool, any shape, not empty.
        target: true vessels, bool, the same shape.

    Returns:
        dict: `f1`, `accuracy`, `sensitivity`, `specificity`, each 0 to 1.
    """
    counts = confusion_counts(pred, target)
    tp, fp, fn = counts["tp"], counts["fp"], counts["fn"]
    size = np.size(pred)
    tn = size - tp - fp - fn

    def ratio(part: int, whole: int) -> float:
        return part / whole if whole else 1.0

    return {
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
        "accuracy": ratio(tp + tn, size),
        "sensitivity": ratio(tp, tp + fn),
        "specificity": ratio(tn, tn + fp),
    }


def _auc(probability: np.ndarray, target: np.ndarray) -> float | None:
    """Area under the ROC curve, or None where only one class is present and no curve exists."""
    if target.all() or not target.any():
        return None
    return float(roc_auc_score(target, probability))


def _f1_curve(probability: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds and the F1 of `probability >= threshold` at each."""
    precision, recall, thresholds = precision_recall_curve(target, probability)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    return thresholds, f1[:-1]


class VesselSegmentationReport:
    """
    Collects vessel probabilities case by case and scores them.

    The threshold of the scored data must come from other data: take `best_threshold()` of a report filled with the
    training or validation section and give it to `compute()` of the report filled with the test section.

    Args:
        threshold: probability from which on a pixel counts as vessel, used when `compute` is given none.
        section: name of the section that fills the report; `best_threshold` refuses "test".
    """

    def __init__(self, threshold: float | None = None, section: str | None = None) -> None:
        self.threshold = threshold
        self.section = section
        self._cases: list[_Case] = []

    def __len__(self) -> int:
        return len(self._cases)

    def reset(self) -> None:
        """Forget all cases."""
        self._cases.clear()

    def update(self, probability: np.ndarray, target: np.ndarray, fov: np.ndarray, case_id: str) -> None:
        """
        Add a case.

        Args:
            probability: vessel probability, float (H, W), 0 to 1.
            target: true vessels, bool (H, W).
            fov: field of view, bool (H, W), not empty.
            case_id: name of the case, once a report.

        Raises:
            DataError: shapes differ, the FOV is empty, a probability is not finite, or the case is there already.
        """
        probability = np.asarray(probability, dtype=np.float32)
        target, fov = np.asarray(target, dtype=bool), np.asarray(fov, dtype=bool)
        if probability.ndim != 2 or probability.shape != target.shape or probability.shape != fov.shape:
            raise DataError(
                f"case {case_id}: probability {probability.shape}, target {target.shape} and field of view {fov.shape} "
                "must be (H, W) arrays of one shape; check that prediction and mask belong to the same photograph"
            )
        if not fov.any():
            raise DataError(f"case {case_id}: the field of view is empty; check its FOV mask or label map")
        if not np.isfinite(probability).all():
            raise DataError(f"case {case_id}: the predicted probabilities hold NaN or infinity; the training diverged")
        if any(case.case_id == case_id for case in self._cases):
            raise DataError(f"case {case_id} was added twice; case names must be unique within a section")
        self._cases.append(_Case(str(case_id), probability, target, fov))

    def best_threshold(self) -> float:
        """
        The threshold t for which `probability >= t` has the highest F1 of the pixels pooled inside the field of view.

        Raises:
            ConfigError: when the report was filled with the test section.
            DataError: when there are no cases, or no vessel pixels.
        """
        if self.section == "test":
            raise ConfigError(
                "the threshold must not be chosen on the test section; fix it on 'validation' or 'training'"
            )
        probability, target = self._pooled("fov")
        if not target.any():
            raise DataError("no vessel pixel inside the field of view: a threshold cannot be chosen on these cases")
        thresholds, f1 = _f1_curve(probability, target)
        return float(thresholds[int(np.argmax(f1))])

    def compute(self, threshold: float | None = None) -> dict[str, Any]:
        """
        Score all cases.

        Args:
            threshold: probability from which on a pixel is vessel; the one of the constructor by default.

        Returns:
            dict: `threshold`, `images`, `fov` and `whole` (each a dict with `SCORE_NAMES`), and `per_case`: a list of
            `{"case_id", "counts", "fov": {...}, "whole": {...}}`, where `counts` are `confusion_counts` inside the
            field of view. `auc` and `best_f1` are None where only one class, or no vessel, is present. The sd is the
            sample's (n - 1), 0.0 for one image. `best_f1` is the highest F1 that any threshold gives on these very
            cases, which no one knows beforehand: it tells what a wrong threshold costs.

        Raises:
            ConfigError: when no threshold is given.
            DataError: when there are no cases.
        """
        threshold = self.threshold if threshold is None else threshold
        if threshold is None:
            raise ConfigError("no threshold: give one, e.g. best_threshold() of a report over the validation section")
        per_case = [
            {
                "case_id": case.case_id,
                "counts": confusion_counts(case.probability[case.fov] >= threshold, case.target[case.fov]),
                **{c: self._case_scores(case, threshold, c) for c in CONVENTIONS},
            }
            for case in self._cases
        ]
        report: dict[str, Any] = {"threshold": float(threshold), "images": len(per_case)}
        for convention in CONVENTIONS:
            probability, target = self._pooled(convention)
            f1 = [float(case[convention]["f1"]) for case in per_case]
            report[convention] = {
                "auc": _auc(probability, target),
                **confusion_scores(probability >= threshold, target),
                "f1_per_image_mean": float(np.mean(f1)),
                "f1_per_image_sd": float(np.std(f1, ddof=1)) if len(f1) > 1 else 0.0,
                "cldice": float(np.mean([case[convention]["cldice"] for case in per_case])),
                "best_f1": float(_f1_curve(probability, target)[1].max()) if target.any() else None,
            }
        return {**report, "per_case": per_case}

    def histograms(self) -> dict[str, np.ndarray]:
        """
        How the probabilities inside the field of view are spread, by case: enough for the AUC of any choice of cases.

        Returns:
            dict: `case_id` (cases,), `vessel` and `background`, both int64 (cases, classes): pixels by class of
            probability, whose inner edges are `HISTOGRAM_EDGES`.
        """

        def count(values: np.ndarray) -> np.ndarray:
            return np.bincount(np.searchsorted(HISTOGRAM_EDGES, values, "right"), minlength=len(HISTOGRAM_EDGES) + 1)

        return {
            "case_id": np.array([case.case_id for case in self._cases]),
            "vessel": np.stack([count(case.probability[case.fov & case.target]) for case in self._cases]),
            "background": np.stack([count(case.probability[case.fov & ~case.target]) for case in self._cases]),
        }

    def _pooled(self, convention: str) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities and targets of all cases as two vectors."""
        if not self._cases:
            raise DataError(f"no cases to score in section {self.section or 'unnamed'}; is the data set empty?")
        pairs: Sequence[tuple[np.ndarray, np.ndarray]] = [
            (c.probability[c.fov], c.target[c.fov])
            if convention == "fov"
            else (c.probability.ravel(), c.target.ravel())
            for c in self._cases
        ]
        return np.concatenate([p for p, _ in pairs]), np.concatenate([t for _, t in pairs])

    @staticmethod
    def _case_scores(case: _Case, threshold: float, convention: str) -> dict[str, float | None]:
        mask = case.fov if convention == "fov" else np.ones_like(case.fov)
        pred = case.probability >= threshold
        return {
            "auc": _auc(case.probability[mask], case.target[mask]),
            **confusion_scores(pred[mask], case.target[mask]),
            "cldice": centerline_dice(pred, case.target, mask),
        }
