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
"""Audited, labelled, synthetic retinal training sets inside MONAI."""

from __future__ import annotations

import importlib
from types import ModuleType

from ._version import __version__

_SUB_PACKAGES = (
    "data",
    "engines",
    "handlers",
    "inferers",
    "losses",
    "metrics",
    "networks",
    "simulation",
    "transforms",
    "utils",
    "workflows",
)

__all__ = ["__version__", *_SUB_PACKAGES]


def __getattr__(name: str) -> ModuleType:
    # sub-packages load on first use: a user of one transform need not wait for scikit-image and TensorBoard
    if name in _SUB_PACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
