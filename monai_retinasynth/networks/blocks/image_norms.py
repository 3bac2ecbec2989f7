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
"""The normalisation layers of the translation networks, by name."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .pixel_norm import PixelNorm

__all__ = ["IMAGE_NORMS", "FastInstanceNorm2d", "make_image_norm"]

#: names that `make_image_norm` knows
IMAGE_NORMS = ("instance", "batch", "group", "pixel", "none")


class FastInstanceNorm2d(nn.Module):
    """Instance normalisation without parameters, in the fastest of the equal forms that torch has for it on a CPU.

    The same function as `torch.nn.InstanceNorm2d`; statistics in float32 under autocast. Nothing depends on the rest
    of the batch or on earlier batches, so training and inference are the same computation.

    Args:
        eps: added to the variance.
    """

    def __init__(self, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.is_contiguous():
            return F.group_norm(x, x.shape[1], eps=self.eps)  # one channel a group
        # channels_last, where a group norm is up to 20 times slower; one sample is its own batch
        if x.shape[0] == 1:
            return F.batch_norm(x, None, None, training=True, eps=self.eps)
        return F.instance_norm(x, eps=self.eps)


def make_image_norm(norm: str, channels: int) -> nn.Module:
    """A normalisation layer for maps of `channels` channels.

    Args:
        norm: "instance" (no parameters), "batch", "group" (up to 32 groups), "pixel" or "none". Instance norm takes
            every constant away, so a crop cannot tell its position or the eye's colour from condition channels;
            "pixel" normalises each position by itself: it keeps them, and treats a crop and the whole picture alike.
        channels: channels of the map.

    Raises:
        ValueError: for another name.
    """
    if norm == "instance":
        return FastInstanceNorm2d()
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "group":
        groups = next(g for g in range(min(32, channels), 0, -1) if channels % g == 0)
        return nn.GroupNorm(groups, channels)
    if norm == "pixel":
        return PixelNorm()
    if norm == "none":
        return nn.Identity()
    raise ValueError(f"norm must be one of {', '.join(IMAGE_NORMS)}, not {norm!r}")
