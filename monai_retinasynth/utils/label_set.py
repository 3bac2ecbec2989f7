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
"""Label sets: the class names and colours of a label map, declared once and carried with the data.

A label map is one class index per pixel, uint8. On disk it is a palette PNG, so that a person sees the colours of the
label set and a program reads the indices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import DataError

__all__ = [
    "CHEST_ORGAN",
    "FUNDUS_DISC_VESSEL",
    "FUNDUS_LESION",
    "FUNDUS_VESSEL",
    "LABEL_SETS",
    "LESION_CLASSES",
    "LabelSet",
    "get_label_set",
]


@dataclass(frozen=True)
class LabelSet:
    """Names and display colours of the classes of a label map.

    Args:
        name: short name of the set.
        class_names: one name for each class index, 0 first.
        colors: one (red, green, blue) in 0..255 for each class.

    Raises:
        DataError: When names repeat, a colour is not an RGB triple in 0..255, or there are not 1 to 256 classes.
    """

    name: str
    class_names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]

    def __post_init__(self) -> None:
        # JSON brings lists; tuples keep the set hashable and truly frozen
        object.__setattr__(self, "class_names", tuple(str(n) for n in self.class_names))
        object.__setattr__(self, "colors", tuple(tuple(int(v) for v in c) for c in self.colors))
        if not 1 <= len(self.class_names) <= 256:
            raise DataError(f"label set {self.name!r} has {len(self.class_names)} classes, give 1 to 256")
        if len(set(self.class_names)) != len(self.class_names):
            raise DataError(f"label set {self.name!r} names a class twice: {self.class_names}")
        if len(self.colors) != len(self.class_names):
            raise DataError(
                f"label set {self.name!r} has {len(self.class_names)} classes but {len(self.colors)} colours, "
                "give one (red, green, blue) for each class"
            )
        for color in self.colors:
            if len(color) != 3 or min(color) < 0 or max(color) > 255:
                raise DataError(f"label set {self.name!r} has the colour {color}, give (red, green, blue) in 0..255")

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def index(self, name: str) -> int:
        """Class index of the class called `name`."""
        if name not in self.class_names:
            raise DataError(f"label set {self.name!r} has no class {name!r}, it has {list(self.class_names)}")
        return self.class_names.index(name)

    def palette(self) -> list[int]:
        """The 256 RGB triples of a palette image, flat (768 values); unused entries are black."""
        flat = [value for color in self.colors for value in color]
        return flat + [0] * (768 - len(flat))

    def colorize(self, label_map: np.ndarray) -> np.ndarray:
        """Draw a label map in the colours of the set.

        Args:
            label_map: class indices, shape (H, W).

        Returns:
            uint8 RGB picture, shape (H, W, 3).

        Raises:
            DataError: When a value is not a class of the set.
        """
        label_map = np.asarray(label_map)
        if label_map.ndim != 2:
            raise DataError(f"a label map to colour has shape (H, W), got {label_map.shape}")
        if label_map.size and (label_map.min() < 0 or label_map.max() >= self.num_classes):
            raise DataError(
                f"label map holds values {label_map.min()} to {label_map.max()}, "
                f"label set {self.name!r} has classes 0 to {self.num_classes - 1}"
            )
        return np.asarray(self.colors, dtype=np.uint8)[label_map.astype(np.intp)]

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {"name": self.name, "class_names": list(self.class_names), "colors": [list(c) for c in self.colors]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LabelSet:
        """Label set from its plain form, as `to_dict` gives it."""
        missing = [key for key in ("name", "class_names", "colors") if key not in data]
        if missing:
            raise DataError(f"a label set needs the keys name, class_names and colors; missing: {missing}")
        return cls(name=str(data["name"]), class_names=tuple(data["class_names"]), colors=tuple(data["colors"]))


FUNDUS_VESSEL = LabelSet(
    name="fundus_vessel",
    class_names=("outside", "retina", "vessel"),
    colors=((0, 0, 0), (160, 72, 38), (255, 236, 160)),
)

# a vessel that crosses the disc is vessel; the disc lies between retina and vessel, so that ties go the same way
FUNDUS_DISC_VESSEL = LabelSet(
    name="fundus_disc_vessel",
    class_names=("outside", "retina", "optic_disc", "vessel"),
    colors=((0, 0, 0), (160, 72, 38), (250, 172, 60), (255, 236, 160)),
)

# where structures overlap the later class is drawn: small lesions lie on top of large ones, lesions on vessels and disc
FUNDUS_LESION = LabelSet(
    name="fundus_lesion",
    class_names=(
        "outside",
        "retina",
        "vessel",
        "optic_disc",
        "soft_exudate",
        "haemorrhage",
        "hard_exudate",
        "microaneurysm",
    ),
    colors=(
        (0, 0, 0),
        (160, 72, 38),
        (255, 236, 160),
        (250, 172, 60),
        (225, 225, 235),
        (110, 0, 20),
        (255, 255, 0),
        (0, 200, 255),
    ),
)

#: the lesions among the classes of `FUNDUS_LESION`, in the order they are drawn
LESION_CLASSES = FUNDUS_LESION.class_names[4:]

# right and left are the patient's; the last two classes are where a clavicle covers lung, so that the label map keeps
# both organs whole (see `chest_organs`)
CHEST_ORGAN = LabelSet(
    name="chest_organ",
    class_names=(
        "background",
        "right_lung",
        "left_lung",
        "heart",
        "right_clavicle",
        "left_clavicle",
        "right_clavicle_over_lung",
        "left_clavicle_over_lung",
    ),
    colors=(
        (0, 0, 0),
        (70, 130, 230),
        (60, 190, 120),
        (225, 60, 60),
        (255, 225, 90),
        (255, 150, 30),
        (200, 190, 200),
        (170, 110, 200),
    ),
)

LABEL_SETS: dict[str, LabelSet] = {
    labels.name: labels for labels in (FUNDUS_VESSEL, FUNDUS_DISC_VESSEL, FUNDUS_LESION, CHEST_ORGAN)
}


def get_label_set(label_set: str | LabelSet | Mapping[str, Any]) -> LabelSet:
    """Label set from its name in `LABEL_SETS`, its plain form, or itself.

    Raises:
        DataError: When no label set has that name.
    """
    if isinstance(label_set, LabelSet):
        return label_set
    if isinstance(label_set, Mapping):
        return LabelSet.from_dict(label_set)
    if label_set not in LABEL_SETS:
        raise DataError(
            f"unknown label set {label_set!r}; known: {sorted(LABEL_SETS)}. "
            "For another one give its name, class_names and colors as a dictionary"
        )
    return LABEL_SETS[label_set]
