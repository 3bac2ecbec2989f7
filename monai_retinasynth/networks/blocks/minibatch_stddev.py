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
"""Minibatch standard deviation (Karras et al. 2018, section 3): shows the discriminator how varied a batch is."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["MinibatchStdDev"]


class MinibatchStdDev(nn.Module):
    """Appends one channel with the standard deviation over a group of samples, averaged over channels and positions.

    Groups are contiguous in the batch, so that data-parallel ranks that hold consecutive parts of a joint batch see the
    groups of the joint batch, as long as the group size divides the part of each rank.

    Args:
        group_size: samples a group. A batch that it does not divide is split by the largest divisor below it.
        eps: added to the variance.
    """

    def __init__(self, group_size: int = 4, eps: float = 1e-8) -> None:
        super().__init__()
        if group_size < 1:
            raise ValueError(f"group_size must be at least 1, not {group_size}")
        self.group_size = group_size
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch = x.shape[0]
        group = min(self.group_size, batch)
        while batch % group != 0:
            group -= 1
        groups = x.float().reshape(batch // group, group, -1)  # the statistic in float32 under autocast
        variance = (groups - groups.mean(dim=1, keepdim=True)).square().mean(dim=1)
        spread = torch.sqrt(variance + self.eps).mean(dim=1)
        channel = spread.repeat_interleave(group).reshape(batch, 1, 1, 1).expand(-1, -1, x.shape[2], x.shape[3])
        return torch.cat([x, channel.to(x.dtype)], dim=1)
