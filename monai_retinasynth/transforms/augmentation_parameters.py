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
"""The random numbers of a discriminator augmentation, drawn apart from applying them (Karras et al. 2020, appendix B).

Drawn are numbers on the CPU, from torch's global generator, whatever device the pictures are on: the program can see
which samples change without waiting for the device, and every device gets the same changes.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, fields

import torch

__all__ = ["AUGMENTATION_GROUPS", "AugmentationParameters", "AugmentationStrengths", "draw_augmentation"]

AUGMENTATION_GROUPS = ("blit", "geometry", "colour", "noise", "cutout")


@dataclass(frozen=True)
class AugmentationStrengths:
    """How strong the transformations are where they are applied; the defaults are the paper's.

    Args:
        shift: largest whole-pixel translation along each axis, as a share of the size.
        scale: standard deviation of log2 of the isotropic scale.
        turn_deg: largest angle of the two rotations, degrees.
        stretch: standard deviation of log2 of the anisotropic scale (X by s, Y by 1/s).
        fractional_shift: standard deviation of the fractional translation, as a share of the size.
        brightness: standard deviation of what is added to values in -1..1.
        contrast: standard deviation of log2 of the contrast.
        hue_deg: largest rotation of the hue, degrees.
        saturation: standard deviation of log2 of the saturation.
        noise: standard deviation of the (half-normal) standard deviation of the noise, for values in -1..1.
        cutout: sides of the rectangle that is cut out, as a share of the size.
    """

    shift: float = 0.125
    scale: float = 0.2
    turn_deg: float = 180.0
    stretch: float = 0.2
    fractional_shift: float = 0.125
    brightness: float = 0.2
    contrast: float = 0.5
    hue_deg: float = 180.0
    saturation: float = 1.0
    noise: float = 0.1
    cutout: float = 0.5

    def __post_init__(self) -> None:
        for item in fields(self):
            if not getattr(self, item.name) >= 0:
                raise ValueError(f"strength {item.name} must be 0 or more, got {getattr(self, item.name)}")


@dataclass(frozen=True)
class AugmentationParameters:
    """What happens to each of B samples; tensors of shape (B,) or (B, 2) on the CPU, neutral where nothing happens.

    Lengths are shares of the picture's size, so the same parameters suit maps of every resolution. `draw_augmentation`
    makes them.

    Args:
        flip: bool, along X.
        quarter_turns: 0 to 3.
        shift: (B, 2).
        scale: isotropic.
        turn_before: radians, before `stretch`.
        stretch: anisotropic scale.
        turn_after: radians, after `stretch`.
        fractional_shift: (B, 2).
        brightness: added.
        contrast: factor.
        luma_flip: bool.
        hue: radians.
        saturation: factor.
        noise: standard deviation.
        noise_seed: the field of noise is drawn anew from it.
        cutout: side as a share of the size, 0 for none.
        cutout_centre: (B, 2).
    """

    flip: torch.Tensor
    quarter_turns: torch.Tensor
    shift: torch.Tensor
    scale: torch.Tensor
    turn_before: torch.Tensor
    stretch: torch.Tensor
    turn_after: torch.Tensor
    fractional_shift: torch.Tensor
    brightness: torch.Tensor
    contrast: torch.Tensor
    luma_flip: torch.Tensor
    hue: torch.Tensor
    saturation: torch.Tensor
    noise: torch.Tensor
    noise_seed: int
    cutout: torch.Tensor
    cutout_centre: torch.Tensor

    @classmethod
    def neutral(cls, count: int) -> AugmentationParameters:
        """Parameters that change none of `count` samples."""
        zero, one, pair = torch.zeros(count), torch.ones(count), torch.zeros(count, 2)
        no, whole = torch.zeros(count, dtype=torch.bool), torch.zeros(count, dtype=torch.long)
        return cls(no, whole, pair, one, zero, one, zero, pair, zero, one, no, zero, one, zero, 0, zero, pair)

    def __len__(self) -> int:
        return len(self.flip)

    @property
    def recolours(self) -> torch.Tensor:
        """(B,) bool: samples whose colours change."""
        moved = (self.brightness != 0) | (self.contrast != 1) | (self.hue != 0) | (self.saturation != 1)
        return moved | self.luma_flip

    @property
    def resamples(self) -> torch.Tensor:
        """(B,) bool: samples whose pixels do not go onto pixels."""
        turned = (self.turn_before != 0) | (self.turn_after != 0)
        return turned | (self.scale != 1) | (self.stretch != 1) | (self.fractional_shift != 0).any(dim=1)

    def movement(self, size_x: int, size_y: int) -> torch.Tensor:
        """(B, 3, 3) float64 maps of positions in pixels from the centre, all blits and geometry in one.

        Where the picture is not square, quarter turns become half turns.
        """
        size = torch.tensor([size_x, size_y], dtype=torch.float64)
        turns = self.quarter_turns if size_x == size_y else self.quarter_turns // 2 * 2
        cos = torch.tensor([1.0, 0.0, -1.0, 0.0], dtype=torch.float64)[turns]  # exact, unlike cosines
        sin = torch.tensor([0.0, 1.0, 0.0, -1.0], dtype=torch.float64)[turns]
        scale, stretch = self.scale.double(), self.stretch.double()
        matrix = _shifted((self.shift.double() * size).round()) @ _turned(cos, sin)
        matrix = matrix @ _scaled(1 - 2 * self.flip.double(), torch.ones_like(scale))
        matrix = _scaled(stretch, 1 / stretch) @ _rotated(self.turn_before) @ _scaled(scale, scale) @ matrix
        return _shifted(self.fractional_shift.double() * size) @ _rotated(self.turn_after) @ matrix


def draw_augmentation(
    count: int, p: float, groups: Collection[str], strengths: AugmentationStrengths
) -> AugmentationParameters:
    """Draw parameters for `count` samples, each transformation of each sample independently with probability `p`.

    The two rotations have `1 - sqrt(1 - p)` each, so that at least one of them happens with probability p. With
    `p = 0` nothing is drawn.

    Args:
        count: number of samples.
        p: probability of each transformation, 0..1.
        groups: which of `AUGMENTATION_GROUPS` there are.
        strengths: how strong they are.
    """
    neutral = AugmentationParameters.neutral(count)
    if p == 0:
        return neutral
    drawn = dict(vars(neutral))

    def sometimes(name: str, value: torch.Tensor, probability: float = p) -> None:
        applied = (torch.rand(count) < probability).view(count, *[1] * (value.ndim - 1))
        drawn[name] = torch.where(applied, value, drawn[name])

    def coin() -> torch.Tensor:
        return torch.rand(count) < 0.5

    def even(limit: float, *axes: int) -> torch.Tensor:
        return (torch.rand(count, *axes) * 2 - 1) * limit

    def factor(spread: float) -> torch.Tensor:
        return torch.exp2(torch.randn(count) * spread)

    if "blit" in groups:
        sometimes("flip", coin())
        sometimes("quarter_turns", torch.randint(4, (count,)))
        sometimes("shift", even(strengths.shift, 2))
    if "geometry" in groups:
        half, turn = 1 - math.sqrt(1 - p), math.radians(strengths.turn_deg)
        sometimes("scale", factor(strengths.scale))
        sometimes("turn_before", even(turn), half)
        sometimes("stretch", factor(strengths.stretch))
        sometimes("turn_after", even(turn), half)
        sometimes("fractional_shift", torch.randn(count, 2) * strengths.fractional_shift)
    if "colour" in groups:
        sometimes("brightness", torch.randn(count) * strengths.brightness)
        sometimes("contrast", factor(strengths.contrast))
        sometimes("luma_flip", coin())
        sometimes("hue", even(math.radians(strengths.hue_deg)))
        sometimes("saturation", factor(strengths.saturation))
    if "noise" in groups:
        sometimes("noise", torch.randn(count).abs() * strengths.noise)
        drawn["noise_seed"] = int(torch.randint(2**31, ()))
    if "cutout" in groups:
        sometimes("cutout", torch.full((count,), float(strengths.cutout)))
        drawn["cutout_centre"] = torch.rand(count, 2)
    return AugmentationParameters(**drawn)


def _matrices(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, d: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    matrix = torch.eye(3, dtype=torch.float64).repeat(len(a), 1, 1)
    matrix[:, 0, 0], matrix[:, 0, 1], matrix[:, 1, 0], matrix[:, 1, 1] = a, b, c, d
    matrix[:, :2, 2] = shift
    return matrix


def _turned(cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    return _matrices(cos, -sin, sin, cos, torch.zeros(len(cos), 2, dtype=torch.float64))


def _rotated(angle: torch.Tensor) -> torch.Tensor:
    return _turned(angle.double().cos(), angle.double().sin())


def _scaled(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    zero = torch.zeros_like(x)
    return _matrices(x, zero, zero, y, torch.zeros(len(x), 2, dtype=torch.float64))


def _shifted(shift: torch.Tensor) -> torch.Tensor:
    one, zero = torch.ones(len(shift), dtype=torch.float64), torch.zeros(len(shift), dtype=torch.float64)
    return _matrices(one, zero, zero, one, shift)
