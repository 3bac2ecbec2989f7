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
Scores of organ segmentation in chest radiographs, organ by organ: Jaccard index, Dice and pixel accuracy.

Organs overlap in a projection, so each is a mask of its own and is scored against its own mask. The literature on
JSRT/SCR (van Ginneken et al., Medical Image Analysis 10:19-40, 2006) gives the mean of the Jaccard index over images,
for both lungs together, the heart, and both clavicles together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from monai_retinasynth.utils.chest_organs import CHEST_ORGANS
from monai_retinasynth.utils.errors import ConfigError, DataError

__all__ = ["ORGAN_GROUPS", "ORGAN_SCORE_NAMES", "OrganSegmentationReport"]

#: what is scored beside the single organs: name -> organs whose masks are joined
ORGAN_GROUPS: dict[str, tuple[str, ...]] = {
    "lungs": ("right_lung", "left_lung"),
    "clavicles": ("right_clavicle", "left_clavicle"),
}
#: means over images with sd, the same of pooled pixels, and the share of pixels that are right
ORGAN_SCORE_NAMES = ("jaccard_mean", "jaccard_sd", "dice_mean", "dice_sd", "jaccard", "dice", "accuracy")


class _Counts(NamedTuple):
    """Pixels where prediction and truth agree that the organ is there, predicted, true, and all pixels."""

    hit: int
    predicted: int
    true: int
    every: int

    def scores(self) -> dict[str, float | None]:
        """Jaccard, Dice, accuracy; the first two are None where neither prediction nor truth has a pixel."""
        union = self.predicted + self.true - self.hit
        return {
            "jaccard": self.hit / union if union else None,
            "dice": 2 * self.hit / (self.predicted + self.true) if union else None,
            "accuracy": 1 - (union - self.hit) / self.every,
        }


class OrganSegmentationReport:
    """
    Collects predicted and true organ masks image by image, as counts of pixels, and scores them.

    An organ that an image has neither in the prediction nor in the truth has no Jaccard index and no Dice there: that
    image is left out of the organ's means, and `images_scored` says how many are in. An organ found where none is, or
    missed where one is, has 0.

    Args:
        organ_names: names of the organs, in the order of the masks given to `update`.
        section: name of the section that fills the report, for messages.
        groups: name -> organs whose joined masks are scored too; None for those of `ORGAN_GROUPS` whose organs are all
            in `organ_names`.

    Raises:
        ConfigError: when there is no organ, a name comes twice, or a group names an organ that is not there.
    """

    def __init__(
        self,
        organ_names: Sequence[str] = tuple(CHEST_ORGANS),
        section: str | None = None,
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.organ_names = tuple(organ_names)
        self.section = section
        if groups is None:
            groups = {name: organs for name, organs in ORGAN_GROUPS.items() if set(organs) <= set(self.organ_names)}
        self.groups = {name: tuple(organs) for name, organs in groups.items()}
        names = [*self.organ_names, *self.groups]
        unknown = sorted({organ for organs in self.groups.values() for organ in organs} - set(self.organ_names))
        if not self.organ_names or len(set(names)) < len(names) or unknown or not all(self.groups.values()):
            raise ConfigError(
                f"organs {list(self.organ_names)} with groups {self.groups}: give one organ or more, each name once, "
                "and groups of these organs"
            )
        self._cases: dict[str, dict[str, _Counts]] = {}

    def __len__(self) -> int:
        return len(self._cases)

    def reset(self) -> None:
        """Forget all images."""
        self._cases.clear()

    def update(self, prediction: np.ndarray, target: np.ndarray, case_id: str) -> None:
        """
        Add an image.

        Args:
            prediction: predicted masks, bool (organs, H, W).
            target: true masks, bool (organs, H, W).
            case_id: name of the image, once a report.

        Raises:
            DataError: shapes differ, an image has no pixel, a mask is not bool, or the image is there already.
        """
        prediction, target = np.asarray(prediction), np.asarray(target)
        if prediction.shape != target.shape or prediction.ndim != 3 or len(target) != len(self.organ_names):
            raise DataError(
                f"case {case_id}: predicted masks {prediction.shape} and true masks {target.shape} must be "
                f"{len(self.organ_names)} masks ({', '.join(self.organ_names)}) of one size; check that prediction and "
                "masks belong to the same radiograph"
            )
        if prediction.dtype != bool or target.dtype != bool or not target.size:
            raise DataError(
                f"case {case_id}: masks are bool with one pixel at least, got {prediction.dtype} and {target.dtype} of "
                f"shape {target.shape}"
            )
        if case_id in self._cases:
            raise DataError(f"case {case_id} was added twice; case names must be unique within a section")
        counts = {name: _count(prediction[n], target[n]) for n, name in enumerate(self.organ_names)}
        for name, organs in self.groups.items():
            rows = [self.organ_names.index(organ) for organ in organs]
            counts[name] = _count(prediction[rows].any(0), target[rows].any(0))
        self._cases[str(case_id)] = counts

    def compute(self) -> dict[str, Any]:
        """
        Score all images.

        Returns:
            dict: `images`; `organs`: name -> `ORGAN_SCORE_NAMES` and `images_scored`, where `jaccard_mean` and
            `dice_mean` are means over images with the sample's sd (n - 1; 0.0 for one image), `jaccard` and `dice`
            those of the pixels of all images together, and `accuracy` the share of all pixels that are rightly organ
            or not organ; `groups`: the same of joined masks; `all_organs`: `jaccard_mean`, `dice_mean` and `accuracy`,
            the means of the organs' (groups do not count); `per_case`: a list of `{"case_id", "organs": name ->
            {"jaccard", "dice", "accuracy"}}` with organs and groups. A score that does not exist is None.

        Raises:
            DataError: when there are no images.
        """
        if not self._cases:
            raise DataError(f"no cases to score in section {self.section or 'unnamed'}; is the data set empty?")
        organs = {name: self._summary(name) for name in self.organ_names}
        return {
            "images": len(self),
            "organs": organs,
            "groups": {name: self._summary(name) for name in self.groups},
            "all_organs": {
                key: _mean(scores[key] for scores in organs.values())
                for key in ("jaccard_mean", "dice_mean", "accuracy")
            },
            "per_case": [
                {"case_id": case_id, "organs": {name: own.scores() for name, own in counts.items()}}
                for case_id, counts in self._cases.items()
            ],
        }

    def _summary(self, name: str) -> dict[str, Any]:
        counts = [case[name] for case in self._cases.values()]
        scores = [own.scores() for own in counts]
        pooled = _Counts(*(sum(column) for column in zip(*counts))).scores()
        result: dict[str, Any] = {}
        for key in ("jaccard", "dice"):
            known = [own[key] for own in scores if own[key] is not None]
            result[f"{key}_mean"] = _mean(known)
            result[f"{key}_sd"] = None if not known else float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
        return {**result, **pooled, "images_scored": sum(own["dice"] is not None for own in scores)}


def _count(prediction: np.ndarray, target: np.ndarray) -> _Counts:
    hit = int(np.count_nonzero(prediction & target))
    return _Counts(hit, int(np.count_nonzero(prediction)), int(np.count_nonzero(target)), target.size)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
