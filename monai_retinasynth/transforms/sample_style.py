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
"""A style vector for each synthetic photograph, so that one label map gives many."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.transforms import Transform

from ..utils.errors import ConfigError
from ..utils.seeding import seeded_latents

__all__ = ["SampleStyleD", "SampleStyleDict", "SampleStyled"]

_STYLE_STREAM = 3


class SampleStyled(Transform):
    """Adds a style vector drawn from N(0, 1), which depends on the seed and the sample's number alone.

    Args:
        output_key: key of the vector, float32 (style_size,).
        style_size: length of the vector.
        seed: seed of the set.
        index_key: key of the sample's number.

    Raises:
        ConfigError: When `style_size` is not positive.
    """

    def __init__(self, output_key: str = "style", style_size: int = 256, seed: int = 0, index_key: str = "index"):
        if style_size < 1:
            raise ConfigError(f"style_size must be at least 1, got {style_size}.")
        self.output_key = output_key
        self.style_size = style_size
        self.seed = seed
        self.index_key = index_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        style = seeded_latents([int(data[self.index_key])], self.style_size, self.seed, _STYLE_STREAM)[0]
        return {**data, self.output_key: style}


SampleStyleD = SampleStyleDict = SampleStyled
