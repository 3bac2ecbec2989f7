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
"""Reading losses and pictures out of an engine's output, whether decollated or not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

__all__ = ["batch_of", "scalar_values"]


def scalar_values(output: Any, keys: Iterable[str] | None = None) -> dict[str, float]:
    """The scalars of an output as Python numbers; this waits for the device, so call it seldom.

    Args:
        output: a dictionary, or the list of dictionaries that decollating makes of it (scalars are in each alike).
        keys: which ones, None for all.
    """
    if isinstance(output, (list, tuple)):
        output = output[0] if output else {}
    if not isinstance(output, dict):
        return {}
    wanted = output if keys is None else [key for key in keys if key in output]
    found = {}
    for key in wanted:
        value = output[key]
        if isinstance(value, torch.Tensor) and value.numel() == 1 and value.ndim == 0:
            found[str(key)] = float(value.detach())
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[str(key)] = float(value)
    return found


def batch_of(output: Any, key: str, count: int) -> torch.Tensor | None:
    """The first `count` samples (B, ...) of a tensor in the output, None when the output has no such key."""
    if isinstance(output, (list, tuple)):
        rows = [sample[key] for sample in output[:count] if key in sample]
        return torch.stack([torch.as_tensor(row) for row in rows]) if rows else None
    value = output.get(key) if isinstance(output, dict) else None
    return None if value is None else value[:count]
