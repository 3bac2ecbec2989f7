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
"""Arteries and veins of one retina: grown by space colonisation, with radii after Murray's law.

The great vessels of :class:`EyeGeometry` are colonised in rounds of ever finer attraction points, arteries and veins by
turns, each avoiding what is there already, so that the two interdigitate. Every node then feeds (or drains) the retina
nearest to it; flows add up towards the disc and the radius is proportional to the cube root of the flow, which is
Murray's law, r0^3 = r1^3 + r2^3 at a bifurcation (Murray, PNAS 12:207-214, 1926); between bifurcations vessels taper by
the fine twigs that a photograph does not show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .eye_geometry import EyeGeometry
from .space_colonisation import GrowingForest

__all__ = ["VesselTree", "grow_vessel_trees"]

_STEP = 0.022  # between nodes; 6 px of a DRIVE picture
_GROWN_RADIUS = 1.10  # vessels grow a little past the field's rim, so that the rim cuts them
_FED_RADIUS = 1.45  # the retina fed through the nodes reaches further than the picture
_AVASCULAR_RADIUS = 0.075
# rounds of growth: spacing of the attraction points in field radii, reach in spacings, weight of the parent's heading,
# weight of the general direction of flow
_ROUNDS = ((0.32, 2.2, 1.6, 0.7), (0.19, 2.8, 1.4, 0.5), (0.125, 2.2, 1.8, 0.45), (0.082, 1.9, 2.0, 0.35))


@dataclass(frozen=True)
class VesselTree:
    """Nodes of all arteries, or of all veins; a parent always comes before its children.

    Args:
        positions: (N, 2) x right, y down, in field radii.
        parents: (N,) index of the parent, -1 at the disc.
        radii: (N,) in field radii.
        is_vein: veins or arteries.
        faint: (N,) bool, where the vessel is too faint for an annotator to follow.
    """

    positions: np.ndarray
    parents: np.ndarray
    radii: np.ndarray
    is_vein: bool
    faint: np.ndarray

    def main_children(self) -> np.ndarray:
        """(N,) the widest child of every node, -1 at a tip."""
        children = np.full(len(self.parents), -1, dtype=np.int64)
        order = np.argsort(self.radii, kind="stable")
        order = order[self.parents[order] >= 0]
        children[self.parents[order]] = order
        return children

    def paths(self) -> list[np.ndarray]:
        """Node indices of every vessel from where it starts (its parent's node, or the disc) to its tip."""
        following = self.main_children()
        has_parent = self.parents >= 0
        starts = np.flatnonzero(~has_parent | (following[self.parents] != np.arange(len(self.parents))))
        paths = []
        for start in starts:
            path = [int(self.parents[start])] if self.parents[start] >= 0 else []
            node = int(start)
            while node >= 0:
                path.append(node)
                node = int(following[node])
            paths.append(np.array(path))
        return paths


def grow_vessel_trees(geometry: EyeGeometry, rng: np.random.Generator) -> tuple[VesselTree, VesselTree]:
    """Grow the vessels of one eye.

    Args:
        geometry: landmarks of the eye.
        rng: source of chance.

    Returns:
        arteries, veins.
    """
    forests = {is_vein: GrowingForest(step=_STEP, branch_gap=0.055) for is_vein in (False, True)}
    for trunk in geometry.sample_trunks(rng, _STEP):
        points = _until_rim(trunk.points)
        if len(points) <= 3:
            continue
        first = forests[trunk.is_vein].add_trunk(points)
        limb = _until_rim(trunk.limb)
        if trunk.limb_at < len(points) - 1 and len(limb) > 6:
            forests[trunk.is_vein].add_trunk(limb, parent=first + trunk.limb_at)
    num_trunk_nodes = {is_vein: len(forest.positions) for is_vein, forest in forests.items()}
    fineness = float(np.exp(np.clip(rng.normal(0.0, 0.12), -0.22, 0.22)))
    for number, (spacing, reach, inertia, drift) in enumerate(_ROUNDS):
        spacing = spacing * (fineness if number else 1.0)
        for is_vein in (True, False) if number % 2 == 0 else (False, True):
            grown = np.concatenate([forest.positions for forest in forests.values()])
            points = _attraction_points(geometry, spacing, grown, rng)
            forests[is_vein].grow(
                points,
                influence=reach * spacing,
                kill=0.42 * spacing,
                inertia=inertia,
                tropism=lambda positions, weight=drift: weight * geometry.outflow(positions),
            )
    calibre = float(np.exp(rng.normal(0.0, 0.05)))
    arteries = _finish(forests[False], num_trunk_nodes[False], False, 0.0121 * calibre, rng)
    veins = _finish(
        forests[True], num_trunk_nodes[True], True, 0.0152 * calibre * float(np.exp(rng.normal(0.0, 0.04))), rng
    )
    return arteries, veins


def _until_rim(points: np.ndarray) -> np.ndarray:
    """The points of a trunk up to where it leaves the part of the retina that is grown."""
    outside = np.flatnonzero(np.linalg.norm(points, axis=1) >= _GROWN_RADIUS)
    return points[: outside[0]] if len(outside) else points


def _attraction_points(
    geometry: EyeGeometry, spacing: float, grown: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Jittered triangular lattice over the retina, away from the fovea and from what has grown already."""
    count = int(np.ceil(2.4 * _GROWN_RADIUS / spacing))
    column, row = np.meshgrid(np.arange(count), np.arange(int(count / 0.866) + 1))
    points = np.stack([(column + 0.5 * (row % 2)) * spacing, row * 0.866 * spacing], axis=-1).reshape(-1, 2)
    points = points - points.mean(axis=0) + rng.uniform(-0.5, 0.5, 2) * spacing
    points = points + rng.uniform(-0.36, 0.36, points.shape) * spacing
    points = points[rng.permutation(len(points))]
    keep = np.linalg.norm(points, axis=1) < _GROWN_RADIUS
    keep &= np.linalg.norm(points - geometry.fovea, axis=1) > max(_AVASCULAR_RADIUS, 0.6 * spacing)
    keep &= np.linalg.norm(points - geometry.disc, axis=1) > 1.25 * geometry.disc_radii[1]
    points = points[keep]
    return points[cKDTree(grown).query(points)[0] > 0.55 * spacing]


def _finish(
    forest: GrowingForest, num_trunk_nodes: int, is_vein: bool, trunk_radius: float, rng: np.random.Generator
) -> VesselTree:
    positions, parents = _without_returns(forest.positions, forest.parents, num_trunk_nodes)
    positions, parents = _without_stubs(positions, parents, min_nodes=5)
    flow = _flows(positions, parents, rng)
    roots = parents < 0
    radii = trunk_radius * np.cbrt(flow / flow[roots].max())
    tree = VesselTree(positions, parents, radii, is_vein, np.zeros(len(parents), dtype=bool))
    positions = _wind(_smooth(tree), rng)
    return VesselTree(positions, parents, radii, is_vein, _faint_stretches(tree, rng))


def _without_stubs(positions: np.ndarray, parents: np.ndarray, min_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Drop side branches of fewer than `min_nodes` nodes."""
    height = np.ones(len(parents), dtype=np.int64)
    for node in range(len(parents) - 1, -1, -1):
        if parents[node] >= 0:
            height[parents[node]] = max(height[parents[node]], height[node] + 1)
    children = np.bincount(parents[parents >= 0], minlength=len(parents))
    side = (parents >= 0) & (children[np.maximum(parents, 0)] >= 2)
    # of two short siblings the taller one stays, so that no vessel is cut back on its own account
    tallest = np.zeros(len(parents), dtype=np.int64)
    np.maximum.at(tallest, parents[side], height[side])
    keep = np.ones(len(parents), dtype=bool)
    for node in np.flatnonzero(parents >= 0):
        parent = parents[node]
        keep[node] = keep[parent] and not (side[node] and height[node] < min_nodes and height[node] < tallest[parent])
    return _subset(positions, parents, keep)


def _without_returns(positions: np.ndarray, parents: np.ndarray, num_trunk_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut branches where they come back into the field of view; trunks (the first nodes) stay whole."""
    distance = np.linalg.norm(positions, axis=1)
    keep, furthest = np.ones(len(parents), dtype=bool), distance.copy()
    for node in range(num_trunk_nodes, len(parents)):
        furthest[node] = max(furthest[parents[node]], distance[node])
        keep[node] = keep[parents[node]] and (furthest[node] < 0.985 or distance[node] > furthest[node] - 0.25 * _STEP)
    return _subset(positions, parents, keep)


def _subset(positions: np.ndarray, parents: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Renumber the nodes kept; with a node its ancestors must be kept."""
    index = np.cumsum(keep) - 1
    return positions[keep], np.where(parents[keep] >= 0, index[np.maximum(parents[keep], 0)], -1)


def _flows(positions: np.ndarray, parents: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Area of retina fed through every node: the Voronoi territories of all nodes beyond it."""
    children = np.bincount(parents[parents >= 0], minlength=len(parents))
    feeding = np.flatnonzero(children < 2)  # a bifurcation feeds nothing itself: Murray's law is exact there
    radius = _FED_RADIUS * np.sqrt(rng.random(6000))
    angle = rng.uniform(0.0, 2.0 * np.pi, 6000)
    tissue = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    nearest = cKDTree(positions[feeding]).query(tissue)[1]
    flow = np.zeros(len(parents))
    np.add.at(flow, feeding[nearest], 1.0)
    flow[feeding] += 0.5  # no vessel without a lumen
    for node in range(len(parents) - 1, -1, -1):
        if parents[node] >= 0:
            flow[parents[node]] += flow[node]
    return flow


def _smooth(tree: VesselTree, rounds: int = 3) -> np.ndarray:
    """Relax every node towards the middle of its neighbours along the vessel; roots and tips stay."""
    positions = tree.positions.copy()
    following = tree.main_children()
    inner = np.flatnonzero((tree.parents >= 0) & (following >= 0))
    for _ in range(rounds):
        middle = 0.5 * (positions[tree.parents[inner]] + positions[following[inner]])
        positions[inner] = 0.5 * (positions[inner] + middle)
    return positions


def _wind(positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move the nodes by a smooth random field: vessels wind a little, and no topology changes."""
    wavelength = np.exp(rng.uniform(np.log(0.12), np.log(0.45), 32))
    angle, phase = rng.uniform(0.0, 2.0 * np.pi, (2, 32))
    wave = np.stack([np.cos(angle), np.sin(angle)]) * (2.0 * np.pi / wavelength)
    amplitude = 0.0085 * np.exp(rng.normal(0.0, 0.3)) * wavelength * rng.normal(size=(2, 32))
    return positions + np.sin(positions @ wave + phase) @ amplitude.T


def _faint_stretches(tree: VesselTree, rng: np.random.Generator) -> np.ndarray:
    """Short stretches in thin vessels, inside the field, where an annotator loses the vessel."""
    faint = np.zeros(len(tree.parents), dtype=bool)
    candidates = [
        path[3:-4]
        for path in tree.paths()
        if len(path) > 10 and tree.radii[path[1]] < 0.005 and np.linalg.norm(tree.positions[path], axis=1).max() < 0.97
    ]
    for _ in range(min(int(rng.poisson(1.2)), len(candidates))):
        path = candidates[int(rng.integers(len(candidates)))]
        first = int(rng.integers(len(path) - 2))
        faint[path[first : first + 2]] = True
    return faint
