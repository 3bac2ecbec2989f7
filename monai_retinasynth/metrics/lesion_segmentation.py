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
Scores of lesion segmentation, class by class, inside the field of view: precision, recall and F1 as the mean over
images and of pooled pixels, and the area under the precision-recall curve.

Lesions cover a fraction of a per cent of a photograph, so accuracy and ROC say little. Son et al. (Synthesis of
Diabetic Retina Fundus Images Using Semantic Label Generation) give means over images; the IDRiD challenge gives the
area under the pooled precision-recall curve.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from monai_retinasynth.utils.errors import ConfigError, DataError

__all__ = ["LESION_SCORE_NAMES", "OPERATING_POINTS", "LesionSegmentationReport"]

#: what a threshold gives: means over images with the sd of F1, and the same of pooled pixels
LESION_SCORE_NAMES = ("precision_mean", "recall_mean", "f1_mean", "f1_sd", "precision", "recall", "f1")
OPERATING_POINTS = {
    "chosen": "the threshold with the best F1 of pooled pixels of other cases (validation)",
    "half": "probability 0.5",
}

# thresholds equally spaced in log-odds: a network trained with a Dice loss says 1e-5 or 1 - 1e-5 nearly everywhere
_HALF = np.linspace(0, 16, 1001)
_EDGES = expit(np.concatenate([-_HALF[:0:-1], _HALF]))  # 2001, the middle one exactly 0.5
_MIDDLE = len(_HALF) - 1


class _Case(NamedTuple):
    case_id: str
    fov_pixels: int
    positive: np.ndarray  # (classes, len(_EDGES) + 1) int32: lesion pixels by probability
    every: np.ndarray  # the same of all pixels


class _Counts(NamedTuple):
    """True positives, predicted and true pixels at a threshold."""

    hit: int
    predicted: int
    true: int

    def scores(self) -> dict[str, float | None]:
        """
        Precision, recall, F1. Without true and predicted pixels there is nothing to score (None); without true ones
        only recall does not exist; nothing predicted where something is gives precision 0.
        """
        if not self.true and not self.predicted:
            return {"precision": None, "recall": None, "f1": None}
        return {
            "precision": self.hit / self.predicted if self.predicted else 0.0,
            "recall": self.hit / self.true if self.true else None,
            "f1": 2 * self.hit / (self.predicted + self.true),
        }


class LesionSegmentationReport:
    """
    Collects lesion probabilities image by image, as histograms of 2002 classes of probability, and scores them.

    An image takes 16 kB for each lesion class, however large it is. At the thresholds of the histograms (equally spaced
    in log-odds, 0.5 is one of them) all counts are exact; the area under the precision-recall curve takes
    probabilities of one class of the histogram as equal.

    Images enter the means as follows. Precision and F1: the images with true or predicted pixels of the class (their
    number is `images_scored`); recall and AUPRC: the images with true pixels (`images_with_lesion`). A score without
    any image is None.

    The threshold of the scored data must come from other data: take `best_thresholds()` of a report filled with the
    validation section and give it to `compute()` of the report filled with the test section.

    Args:
        class_names: names of the lesion classes, in the order of the arrays given to `update`.
        section: name of the section that fills the report; `best_thresholds` refuses "test".
    """

    def __init__(self, class_names: Sequence[str], section: str | None = None) -> None:
        self.class_names = tuple(class_names)
        self.section = section
        self.thresholds: dict[str, float | None] | None = None
        self._cases: list[_Case] = []

    def __len__(self) -> int:
        return len(self._cases)

    def reset(self) -> None:
        """Forget all images."""
        self._cases.clear()

    def update(self, probability: np.ndarray, target: np.ndarray, fov: np.ndarray, case_id: str) -> None:
        """
        Add an image.

        Args:
            probability: probabilities of the lesion classes, float (classes, H, W), 0 to 1.
            target: true pixels of the classes, bool (classes, H, W).
            fov: field of view, bool (H, W), not empty; what lies outside is not scored.
            case_id: name of the image, once a report.

        Raises:
            DataError: shapes differ, the FOV is empty, a probability is not finite, or the image is there already.
        """
        probability = np.asarray(probability, dtype=np.float32)
        target, fov = np.asarray(target, dtype=bool), np.asarray(fov, dtype=bool)
        if probability.shape != target.shape or probability.shape != (len(self.class_names), *fov.shape):
            raise DataError(
                f"case {case_id}: probabilities {probability.shape}, targets {target.shape} and field of view "
                f"{fov.shape} must be {len(self.class_names)} maps ({', '.join(self.class_names)}) of one size; check "
                "that prediction and label map belong to the same photograph"
            )
        if not fov.any():
            raise DataError(f"case {case_id}: the field of view is empty; check its label map")
        if not np.isfinite(probability).all():
            raise DataError(f"case {case_id}: the predicted probabilities hold NaN or infinity; the training diverged")
        if any(case.case_id == case_id for case in self._cases):
            raise DataError(f"case {case_id} was added twice; case names must be unique within a section")
        positive, every = [], []
        for p, t in zip(probability, target):
            # the number of thresholds that a pixel reaches
            reached = np.searchsorted(_EDGES, p[fov], side="right")
            every.append(np.bincount(reached, minlength=len(_EDGES) + 1))
            positive.append(np.bincount(reached[t[fov]], minlength=len(_EDGES) + 1))
        self._cases.append(_Case(str(case_id), int(fov.sum()), np.array(positive, np.int32), np.array(every, np.int32)))

    def best_thresholds(self) -> dict[str, float | None]:
        """
        For each class the threshold t for which `probability >= t` has the highest F1 of the pooled pixels; of equally
        good ones the middle one, as far from the lesions' probabilities as from the others'. None for a class that is
        in none of the images.

        Raises:
            ConfigError: when the report was filled with the test section.
            DataError: when there are no images, or none of them has a lesion.
        """
        if self.section == "test":
            raise ConfigError(
                "thresholds must not be chosen on the test section; fix them on 'validation' or 'training'"
            )
        best: dict[str, float | None] = {}
        for number, name in enumerate(self.class_names):
            positive, every = self._pooled(number)
            hits, predicted = _reaching(positive)[1:], _reaching(every)[1:]  # those that reach no threshold are out
            f1 = 2 * hits / np.maximum(predicted + positive.sum(), 1)
            winners = np.flatnonzero(f1 == f1.max())
            best[name] = float(_EDGES[winners[len(winners) // 2]]) if positive.any() else None
        if not any(best.values()):
            raise DataError(
                f"no pixel of {', '.join(self.class_names)} in section {self.section or 'unnamed'}: thresholds cannot "
                "be chosen on these cases; hold out more of them (val_count)"
            )
        return best

    def compute(self, thresholds: Mapping[str, float | None] | None = None) -> dict[str, Any]:
        """
        Score all images.

        Args:
            thresholds: class name -> probability from which on a pixel is of the class (the nearest threshold of the
                histograms is taken), None for a class for which none could be chosen; `thresholds` of the report by
                default.

        Returns:
            dict: `images`; `classes`: name -> `threshold`, `auprc` (pooled), `auprc_mean` (over images),
            `images_with_lesion`, `lesion_share` (of the pixels in the FOV; the AUPRC of a blind guess), and for each of
            `OPERATING_POINTS` a dict with `LESION_SCORE_NAMES` and `images_scored` (None without a threshold);
            `per_case`: a list of `{"case_id", "classes": name -> {"true_pixels", "auprc", "chosen": {"precision",
            "recall", "f1"}, "half": {...}}}`. The sd is the sample's (n - 1), 0.0 for one image.

        Raises:
            ConfigError: when no thresholds are given.
            DataError: when there are no images.
        """
        thresholds = self.thresholds if thresholds is None else thresholds
        if thresholds is None:
            raise ConfigError("no thresholds: give best_thresholds() of a report over the validation section")
        if missing := [name for name in self.class_names if name not in thresholds]:
            raise ConfigError(f"no threshold for {', '.join(missing)}; thresholds are for {', '.join(thresholds)}")
        classes: dict[str, Any] = {}
        per_case: list[dict[str, Any]] = [{"case_id": case.case_id, "classes": {}} for case in self._cases]
        for number, name in enumerate(self.class_names):
            positive, every = self._pooled(number)
            edges = {"chosen": _nearest_edge(thresholds[name]), "half": _MIDDLE}
            for case, entry in zip(self._cases, per_case):
                entry["classes"][name] = {
                    "true_pixels": int(case.positive[number].sum()),
                    "auprc": _average_precision(case.positive[number], case.every[number]),
                    **{
                        point: None
                        if edge is None
                        else _counts(case.positive[number], case.every[number], edge).scores()
                        for point, edge in edges.items()
                    },
                }
            cases = [entry["classes"][name] for entry in per_case]
            classes[name] = {
                "threshold": None if edges["chosen"] is None else float(_EDGES[edges["chosen"]]),
                "auprc": _average_precision(positive, every),
                "auprc_mean": _mean(case["auprc"] for case in cases),
                "images_with_lesion": sum(case["true_pixels"] > 0 for case in cases),
                "lesion_share": float(positive.sum() / sum(case.fov_pixels for case in self._cases)),
                **{
                    point: None if edge is None else _summary(_counts(positive, every, edge), [c[point] for c in cases])
                    for point, edge in edges.items()
                },
            }
        return {"images": len(per_case), "classes": classes, "per_case": per_case}

    def _pooled(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Histograms of a class summed over all images."""
        if not self._cases:
            raise DataError(f"no cases to score in section {self.section or 'unnamed'}; is the data set empty?")
        positive = np.sum([case.positive[number] for case in self._cases], axis=0, dtype=np.int64)
        return positive, np.sum([case.every[number] for case in self._cases], axis=0, dtype=np.int64)


def _reaching(histogram: np.ndarray) -> np.ndarray:
    """Number of pixels in each class of the histogram or a higher one."""
    return np.cumsum(histogram[::-1], dtype=np.int64)[::-1]


def _counts(positive: np.ndarray, every: np.ndarray, edge: int) -> _Counts:
    return _Counts(int(positive[edge + 1 :].sum()), int(every[edge + 1 :].sum()), int(positive.sum()))


def _average_precision(positive: np.ndarray, every: np.ndarray) -> float | None:
    """Sum of precision times gain in recall over falling thresholds, as scikit-learn's; None without true pixels."""
    if not positive.any():
        return None
    precision = _reaching(positive) / np.maximum(_reaching(every), 1)
    return float(np.sum(precision * positive) / positive.sum())


def _nearest_edge(threshold: float | None) -> int | None:
    if threshold is None:
        return None
    if not 0 < threshold < 1:
        raise ConfigError(f"a threshold is a probability between 0 and 1, got {threshold}")
    return int(np.argmin(np.abs(_EDGES - threshold)))


def _summary(pooled: _Counts, cases: Sequence[Mapping[str, float | None]]) -> dict[str, Any]:
    f1 = [case["f1"] for case in cases if case["f1"] is not None]
    return {
        "precision_mean": _mean(case["precision"] for case in cases),
        "recall_mean": _mean(case["recall"] for case in cases),
        "f1_mean": _mean(f1),
        "f1_sd": None if not f1 else float(np.std(f1, ddof=1)) if len(f1) > 1 else 0.0,
        **pooled.scores(),
        "images_scored": len(f1),
    }


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
