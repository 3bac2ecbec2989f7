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
"""Where the optic disc, the fovea and the great vessels of one eye lie.

Lengths are in radii of the camera's field of view (about 22.5 degrees of visual angle in a 45 degree photograph), the
origin is the field's centre, x points right and y down, as in the picture. The eye is drawn in the fovea's frame first
(first axis towards the optic disc, second axis upwards), then turned and, for a left eye, mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

__all__ = ["EyeGeometry", "Trunk"]

_FURTHEST_DISC = 0.88


@dataclass(frozen=True)
class Trunk:
    """A great vessel laid out before the tree grows.

    Args:
        points: (N, 2) from the disc outwards.
        is_vein: vein or artery.
        limb: (M, 2) points of the second limb of its first great bifurcation; empty when there is none.
        limb_at: index of the point at which that limb leaves.
    """

    points: np.ndarray
    is_vein: bool
    limb: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    limb_at: int = 0


@dataclass(frozen=True)
class EyeGeometry:
    """Landmarks of one eye.

    Args:
        is_left: left eye (disc on the left of the picture) or right eye.
        fovea: (2,) position of the fovea.
        disc: (2,) centre of the optic disc.
        disc_radii: horizontal and vertical radius of the disc.
        torsion: turn of the line from fovea to disc against the horizontal, radians, positive with the disc higher.
    """

    is_left: bool
    fovea: np.ndarray
    disc: np.ndarray
    disc_radii: tuple[float, float]
    torsion: float

    @classmethod
    def sample(cls, rng: np.random.Generator) -> EyeGeometry:
        """Draw an eye photographed with the macula near the centre of the field, as in screening pictures."""
        is_left = bool(rng.random() < 0.5)
        fovea = rng.normal((-0.02, 0.0), (0.05, 0.04))
        if rng.random() < 0.08:  # now and then the photographer centres between disc and fovea
            fovea = fovea + (-0.28, rng.normal(0.0, 0.05))
        distance = float(np.clip(rng.normal(0.82, 0.04), 0.72, 0.90))
        torsion = float(np.clip(rng.normal(0.09, 0.06), -0.06, 0.22))
        disc = fovea + distance * np.array([np.cos(torsion), -np.sin(torsion)])
        # the photographer keeps the disc, and the vessels that arch off it, in the picture
        beyond = max(float(np.linalg.norm(disc)) - _FURTHEST_DISC, 0.0) / float(np.linalg.norm(disc))
        fovea, disc = fovea - beyond * disc, disc - beyond * disc
        vertical = float(np.clip(rng.normal(0.148, 0.014), 0.12, 0.185))
        radii = (vertical * float(rng.uniform(0.86, 0.98)), vertical)
        mirror = np.array([-1.0 if is_left else 1.0, 1.0])
        return cls(is_left, fovea * mirror, disc * mirror, radii, torsion)

    def centred_on_disc(self, rng: np.random.Generator) -> EyeGeometry:
        """The same eye photographed with the optic disc near the centre of the field, as in glaucoma work-up."""
        away = self.disc + rng.normal(0.0, 0.06, 2)
        return replace(self, fovea=self.fovea - away, disc=self.disc - away)

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Take (..., 2) points of the fovea's frame (towards the disc, upwards) to the picture's axes."""
        sine, cosine = np.sin(self.torsion), np.cos(self.torsion)
        along, upwards = points[..., 0], points[..., 1]
        x = along * cosine - upwards * sine
        y = -(along * sine + upwards * cosine)
        return np.stack([-x if self.is_left else x, y], axis=-1) + self.fovea

    def from_picture(self, points: np.ndarray) -> np.ndarray:
        """Inverse of :meth:`to_picture`."""
        away = points - self.fovea
        x, up = -away[..., 0] if self.is_left else away[..., 0], -away[..., 1]
        sine, cosine = np.sin(self.torsion), np.cos(self.torsion)
        return np.stack([x * cosine + up * sine, -x * sine + up * cosine], axis=-1)

    def outflow(self, points: np.ndarray) -> np.ndarray:
        """(N, 2) direction, at most a unit vector, in which vessels run at (N, 2) points of the picture.

        Away from the disc; between the arcades along the raphe, and weaker beyond the fovea, where vessels turn in from
        both sides.
        """
        frame = self.from_picture(points)
        away = frame - (np.linalg.norm(self.disc - self.fovea), 0.0)
        away = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
        along, up = frame[:, 0], frame[:, 1]
        outside = np.clip((np.abs(up) - 0.45) / 0.25, 0.0, 1.0)
        nasal = np.clip((along - 0.55) / 0.2, 0.0, 1.0)
        away[:, 1] *= np.maximum(0.15 + 0.85 * outside, nasal)
        away *= np.clip(0.85 + 0.7 * along, 0.15, 1.0)[:, None]
        return self.to_picture(away) - self.to_picture(np.zeros(2))

    def sample_trunks(self, rng: np.random.Generator, step: float) -> list[Trunk]:
        """Lay out arteries and veins that leave the disc: four arcades, the nasal and two small macular pairs.

        Args:
            rng: source of chance.
            step: distance between neighbouring points of a trunk.

        Returns:
            the trunks, veins and arteries; temporal ones first.
        """
        disc = float(np.linalg.norm(self.disc - self.fovea))
        size = self.disc_radii[1]
        trunks = []
        for hemisphere in (1.0, -1.0):
            height = float(np.clip(rng.normal(1.0, 0.09), 0.82, 1.2))
            run_out = float(rng.normal(0.0, 0.14))
            vein_outside = rng.random() < 0.5
            for is_vein in (True, False):
                own = height * (1.0 + (0.08 if is_vein == vein_outside else -0.08) + rng.normal(0.0, 0.02))
                shift = rng.normal(0.0, 0.02, size=(7, 2))
                control = np.array(
                    [
                        [disc + 0.01, -0.03],
                        [disc + 0.015, 0.9 * size],
                        [disc - 0.07, 0.28 * own],
                        [disc - 0.27, 0.50 * own],
                        [disc - 0.62, 0.67 * own],
                        [disc - 1.08, 0.68 * own + 0.4 * run_out],
                        [disc - 1.70, 0.44 * own + run_out],
                    ]
                )
                control[:2, 0] += (
                    -0.014 if is_vein else 0.018
                )  # side by side on the disc, the vein on the temporal side
                control += shift * np.array([0.4, 0.5, 1.0, 1.2, 1.5, 1.6, 1.6])[:, None]
                trunk = self._trunk(control * (1.0, hemisphere), is_vein, step)
                trunks.append(self._with_limb(rng, trunk, hemisphere, step))
            middle = rng.uniform(40.0, 62.0)
            for is_vein in (True, False):
                angle = np.deg2rad(middle + (9.0 if is_vein else -9.0) * rng.choice((-1.0, 1.0)) + rng.normal(0.0, 6.0))
                trunks.append(self._ray(rng, angle, 0.62, hemisphere, is_vein, size, step))
            if rng.random() < 0.8:
                angle = np.deg2rad(180.0 - rng.uniform(14.0, 34.0))
                trunks.append(
                    self._ray(rng, angle, rng.uniform(0.22, 0.40), hemisphere, bool(rng.random() < 0.5), size, step)
                )
        return trunks

    def _with_limb(self, rng: np.random.Generator, trunk: Trunk, hemisphere: float, step: float) -> Trunk:
        """Give an arcade the second limb of its first bifurcation, which mostly runs outside of it."""
        if rng.random() < 0.2:
            return trunk
        at = int(rng.uniform(0.28, 0.62) / step)
        if at + 2 > len(trunk.points):
            return trunk
        frame = self.from_picture(trunk.points)
        heading = np.arctan2(*(frame[at + 1] - frame[at - 1])[::-1])
        outwards = -hemisphere * (1.0 if rng.random() < 0.75 else -1.0)
        length = float(rng.uniform(0.7, 1.1))
        angles = heading + outwards * np.deg2rad(rng.uniform(38.0, 50.0) - np.array([0.0, 4.0, 14.0, 20.0, 22.0]))
        steps = (
            np.stack([np.cos(angles), np.sin(angles)], axis=1)
            * np.array([0.06, 0.14, 0.25, 0.3, 0.25])[:, None]
            * length
        )
        control = np.concatenate([frame[at : at + 1], frame[at] + np.cumsum(steps, axis=0)])
        limb = self._trunk(control, trunk.is_vein, step).points[1:]
        return Trunk(trunk.points, trunk.is_vein, limb, at)

    def _ray(
        self,
        rng: np.random.Generator,
        angle: float,
        length: float,
        hemisphere: float,
        is_vein: bool,
        size: float,
        step: float,
    ) -> Trunk:
        """A gently bent vessel leaving the disc at `angle` from the nasal horizontal (radians)."""
        disc = float(np.linalg.norm(self.disc - self.fovea))
        distances = np.array([0.0, 0.7 * size, 0.4 * length, 0.7 * length, length]) if length > 2 * size else None
        distances = np.linspace(0.0, length, 5) if distances is None else distances
        angles = angle + np.cumsum(np.r_[0.0, 0.0, rng.normal(0.0, 0.12, size=3)])
        start = np.array([disc + 0.01, rng.uniform(-0.02, 0.05)])
        control = start + np.stack([np.cos(angles), np.sin(angles)], axis=1) * distances[:, None]
        return self._trunk(control * (1.0, hemisphere), is_vein, step)

    def _trunk(self, control: np.ndarray, is_vein: bool, step: float) -> Trunk:
        knots = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(control, axis=0), axis=1))]
        dense = PchipInterpolator(knots, control, axis=0)(np.linspace(0.0, knots[-1], 400))
        dense = gaussian_filter1d(dense, 400 * 0.05 / knots[-1], axis=0, mode="nearest")
        along = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(dense, axis=0), axis=1))]
        stations = np.arange(0.0, along[-1], step)
        points = np.stack([np.interp(stations, along, dense[:, axis]) for axis in range(2)], axis=1)
        return Trunk(self.to_picture(points), is_vein)
