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
"""When a progressively growing GAN doubles its resolution (Karras et al. 2018, sec. 3), counted in images shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..utils.errors import ConfigError

__all__ = ["GrowthPhase", "ProgressiveGrowthSchedule"]


class GrowthPhase(NamedTuple):
    """Where the growth stands: side length in pixels, weight of the newest layers (0 to 1), and a readable name."""

    resolution: int
    alpha: float
    name: str


class ProgressiveGrowthSchedule:
    """Stabilise the first resolution, then for each further one fade it in and stabilise it.

    Everything is a function of the number of real images that the discriminator has been shown by all processes
    together, so resuming needs that one counter and any number of processes follows the same course.

    Args:
        resolutions: side lengths in pixels, ascending, for example ``[4, 8, 16, 32]``.
        fade_images: images during which a new resolution is faded in; one number or one per resolution after the first.
        stabilise_images: images at full weight of each resolution; one number or one per resolution.
        batch_sizes: joint batch over all processes; one number, or a number for each resolution.
        total_images: when given, all numbers of images are scaled in proportion so that they add up to it: the same
            course in a budget of one's own.

    Raises:
        ConfigError: When the numbers do not fit together.
    """

    def __init__(
        self,
        resolutions: Sequence[int],
        fade_images: int | Sequence[int],
        stabilise_images: int | Sequence[int],
        batch_sizes: int | dict[int, int],
        total_images: int | None = None,
    ) -> None:
        self.resolutions = [int(r) for r in resolutions]
        if not self.resolutions or sorted(set(self.resolutions)) != self.resolutions:
            raise ConfigError(f"resolutions must be ascending and not empty, got {list(resolutions)}.")
        self.stabilise_images = _per_item(stabilise_images, len(self.resolutions), "stabilise_images")
        self.fade_images = [0, *_per_item(fade_images, len(self.resolutions) - 1, "fade_images")]
        if total_images is not None:
            self._scale(int(total_images))
        if isinstance(batch_sizes, int):
            self.batch_sizes = dict.fromkeys(self.resolutions, batch_sizes)
        else:  # JSON writes the keys of a dictionary as strings
            self.batch_sizes = {int(r): int(n) for r, n in batch_sizes.items()}
        missing = [r for r in self.resolutions if self.batch_sizes.get(r, 0) < 1]
        if missing:
            raise ConfigError(f"batch_sizes names no positive batch size for the resolutions {missing}.")

    def _scale(self, total: int) -> None:
        counts = [*self.fade_images[1:], *self.stabilise_images]
        if total < len(counts):
            raise ConfigError(
                f"total_images is {total}, but {len(self.resolutions)} resolutions have {len(counts)} phases of one "
                "image or more each: give more images."
            )
        # cumulative rounding: the parts add up exactly, and none is empty
        spare, whole = total - len(counts), sum(counts)
        ends = [round(spare * sum(counts[: k + 1]) / whole) for k in range(len(counts))]
        scaled = [1 + end - start for start, end in zip([0, *ends], ends)]
        self.fade_images = [0, *scaled[: len(self.resolutions) - 1]]
        self.stabilise_images = scaled[len(self.resolutions) - 1 :]

    @property
    def total_images(self) -> int:
        """Images shown to the discriminator until the last resolution is stabilised."""
        return sum(self.fade_images) + sum(self.stabilise_images)

    def phase(self, images_seen: int) -> GrowthPhase:
        """The phase after `images_seen` images; the last resolution stays for ever."""
        start = 0
        for resolution, fade, stable in zip(self.resolutions, self.fade_images, self.stabilise_images):
            if images_seen < start + fade:
                return GrowthPhase(resolution, (images_seen - start) / fade, f"fade {resolution}")
            start += fade + stable
            if images_seen < start:
                return GrowthPhase(resolution, 1.0, f"stabilise {resolution}")
        return GrowthPhase(self.resolutions[-1], 1.0, f"stabilise {self.resolutions[-1]}")

    def batch_size(self, images_seen: int) -> int:
        """Joint batch (over all processes) for the next discriminator step."""
        return self.batch_sizes[self.phase(images_seen).resolution]

    def iterations(self, d_train_steps: int = 1) -> int:
        """Iterations of the trainer, each of `d_train_steps` discriminator steps, that show `total_images` images."""
        seen = count = 0
        while seen < self.total_images:
            phase = self.phase(seen)
            step = self.batch_sizes[phase.resolution] * d_train_steps
            # as many steps as stay inside this resolution, at once: the schedule can be millions of images long
            end = self._end_of(phase.resolution)
            steps = max(1, math.ceil((end - seen) / step))
            seen += steps * step
            count += steps
        return count

    def max_epochs_for(self, epoch_length: int, d_train_steps: int = 1) -> int:
        """Epochs of `epoch_length` iterations that cover the schedule."""
        return math.ceil(self.iterations(d_train_steps) / epoch_length)

    def _end_of(self, resolution: int) -> int:
        number = self.resolutions.index(resolution) + 1
        return sum(self.fade_images[:number]) + sum(self.stabilise_images[:number])


def _per_item(value: int | Sequence[int], count: int, name: str) -> list[int]:
    values = [value] * count if isinstance(value, int) else [int(v) for v in value]
    if len(values) != count or any(v < 1 for v in values):
        raise ConfigError(f"{name} must be one positive number or {count} of them, got {value}.")
    return values
