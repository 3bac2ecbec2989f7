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
"""Scores of graded photographs: accuracy, quadratic weighted kappa, balanced accuracy, each with its interval.

The quadratic weighted kappa (Cohen, Psychological Bulletin 70(4):213-220, 1968) counts a confusion by the square of the
distance between the grades and takes off what chance would reach: 1 is perfect, 0 is chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from monai_retinasynth.utils.retinopathy_grade import RETINOPATHY_GRADES, check_grade

__all__ = ["GRADING_SCORES", "GradingReport"]

GRADING_SCORES = ("accuracy", "quadratic_kappa", "balanced_accuracy")


class GradingReport:
    """Collects predictions image by image and scores them together.

    The intervals are percentiles over samples of images drawn with replacement (bootstrap): how far the score of
    another test set of this size would lie from this one. They say nothing about another training.

    Args:
        num_grades: number of grades, counted from 0.
        bootstrap_samples: number of samples for the intervals.
        confidence: share of the samples inside an interval.
        seed: seed of the samples.

    Raises:
        ValueError: When there are fewer than two grades, no samples, or `confidence` is no share.
    """

    def __init__(
        self,
        num_grades: int = len(RETINOPATHY_GRADES),
        bootstrap_samples: int = 2000,
        confidence: float = 0.95,
        seed: int = 0,
    ) -> None:
        if num_grades < 2 or bootstrap_samples < 1 or not 0 < confidence < 1:
            raise ValueError(
                "a report needs num_grades of 2 or more, bootstrap_samples of 1 or more and a confidence between 0 and "
                f"1, got {num_grades}, {bootstrap_samples} and {confidence}"
            )
        self.num_grades = num_grades
        self.bootstrap_samples = bootstrap_samples
        self.confidence = confidence
        self.seed = seed
        self._cases: list[dict[str, Any]] = []

    def reset(self) -> None:
        """Forget all images."""
        self._cases = []

    def update(self, probabilities: Sequence[float] | np.ndarray, grade: int, case_id: str) -> None:
        """Add an image.

        Args:
            probabilities: of the grades, shape (num_grades,); the largest one is the prediction.
            grade: true grade.
            case_id: name of the image.

        Raises:
            DataError: When the grade is none.
            ValueError: When there are not `num_grades` finite probabilities.
        """
        values = np.asarray(probabilities, dtype=np.float64)
        if values.shape != (self.num_grades,) or not np.isfinite(values).all():
            raise ValueError(f"{case_id} needs {self.num_grades} finite probabilities, got {values}")
        grade = check_grade(int(grade), f"image {case_id}")
        if grade >= self.num_grades:
            raise ValueError(f"{case_id} has grade {grade}, the report has {self.num_grades} grades")
        self._cases.append(
            {"case_id": case_id, "grade": grade, "predicted": int(values.argmax()), "probabilities": values.tolist()}
        )

    def compute(self) -> dict[str, Any]:
        """Score all images.

        Returns:
            `images`; for each of `GRADING_SCORES` the score and `<score>_interval` (low, high), None where it is not
            defined (a kappa where all true and predicted grades are one and the same); `confusion_matrix` (rows: true
            grade, columns: predicted), `bootstrap` (settings) and `per_case` (case_id, grade, predicted,
            probabilities). Balanced accuracy is the mean recall of the grades that occur.

        Raises:
            ValueError: When no image was added.
        """
        if not self._cases:
            raise ValueError("no image to score: the evaluation went over no data")
        true, predicted = (np.array([case[key] for case in self._cases]) for key in ("grade", "predicted"))
        confusion = confusion_matrix(true, predicted, labels=range(self.num_grades))
        rng = np.random.default_rng(self.seed)
        chosen = rng.integers(0, len(true), (self.bootstrap_samples, len(true)))
        samples = np.stack([_confusion(true[row], predicted[row], self.num_grades) for row in chosen])
        points = _scores(confusion[None])
        # scikit-learn's own kappa is the one that others report
        if np.isfinite(points["quadratic_kappa"][0]):
            kappa = cohen_kappa_score(true, predicted, labels=range(self.num_grades), weights="quadratic")
            points["quadratic_kappa"] = np.array([kappa])
        tail = 50 * (1 - self.confidence)
        report: dict[str, Any] = {"images": len(true)}
        for name, values in _scores(samples).items():
            known, point = values[np.isfinite(values)], float(points[name][0])
            defined = np.isfinite(point) and known.size
            report[name] = point if defined else None
            interval = [float(v) for v in np.percentile(known, [tail, 100 - tail])] if defined else None
            report[f"{name}_interval"] = interval
        report["confusion_matrix"] = confusion.tolist()
        report["bootstrap"] = {
            "samples": self.bootstrap_samples,
            "confidence": self.confidence,
            "seed": self.seed,
        }
        report["per_case"] = [dict(case) for case in self._cases]
        return report


def _confusion(true: np.ndarray, predicted: np.ndarray, num_grades: int) -> np.ndarray:
    return np.bincount(true * num_grades + predicted, minlength=num_grades**2).reshape(num_grades, num_grades)


def _scores(confusions: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of many confusion matrices (N, K, K) at once, each (N,); NaN where a score is not defined."""
    counts = confusions.astype(np.float64)
    total, grades = counts.sum(axis=(1, 2)), np.arange(counts.shape[1])
    of_grade, as_grade = counts.sum(axis=2), counts.sum(axis=1)
    right = counts[:, grades, grades]
    weights = (grades[:, None] - grades[None, :]) ** 2
    by_chance = of_grade[:, :, None] * as_grade[:, None, :] / total[:, None, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa = 1 - (weights * counts).sum(axis=(1, 2)) / (weights * by_chance).sum(axis=(1, 2))
        recall = np.where(of_grade > 0, right / of_grade, np.nan)
    return {
        "accuracy": right.sum(axis=1) / total,
        "quadratic_kappa": kappa,
        "balanced_accuracy": np.nanmean(recall, axis=1),
    }
