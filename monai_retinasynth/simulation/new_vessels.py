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
"""New vessels of proliferative retinopathy: tufts of fine, winding vessels whose ends join in loops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d

from .eye_geometry import EyeGeometry
from .vessel_tree import VesselTree

__all__ = ["grow_new_vessels"]

_STEP = 0.009  # between nodes, field radii; a fourth of the bends that are to be seen
_WIDEST, _FINEST = 0.0050, 0.0032  # radii at the root and at the tips, field radii


def grow_new_vessels(
    geometry: EyeGeometry, trees: Sequence[VesselTree], num_tufts: int, at_disc: bool, rng: np.random.Generator
) -> VesselTree:
    """Grow tufts, each like a carriage wheel: strands that fan out from a stalk, branch, and loop at the rim.

    Args:
        geometry: landmarks of the eye.
        trees: its arteries and veins; tufts elsewhere than at the disc stand on the wider veins.
        num_tufts: number of tufts, 1 or more.
        at_disc: whether the first one stands on the optic disc; it reaches well beyond the disc's border.
        rng: source of chance.

    Returns:
        all new vessels, as a tree of veins.

    Raises:
        ValueError: when `num_tufts` is below 1.
    """
    if num_tufts < 1:
        raise ValueError(f"num_tufts is {num_tufts}, new vessels have one tuft at least")
    strands = _Strands(rng)
    for number in range(num_tufts):
        if number == 0 and at_disc:
            reach = geometry.disc_radii[1] * rng.uniform(1.7, 2.6)
            root = geometry.disc + rng.uniform(-0.4, 0.4, 2) * geometry.disc_radii[1]
            strands.add_tuft(root, rng.uniform(0.0, 2.0 * np.pi), rng.uniform(1.2, 2.0) * np.pi, reach)
        else:
            root, outwards = _stalk(geometry, trees, rng)
            reach = geometry.disc_radii[1] * rng.uniform(1.0, 1.8)
            strands.add_tuft(root, outwards, rng.uniform(0.7, 1.5) * np.pi, reach)
    return strands.tree()


def _stalk(geometry: EyeGeometry, trees: Sequence[VesselTree], rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Root of a tuft on a vein, and the direction away from the fovea there."""
    veins = [tree for tree in trees if tree.is_vein] or list(trees)
    nodes = np.concatenate([tree.positions for tree in veins])
    radii = np.concatenate([tree.radii for tree in veins])
    disc = np.linalg.norm(nodes - geometry.disc, axis=1)
    fovea = np.linalg.norm(nodes - geometry.fovea, axis=1)
    suits = (disc > 2.0 * geometry.disc_radii[1]) & (fovea > 0.3) & (np.linalg.norm(nodes, axis=1) < 0.75)
    weight = np.where(suits, radii**2, 0.0)
    weight = weight if weight.any() else radii**2
    root = nodes[rng.choice(len(nodes), p=weight / weight.sum())]
    away = root - geometry.fovea
    return root, float(np.arctan2(away[1], away[0]) + rng.normal(0.0, 0.8))


class _Strands:
    """Strands of new vessels while they grow."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.positions: list[np.ndarray] = []
        self.parents: list[int] = []
        self.radii: list[float] = []

    def tree(self) -> VesselTree:
        number = len(self.parents)
        return VesselTree(
            np.array(self.positions), np.array(self.parents), np.array(self.radii), True, np.zeros(number, dtype=bool)
        )

    def add_tuft(self, root: np.ndarray, outwards: float, fan: float, reach: float) -> None:
        """Grow one tuft of a given radius over `fan` radians around the direction `outwards`."""
        count = max(4, round(fan * self.rng.uniform(1.3, 2.0)))
        tips = []
        for heading in outwards + fan * (np.linspace(-0.5, 0.5, count) + self.rng.uniform(-0.03, 0.03, count)):
            tip = self.grow(root, float(heading), reach * self.rng.uniform(0.7, 1.05), -1)
            tips.append(tip)
            for _ in range(int(self.rng.integers(1, 4))):
                back = int(self.rng.uniform(0.25, 0.75) * reach / _STEP)
                start = max(tip - back, tip - self.length_to(tip))
                side = float(heading) + self.rng.choice((-1.0, 1.0)) * self.rng.uniform(0.5, 1.0)
                self.grow(self.positions[start], side, reach * self.rng.uniform(0.25, 0.5), start)
        for first, second in zip(tips[:-1], tips[1:]):
            if self.rng.random() < 0.7:
                self.join(first, second, root)

    def length_to(self, node: int) -> int:
        """Nodes between the start of a strand and its node."""
        length = 0
        while self.parents[node] >= 0:
            node, length = self.parents[node], length + 1
        return length

    def grow(self, start: np.ndarray, heading: float, length: float, parent: int) -> int:
        """One strand, winding about its heading; returns its last node."""
        count = max(int(length / _STEP), 4)
        bends = gaussian_filter1d(self.rng.normal(size=count), 2.2) * self.rng.uniform(1.2, 2.2)
        angle = heading + bends
        steps = _STEP * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        radius = _WIDEST if parent < 0 else 0.8 * self.radii[parent]
        return self.append(start + np.cumsum(steps, axis=0), np.linspace(radius, _FINEST, count), parent)

    def join(self, first: int, second: int, root: np.ndarray) -> None:
        """A loop from tip to tip that bulges away from the root."""
        start, end = self.positions[first], self.positions[second]
        count = max(int(1.2 * np.linalg.norm(end - start) / _STEP), 4)
        time = np.linspace(0.0, 1.0, count)[:, None]
        bulge = 0.5 * (start + end) - root
        chord = start + (end - start) * time
        wave = gaussian_filter1d(self.rng.normal(size=(count, 2)), 2.0, axis=0) * 0.8 * _STEP
        points = chord + 0.7 * bulge * time * (1.0 - time) + wave * np.sin(np.pi * time)
        self.append(points[1:], np.full(count - 1, _FINEST), first)

    def append(self, points: np.ndarray, radii: np.ndarray, parent: int) -> int:
        for point, radius in zip(points, radii):
            self.positions.append(point)
            self.parents.append(parent)
            self.radii.append(float(radius))
            parent = len(self.positions) - 1
        return parent
