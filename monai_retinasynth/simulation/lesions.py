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
"""Where the lesions of diabetic retinopathy lie in an eye of a given grade, and what shape they have.

Amounts come from :class:`LesionAmounts`. Microaneurysms and haemorrhages keep near the vessels and the posterior pole:
dots and blots are round, flames lie in the nerve fibre layer and point along it. Hard exudates lie in clusters, rings
and stars around the macula. Soft exudates (cotton wool spots) lie beside the arcades near the disc. Sizes are shares of
the disc's diameter: microaneurysms 1/50 to 1/20, blots 1/20 to 1/6, cotton wool spots 1/4 to 1/3. Nothing lies on the
disc or on the fovea, but for the innermost exudates of a macular star. Lesions are placed in field radii, so an eye has
the same lesions at every size; in a picture of less than about 128 px many touch, and fewer spots can be counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from ..utils.errors import ConfigError
from ..utils.label_set import LESION_CLASSES
from .eye_geometry import EyeGeometry
from .lesion_amounts import LESION_AMOUNTS, LesionAmounts
from .lesion_shapes import Lesion, draw_lesions
from .new_vessels import grow_new_vessels
from .vessel_tree import VesselTree

__all__ = ["EyeLesions", "quadrant", "sample_lesions"]


_RIM = 0.95  # lesions lie within this radius of the field
_FOVEA = 0.085  # free of lesions
_GAP = 0.014  # between two spots of blood; 3 px of a 512 px picture
_EXUDATES_A_CLUSTER = 25
_ROUNDS = 60  # of candidates, before an amount is said not to fit


@dataclass(frozen=True)
class EyeLesions:
    """All lesions of one eye.

    Args:
        grade: its grade, 0 to 4.
        lesions: large ones first.
        new_vessels: new vessels, or `None`.
    """

    grade: int
    lesions: tuple[Lesion, ...]
    new_vessels: VesselTree | None

    def masks(self, size: tuple[int, int], pixels_per_unit: float) -> dict[str, np.ndarray]:
        """(H, W) bool for each of `LESION_CLASSES`, in a picture whose field of view has that radius in pixels."""
        return draw_lesions(self.lesions, size, pixels_per_unit, LESION_CLASSES)


def quadrant(points: np.ndarray) -> np.ndarray:
    """(N,) quadrant 0 to 3 of (N, 2) points: 1 is added right of the field's centre, 2 below it."""
    return (points[:, 0] >= 0).astype(np.int64) + 2 * (points[:, 1] >= 0)


def sample_lesions(
    grade: int,
    geometry: EyeGeometry,
    trees: Sequence[VesselTree],
    rng: np.random.Generator,
    amounts: Mapping[int, LesionAmounts] = LESION_AMOUNTS,
) -> EyeLesions:
    """Draw the lesions of one eye.

    Args:
        grade: grade of the eye in `amounts`.
        geometry: landmarks of the eye.
        trees: its arteries and veins.
        rng: source of chance.
        amounts: amounts of lesions of each grade.

    Returns:
        the lesions, free of a pixel size: :meth:`EyeLesions.masks` draws them.

    Raises:
        ConfigError: when `amounts` has no such grade, or more lesions than find room.
    """
    if grade not in amounts:
        raise ConfigError(f"there are no lesion amounts for grade {grade!r}, use one of {sorted(amounts)}")
    amount = amounts[grade]
    retina = _Retina(geometry, trees, rng)
    if rng.random() < amount.preretinal_share:
        retina.add_preretinal_haemorrhage()
    retina.add_soft_exudates(_draw(amount.soft_exudates, rng))
    retina.add_haemorrhages(
        _draw(amount.haemorrhages, rng), amount.flame_share, int(amount.haemorrhages_in_each_quadrant)
    )
    retina.add_hard_exudates(_draw(amount.hard_exudates, rng), amount.star_share)
    retina.add_microaneurysms(_draw(amount.microaneurysms, rng))
    tufts = _draw(amount.new_vessel_tufts, rng)
    at_disc = bool(rng.random() < amount.new_vessels_at_disc_share)
    new_vessels = grow_new_vessels(geometry, trees, tufts, at_disc, rng) if tufts else None
    return EyeLesions(grade, tuple(retina.lesions), new_vessels)


def _draw(amount: tuple[int, int], rng: np.random.Generator) -> int:
    return int(rng.integers(amount[0], amount[1] + 1))


class _Retina:
    """The eye while its lesions are placed."""

    def __init__(self, geometry: EyeGeometry, trees: Sequence[VesselTree], rng: np.random.Generator) -> None:
        self.geometry = geometry
        self.rng = rng
        self.disc_diameter = 2.0 * geometry.disc_radii[1]
        self.nodes = np.concatenate([tree.positions for tree in trees])
        self.node_radii = np.concatenate([tree.radii for tree in trees])
        self.nearest_node = cKDTree(self.nodes)
        self.lesions: list[Lesion] = []
        self.disc_and_fovea = np.array([[*geometry.disc, 1.08 * geometry.disc_radii[1]], [*geometry.fovea, _FOVEA]])
        self.taken = self.disc_and_fovea

    # shapes

    def blob(self, class_name: str, point: np.ndarray, radius: float, lobes: int, spread: float) -> Lesion:
        """A roundish lesion: `lobes` ellipses around a point, together about `radius` in extent."""
        angle = self.rng.uniform(0.0, 2.0 * np.pi, lobes)
        away = spread * radius * np.sqrt(self.rng.random(lobes))
        x, y = point[0] + away * np.cos(angle), point[1] + away * np.sin(angle)
        length = (radius - away) * self.rng.uniform(0.85, 1.1, lobes)
        width = length * self.rng.uniform(0.65, 1.0, lobes)
        return Lesion(class_name, np.stack([x, y, length, width, self.rng.uniform(0.0, np.pi, lobes)], axis=-1))

    def flame(self, point: np.ndarray) -> Lesion:
        """A haemorrhage of the nerve fibre layer: a bundle of streaks along the fibres."""
        length = self.disc_diameter * self.log_uniform(0.09, 0.22)
        width = length * self.rng.uniform(0.18, 0.32)
        fibre = self.geometry.outflow(point[None])[0]
        heading = np.arctan2(fibre[1], fibre[0]) + self.rng.normal(0.0, 0.12)
        count = int(self.rng.integers(4, 8))
        across = np.linspace(-0.7, 0.7, count) * width
        along = self.rng.normal(0.0, 0.22, count) * length
        x = point[0] + along * np.cos(heading) - across * np.sin(heading)
        y = point[1] + along * np.sin(heading) + across * np.cos(heading)
        streak = length * self.rng.uniform(0.55, 0.9, count) * np.sqrt(1.0 - 0.6 * np.linspace(-1.0, 1.0, count) ** 2)
        thick = np.full(count, 1.5 * width / count)
        angle = heading + 0.15 * np.linspace(-1.0, 1.0, count)
        return Lesion("haemorrhage", np.stack([x, y, np.maximum(streak, thick), thick, angle], axis=-1))

    def log_uniform(self, low: float, high: float) -> float:
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    # places

    def distances(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distance of (N, 2) points from the fovea, the disc's centre and the nearest vessel's wall."""
        away, node = self.nearest_node.query(points)
        fovea = np.linalg.norm(points - self.geometry.fovea, axis=1)
        disc = np.linalg.norm(points - self.geometry.disc, axis=1)
        return fovea, disc, away - self.node_radii[node]

    def scattered(self, likelihood: Callable[[np.ndarray], np.ndarray]) -> Callable[[], np.ndarray]:
        """Source of points that lie in the field with a likelihood of 0 to 1 by place."""

        def points() -> np.ndarray:
            radius, angle = _RIM * np.sqrt(self.rng.random(1024)), self.rng.uniform(0.0, 2.0 * np.pi, 1024)
            candidates = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
            return candidates[self.rng.random(1024) < likelihood(candidates)]

        return points

    def place(
        self,
        what: str,
        count: int,
        candidates: Callable[[], np.ndarray],
        shape: Callable[[np.ndarray], Lesion],
        gap: float,
        in_each_quadrant: int = 0,
        obstacles: np.ndarray | None = None,
    ) -> None:
        """Put `count` lesions where candidates are free of others; with `obstacles`, only those count as others."""
        if count == 0:
            return
        wanted = np.full(4, in_each_quadrant)
        anywhere = count - 4 * in_each_quadrant
        placed: list[np.ndarray] = []
        for _ in range(_ROUNDS):
            others = self.taken if obstacles is None else obstacles
            points = candidates()
            away = cdist(points, others[:, :2])
            points = points[(away > others[:, 2] + gap).all(axis=1)]  # before shapes are made: most fail here
            for point, number in zip(points, quadrant(points)):
                if wanted[number] == 0 and anywhere == 0:
                    continue
                lesion = shape(point)
                circles = lesion.circles()
                others = self.taken if obstacles is None else obstacles  # grows as lesions are placed
                away = cdist(circles[:, :2], others[:, :2])
                inside = np.hypot(circles[:, 0], circles[:, 1]) + circles[:, 2] < _RIM
                if not inside.all() or (away < circles[:, None, 2] + others[None, :, 2] + gap).any():
                    continue
                if wanted[number] > 0:
                    wanted[number] -= 1
                else:
                    anywhere -= 1
                placed.append(circles)
                self.lesions.append(lesion)
                if obstacles is None:
                    self.taken = np.concatenate([self.taken, circles])
                if len(placed) == count:
                    if obstacles is not None:
                        self.taken = np.concatenate([self.taken, *placed])
                    return
        raise ConfigError(
            f"only {len(placed)} of {count} {what} find room in the field: choose smaller lesion amounts for that grade"
        )

    # lesions, large ones first

    def add_preretinal_haemorrhage(self) -> None:
        """One pool of blood before the retina, boat-shaped, mostly below the macula or an arcade."""

        def likelihood(points: np.ndarray) -> np.ndarray:
            fovea, _, _ = self.distances(points)
            below = points[:, 1] > self.geometry.fovea[1]
            return (fovea > 0.3) * (fovea < 0.75) * np.where(below, 1.0, 0.3)

        def shape(point: np.ndarray) -> Lesion:
            half = self.disc_diameter * self.rng.uniform(0.4, 0.95)
            deep = half * self.rng.uniform(0.55, 0.8)
            shift = self.rng.uniform(-0.15, 0.15) * half
            lobes = np.array(
                [
                    [point[0], point[1], half, deep, 0.0],
                    [point[0] + shift, point[1] + 0.2 * deep, 0.8 * half, 0.85 * deep, 0.1],
                ]
            )
            return Lesion("haemorrhage", lobes, level=float(point[1] - self.rng.uniform(0.0, 0.3) * deep))

        self.place("preretinal haemorrhages", 1, self.scattered(likelihood), shape, _GAP)

    def add_soft_exudates(self, count: int) -> None:
        """Cotton wool spots: fluffy, beside the arcades within about three disc diameters of the disc."""
        wide = self.node_radii >= np.quantile(self.node_radii, 0.7)
        arcades = cKDTree(self.nodes[wide])

        def likelihood(points: np.ndarray) -> np.ndarray:
            fovea, disc, _ = self.distances(points)
            beside = np.exp(-(((arcades.query(points)[0] - 0.06) / 0.05) ** 2))
            return beside * np.exp(-((disc / (2.2 * self.disc_diameter)) ** 2)) * (fovea > 0.22)

        def shape(point: np.ndarray) -> Lesion:
            radius = 0.5 * self.disc_diameter * self.rng.uniform(1 / 4, 1 / 3)
            return self.blob("soft_exudate", point, radius, int(self.rng.integers(6, 11)), 0.65)

        self.place("soft exudates", count, self.scattered(likelihood), shape, 2 * _GAP)

    def add_haemorrhages(self, count: int, flame_share: float, in_each_quadrant: int) -> None:
        """Dots and blots of the deeper retina, and flames of the nerve fibre layer."""

        def likelihood(points: np.ndarray) -> np.ndarray:
            fovea, _, wall = self.distances(points)
            return (0.2 + 0.8 * np.exp(-((wall / 0.05) ** 2))) * (0.3 + 0.7 * np.exp(-((fovea / 0.8) ** 2)))

        def shape(point: np.ndarray) -> Lesion:
            disc = np.linalg.norm(point - self.geometry.disc)
            # the nerve fibre layer is thick near the disc and along the arcades
            if self.rng.random() < flame_share * np.clip(1.9 - 1.2 * disc, 0.15, 1.5):
                return self.flame(point)
            radius = 0.5 * self.disc_diameter * self.log_uniform(1 / 20, 1 / 6)
            return self.blob("haemorrhage", point, radius, int(self.rng.integers(2, 6)), 0.45)

        self.place("haemorrhages", count, self.scattered(likelihood), shape, _GAP, in_each_quadrant)

    def add_hard_exudates(self, count: int, star_share: float) -> None:
        """Exudates in clusters, rings around a leak, and stars around the fovea."""
        others = self.taken
        without_fovea = others[np.arange(len(others)) != 1]

        def shape(point: np.ndarray) -> Lesion:
            radius = 0.5 * self.disc_diameter * self.log_uniform(1 / 36, 1 / 9)
            return self.blob("hard_exudate", point, radius, int(self.rng.integers(1, 4)), 0.55)

        for part in np.array_split(np.arange(count), max(1, round(count / _EXUDATES_A_CLUSTER))):
            is_star = bool(self.rng.random() < star_share)
            source = self.star() if is_star else self.heap_or_ring()
            obstacles = without_fovea if is_star else others
            self.place("hard exudates", len(part), source, shape, 0.0, obstacles=obstacles)

    def heap_or_ring(self) -> Callable[[], np.ndarray]:
        """Source of points of one cluster; where that finds no room, the cluster goes on at another place."""
        calls = 0
        source = self.ring() if self.rng.random() < 0.4 else self.heap()

        def points() -> np.ndarray:
            nonlocal calls, source
            calls += 1
            if calls % 6 == 0:
                source = self.heap()
            return source()

        return points

    def macular_point(self, nearest: float, furthest: float) -> np.ndarray:
        """A place around the fovea, more often on its temporal side."""
        while True:
            distance, angle = self.rng.uniform(nearest, furthest), self.rng.uniform(0.0, 2.0 * np.pi)
            if np.cos(angle) > 0 and self.rng.random() < 0.4:
                continue  # towards the disc
            point = self.geometry.to_picture(distance * np.array([np.cos(angle), np.sin(angle)]))
            if np.linalg.norm(point) < 0.75:
                return point

    def heap(self) -> Callable[[], np.ndarray]:
        """Points heaped around a few places of the macula."""
        centre = self.macular_point(0.15, 0.5)
        hearts = centre + self.rng.normal(0.0, 0.25 * self.disc_diameter, size=(4, 2))
        spread = self.disc_diameter * self.rng.uniform(0.08, 0.18)

        def points() -> np.ndarray:
            return hearts[self.rng.integers(4, size=64)] + self.rng.normal(0.0, spread, size=(64, 2))

        return points

    def ring(self) -> Callable[[], np.ndarray]:
        """Points on part of a ring: circinate exudates at the border of a swelling."""
        centre = self.macular_point(0.2, 0.5)
        radius = self.disc_diameter * self.rng.uniform(0.35, 0.75)
        start, arc = self.rng.uniform(0.0, 2.0 * np.pi), self.rng.uniform(0.8, 1.7) * np.pi

        def points() -> np.ndarray:
            angle = start + arc * self.rng.random(64)
            away = radius * (1.0 + 0.1 * np.sin(3.0 * angle + start) + self.rng.normal(0.0, 0.09, 64))
            return centre + np.stack([away * np.cos(angle), away * np.sin(angle)], axis=-1)

        return points

    def star(self) -> Callable[[], np.ndarray]:
        """Points on spokes around the fovea, denser inwards."""
        spokes = np.sort(self.rng.uniform(0.0, 2.0 * np.pi, int(self.rng.integers(7, 13))))
        reach = self.disc_diameter * self.rng.uniform(0.6, 0.95)

        def points() -> np.ndarray:
            angle = spokes[self.rng.integers(len(spokes), size=64)] + self.rng.normal(0.0, 0.05, 64)
            away = 0.05 + (reach - 0.05) * self.rng.random(64) ** 1.4
            return self.geometry.fovea + np.stack([away * np.cos(angle), away * np.sin(angle)], axis=-1)

        return points

    def add_microaneurysms(self, count: int) -> None:
        """Red dots beside the fine vessels of the posterior pole."""

        def likelihood(points: np.ndarray) -> np.ndarray:
            fovea, _, wall = self.distances(points)
            beside = np.exp(-(((wall - 0.025) / 0.035) ** 2))
            return (0.15 + 0.85 * beside) * (wall > 0.004) * (0.1 + 0.9 * np.exp(-((fovea / 0.6) ** 2)))

        def shape(point: np.ndarray) -> Lesion:
            radius = 0.5 * self.disc_diameter * self.log_uniform(1 / 50, 1 / 20)
            return Lesion("microaneurysm", np.array([[*point, radius, radius, 0.0]]))

        self.place("microaneurysms", count, self.scattered(likelihood), shape, 0.7 * _GAP)
