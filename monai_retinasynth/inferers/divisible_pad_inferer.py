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
"""Any image size through a network that needs a multiple: pad, run, crop back exactly."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from monai.inferers import Inferer, SimpleInferer

__all__ = ["DivisiblePadInferer"]


class DivisiblePadInferer(Inferer):
    """Pads X and Y on both sides to multiples of `k` and cuts the same borders off the prediction.

    A side shorter than or equal to the padding it needs cannot be mirrored; it is padded by repeating its edge pixels.

    Args:
        k: the multiple, one number or one for each of X and Y.
        inferer: how the network is called, default `SimpleInferer`.
        mode: ``"reflect"``, ``"replicate"``, ``"circular"`` or ``"constant"`` (zeros), see `torch.nn.functional.pad`.
    """

    def __init__(self, k: int | tuple[int, int], inferer: Inferer | None = None, mode: str = "reflect") -> None:
        self.k = (k, k) if isinstance(k, int) else (int(k[0]), int(k[1]))
        if min(self.k) < 1:
            raise ValueError(f"k must be positive, got {k}.")
        self.inferer = SimpleInferer() if inferer is None else inferer
        self.mode = mode

    def __call__(self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Prediction (B, C', X, Y) of the size of the input (B, C, X, Y).

        Further arguments that are maps of that size, such as noise, are padded likewise.

        Raises:
            ValueError: When the network's answer has another size than what it was given.
        """
        if inputs.ndim != 4:
            raise ValueError(f"DivisiblePadInferer takes (batch, channels, width, height), got {tuple(inputs.shape)}.")
        size = inputs.shape[-2:]
        missing = [-side % k for side, k in zip(size, self.k)]
        before = [total // 2 for total in missing]
        after = [total - first for total, first in zip(missing, before)]

        def pad(value: Any) -> Any:
            if not isinstance(value, torch.Tensor) or value.ndim != 4 or value.shape[-2:] != size:
                return value
            # one side at a time: each may need its own mode
            value = self._pad(value, [0, 0, before[0], after[0]], size[0])
            return self._pad(value, [before[1], after[1], 0, 0], size[1])

        padded = pad(inputs)
        further = {name: pad(value) for name, value in kwargs.items()}
        prediction = self.inferer(padded, network, *map(pad, args), **further)
        if prediction.shape[-2:] != padded.shape[-2:]:
            raise ValueError(
                f"the network made {tuple(prediction.shape[-2:])} of {tuple(padded.shape[-2:])} pixels; "
                "DivisiblePadInferer needs a prediction of the input's size."
            )
        return prediction[..., before[0] : before[0] + size[0], before[1] : before[1] + size[1]]

    def _pad(self, inputs: torch.Tensor, widths: list[int], side: int) -> torch.Tensor:
        if not any(widths):
            return inputs
        mode = "replicate" if self.mode == "reflect" and max(widths) >= side else self.mode
        return F.pad(inputs, widths, mode=mode)
