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
"""Space colonisation: branches grow towards the attraction points nearest to them.

After Runions et al., "Modeling and visualization of leaf venation patterns", ACM Trans. Graph. 24(3):702-711, 2005, and
Runions, Lane and Prusinkiewicz, "Modeling trees with a space colonization algorithm", Eurographics Workshop on Natural
Phenomena, 2007. In every round each attraction point pulls the node nearest to it, every pulled node puts out one new
node, and attraction points that have been reached are removed. Added here for blood vessels: a branch keeps part of its
parent's heading and leaves at an acute angle, tips do not turn back, a node bifurcates once at most, and bifurcations
keep a distance from one another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

__all__ = ["GrowingForest"]


@dataclass
class GrowingForest:
    """Trees that grow in the plane; arrays over nodes, a parent always before its children.

    Args:
        step: distance from a node to its parent.
        branch_gap: least distance between two bifurcations.
    """

    step: float
    branch_gap: float = 0.05
    positions: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    headings: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    parents: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    num_children: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def add_trunk(self, points: np.ndarray, parent: int = -1) -> int:
        """Plant a trunk of (N, 2) points, N >= 2, on node `parent` or as a root (-1); returns its first node."""
        first = len(self.positions)
        headings = np.diff(points, axis=0, prepend=points[:1] - (points[1:2] - points[:1]))
        headings /= np.linalg.norm(headings, axis=1, keepdims=True)
        parents = np.r_[parent, np.arange(first, first + len(points) - 1)]
        self._append(points, headings, parents)
        return first

    def grow(
        self,
        attractors: np.ndarray,
        influence: float,
        kill: float,
        inertia: float = 1.0,
        tropism: Callable[[np.ndarray], np.ndarray] | None = None,
        max_rounds: int = 200,
    ) -> None:
        """Colonise `attractors`.

        The heading of a new node is the mean direction to the attraction points that pull its parent (a unit vector),
        plus `inertia` times the parent's heading, plus `tropism` at the parent.

        Args:
            attractors: (M, 2) attraction points.
            influence: a point pulls its nearest node only when nearer than this.
            kill: a point is reached, and removed, when a node is nearer than this.
                inertia: weight of the parent's heading.
            tropism: takes (N, 2) positions to (N, 2) vectors, a preferred direction of growth times its weight.
            max_rounds: upper bound on the rounds of growth.
        """
        if len(attractors) == 0 or len(self.positions) == 0:
            return
        distance, nearest = cKDTree(self.positions).query(attractors)
        for _ in range(max_rounds):
            alive = distance >= kill
            attractors, distance, nearest = attractors[alive], distance[alive], nearest[alive]
            near = distance < influence
            if not near.any():
                return
            grown = self._round(attractors[near], nearest[near], distance[near], inertia, tropism)
            if grown == 0:
                return
            first = len(self.positions) - grown
            new_distance, new_nearest = cKDTree(self.positions[first:]).query(attractors)
            closer = new_distance < distance
            distance = np.where(closer, new_distance, distance)
            nearest = np.where(closer, new_nearest + first, nearest)

    def _round(
        self,
        attractors: np.ndarray,
        nearest: np.ndarray,
        distance: np.ndarray,
        inertia: float,
        tropism: Callable[[np.ndarray], np.ndarray] | None,
    ) -> int:
        toward = (attractors - self.positions[nearest]) / distance[:, None]
        # a tip does not turn back
        ahead = (self.num_children[nearest] > 0) | ((toward * self.headings[nearest]).sum(axis=1) > 0.35)
        nearest, toward = nearest[ahead], toward[ahead]
        pull = np.zeros_like(self.positions)
        np.add.at(pull, nearest, toward)
        nodes = np.unique(nearest)
        nodes = nodes[self._may_grow(nodes)]
        if len(nodes) == 0:
            return 0
        length = np.linalg.norm(pull[nodes], axis=1, keepdims=True)
        heading = pull[nodes] / np.maximum(length, 1e-9) + inertia * self.headings[nodes]
        if tropism is not None:
            heading = heading + tropism(self.positions[nodes])
        heading /= np.maximum(np.linalg.norm(heading, axis=1, keepdims=True), 1e-9)
        side = self.num_children[nodes] > 0
        heading[side] = self._turn_out(heading[side], self.headings[nodes[side]], pull[nodes[side]])
        candidates = self.positions[nodes] + self.step * heading
        # a new node too near to an old one would run beside its own trunk or close a loop
        free = cKDTree(self.positions).query(candidates)[0] > 0.7 * self.step
        self._append(candidates[free], heading[free], nodes[free])
        return int(free.sum())

    @staticmethod
    def _turn_out(heading: np.ndarray, trunk: np.ndarray, pull: np.ndarray) -> np.ndarray:
        """Headings of side shoots, turned to leave the trunk at 45 to 75 degrees on the side of the pull."""
        cross = trunk[:, 0] * pull[:, 1] - trunk[:, 1] * pull[:, 0]
        angle = np.arctan2(trunk[:, 0] * heading[:, 1] - trunk[:, 1] * heading[:, 0], (trunk * heading).sum(axis=1))
        angle = np.sign(cross) * np.clip(np.sign(cross) * angle, np.deg2rad(45.0), np.deg2rad(75.0))
        sine, cosine = np.sin(angle), np.cos(angle)
        return np.stack([trunk[:, 0] * cosine - trunk[:, 1] * sine, trunk[:, 0] * sine + trunk[:, 1] * cosine], axis=1)

    def _may_grow(self, nodes: np.ndarray) -> np.ndarray:
        children = self.num_children[nodes]
        side = (children == 1) & (self.parents[nodes] >= 0)
        forks = np.flatnonzero(self.num_children >= 2)
        if side.any():
            if len(forks):
                side[side] = cKDTree(self.positions[forks]).query(self.positions[nodes[side]])[0] > self.branch_gap
            # of side shoots due in the same round, those too near to an earlier one wait
            shoots = np.flatnonzero(side)
            for first, second in cKDTree(self.positions[nodes[shoots]]).query_pairs(self.branch_gap):
                side[shoots[max(first, second)]] = False
        return (children == 0) | side

    def _append(self, positions: np.ndarray, headings: np.ndarray, parents: np.ndarray) -> None:
        self.positions = np.concatenate([self.positions, positions])
        self.headings = np.concatenate([self.headings, headings])
        self.parents = np.concatenate([self.parents, parents])
        self.num_children = np.concatenate([self.num_children, np.zeros(len(positions), dtype=np.int64)])
        np.add.at(self.num_children, parents[parents >= 0], 1)
