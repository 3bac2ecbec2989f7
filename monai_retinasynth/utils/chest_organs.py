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
"""The organs of a chest radiograph, and the classes of the label set `chest_organ` that each is made of."""

from __future__ import annotations

__all__ = ["CHEST_ORGANS"]

#: organ -> names of the classes whose union is the organ; right and left are the patient's
CHEST_ORGANS: dict[str, tuple[str, ...]] = {
    "right_lung": ("right_lung", "right_clavicle_over_lung"),
    "left_lung": ("left_lung", "left_clavicle_over_lung"),
    "heart": ("heart",),
    "right_clavicle": ("right_clavicle", "right_clavicle_over_lung"),
    "left_clavicle": ("left_clavicle", "left_clavicle_over_lung"),
}
