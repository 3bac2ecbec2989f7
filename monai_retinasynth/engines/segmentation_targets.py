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
"""What a segmentation network learns: all classes of a label set, or some of them and everything else as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monai_retinasynth.utils.errors import ConfigError
from monai_retinasynth.utils.label_set import LabelSet, get_label_set

__all__ = ["OTHER_CLASS", "SegmentationTargets", "select_segmentation_targets"]

#: class name of all that lies inside the field of view and is no target
OTHER_CLASS = "other"
_KIND = "semantic_segmentation"


@dataclass(frozen=True)
class SegmentationTargets:
    """
    Args:
        label_set: the classes of the network: those of the data, or outside, other and the targets.
        names: the targets, in the order of the data's label set; empty where all classes are learned.
        mapping: class of `label_set` for each class of the data.
        kind: kind of the network's checkpoints; names the targets, so that a network for others is refused by name.
    """

    label_set: LabelSet
    names: tuple[str, ...]
    mapping: tuple[int, ...]
    kind: str

    def crop_ratios(self, positive_crops: float | None) -> list[float] | None:
        """
        Chances of the classes to be in the centre of a training crop, for `RandCropByLabelClasses`.

        Args:
            positive_crops: share of crops, 0 to below 1, centred on a pixel of a target, each target alike; the others
                are centred anywhere inside the field of view. None for crops anywhere in the picture.

        Returns:
            one number a class of `label_set`, or None.

        Raises:
            ConfigError: when it is no such share, or there are no targets.
        """
        if positive_crops is None:
            return None
        if not self.names:
            raise ConfigError("positive_crops needs target_classes, the classes to centre crops on")
        # some must lie elsewhere: a photograph without any target has no other centre
        if not 0 <= positive_crops < 1:
            raise ConfigError(f"positive_crops is a share of crops, 0 or more and below 1, got {positive_crops}")
        return [0.0, 1.0 - positive_crops, *[positive_crops / len(self.names)] * len(self.names)]


def select_segmentation_targets(
    label_set: str | LabelSet | Mapping[str, Any],
    target_classes: Sequence[str] | str | None = None,
    outside_class: int = 0,
) -> SegmentationTargets:
    """
    Turn the key `target_classes` into the label set of a network.

    Args:
        label_set: label set of the data.
        target_classes: names of the classes to find, in any order, or one name; the network's classes are then
            outside, other, and these in the order of `label_set`. None for all classes of `label_set`.
        outside_class: index of `label_set` outside the field of view.

    Raises:
        ConfigError: when a target is no class of the label set, is named twice, or is the outside.
    """
    labels = get_label_set(label_set)
    if target_classes is None:
        return SegmentationTargets(labels, (), tuple(range(labels.num_classes)), _KIND)
    wanted = [target_classes] if isinstance(target_classes, str) else list(target_classes)
    candidates = [name for number, name in enumerate(labels.class_names) if number != outside_class]
    if not wanted or len(set(wanted)) < len(wanted) or not set(wanted) <= set(candidates):
        raise ConfigError(
            f"target_classes is {wanted}; give one or more different ones of {candidates}, the classes of label set "
            f"{labels.name!r}, or null for all of them"
        )
    names = tuple(name for name in candidates if name in wanted)
    rest = next(
        (number for number, name in enumerate(labels.class_names) if name in candidates and name not in names), 0
    )
    target_set = LabelSet(
        name=f"{labels.name}_{'_'.join(names)}",
        class_names=(labels.class_names[outside_class], OTHER_CLASS, *names),
        colors=tuple(labels.colors[number] for number in (outside_class, rest, *map(labels.index, names))),
    )
    mapping = tuple(
        0 if number == outside_class else target_set.index(name) if name in names else 1
        for number, name in enumerate(labels.class_names)
    )
    return SegmentationTargets(target_set, names, mapping, f"{_KIND} of {', '.join(names)}")
