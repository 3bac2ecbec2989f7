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
"""The phantom: labelled retinal photographs from a simulation, without any training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np

from ..utils.errors import ConfigError
from ..utils.label_set import FUNDUS_LESION, FUNDUS_VESSEL, LabelSet
from .eye_geometry import EyeGeometry
from .fundus_appearance import paint_fundus
from .lesion_amounts import LESION_AMOUNTS, LesionAmounts
from .lesions import sample_lesions
from .vessel_drawing import VesselField, draw_vessels
from .vessel_tree import grow_vessel_trees

__all__ = ["FundusPhantom"]

_OUTSIDE, _RETINA, _VESSEL = 0, 1, 2  # classes of both label sets
_MIN_EDGE = 32
_MIN_LESION_EDGE = 64  # in a smaller picture one-pixel lesions would cover the retina
_FIELD_DEGREES = 45.0  # of the eye as `EyeGeometry` lays it out
VIEWS = ("macula", "disc")
_MIN_DRAWN_RADIUS = 0.22  # pixels; a finer vessel would not show in a picture of that size


class FundusPhantom:
    """Simulated eyes: case `i` of seed `s` is always the same eye, and the same pixels for a given size.

    The field of view is a circle in the middle of the picture, 0.955 of the shorter edge wide, as DRIVE's. Lengths of
    the eye are relative to it: a case looks alike at 128 and at 1024 pixels, but for the finest vessels, which a small
    picture cannot show.

    With the label set `fundus_lesion` the eyes have diabetic retinopathy: case i has the grade
    `grades[i % len(grades)]` and the lesions of that grade (:func:`sample_lesions`). The healthy eye underneath is the
    same whatever the label set and the grade.

    Args:
        size: edge of a square picture, or (H, W), in pixels; 32 at least, 64 at least with lesions.
        seed: seed of the whole set.
        label_set: `"fundus_vessel"`, or `"fundus_lesion"`.
        grades: grades 0 to 4 that the cases take in turn, for `"fundus_lesion"` only; all five when `None`.
        lesion_amounts: amounts of lesions by grade, in place of those of `LESION_AMOUNTS`; grades that it does not name
            keep theirs. A mapping from JSON may have its grades as text.
        view: what the photographer centres on, `"macula"` (DRIVE, screening) or `"disc"` (CHASE_DB1), or several, one
            of which is drawn for each eye.
        field_degrees: visual angle of the field of view, 30 to 45 degrees: a narrower one shows less of the eye, and
            that larger. Two angles, the narrower first: drawn between them for each eye.

    Raises:
        ConfigError: when the size is too small or not one or two whole numbers, the label set is another one, a grade
            is not 0 to 4, or grades or amounts come with a label set that has no lesions, the view is another one, or
            the field is not 30 to 45 degrees.
    """

    fov_fraction = 0.955

    def __init__(
        self,
        size: int | Sequence[int] = 512,
        seed: int = 0,
        label_set: str = "fundus_vessel",
        grades: Sequence[int] | None = None,
        lesion_amounts: Mapping[int | str, LesionAmounts] | None = None,
        view: str | Sequence[str] = "macula",
        field_degrees: float | Sequence[float] = _FIELD_DEGREES,
    ) -> None:
        views = (view,) if isinstance(view, str) else tuple(view)
        if not views or len(set(views)) < len(views) or not set(views) <= set(VIEWS):
            raise ConfigError(f"view must be one of {list(VIEWS)}, or different ones of them, got {view!r}")
        if label_set not in (FUNDUS_VESSEL.name, FUNDUS_LESION.name):
            raise ConfigError(
                f"the phantom draws the label sets {FUNDUS_VESSEL.name!r} and {FUNDUS_LESION.name!r}, got {label_set!r}"
            )
        self.has_lesions = label_set == FUNDUS_LESION.name
        least = _MIN_LESION_EDGE if self.has_lesions else _MIN_EDGE
        edges = (size, size) if isinstance(size, (int, np.integer)) else tuple(size)
        if len(edges) != 2 or min(edges) < least or any(int(edge) != edge for edge in edges):
            raise ConfigError(
                f"size of the phantom must be one edge or (height, width), {least} px or more, got {size}"
            )
        self.size = (int(edges[0]), int(edges[1]))
        self.seed = int(seed)
        self.views = views
        self.field_range = _angles(field_degrees)
        self.label_set: LabelSet = FUNDUS_LESION if self.has_lesions else FUNDUS_VESSEL
        if not self.has_lesions and (grades is not None or lesion_amounts is not None):
            raise ConfigError(
                f"grades and lesion_amounts need a label set with lesions, but label_set is {label_set!r}: "
                f"choose {FUNDUS_LESION.name!r}, or leave them out"
            )
        self.lesion_amounts = {**LESION_AMOUNTS, **_by_grade(lesion_amounts or {})}
        self.grades = _checked_grades(sorted(LESION_AMOUNTS) if grades is None else grades) if self.has_lesions else ()

    def grade(self, index: int) -> int | None:
        """Grade of case `index`, 0 to 4; `None` for a label set without lesions."""
        return self.grades[index % len(self.grades)] if self.grades else None

    def field_degrees(self, index: int) -> float:
        """Visual angle of the field of view of case `index`."""
        narrow, wide = self.field_range
        return wide if narrow == wide else float(self._rng(index, 5).uniform(narrow, wide))

    @property
    def fov_radius(self) -> float:
        """Radius of the field of view in pixels."""
        return 0.5 * self.fov_fraction * min(self.size)

    def field_of_view(self) -> np.ndarray:
        """(H, W) bool, true inside the field of view."""
        height, width = self.size
        x = np.arange(width) - (width - 1) / 2.0
        y = np.arange(height) - (height - 1) / 2.0
        return np.hypot(x[None, :], y[:, None]) <= self.fov_radius

    def label_map(self, index: int) -> np.ndarray:
        """Label map of case `index`: (H, W) uint8, class indices of the label set."""
        return self._compose(self._eye(index))

    def label_map_and_trees(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Label map of case `index` and, (H, W) uint8 as well, which tree its vessels belong to.

        The trees are 0 where there is no vessel, 1 arteries, 2 veins and 3 where they cross; new vessels belong to none
        of them and are 0 too.
        """
        eye = self._eye(index)
        label = self._compose(eye)
        trees = eye.arteries.mask().astype(np.uint8) + 2 * eye.veins.mask().astype(np.uint8)
        return label, np.where(label == _VESSEL, trees, 0).astype(np.uint8)

    def pair(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Photograph (H, W, 3) uint8 RGB and label map (H, W) uint8 of case `index`."""
        eye = self._eye(index)
        label = self._compose(eye)
        image = paint_fundus(
            eye.geometry,
            eye.arteries,
            eye.veins,
            eye.pixels_per_unit,
            self._rng(index, 1),
            eye.new_vessels,
            label if eye.lesions else None,
            self._rng(index, 3),
            self.fov_radius,
        )
        return image, label

    def _rng(self, index: int, stream: int) -> np.random.Generator:
        return np.random.default_rng([abs(self.seed), int(self.seed < 0), int(index), stream])

    def _eye(self, index: int) -> _Eye:
        rng = self._rng(index, 0)
        geometry = EyeGeometry.sample(rng)
        centring = self._rng(index, 4)
        view = self.views[0] if len(self.views) == 1 else self.views[centring.integers(len(self.views))]
        if view == "disc":
            geometry = geometry.centred_on_disc(centring)
        trees = grow_vessel_trees(geometry, rng)
        unit = self.fov_radius * _FIELD_DEGREES / self.field_degrees(index)
        arteries, veins = (draw_vessels(tree, self.size, unit, _MIN_DRAWN_RADIUS) for tree in trees)
        grade = self.grade(index)
        if grade is None:
            return _Eye(geometry, unit, arteries, veins, None, {})
        found = sample_lesions(grade, geometry, trees, self._rng(index, 2), self.lesion_amounts)
        # drawn down to any width: they make the grade, so that no picture is too small to show them
        new = None if found.new_vessels is None else draw_vessels(found.new_vessels, self.size, unit)
        masks = found.masks(self.size, unit) if found.lesions else {}
        return _Eye(geometry, unit, arteries, veins, new, masks)

    def _compose(self, eye: _Eye) -> np.ndarray:
        label = np.full(self.size, _RETINA, dtype=np.uint8)
        label[eye.arteries.mask() | eye.veins.mask()] = _VESSEL
        if eye.new_vessels is not None:
            label[eye.new_vessels.mask()] = _VESSEL
        if self.has_lesions:  # the label set's rule: what has the higher index is drawn
            label[self._disc(eye)] = self.label_set.index("optic_disc")
            for name in sorted(eye.lesions, key=self.label_set.index):
                label[eye.lesions[name]] = self.label_set.index(name)
        label[~self.field_of_view()] = _OUTSIDE
        return label

    def _disc(self, eye: _Eye) -> np.ndarray:
        """(H, W) bool: the optic disc."""
        (disc_x, disc_y), (radius_x, radius_y) = eye.geometry.disc, eye.geometry.disc_radii
        x = (np.arange(self.size[1]) - (self.size[1] - 1) / 2.0) / eye.pixels_per_unit - disc_x
        y = (np.arange(self.size[0]) - (self.size[0] - 1) / 2.0) / eye.pixels_per_unit - disc_y
        return np.hypot(x[None, :] / radius_x, y[:, None] / radius_y) <= 1.0


@dataclass(frozen=True)
class _Eye:
    """One eye on the pixel grid; the unit of length of its geometry, the radius of a field of 45 degrees, is
    `pixels_per_unit`; `lesions` are masks by class name, none in an eye without lesions."""

    geometry: EyeGeometry
    pixels_per_unit: float
    arteries: VesselField
    veins: VesselField
    new_vessels: VesselField | None
    lesions: dict[str, np.ndarray]


def _angles(field_degrees: float | Sequence[float]) -> tuple[float, float]:
    """Narrowest and widest field of view."""
    angles = [field_degrees] if isinstance(field_degrees, Real) else field_degrees
    if (
        not isinstance(angles, (list, tuple))
        or len(angles) not in (1, 2)
        or not all(isinstance(angle, Real) and 30.0 <= angle <= _FIELD_DEGREES for angle in angles)
        or angles[0] > angles[-1]
    ):
        raise ConfigError(
            f"field_degrees must be 30 to {_FIELD_DEGREES:g} degrees, or two such angles, the narrower first, got "
            f"{field_degrees!r}"
        )
    return float(angles[0]), float(angles[-1])


def _checked_grades(grades: Sequence[int]) -> tuple[int, ...]:
    if isinstance(grades, (str, bytes)) or not isinstance(grades, Sequence) or not grades:
        raise ConfigError(f"grades must be a list of grades {sorted(LESION_AMOUNTS)}, got {grades!r}")
    for grade in grades:
        if isinstance(grade, bool) or grade not in LESION_AMOUNTS:
            raise ConfigError(f"grade {grade!r} in grades is none of {sorted(LESION_AMOUNTS)}: correct grades={grades}")
    return tuple(int(grade) for grade in grades)


def _by_grade(amounts: Mapping[int | str, LesionAmounts]) -> dict[int, LesionAmounts]:
    result = {}
    for key, value in amounts.items():
        if str(key) not in {str(grade) for grade in LESION_AMOUNTS} or not isinstance(value, LesionAmounts):
            raise ConfigError(
                f"lesion_amounts must give a LesionAmounts for grades {sorted(LESION_AMOUNTS)}, got {key!r}: {value!r}"
            )
        result[int(key)] = value
    return result
