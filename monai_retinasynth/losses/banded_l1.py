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
"""Absolute error of what is painted into a background, as a mean over the band that may be painted in."""

from __future__ import annotations

import torch
from torch import nn

from ..utils.errors import ConfigError

__all__ = ["BandedL1Loss"]


class BandedL1Loss(nn.Module):
    """Mean absolute error weighted by the band around structures.

    Structures cover a tenth of a photograph, and outside their band painter and target both are the background: a mean
    over all pixels would hang on how many structures a crop happens to hold.

    Args:
        image_channels: channels K of the photograph; the condition ends in the band and K channels of background, as
            `PrepareTranslationBatch` makes it.
    """

    #: `PairedGanTrainer` hands the condition to such a loss
    takes_condition = True

    def __init__(self, image_channels: int = 3) -> None:
        super().__init__()
        self.image_channels = image_channels

    def forward(self, fakes: torch.Tensor, targets: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """
        Args:
            fakes: (B, K, X, Y).
            targets: (B, K, X, Y).
            condition: (B, C, X, Y), C > K, with the band in [0, 1] at channel C - K - 1.

        Returns:
            a scalar, 0 where the batch holds no structure.

        Raises:
            ConfigError: when the condition has no room for band and background.
        """
        k = self.image_channels
        if condition.shape[1] <= k:
            raise ConfigError(
                f"a condition of {condition.shape[1]} channels holds no band and {k} channels of background: train "
                "with a background, or with another loss"
            )
        band = condition[:, -k - 1 : -k].float()
        error = (fakes.float() - targets.float()).abs().mean(dim=1, keepdim=True)
        return (band * error).sum() / band.sum().clamp_min(1.0)
