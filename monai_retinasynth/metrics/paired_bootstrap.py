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
"""Paired bootstrap over patients: is one method better than another on the same test images, by more than chance?

Patients are drawn with replacement (B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13), both eyes
of one always together, and both methods are scored on every draw: what is common to them, easy and difficult eyes,
cancels out. Scores of pooled pixels need no pictures for that, since counts and histograms of images add up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from monai_retinasynth.utils.errors import ConfigError

__all__ = ["paired_bootstrap", "patient_of_case", "pooled_auc", "pooled_f1"]

_CHASE_DB1_EYE = re.compile(r"^(Image_\d+)[LR]$")


def patient_of_case(case_id: str) -> str:
    """The patient of a case: both eyes of a child of CHASE_DB1 are one, every other case is one of its own."""
    match = _CHASE_DB1_EYE.match(case_id)
    return match.group(1) if match else case_id


def pooled_f1(counts: np.ndarray) -> np.ndarray:
    """F1 of summed `confusion_counts`.

    Args:
        counts: shape (..., 3): tp, fp, fn.

    Returns:
        shape (...), 0 to 1; 1 where there is neither a vessel nor a false alarm.
    """
    tp, fp, fn = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    whole = 2 * tp + fp + fn
    return np.where(whole > 0, 2 * tp / np.where(whole > 0, whole, 1), 1.0)


def pooled_auc(histograms: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of summed histograms, those in one class counting half.

    Args:
        histograms: shape (..., 2, classes): vessel and background pixels by class of probability, rising, see
            `VesselSegmentationReport.histograms`.

    Returns:
        shape (...), 0 to 1; NaN where only one kind of pixel is present.
    """
    vessel, background = np.moveaxis(np.asarray(histograms, dtype=float), -2, 0)
    below = np.cumsum(background, axis=-1) - 0.5 * background
    pairs = vessel.sum(-1) * background.sum(-1)
    return np.where(pairs > 0, (vessel * below).sum(-1) / np.where(pairs > 0, pairs, 1), np.nan)


def paired_bootstrap(
    method: np.ndarray,
    other: np.ndarray,
    patients: Sequence[str],
    statistic: Callable[[np.ndarray], np.ndarray],
    num_samples: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, float]:
    """Difference of the scores of two methods, each the mean over its seeds, with an interval.

    Args:
        method: what adds up over images, shape (seeds, images, ...).
        other: the same of the other method; perhaps of another number of seeds.
        patients: the patient of each image.
        statistic: score of what was added up, (..., the rest of the shape) -> (...), such as `pooled_f1`.
        num_samples: draws of patients.
        level: of the interval between the percentiles.
        seed: of the draws.

    Returns:
        dict: `difference` (method minus other), `low`, `high`, and `patients`, their number.

    Raises:
        ConfigError: when the images are not those of the patients, or there are fewer than two patients.
    """
    method, other = np.asarray(method, dtype=float), np.asarray(other, dtype=float)
    names, group = np.unique(np.asarray(patients, dtype=str), return_inverse=True)
    if {method.shape[1], other.shape[1]} != {len(group)} or len(names) < 2:
        raise ConfigError(
            f"a paired bootstrap needs the same images of two patients or more, got {method.shape[1]} and "
            f"{other.shape[1]} images and {len(names)} patients"
        )

    def by_patient(values: np.ndarray) -> np.ndarray:
        summed = np.zeros((len(names), values.shape[0], *values.shape[2:]))
        np.add.at(summed, group, np.moveaxis(values, 1, 0))
        return summed

    first, second = by_patient(method), by_patient(other)
    generator = np.random.default_rng(seed)
    differences = np.empty(num_samples)
    for sample in range(num_samples):  # one after the other: histograms of all draws would fill the memory
        times = np.bincount(generator.integers(len(names), size=len(names)), minlength=len(names)).astype(float)
        scores = (statistic(np.tensordot(times, summed, 1)).mean() for summed in (first, second))
        differences[sample] = next(scores) - next(scores)
    low, high = np.nanquantile(differences, [(1 - level) / 2, (1 + level) / 2])
    difference = statistic(first.sum(0)).mean() - statistic(second.sum(0)).mean()
    return {"difference": float(difference), "low": float(low), "high": float(high), "patients": len(names)}
