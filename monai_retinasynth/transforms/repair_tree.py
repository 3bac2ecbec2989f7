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
"""Generated trees made whole: pieces joined where a path between them is cheap, left out where it is not.

A real vessel tree is in one piece, or a few. Between the pieces of a generated one the evidence of the generator (ridge
or probability) rarely falls to nothing. So the cheapest paths between neighbouring pieces are found (Dijkstra's
algorithm from all pieces at once, on the graph of the pixels), the tree of least cost over all pieces is kept, and its
branches are drawn where they cost less than a limit. Ends close to the border of the field of view are led on to it.
What was added and taken away is counted, so that an audit can say how much of a map was drawn by the generator.

Lengths are pixels at a field of view of 540 pixels (DRIVE).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from skimage.draw import line
from skimage.graph import pixel_graph
from skimage.morphology import skeletonize

from ..utils.errors import ConfigError, DataError
from .field_of_view import field_of_view_scale

__all__ = ["RepairCounts", "RepairTree", "RepairTreeD", "RepairTreeDict", "RepairTreed"]

_EIGHT = np.ones((3, 3), dtype=bool)
_CHEAPEST = 0.1  # cost of a pixel of full evidence; without any it is 1
_DIRECTION = 8.0  # pixels over which the direction of an end is taken


@dataclass(frozen=True)
class RepairCounts:
    """What was done to one map.

    Args:
        pieces: before.
        joined: paths drawn between pieces.
        removed: pieces left out.
        extended: ends led to the border.
        share_added: pixels drawn, of those of the finished tree.
        share_removed: pixels taken away, of those before.
    """

    pieces: int = 0
    joined: int = 0
    removed: int = 0
    extended: int = 0
    share_added: float = 0.0
    share_removed: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Plain numbers by name, for JSON."""
        return asdict(self)


class RepairTree(Transform):
    """Joins the pieces of thin structures of a label map.

    Args:
        thin_class: class index of the structures; class 0 is outside the field of view.
        max_cost: a path may cost so much: its length in pixels where there is no evidence, down to a tenth of that
            where it is full.
        least_share: a piece that nothing joins stays where it is at least so large a share of the structures.
        border: ends so close to the border of the field of view are led on to it; 0 for none.

    Raises:
        ConfigError: when a setting is out of range.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self, thin_class: int = 2, max_cost: float = 10.0, least_share: float = 0.05, border: float = 10.0
    ) -> None:
        if thin_class < 1 or not max_cost >= 0 or not 0 <= least_share <= 1 or not border >= 0:
            raise ConfigError(
                "RepairTree needs a thin_class of 1 or more, max_cost and border of 0 or more and a least_share of 0 "
                f"to 1, got {thin_class}, {max_cost}, {border} and {least_share}"
            )
        self.thin_class = int(thin_class)
        self.max_cost, self.least_share, self.border = float(max_cost), float(least_share), float(border)

    def __call__(
        self, label: torch.Tensor, evidence: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, RepairCounts]:
        """
        Args:
            label: class indices, shape (1, X, Y).
            evidence: ridge or probability of the structures, shape (1, X, Y), 0..1; None for none.

        Returns:
            the repaired label map, of the same shape and type, and what was done.

        Raises:
            DataError: when the evidence has another size.
        """
        index = np.asarray(label)[0]
        support = np.zeros(index.shape) if evidence is None else np.asarray(evidence, dtype=np.float64)[0]
        if support.shape != index.shape:
            raise DataError(f"a label map {index.shape} and its evidence {support.shape} (X, Y) differ in size")
        inside, before = index != 0, index == self.thin_class
        if not before.any():
            return torch.as_tensor(label), RepairCounts()
        scale = field_of_view_scale(inside)
        pieces, count = ndimage.label(before, _EIGHT)
        tree, joined, removed = self._joined(pieces, count, inside, support, scale)
        extended = self._extend(tree, inside, scale) if self.border else 0
        result = index.copy()
        if (before & ~tree).any():  # becomes what lies beside it
            _, nearest = ndimage.distance_transform_edt(before | ~inside, return_indices=True)
            beside = np.where(inside & ~before, index, 1)[tuple(nearest)]
            result[before & ~tree] = beside[before & ~tree]
        result[tree & inside] = self.thin_class
        after = result == self.thin_class
        counts = RepairCounts(
            count,
            joined,
            removed,
            extended,
            float((after & ~before).sum() / max(int(after.sum()), 1)),
            float((before & ~after).sum() / before.sum()),
        )
        return torch.from_numpy(result)[None], counts

    def _joined(
        self, pieces: np.ndarray, count: int, inside: np.ndarray, support: np.ndarray, scale: float
    ) -> tuple[np.ndarray, int, int]:
        """The structures after joining, how many paths were drawn, and how many pieces left out."""
        before = pieces > 0
        if count == 1:
            return before.copy(), 0, 0
        paths = self._cheap_paths(pieces, count, inside, support, scale)
        first, second = [path[0] for path in paths], [path[1] for path in paths]
        links = sparse.coo_matrix((np.ones(len(paths)), (first, second)), (count, count))
        _, group = csgraph.connected_components(links, directed=False)
        area = np.bincount(group[pieces[before] - 1])
        kept = area >= max(self.least_share * area.sum(), 1)
        kept[area.argmax()] = True
        tree = before & np.concatenate([[False], kept[group]])[pieces]
        radius = ndimage.maximum_filter(_depth(before), size=3)
        drawn = [path for first, _, path in paths if kept[group[first]]]
        for path in drawn:
            ends = radius[tuple(path[[0, -1]].T)]
            _draw(tree, path, float(ends.min()))
        return tree, len(drawn), int((~kept[group]).sum())

    def _cheap_paths(
        self, pieces: np.ndarray, count: int, inside: np.ndarray, support: np.ndarray, scale: float
    ) -> list[tuple[int, int, np.ndarray]]:
        """Two pieces (from 0) and the pixels (n, 2) between them, for every branch of the tree of least cost."""
        limit = self.max_cost * scale
        cost = 1 - (1 - _CHEAPEST) * np.clip(support, 0, 1)
        reachable = ndimage.distance_transform_edt(pieces == 0) <= limit / _CHEAPEST
        graph, nodes = pixel_graph(
            cost,
            mask=inside & reachable,
            edge_function=lambda here, there, distance: 0.5 * (here + there) * distance,
            connectivity=2,
        )
        piece = pieces.ravel()[nodes]
        starts = np.flatnonzero(piece)
        distance, before, source = csgraph.dijkstra(
            graph, indices=starts, min_only=True, return_predecessors=True, limit=limit
        )
        owner = np.where(source >= 0, piece[np.maximum(source, 0)], 0)
        edges = sparse.triu(graph).tocoo()
        between = (owner[edges.row] != owner[edges.col]) & (owner[edges.row] > 0) & (owner[edges.col] > 0)
        here, there, step = edges.row[between], edges.col[between], edges.data[between]
        total = distance[here] + step + distance[there]
        here, there, total = here[total <= limit], there[total <= limit], total[total <= limit]
        if not len(total):
            return []
        # of all meetings of two pieces the cheapest
        pair = np.sort(np.stack([owner[here], owner[there]]), axis=0) - 1
        key = pair[0] * count + pair[1]
        order = np.lexsort((total, key))
        best = order[np.unique(key[order], return_index=True)[1]]
        meetings = sparse.coo_matrix((total[best], pair[:, best]), (count, count)).tocsr()
        spanning = csgraph.minimum_spanning_tree(meetings).tocoo()
        by_pair = dict(zip(key[best].tolist(), best.tolist()))
        paths = []
        for first, second in zip(spanning.row.tolist(), spanning.col.tolist()):
            meeting = by_pair[min(first, second) * count + max(first, second)]
            walk = [*reversed(_walk(before, here[meeting])), *_walk(before, there[meeting])]
            paths.append((first, second, np.stack(np.unravel_index(nodes[walk], pieces.shape), axis=1)))
        return paths

    def _extend(self, tree: np.ndarray, inside: np.ndarray, scale: float) -> int:
        """Lead ends on to the border, in place; how many."""
        room = _depth(inside)
        radius = ndimage.maximum_filter(_depth(tree), size=3)
        skeleton = skeletonize(tree)
        neighbours = ndimage.convolve(skeleton.astype(np.uint8), _EIGHT.astype(np.uint8), mode="constant") - skeleton
        places = np.argwhere(skeleton)
        extended = 0
        for end in np.argwhere(skeleton & (neighbours == 1) & (room <= self.border * scale)):
            near = places[np.hypot(*(places - end).T) <= _DIRECTION * scale]
            heading = (end - near.mean(0)) / max(float(np.linalg.norm(end - near.mean(0))), 1e-6)
            target = np.rint(end + 3 * self.border * scale * heading).astype(int)
            ray = np.stack(line(*end, *target), axis=1)
            ray = ray[((ray >= 0) & (ray < inside.shape)).all(1)]
            # out of the field of view or of the picture, and not along its border
            outside = np.flatnonzero(~inside[tuple(ray.T)])
            ray = ray[: outside[0]] if len(outside) else ray
            leaves = len(outside) > 0 or (ray[-1] == 0).any() or (ray[-1] == np.array(inside.shape) - 1).any()
            if leaves and 1 < len(ray) <= 1.5 * room[tuple(end)] + 2:
                _draw(tree, ray, float(radius[tuple(end)]))
                extended += 1
        tree &= inside
        return extended


def _depth(mask: np.ndarray) -> np.ndarray:
    """Distance to what is not the mask, beyond the picture as well."""
    return ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]


def _walk(before: np.ndarray, node: int) -> list[int]:
    """From a node back to the piece that reached it."""
    walk = [int(node)]
    while before[walk[-1]] >= 0:
        walk.append(int(before[walk[-1]]))
    return walk


def _draw(tree: np.ndarray, path: np.ndarray, radius: float) -> None:
    """Draw a path so wide, in place."""
    reach = int(np.ceil(radius))
    around = np.arange(-reach, reach + 1)
    disc = np.argwhere(np.hypot(around[:, None], around[None, :]) <= max(radius - 0.5, 0.5)) - reach
    places = (path[:, None] + disc[None]).reshape(-1, 2)
    places = places[((places >= 0) & (places < tree.shape)).all(1)]
    tree[tuple(places.T)] = True


class RepairTreed(MapTransform):
    """Dictionary form of `RepairTree`.

    Args:
        keys: keys of label maps.
        evidence_key: key of the evidence; None for none.
        counts_key: key for the counts, a dictionary of numbers; None for none.
        thin_class: see `RepairTree`.
        max_cost: see `RepairTree`.
        least_share: see `RepairTree`.
        border: see `RepairTree`.
        allow_missing_keys: whether a missing key is passed over.
    """

    backend = RepairTree.backend

    def __init__(
        self,
        keys: KeysCollection,
        evidence_key: str | None = None,
        counts_key: str | None = "repair",
        thin_class: int = 2,
        max_cost: float = 10.0,
        least_share: float = 0.05,
        border: float = 10.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.evidence_key, self.counts_key = evidence_key, counts_key
        self.repair = RepairTree(thin_class, max_cost, least_share, border)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key in self.key_iterator(d):
            evidence = None if self.evidence_key is None else d[self.evidence_key]
            d[key], counts = self.repair(d[key], evidence)
            if self.counts_key is not None:
                d[self.counts_key] = counts.to_dict()
        return d


RepairTreeD = RepairTreeDict = RepairTreed
