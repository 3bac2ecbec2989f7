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
"""Noise with structure at every size, which averaging over areas does not take away."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

__all__ = ["octave_noise"]

_ENLARGED_VARIANCE = 0.74  # of unit noise after bicubic enlargement, averaged over positions


def octave_noise(
    shape: Sequence[int],
    num_octaves: int,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> torch.Tensor:
    """Sum of normal noise at sizes X, X/2, X/4, ..., the coarse ones enlarged smoothly.

    White noise reduced to a coarse level of a generator is nearly constant; this one varies there too.

    Args:
        shape: (B, N, X, Y).
        num_octaves: number of sizes, as many as the generator has levels.
        generator: source of the noise; None for torch's global one.
        device: where the noise is made; that of the generator.

    Returns:
        (B, N, X, Y) float32, mean 0, standard deviation about 1.
    """
    batch, channels, sx, sy = shape
    noise = torch.randn(batch, channels, sx, sy, generator=generator, device=device)
    variance = 1.0
    for octave in range(1, num_octaves):
        side = [max(2, -(-s // 2**octave)) for s in (sx, sy)]
        coarse = torch.randn(batch, channels, *side, generator=generator, device=device)
        noise = noise + F.interpolate(coarse, size=(sx, sy), mode="bicubic", align_corners=False)
        variance += _ENLARGED_VARIANCE
    return noise / variance**0.5
