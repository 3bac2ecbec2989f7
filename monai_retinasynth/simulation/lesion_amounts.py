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
"""How many lesions an eye of each grade has, after the International Clinical Diabetic Retinopathy scale.

The scale (Wilkinson et al., Ophthalmology 110:1677-1682, 2003) says which lesions make a grade: 0 none; 1
microaneurysms only; 2 more than microaneurysms, less than 3; 3 more than 20 intraretinal haemorrhages in each of four
quadrants (its other two criteria, venous beading and intraretinal microvascular anomalies, are in no label set here);
4 new vessels, or a preretinal or vitreous haemorrhage. It names no other amounts. The ranges here keep its definitions,
and are otherwise set by hand to look plausible: they are not fitted to any data set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from ..utils.errors import ConfigError

__all__ = ["LESION_AMOUNTS", "LesionAmounts"]

_RANGES = ("microaneurysms", "haemorrhages", "hard_exudates", "soft_exudates", "new_vessel_tufts")
_SHARES = ("flame_share", "star_share", "new_vessels_at_disc_share", "preretinal_share")


@dataclass(frozen=True)
class LesionAmounts:
    """Amounts of lesions in one photographed field; a range is (least, most), both included, drawn evenly.

    Args:
        microaneurysms: range of their number.
        haemorrhages: range of the number of intraretinal haemorrhages, dots, blots and flames together.
        haemorrhages_in_each_quadrant: least number in each of the four quadrants of the field, which meet at its
            centre; the rest lies anywhere.
        hard_exudates: range of the number of single exudates; they lie in clusters of about 25, and where they touch
            they run into plaques.
        soft_exudates: range of the number of cotton wool spots.
        new_vessel_tufts: range of the number of tufts of new vessels.
        flame_share: share of the haemorrhages that are flame-shaped, 0 to 1.
        star_share: chance that a cluster of hard exudates is a star around the fovea, and so may reach it, 0 to 1.
        new_vessels_at_disc_share: chance that the first tuft lies at the optic disc, 0 to 1.
        preretinal_share: chance of one large preretinal haemorrhage, 0 to 1.

    Raises:
        ConfigError: when a range is not two whole numbers that rise from 0 or more, or a share is not in 0 to 1.
    """

    microaneurysms: tuple[int, int] = (0, 0)
    haemorrhages: tuple[int, int] = (0, 0)
    haemorrhages_in_each_quadrant: int = 0
    hard_exudates: tuple[int, int] = (0, 0)
    soft_exudates: tuple[int, int] = (0, 0)
    new_vessel_tufts: tuple[int, int] = (0, 0)
    flame_share: float = 0.25
    star_share: float = 0.0
    new_vessels_at_disc_share: float = 0.5
    preretinal_share: float = 0.0

    def __post_init__(self) -> None:
        for name in _RANGES:
            value = getattr(self, name)
            ends = tuple(value) if isinstance(value, (tuple, list)) else ()
            if len(ends) != 2 or any(int(end) != end for end in ends) or not 0 <= ends[0] <= ends[1]:
                raise ConfigError(f"{name} of the lesion amounts must be (least, most) with 0 <= least, got {value!r}")
            object.__setattr__(self, name, (int(ends[0]), int(ends[1])))  # JSON brings lists
        for name in _SHARES:
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} of the lesion amounts must be in 0 to 1, got {getattr(self, name)!r}")
        quadrant = self.haemorrhages_in_each_quadrant
        if int(quadrant) != quadrant or not 0 <= 4 * quadrant <= self.haemorrhages[0]:
            raise ConfigError(
                f"haemorrhages_in_each_quadrant is {quadrant!r}, but four times that must be at most the least number "
                f"of haemorrhages, {self.haemorrhages[0]}"
            )

    def to_dict(self) -> dict[str, list[int] | int | float]:
        """Plain form for JSON."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


# 24, not 21, in each quadrant: a hard exudate that hides one, or a spot on the border, must not undo the definition.
# Grade 2 has too few haemorrhages for more than 20 in four quadrants whatever their places.
LESION_AMOUNTS: Mapping[int, LesionAmounts] = {
    0: LesionAmounts(),
    1: LesionAmounts(microaneurysms=(3, 15)),
    2: LesionAmounts(microaneurysms=(10, 40), haemorrhages=(3, 30), hard_exudates=(0, 70), soft_exudates=(0, 1)),
    3: LesionAmounts(
        microaneurysms=(40, 90),
        haemorrhages=(100, 150),
        haemorrhages_in_each_quadrant=24,
        hard_exudates=(40, 180),
        soft_exudates=(2, 7),
        flame_share=0.35,
        star_share=0.15,
    ),
    4: LesionAmounts(
        microaneurysms=(20, 80),
        haemorrhages=(20, 90),
        hard_exudates=(10, 140),
        soft_exudates=(0, 5),
        new_vessel_tufts=(1, 3),
        flame_share=0.3,
        star_share=0.1,
        new_vessels_at_disc_share=0.55,
        preretinal_share=0.5,
    ),
}
