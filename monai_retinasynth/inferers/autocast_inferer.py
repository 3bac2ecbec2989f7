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
"""Mixed precision on whatever device the data is on; MONAI's own switch is CUDA only."""

from __future__ import annotations

from typing import Any

import torch
from monai.inferers import Inferer, SimpleInferer
from torch import nn

from ..networks.channels_last import can_be_channels_last

__all__ = ["AutocastInferer"]


class AutocastInferer(Inferer):
    """Calls another inferer under autocast and returns float32.

    Args:
        inferer: how the network is called, default `SimpleInferer`.
        dtype: ``"bfloat16"`` or ``"float16"`` (the latter for CUDA).
        enabled: False calls the inferer as it is.
        channels_last: memory format of a (B, C, X, Y) input and of the network, which is converted in place, unless
            it cannot be (`can_be_channels_last`).
    """

    def __init__(
        self,
        inferer: Inferer | None = None,
        dtype: str | torch.dtype = "bfloat16",
        enabled: bool = True,
        channels_last: bool = False,
    ) -> None:
        self.inferer = SimpleInferer() if inferer is None else inferer
        self.dtype = getattr(torch, dtype) if isinstance(dtype, str) else dtype
        self.enabled = enabled
        self.channels_last = channels_last
        self._converted: nn.Module | None = None
        self._is_safe = True

    def __call__(self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any) -> Any:
        """Prediction of the network in float32.

        Args:
            inputs: input of the network.
            network: the network.
            args: further positional arguments of the network.
            kwargs: further keyword arguments of the network.
        """
        if self.channels_last and inputs.ndim == 4:
            if isinstance(network, nn.Module) and network is not self._converted:
                self._is_safe = inputs.device.type != "cpu" or can_be_channels_last(network)
                self._converted = network.to(memory_format=torch.channels_last) if self._is_safe else network
            if self._is_safe:
                inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(inputs.device.type, dtype=self.dtype, enabled=self.enabled):
            prediction = self.inferer(inputs, network, *args, **kwargs)
        return _to_float32(prediction)


def _to_float32(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: _to_float32(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_to_float32(item) for item in value)
    return value
