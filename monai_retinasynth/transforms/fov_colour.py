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
"""Colour of an eye as six numbers, so that a translator need not paint all eyes in one colour.

The label map does not say how dark or red an eye is; a translator that has to guess paints the mean of all eyes, and
vessels that are darker than their surroundings drown in the error of the guess. So colour is taken out of the task:
each training photograph is brought to the same mean and standard deviation in each channel
(`NormalizeFieldOfViewColour`), the translator learns structure, and at generation each eye gets a colour mixed from
those of the training eyes (`SampleColour`, `RestoreFieldOfViewColour`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform

__all__ = [
    "FieldOfViewColour",
    "FieldOfViewColourD",
    "FieldOfViewColourDict",
    "FieldOfViewColourd",
    "NormalizeFieldOfViewColour",
    "NormalizeFieldOfViewColourD",
    "NormalizeFieldOfViewColourDict",
    "NormalizeFieldOfViewColourd",
    "RestoreFieldOfViewColour",
    "RestoreFieldOfViewColourD",
    "RestoreFieldOfViewColourDict",
    "RestoreFieldOfViewColourd",
    "SampleColour",
    "SampleColourD",
    "SampleColourDict",
    "SampleColourd",
]


class FieldOfViewColour(Transform):
    """Mean and standard deviation of the three colour channels inside the field of view.

    Args:
        outside_class: class index of the label map that lies outside the field of view.
    """

    def __init__(self, outside_class: int = 0) -> None:
        self.outside_class = outside_class

    def __call__(self, image: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        """
        Args:
            image: photograph, shape (3, X, Y), values in [0, 255].
            label: label map, shape (1, X, Y), class indices.

        Returns:
            shape (6,): three means scaled to [-1, 1], then three standard deviations as a share of 127.5.

        Raises:
            ValueError: when the label map has no pixel inside the field of view.
        """
        inside = label[0] != self.outside_class
        if not bool(inside.any()):
            raise ValueError("the label map has no pixel inside the field of view, so the eye has no colour")
        pixels = image[:, inside].float() / 127.5 - 1.0
        return torch.cat([pixels.mean(1), pixels.std(1, correction=0)])


class FieldOfViewColourd(MapTransform):
    """Dictionary form of `FieldOfViewColour`.

    Args:
        keys: key of the photograph.
        label_key: key of the label map.
        output_key: key under which the six numbers are stored.
        outside_class: see `FieldOfViewColour`.
        allow_missing_keys: leave cases without photograph as they are.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        label_key: str = "label",
        output_key: str = "colour",
        outside_class: int = 0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.label_key = label_key
        self.output_key = output_key
        self.transform = FieldOfViewColour(outside_class)

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[self.output_key] = self.transform(d[key], d[self.label_key])
        return d


# a normalised channel has this standard deviation, so that [-1, 1] holds four of them to each side
_SPREAD = 0.25


def _mean_and_sd(colour: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    # an eye of one flat colour has no spread to divide by
    return colour[:3, None, None], colour[3:, None, None].clamp(min=1e-3)


class NormalizeFieldOfViewColour(Transform):
    """Bring an eye to mean 0 and standard deviation 0.25 in each channel inside the field of view."""

    def __call__(self, image: torch.Tensor, colour: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
        """
        Args:
            image: photograph, or a crop of it, shape (3, X, Y), values in [0, 255].
            colour: the eye's colour, shape (6,), as `FieldOfViewColour` measures it.
            outside: true outside the field of view, shape (X, Y).

        Returns:
            shape (3, X, Y), values in [-1, 1]; -1 outside the field of view.
        """
        mean, sd = _mean_and_sd(colour)
        normalised = ((image.float() / 127.5 - 1.0 - mean) / sd * _SPREAD).clamp(-1.0, 1.0)
        return torch.where(outside, normalised.new_tensor(-1.0), normalised)


class RestoreFieldOfViewColour(Transform):
    """Give a normalised eye a colour; the inverse of `NormalizeFieldOfViewColour` but for what that clipped.

    Args:
        outside_colour: what lies outside the field of view, three numbers in [0, 255]; cameras seldom give pure black.
    """

    def __init__(self, outside_colour: Sequence[float] = (0.0, 0.0, 0.0)) -> None:
        self.outside_colour = tuple(float(level) for level in outside_colour)
        if len(self.outside_colour) != 3 or min(self.outside_colour) < 0 or max(self.outside_colour) > 255:
            raise ValueError(f"outside_colour must be three numbers in 0..255, got {outside_colour}")

    def __call__(self, image: torch.Tensor, colour: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
        """
        Args:
            image: normalised photograph, shape (3, X, Y), values in [-1, 1].
            colour: the colour to give, shape (6,).
            outside: true outside the field of view, shape (X, Y).

        Returns:
            photograph, shape (3, X, Y), values in [-1, 1].
        """
        mean, sd = _mean_and_sd(colour)
        restored = (image.float() / _SPREAD * sd + mean).clamp(-1.0, 1.0)
        around = restored.new_tensor(self.outside_colour)[:, None, None] / 127.5 - 1.0
        return torch.where(outside, around, restored)


class NormalizeFieldOfViewColourd(MapTransform):
    """Dictionary form of `NormalizeFieldOfViewColour`.

    Args:
        keys: key of the photograph.
        label_key: key of the label map (1, X, Y), class indices.
        colour_key: key of the eye's colour.
        outside_class: class index outside the field of view.
        allow_missing_keys: leave cases without photograph as they are.
    """

    def __init__(
        self,
        keys: KeysCollection = "image",
        label_key: str = "label",
        colour_key: str = "colour",
        outside_class: int = 0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.label_key = label_key
        self.colour_key = colour_key
        self.outside_class = outside_class
        self.transform = NormalizeFieldOfViewColour()

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        d = dict(data)
        outside = d[self.label_key][0] == self.outside_class
        for key in self.key_iterator(d):
            d[key] = self.transform(d[key], d[self.colour_key], outside)
        return d


class RestoreFieldOfViewColourd(MapTransform):
    """Dictionary form of `RestoreFieldOfViewColour`, for the output of a translator.

    Args:
        keys: key of the normalised photograph.
        condition_key: key of the translator's condition (C, X, Y), one-hot label map first.
        colour_key: key of the colour to give.
        outside_class: class index outside the field of view: the channel of the condition that is 1 there.
        allow_missing_keys: leave cases without photograph as they are.
        label_key: key of the label map (1, X, Y), class indices, to be looked at in place of the condition, which may
            be something else than a one-hot label map. An evaluator's output has its target as ``label``, so the batch
            needs its label map under another name.
        outside_colour: see `RestoreFieldOfViewColour`.
    """

    def __init__(
        self,
        keys: KeysCollection = "pred",
        condition_key: str = "image",
        colour_key: str = "colour",
        outside_class: int = 0,
        allow_missing_keys: bool = False,
        label_key: str | None = None,
        outside_colour: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.condition_key = condition_key
        self.label_key = label_key
        self.colour_key = colour_key
        self.outside_class = outside_class
        self.transform = RestoreFieldOfViewColour(outside_colour)

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        d = dict(data)
        for key in self.key_iterator(d):
            if self.label_key is None:
                outside = d[self.condition_key][self.outside_class] > 0.5
            else:
                outside = d[self.label_key][0] == self.outside_class
            d[key] = self.transform(d[key], d[self.colour_key].to(d[key].device), outside.to(d[key].device))
        return d


class SampleColour(Transform):
    """Colour for a synthetic eye: a random mixture of the colours of two training eyes, or the mean of all.

    Args:
        colours: colours of the training eyes as `FieldOfViewColour` gives them, shape (N, 6).
        seed: seed; case i of a seed has the same colour in every run.
        kind: "sampled" for a mixture, "mean" for the mean, the best guess for an eye of unknown colour.

    Raises:
        ValueError: when there is no colour to sample from, or for another kind.
    """

    def __init__(self, colours: Sequence[Sequence[float]], seed: int = 0, kind: str = "sampled") -> None:
        self.colours = np.asarray(colours, dtype=np.float32)
        self.seed = seed
        self.kind = kind
        if self.colours.ndim != 2 or len(self.colours) == 0:
            raise ValueError(f"colours must have shape (N, 6) with N >= 1, got {self.colours.shape}")
        if kind not in ("sampled", "mean"):
            raise ValueError(
                f'the colour of generated eyes is "sampled" from those of training or their "mean", not {kind!r}'
            )

    def __call__(self, index: int) -> torch.Tensor:
        """
        Args:
            index: number of the case.

        Returns:
            shape (6,), as `FieldOfViewColour`.
        """
        if self.kind == "mean":
            return torch.as_tensor(self.colours.mean(0))
        rng = np.random.default_rng([self.seed, int(index)])
        first, second = self.colours[rng.integers(len(self.colours), size=2)]
        share = rng.random()
        return torch.as_tensor(share * first + (1.0 - share) * second, dtype=torch.float32)


class SampleColourd(Transform):
    """Dictionary form of `SampleColour`: reads the number of the case, writes its colour.

    Args:
        colours: see `SampleColour`.
        output_key: key under which the six numbers are stored.
        index_key: key of the number of the case.
        seed: see `SampleColour`.
        kind: see `SampleColour`.
    """

    def __init__(
        self,
        colours: Sequence[Sequence[float]],
        output_key: str = "colour",
        index_key: str = "index",
        seed: int = 0,
        kind: str = "sampled",
    ) -> None:
        self.output_key = output_key
        self.index_key = index_key
        self.transform = SampleColour(colours, seed, kind)

    def __call__(self, data: Mapping[Hashable, torch.Tensor]) -> dict[Hashable, torch.Tensor]:
        d = dict(data)
        d[self.output_key] = self.transform(d[self.index_key])
        return d


FieldOfViewColourD = FieldOfViewColourDict = FieldOfViewColourd
NormalizeFieldOfViewColourD = NormalizeFieldOfViewColourDict = NormalizeFieldOfViewColourd
RestoreFieldOfViewColourD = RestoreFieldOfViewColourDict = RestoreFieldOfViewColourd
SampleColourD = SampleColourDict = SampleColourd
