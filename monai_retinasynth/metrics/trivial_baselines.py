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
"""What can be guessed of a photograph without any network: the mean photograph, the mean colour.

Pixel scores reward smooth colour, so a translator is worth something only where it beats these.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch

from monai_retinasynth.data.cases import load_cases
from monai_retinasynth.transforms.fov_colour import (
    FieldOfViewColour,
    NormalizeFieldOfViewColour,
    RestoreFieldOfViewColour,
)
from monai_retinasynth.transforms.load_fundus_case import LoadFundusCased
from monai_retinasynth.utils.errors import ConfigError, DataError

__all__ = ["TrivialBaselines", "mean_colour_photograph", "mean_photograph"]


def mean_photograph(images: Iterable[torch.Tensor]) -> torch.Tensor:
    """Pixel-wise mean of photographs.

    Args:
        images: tensors of one shape (C, X, Y), any range; read one at a time.

    Returns:
        float32 tensor (C, X, Y) of the same range.

    Raises:
        DataError: When there is none, or their sizes differ.
    """
    total: torch.Tensor | None = None
    count = 0
    for image in images:
        if total is None:
            total = torch.zeros(image.shape, dtype=torch.float64)
        if image.shape != total.shape:
            raise DataError(
                f"photographs of {tuple(total.shape)} and {tuple(image.shape)} have no mean photograph; resize them "
                "to one size (image_size)"
            )
        total += image
        count += 1
    if total is None:
        raise DataError("no photograph to take the mean of")
    return (total / count).float()


def mean_colour_photograph(
    colour: torch.Tensor | Sequence[float],
    outside: torch.Tensor,
    outside_colour: Sequence[float] = (0.0, 0.0, 0.0),
) -> torch.Tensor:
    """One colour inside the field of view, another outside.

    Args:
        colour: the three channels' means in [-1, 1]; of the six numbers of `FieldOfViewColour` the first three count.
        outside: true outside the field of view, shape (X, Y).
        outside_colour: three numbers in [0, 255].

    Returns:
        float32 tensor (3, X, Y), range [-1, 1].
    """
    mean = torch.as_tensor(colour, dtype=torch.float32)[:3, None, None]
    around = torch.tensor(outside_colour, dtype=torch.float32)[:, None, None] / 127.5 - 1.0
    return torch.where(outside.cpu(), around, mean)


class TrivialBaselines:
    """Baselines made of the training photographs, each a callable of a test case for `FidelityReportHandler`.

    Photographs are read when first needed and once, by the same loader as those of the test: the baseline cases, and
    the others too where the mean training colour is asked for.

    Args:
        dataset_dir: folder of the data set.
        layout: see `load_cases`.
        label_set: name of the label set.
        num_cases: read only so many training cases.
        val_count: number of training cases held out for validation.
        split: named split of CHASE_DB1.
        spatial_size: (X, Y) to which photographs are resized, see `LoadFundusCased`; None keeps their size.
        baseline_cases: names (`case_id`) of the training cases that baselines are made of, such as those that are no
            turned copies; None takes all. The mean training colour is over all cases in any case.
        label_key: key of the label map (1, X, Y) in a test case.
        outside_class: class index outside the field of view.
        outside_colour: what the own-colour and the mean-colour baseline have outside the field of view, three numbers
            in [0, 255]; the same as the generated photographs get.
        image_channels: 3 for photographs; 1 for grey pictures, which have no colour and the mean picture as their only
            baseline.
    """

    def __init__(
        self,
        dataset_dir: str | os.PathLike | Mapping[str, Any] | Sequence[Any],
        layout: str = "auto",
        label_set: str = "fundus_vessel",
        num_cases: int | None = None,
        val_count: int = 2,
        split: str | None = None,
        spatial_size: Sequence[int] | None = None,
        baseline_cases: Sequence[str] | None = None,
        label_key: str = "label",
        outside_class: int = 0,
        outside_colour: Sequence[float] = (0.0, 0.0, 0.0),
        image_channels: int = 3,
    ) -> None:
        self.image_channels = image_channels
        self.outside_colour = tuple(float(level) for level in outside_colour)
        self.arguments = (dataset_dir, "training", layout, num_cases, val_count, split)
        self.load = LoadFundusCased(
            label_set=label_set, image_dtype="uint8", spatial_size=spatial_size, image_channels=image_channels
        )
        self.baseline_cases = None if baseline_cases is None else [str(name) for name in baseline_cases]
        self.label_key = label_key
        self.outside_class = outside_class
        self._colours: dict[str, torch.Tensor] = {}

    def callables(self) -> dict[str, Callable[[Mapping[str, Any]], torch.Tensor | None]]:
        """The baselines by the name of their row."""
        if self.image_channels == 1:
            return {"mean_photograph": self.mean_photograph}
        return {
            "mean_photograph": self.mean_photograph,
            "mean_photograph_own_colour": self.mean_photograph_own_colour,
            "mean_colour": self.mean_colour,
        }

    def mean_photograph(self, sample: Mapping[str, Any]) -> torch.Tensor | None:
        """Mean training photograph (3, X, Y) in [-1, 1]; None where its size is not that of the case."""
        mean = self._baseline["photograph"]
        return mean if mean is not None and mean.shape[1:] == sample[self.label_key].shape[1:] else None

    def mean_photograph_own_colour(self, sample: Mapping[str, Any]) -> torch.Tensor | None:
        """Mean training photograph, given mean and standard deviation of the case's own colour (`colour`) in its FOV.

        None where there is no mean photograph, or no colour in the case.
        """
        mean = self.mean_photograph(sample)
        if mean is None or "colour" not in sample:
            return None
        outside = self._outside(sample)
        picture = (mean + 1) * 127.5
        label = (~outside)[None].to(torch.uint8)
        normalised = NormalizeFieldOfViewColour()(picture, FieldOfViewColour()(picture, label), outside)
        restore = RestoreFieldOfViewColour(self.outside_colour)
        return restore(normalised, torch.as_tensor(sample["colour"]).cpu(), outside)

    def mean_colour(self, sample: Mapping[str, Any]) -> torch.Tensor:
        """Mean colour of the baseline cases inside the case's field of view, `outside_colour` outside."""
        return mean_colour_photograph(self._baseline["colour"], self._outside(sample), self.outside_colour)

    def training_colour(self) -> torch.Tensor:
        """Mean over all training cases of the six numbers of `FieldOfViewColour`, shape (6,)."""
        _ = self._baseline  # whose photographs need not be read twice
        for case in self._cases[0]:
            if case["case_id"] not in self._colours:
                self._read(case)
        return torch.stack([self._colours[case["case_id"]] for case in self._cases[0]]).mean(0)

    def _outside(self, sample: Mapping[str, Any]) -> torch.Tensor:
        return torch.as_tensor(sample[self.label_key])[0].cpu() == self.outside_class

    @cached_property
    def _cases(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """All training cases, and those that baselines are made of."""
        cases = load_cases(*self.arguments)
        names = [case["case_id"] for case in cases]
        chosen = set(names if self.baseline_cases is None else self.baseline_cases)
        unknown = sorted(chosen - set(names))
        if unknown or not chosen:
            raise ConfigError(
                f"baseline_cases names {', '.join(unknown) or 'no case'}; the training section of {self.arguments[0]} "
                f"has {', '.join(names[:4])}{', ...' if len(names) > 4 else ''}"
            )
        return cases, [case for case in cases if case["case_id"] in chosen]

    @cached_property
    def _baseline(self) -> dict[str, Any]:
        photographs = [self._read(case) for case in self._cases[1]]
        one_size = len({photograph.shape for photograph in photographs}) == 1
        return {
            "photograph": mean_photograph(photographs) / 127.5 - 1.0 if one_size else None,
            "colour": torch.stack([self._colours[case["case_id"]] for case in self._cases[1]]).mean(0),
        }

    def _read(self, case: dict[str, Any]) -> torch.Tensor:
        """The photograph, uint8; its colour is kept."""
        loaded = self.load(case)
        if "image" not in loaded:
            raise DataError(f"the training case {case['case_id']} has no photograph to make baselines of")
        self._colours[case["case_id"]] = FieldOfViewColour(self.outside_class)(loaded["image"], loaded["label"])
        return loaded["image"]
