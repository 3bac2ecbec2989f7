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
"""Noise for the uniform regions of synthetic photographs, and for what a condition leaves open."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Transform

from ..networks.blocks.octave_noise import octave_noise
from ..utils.errors import ConfigError
from ..utils.seeding import derive_seed

__all__ = ["SampleNoiseD", "SampleNoiseDict", "SampleNoised"]

_NOISE_STREAM = 4


class SampleNoised(Transform):
    """Adds noise channels (`octave_noise`) of the size of a map, by the seed and the sample's number alone.

    Args:
        key: key of the map (C, X, Y) whose size they have.
        output_key: key of the noise, float32 (noise_channels, X, Y).
        noise_channels: number of channels.
        num_octaves: see `octave_noise`; one more than the generator's doublings
            (6 where sizes are multiples of 32).
        seed: seed of the set.
        index_key: key of the sample's number.
        reduced_by: divisor of the size, rounded up, for generators that join noise to reduced features
            (`Pix2PixHDGenerator`, whose `noise_reduction` it is); the noise is then white, of one octave.

    Raises:
        ConfigError: When `noise_channels`, `num_octaves` or `reduced_by` is not positive.
    """

    def __init__(
        self,
        key: str = "label",
        output_key: str = "noise",
        noise_channels: int = 4,
        num_octaves: int = 6,
        seed: int = 0,
        index_key: str = "index",
        reduced_by: int = 1,
    ) -> None:
        if min(noise_channels, num_octaves, reduced_by) < 1:
            raise ConfigError(
                f"noise_channels, num_octaves and reduced_by are 1 or more, got {noise_channels}, {num_octaves} and "
                f"{reduced_by}"
            )
        self.key = key
        self.output_key = output_key
        self.noise_channels = noise_channels
        self.num_octaves = num_octaves if reduced_by == 1 else 1
        self.reduced_by = reduced_by
        self.seed = seed
        self.index_key = index_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        generator = torch.Generator().manual_seed(derive_seed(self.seed, _NOISE_STREAM, int(data[self.index_key])))
        size = (-(-side // self.reduced_by) for side in data[self.key].shape[1:])
        shape = (1, self.noise_channels, *size)
        return {**data, self.output_key: octave_noise(shape, self.num_octaves, generator)[0]}


SampleNoiseD = SampleNoiseDict = SampleNoised
