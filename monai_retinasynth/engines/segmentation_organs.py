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
"""What the key `organs` of the segmentation bundle means: organs that are made of a label set's classes, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai_retinasynth.utils.chest_organs import CHEST_ORGANS
from monai_retinasynth.utils.errors import ConfigError
from monai_retinasynth.utils.label_set import CHEST_ORGAN, LabelSet, get_label_set

__all__ = ["select_segmentation_organs"]


def select_segmentation_organs(
    organs: str | None,
    label_set: str | LabelSet | Mapping[str, Any],
    target_classes: Sequence[str] | str | None = None,
) -> dict[str, tuple[str, ...]]:
    """
    Turn the key `organs` into the organs to score.

    Args:
        organs: `"chest"` for `CHEST_ORGANS`, or None for none.
        label_set: label set of the data.
        target_classes: the key of that name, which organs exclude.

    Returns:
        organ -> names of the classes whose union it is; empty for none.

    Raises:
        ConfigError: when the name is unknown, the label set is not `chest_organ`, or there are target classes too.
    """
    if organs is None:
        return {}
    if organs != "chest":
        raise ConfigError(f"organs is {organs!r}; give 'chest', or null for photographs of the retina")
    labels = get_label_set(label_set)
    if labels.class_names != CHEST_ORGAN.class_names:
        raise ConfigError(
            f"organs 'chest' needs label_set {CHEST_ORGAN.name!r}; {labels.name!r} has the classes "
            f"{list(labels.class_names)}"
        )
    if target_classes:
        raise ConfigError("organs takes all classes of the label set; set target_classes to null")
    return dict(CHEST_ORGANS)
