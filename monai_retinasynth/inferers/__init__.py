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
"""Inferers: how a network is called on an image."""

from __future__ import annotations

from .autocast_inferer import AutocastInferer
from .divisible_pad_inferer import DivisiblePadInferer
from .flip_average_inferer import FlipAverageInferer
from .redrawing_inferer import RedrawingInferer

__all__ = ["AutocastInferer", "DivisiblePadInferer", "FlipAverageInferer", "RedrawingInferer"]
