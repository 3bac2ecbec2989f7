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
"""Whether autocast makes networks faster on a device; where the device lacks the type, it makes them slower."""

from __future__ import annotations

import torch

from .errors import ConfigError

__all__ = ["autocast_is_fast"]

# what PyTorch reports of processors: instructions that multiply matrices of the type
_CPU_INSTRUCTIONS = {"bfloat16": ("avx512_bf16", "amx_bf16", "bf16"), "float16": ("avx512_fp16", "amx_fp16")}


def autocast_is_fast(device: torch.device | str, dtype: torch.dtype | str = "bfloat16") -> bool:
    """Whether a device computes convolutions in a 16-bit type itself, rather than by emulation.

    An x86 processor of the AVX2 generation takes ten times as long in bfloat16 as in float32. The bundles' `amp` is
    what this says unless a user sets it.

    Args:
        device: where the networks run.
        dtype: `"bfloat16"` or `"float16"`.

    Returns:
        True where autocast to the type pays. False on a device that is neither a CPU nor CUDA.

    Raises:
        ConfigError: When the type is another one.
    """
    name = str(dtype).removeprefix("torch.")
    if name not in _CPU_INSTRUCTIONS:
        raise ConfigError(f"autocast is to bfloat16 or float16, got {dtype!r}")
    kind = torch.device(device).type
    if kind == "cuda":
        if name == "float16":
            return True
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind != "cpu":
        return False
    found = _cpu_capabilities()
    return any(found.get(instruction, False) for instruction in _CPU_INSTRUCTIONS[name])


def _cpu_capabilities() -> dict[str, bool]:
    if hasattr(torch.cpu, "get_capabilities"):
        return dict(torch.cpu.get_capabilities())
    # older PyTorch says this much, and nothing of ARM
    asked = {"avx512_bf16": "avx512_bf16", "amx_bf16": "amx_tile", "amx_fp16": "amx_fp16"}
    return {name: getattr(torch.cpu, f"_is_{own}_supported", bool)() for name, own in asked.items()}
