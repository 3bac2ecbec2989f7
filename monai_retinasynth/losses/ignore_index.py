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
"""Losses that leave marked pixels out."""

from __future__ import annotations

from torch import nn

from ..utils.errors import ConfigError

__all__ = ["with_ignore_index"]


def with_ignore_index(loss: nn.Module, ignore_index: int) -> nn.Module:
    """Let a loss leave out the pixels whose label is `ignore_index`.

    MONAI's `DiceLoss` and its kin and PyTorch's `CrossEntropyLoss` can do so; `DiceCELoss`, which is made of both, does
    not pass the setting on.

    Args:
        loss: the loss; changed in place.
        ignore_index: value of the label map that marks the pixels.

    Returns:
        the same loss.

    Raises:
        ConfigError: when no part of the loss can leave pixels out.
    """
    parts = [part for part in loss.modules() if hasattr(part, "ignore_index")]
    if not parts:
        raise ConfigError(
            f"{type(loss).__name__} cannot leave pixels out: take a loss with an ignore_index, such as MONAI's "
            "DiceCELoss, DiceLoss or TverskyLoss"
        )
    for part in parts:
        part.ignore_index = ignore_index
    return loss
