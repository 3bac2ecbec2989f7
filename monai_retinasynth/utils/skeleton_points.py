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
"""The points that tell a branching structure: where it forks, where it ends, and places along it.

Definitions as in `metrics.morphometry`: on the skeleton (Zhang and Suen, Comm. ACM 27(3):236-239, 1984), a bifurcation
is an 8-connected cluster of pixels that have three or more skeleton neighbours, an end a pixel that has one. All is
computed on the graph of the skeleton's pixels, a few thousand nodes, so that the picture's size hardly counts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from skimage.morphology import skeletonize

__all__ = ["SkeletonPoints", "central_pixels", "link_graph", "skeleton_links", "skeleton_points"]

_HALF_OF_THE_NEIGHBOURS = ((0, 1), (1, -1), (1, 0), (1, 1))  # the other four are these pairs seen from the other side


class SkeletonPoints(NamedTuple):
    """Points of a skeleton, each an array of rows and columns, shape (n, 2), in raster order."""

    bifurcations: np.ndarray
    ends: np.ndarray
    along: np.ndarray


def central_pixels(rows: np.ndarray, columns: np.ndarray, group: np.ndarray) -> np.ndarray:
    """For every group of pixels, that one of them which lies nearest to their centroid.

    Args:
        rows: row of each pixel.
        columns: column of each pixel.
        group: number of the group of each pixel, 0 to n - 1, none left out.

    Returns:
        indices of pixels, shape (n,); of several equally near the first.
    """
    if not len(group):
        return np.zeros(0, np.int64)
    area = np.bincount(group)
    centre_row, centre_column = np.bincount(group, rows) / area, np.bincount(group, columns) / area
    distance = (rows - centre_row[group]) ** 2 + (columns - centre_column[group]) ** 2
    distance = np.rint(distance * 1e6)  # equal but for rounding is equal
    nearest = np.full(len(area), np.inf)
    np.minimum.at(nearest, group, distance)
    candidates = np.flatnonzero(distance == nearest[group])
    return candidates[np.unique(group[candidates], return_index=True)[1]]


def skeleton_points(mask: np.ndarray, spacing: float | None = None) -> SkeletonPoints:
    """Find the points of the skeleton of a mask.

    Args:
        mask: (H, W) bool.
        spacing: pixels between neighbouring points along a branch, about: a branch is divided evenly. None for no
            points along branches. A diagonal step counts as one pixel.

    Returns:
        the points. A piece that neither forks nor ends, a single pixel or a closed loop, has its first pixel as an end,
        so that every piece has a point.
    """
    skeleton = skeletonize(mask)
    rows, columns = np.nonzero(skeleton)
    count = len(rows)
    if not count:
        return SkeletonPoints(*(np.zeros((0, 2), np.int64) for _ in range(3)))
    places = np.stack([rows, columns], axis=1)
    links = skeleton_links(skeleton.shape, rows, columns)
    neighbours = np.bincount(links.ravel(), minlength=count)
    joint, end = neighbours >= 3, neighbours == 1

    pieces = _components(links, count)
    alone = np.ones(pieces.max() + 1, dtype=bool)
    alone[pieces[joint | end]] = False
    first = np.unique(pieces, return_index=True)[1]
    end[first[alone]] = True

    joints = np.flatnonzero(joint)
    clusters = _components(links, count, joint)[joints]
    clusters = np.unique(clusters, return_inverse=True)[1]
    bifurcations = joints[central_pixels(rows[joints], columns[joints], clusters)]
    along = _along(links, count, ~joint, spacing) if spacing else np.zeros(0, np.int64)
    return SkeletonPoints(places[np.sort(bifurcations)], places[end], places[along])


def skeleton_links(shape: tuple[int, ...], rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Pairs of neighbouring pixels of a skeleton.

    Args:
        shape: (H, W) of the picture.
        rows: row of each pixel, in raster order.
        columns: column of each pixel.

    Returns:
        pairs of pixel numbers, shape (2, n); each pair once.
    """
    number = np.full((shape[0] + 2, shape[1] + 2), -1, dtype=np.int64)  # with a border, so that all have 8 neighbours
    number[rows + 1, columns + 1] = np.arange(len(rows))
    pairs = []
    for down, right in _HALF_OF_THE_NEIGHBOURS:
        other = number[rows + 1 + down, columns + 1 + right]
        here = np.flatnonzero(other >= 0)
        pairs.append(np.stack([here, other[here]]))
    return np.concatenate(pairs, axis=1)


def link_graph(links: np.ndarray, count: int, cost: np.ndarray | None = None) -> sparse.csr_matrix:
    """Links (2, m) between so many points as a sparse graph, each at its cost (m,), 1 where none is given."""
    cost = np.ones(links.shape[1], np.float64) if cost is None else cost
    return sparse.csr_matrix((cost, (links[0], links[1])), shape=(count, count))


def _components(links: np.ndarray, count: int, kept: np.ndarray | None = None) -> np.ndarray:
    """Number of the connected piece of each pixel, when only the kept pixels hang together."""
    if kept is not None:
        links = links[:, kept[links[0]] & kept[links[1]]]
    return csgraph.connected_components(link_graph(links, count), directed=False)[1]


def _along(links: np.ndarray, count: int, on_branch: np.ndarray, spacing: float) -> np.ndarray:
    """Pixels that divide the branches, what is left of the skeleton without its bifurcations, into equal parts."""
    links = links[:, on_branch[links[0]] & on_branch[links[1]]]
    branch = _components(links, count)
    # each branch is walked from one of its tips; a loop has none and is walked both ways from its first pixel
    tips = np.bincount(links.ravel(), minlength=count)
    order = np.lexsort((tips, branch))
    order = order[on_branch[order]]
    if not len(order):
        return order
    starts = order[np.unique(branch[order], return_index=True)[1]]
    root = np.stack([np.full(len(starts), count), starts])
    graph = link_graph(np.concatenate([links, root], axis=1), count + 1)
    steps = csgraph.dijkstra(graph, directed=False, indices=count, unweighted=True)[:count]
    steps[~on_branch] = 0  # from the root, so that the first pixel of a branch is at 1
    length = np.zeros(branch.max() + 1)
    np.maximum.at(length, branch, steps)
    length = (length + 1)[branch]  # to the bifurcation beyond the last pixel
    part = length / np.maximum(np.rint(length / spacing), 1)
    turn = np.rint(steps / part)
    return np.flatnonzero(on_branch & (turn >= 1) & (np.rint(turn * part) == steps) & (turn * part < length - 0.5))
