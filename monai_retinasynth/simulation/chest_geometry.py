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
"""The shapes of one simulated chest: outlines of body, lungs, heart and clavicles, ribs and lung vessels.

Lengths are in edges of the square picture, the origin is its upper left corner, x points right and y down, as in the
picture. The patient faces the viewer: the right lung and the right clavicle lie on the picture's left. The mean borders
and their spread are rounded from what SCR's masks of all 247 JSRT radiographs measure; the shapes between are drawn by
hand. Where the phantom meets these figures is in `chest_phantom`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .polygon_coverage import band, smooth_curve

__all__ = ["ChestGeometry"]

_MIDDLE = 0.505  # x of the midline in the tables below
# borders by height: 0 at the lung's top, 1 at the costophrenic angle; medial, lateral x. Below the middle the medial
# border runs inside the heart, which is cut out of the lung: so the heart leaves its notch
_RIGHT_LUNG = np.array(
    [
        (0.01, 0.405, 0.328),
        (0.05, 0.437, 0.274),
        (0.10, 0.450, 0.233),
        (0.20, 0.453, 0.186),
        (0.30, 0.445, 0.164),
        (0.40, 0.434, 0.152),
        (0.50, 0.430, 0.144),
        (0.60, 0.435, 0.136),
        (0.70, 0.450, 0.126),
        (0.80, 0.460, 0.114),
        (0.90, 0.460, 0.109),
        (0.96, 0.460, 0.111),
    ]
)
_LEFT_LUNG = np.array(
    [
        (0.01, 0.608, 0.685),
        (0.05, 0.574, 0.735),
        (0.10, 0.563, 0.776),
        (0.20, 0.568, 0.820),
        (0.27, 0.602, 0.836),
        (0.33, 0.606, 0.845),
        (0.40, 0.594, 0.853),
        (0.50, 0.606, 0.863),
        (0.60, 0.610, 0.870),
        (0.70, 0.600, 0.879),
        (0.80, 0.580, 0.890),
        (0.90, 0.580, 0.897),
        (0.96, 0.580, 0.896),
    ]
)
# the diaphragm from the costophrenic angle to the middle: x, height above the angle
_RIGHT_DOME = np.array(
    [(0.118, 0.0), (0.135, 0.024), (0.182, 0.080), (0.24, 0.127), (0.31, 0.152), (0.38, 0.156), (0.46, 0.140)]
)
_LEFT_DOME = np.array(
    [(0.890, 0.0), (0.871, 0.022), (0.82, 0.068), (0.772, 0.102), (0.72, 0.122), (0.65, 0.130), (0.58, 0.120)]
)
# closed outline of the heart, clockwise from its top: x, height from 0 (top) to 1
_HEART = np.array(
    [
        (0.545, 0.0),
        (0.62, 0.05),
        (0.663, 0.2),
        (0.712, 0.4),
        (0.747, 0.6),
        (0.758, 0.76),
        (0.735, 0.93),
        (0.64, 1.0),
        (0.52, 0.97),
        (0.43, 0.86),
        (0.391, 0.66),
        (0.392, 0.44),
        (0.414, 0.2),
        (0.47, 0.04),
    ]
)
_HEART_LEFT_DOME = 0.079  # of the heart's lower border above the left costophrenic angle
# right clavicle from its lateral to its medial end: x, y below the lungs' top, thickness. The left one is its mirror
_CLAVICLE = np.array(
    [
        (0.2285, 0.052, 0.012),
        (0.245, 0.052, 0.030),
        (0.265, 0.055, 0.035),
        (0.300, 0.068, 0.037),
        (0.337, 0.080, 0.039),
        (0.374, 0.090, 0.042),
        (0.410, 0.100, 0.050),
        (0.435, 0.106, 0.052),
        (0.4475, 0.108, 0.040),
    ]
)
# below the armpit: y, distance of the skin from the rib cage beyond the least
_FLANK = ((0.53, 0.055), (0.62, 0.030), (0.72, 0.010), (0.82, 0.0), (0.94, -0.006), (1.05, -0.008))
_NUM_RIBS = 10


@dataclass(frozen=True)
class ChestGeometry:
    """Shapes of one chest, outlines as (N, 2) points.

    Args:
        middle: x of the midline.
        body: outline of neck, shoulders and trunk; runs out of the picture below and mostly at the sides.
        lungs: `right` and `left` lung; they reach under the heart.
        heart: outline of the heart.
        clavicles: `right` and `left` clavicle, as far as SCR's observers outline them.
        shoulder_ends: `right` and `left` faint rest of the clavicle towards the shoulder.
        mediastinum: what lies between the lungs above the heart.
        abdomen: what lies below the diaphragm.
        posterior_ribs: outlines of the back parts of the ribs, broad and narrow (the marrow) in turn.
        anterior_ribs: the same of their front parts.
        vessels: outlines of lung vessels and the share of the thickest one's strength of each.
        scapulae: `right` and `left` shoulder blade.
    """

    middle: float
    body: np.ndarray
    lungs: dict[str, np.ndarray]
    heart: np.ndarray
    clavicles: dict[str, np.ndarray]
    shoulder_ends: dict[str, np.ndarray]
    mediastinum: np.ndarray
    abdomen: np.ndarray
    posterior_ribs: tuple[np.ndarray, ...]
    anterior_ribs: tuple[np.ndarray, ...]
    vessels: tuple[tuple[np.ndarray, float], ...]
    scapulae: dict[str, np.ndarray]

    @classmethod
    def sample(cls, rng: np.random.Generator) -> ChestGeometry:
        """Draw the chest of an adult, standing, breathed in, from behind (the usual projection)."""
        middle = _MIDDLE + _normal(rng, 0.0, 0.012)
        breadth = _normal(rng, 1.0, 0.085)
        top = _normal(rng, 0.080, 0.028)
        depth = min(_normal(rng, 0.0, 0.085), 0.125)  # of the diaphragm: tall patients, deep breath
        lungs, domes, walls = {}, {}, {}
        for side, table, dome in (("right", _RIGHT_LUNG, _RIGHT_DOME), ("left", _LEFT_LUNG, _LEFT_DOME)):
            own_top, angle = top + _normal(rng, 0.0, 0.006), 0.838 + depth + _normal(rng, 0.0, 0.016)
            own_breadth = breadth * _normal(rng, 1.0, 0.03)
            y = own_top + table[:, 0] * (angle - own_top)
            medial = middle + (table[:, 1] - _MIDDLE) * breadth + _wave(rng, table[:, 0], 0.006)
            lateral = middle + (table[:, 2] - _MIDDLE) * own_breadth + _wave(rng, table[:, 0], 0.006)
            apex = [(0.45 * medial[0] + 0.55 * lateral[0], own_top)]
            curve = dome * (own_breadth, -_normal(rng, 1.0, 0.14)) + (middle - _MIDDLE * own_breadth, angle)
            curve[1:, 1] = np.minimum(curve[1:, 1], angle - 0.002)
            inner = y < curve[-1, 1] - 0.02  # the medial border ends on the diaphragm
            border = np.concatenate([curve[-1:], _points(medial, y)[inner][::-1], apex, _points(lateral, y), curve[:1]])
            domes[side] = smooth_curve(curve)
            lungs[side] = np.concatenate([smooth_curve(border, 300), domes[side]])
            walls[side] = _points(np.abs(lateral - middle) + 0.006, y)
        heart = _heart(rng, middle, breadth, domes["left"][0, 1])
        clavicles, shoulder_ends = _clavicles(rng, middle, breadth, top)
        return cls(
            middle=middle,
            body=_body(rng, middle, top, walls),
            lungs=lungs,
            heart=heart,
            clavicles=clavicles,
            shoulder_ends=shoulder_ends,
            mediastinum=_mediastinum(lungs, top),
            abdomen=_abdomen(domes),
            **_ribs(rng, middle, top, walls),
            vessels=_vessels(rng, middle, breadth),
            scapulae=_scapulae(rng, middle, walls),
        )


def _normal(rng: np.random.Generator, mean: float, sd: float) -> float:
    """A normal number within 2.2 standard deviations, so that no chest is a freak."""
    return mean + sd * float(np.clip(rng.normal(), -2.2, 2.2))


def _points(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.stack([x, y], axis=1)


def _wave(rng: np.random.Generator, t: np.ndarray, amplitude: float) -> np.ndarray:
    """A smooth deviation along a border."""
    waves = (np.sin(np.pi * k * t + rng.uniform(0.0, 2.0 * np.pi)) / k for k in (1, 2, 3))
    return amplitude * sum(rng.normal() * wave for wave in waves)


def _sign(side: str) -> float:
    """-1 for the patient's right, which is the picture's left."""
    return -1.0 if side == "right" else 1.0


def _heart(rng: np.random.Generator, middle: float, breadth: float, angle: float) -> np.ndarray:
    width = breadth * _normal(rng, 1.0, 0.09)
    height = 0.313 * np.sqrt(breadth) * _normal(rng, 1.0, 0.10)
    bottom = angle - _HEART_LEFT_DOME + _normal(rng, 0.0, 0.010)
    x = middle + (_HEART[:, 0] - _MIDDLE) * width + _normal(rng, 0.0, 0.010)
    turns = np.linspace(0.0, 2.0, len(_HEART), endpoint=False)
    x += _wave(rng, turns, 0.004)
    return smooth_curve(_points(x, bottom - height * (1.0 - _HEART[:, 1])), 200, closed=True)


def _clavicles(
    rng: np.random.Generator, middle: float, breadth: float, top: float
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    raised, tilt = _normal(rng, 0.0, 0.018), _normal(rng, 0.0, 0.12)
    size, rotation = breadth * _normal(rng, 1.0, 0.14), _normal(rng, 0.0, 0.012)  # of a patient turned a little
    bars, ends = {}, {}
    for side in ("right", "left"):
        x = (_MIDDLE - _CLAVICLE[:, 0]) * breadth + _sign(side) * rotation  # distance from the midline
        lever = x.mean() - x  # medial end positive
        own_tilt = tilt + _normal(rng, 0.0, 0.04)
        y = top + raised + _CLAVICLE[:, 1] + own_tilt * lever + _normal(rng, 0.0, 0.005)
        y += _normal(rng, 0.004, 0.004) * np.sin(2.0 * np.pi * np.linspace(0.0, 1.0, len(x)))  # its S shape
        thickness = smooth_curve(_points(np.arange(len(x)), _CLAVICLE[:, 2] * size * _normal(rng, 1.0, 0.06)))
        line = smooth_curve(_points(middle + _sign(side) * x, y))
        width = np.interp(np.linspace(0.0, len(x) - 1.0, 100), thickness[:, 0], thickness[:, 1])
        bars[side] = band(line, 0.5 * width)
        outwards = np.array([(0.0, 0.0), (0.08, -0.016), (0.17, -0.012), (0.24, 0.01)]) * (_sign(side), 1.0)
        start = line[8] + (0.0, 0.002)
        ends[side] = band(smooth_curve(start + outwards), np.linspace(0.016, 0.013, 100) * size)
    return bars, ends


def _body(rng: np.random.Generator, middle: float, top: float, walls: dict[str, np.ndarray]) -> np.ndarray:
    halves = []
    lift, gap = top - 0.07 + _normal(rng, 0.0, 0.012), max(_normal(rng, 0.070, 0.032), 0.03)
    for side in ("left", "right"):
        wall = walls[side]
        flank = [(np.interp(y, wall[:, 1], wall[:, 0]) + gap + extra, y) for y, extra in _FLANK]
        shoulder = [(0.13, -0.10), (0.15, -0.05), (0.205, 0.004), (0.28, 0.036), (0.38, 0.056), (0.62, 0.095)]
        half = np.array([(x, y + lift) for x, y in shoulder] + [(0.62, 0.40), *flank])
        halves.append(smooth_curve(half * (_sign(side), 1.0) + (middle, 0.0), 200))
    return np.concatenate([halves[0], halves[1][::-1]])


def _mediastinum(lungs: dict[str, np.ndarray], top: float) -> np.ndarray:
    """Everything between the midpoints of the lungs; the lungs themselves are cut out of it when it is painted."""
    right, left = (lungs[side][:, 0].mean() for side in ("right", "left"))
    return np.array([(right, top + 0.12), (left, top + 0.12), (left, 0.78), (right, 0.78)])


def _abdomen(domes: dict[str, np.ndarray]) -> np.ndarray:
    right, left = domes["right"], domes["left"]
    return np.concatenate([right, left[::-1], [(left[0, 0] + 0.02, 1.05), (right[0, 0] - 0.02, 1.05)]])


def _ribs(
    rng: np.random.Generator, middle: float, top: float, walls: dict[str, np.ndarray]
) -> dict[str, tuple[np.ndarray, ...]]:
    parts: dict[str, list[np.ndarray]] = {"posterior_ribs": [], "anterior_ribs": []}
    slope = _normal(rng, 1.0, 0.15)
    spacing = 0.070 * _normal(rng, 1.0, 0.05)
    for side in ("right", "left"):
        wall = walls[side]
        for number in range(_NUM_RIBS):
            start = top + 0.015 + spacing * number + _normal(rng, 0.0, 0.003)
            drop = slope * (0.52 + 0.06 * number)
            reach = np.interp(start + 0.09 * drop, wall[:, 1], wall[:, 0])
            back = np.array([(0.045 / reach, 0.0), (0.33, -0.014), (0.62, 0.006), (0.86, 0.052), (1.0, 0.115)])
            front = np.array([(1.0, 0.115), (0.95, 0.155), (0.80, 0.192), (0.60, 0.225), (0.40, 0.245)])
            for name, shape, thick in (("posterior_ribs", back, 0.0105), ("anterior_ribs", front, 0.0125)):
                line = smooth_curve(shape * (_sign(side) * reach, drop) + (middle, start))
                parts[name].extend([band(line, thick), band(line, 0.55 * thick)])
    return {name: tuple(outlines) for name, outlines in parts.items()}


def _vessels(rng: np.random.Generator, middle: float, breadth: float) -> tuple[tuple[np.ndarray, float], ...]:
    """Arteries and veins that fan out from the hila, each with a few side branches."""
    found: list[tuple[np.ndarray, float]] = []
    for side, hilum in (("right", (0.105, 0.44)), ("left", (0.115, 0.41))):
        origin = np.array([middle + _sign(side) * hilum[0] * breadth, hilum[1] + _normal(rng, 0.0, 0.02)])
        for heading in np.linspace(-75.0, 88.0, 11) + rng.normal(0.0, 6.0, size=11):  # degrees below the horizontal
            length = rng.uniform(0.16, 0.27) * (1.15 if heading > 30.0 else 1.0)
            start = origin + (_sign(side) * rng.uniform(-0.015, 0.02), 0.0007 * heading)
            _branch(rng, found, start, np.deg2rad(heading), length, rng.uniform(0.0035, 0.0075), _sign(side), 2)
    return tuple(sorted(found, key=lambda item: item[1]))


def _branch(
    rng: np.random.Generator,
    found: list[tuple[np.ndarray, float]],
    origin: np.ndarray,
    heading: float,
    length: float,
    half_width: float,
    sign: float,
    children: int,
) -> None:
    bends = heading + np.cumsum(rng.normal(0.0, 0.09, size=16))
    steps = np.stack([sign * np.cos(bends), np.sin(bends)], axis=1) * length / 16.0
    line = np.concatenate([origin[None], origin + np.cumsum(steps, axis=0)])
    found.append((band(line, np.linspace(half_width, 0.25 * half_width, len(line))), min(half_width / 0.0075, 1.0)))
    for _ in range(children + 1 if children else 0):
        at = int(rng.integers(3, 13))
        aside = rng.choice((-1.0, 1.0)) * rng.uniform(0.35, 0.7)
        _branch(rng, found, line[at], heading + aside, 0.5 * length, 0.6 * half_width, sign, children - 1)


def _scapulae(rng: np.random.Generator, middle: float, walls: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    shape = np.array(
        [(-0.06, 0.13), (0.02, 0.11), (0.16, 0.14), (0.14, 0.22), (0.05, 0.42), (0.01, 0.47), (-0.02, 0.43)]
    )
    shift = _normal(rng, 0.02, 0.03)
    found = {}
    for side, wall in walls.items():
        reach = np.interp(0.3, wall[:, 1], wall[:, 0]) + shift + _normal(rng, 0.0, 0.01)
        found[side] = smooth_curve(shape * (_sign(side), 1.0) + (middle + _sign(side) * reach, 0.0), closed=True)
    return found
