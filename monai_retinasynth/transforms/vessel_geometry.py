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
"""Where a pixel lies in its vessel: distance from the wall, half width there, and which segment of the tree it is.

The centre lines are the skeleton of Zhang and Suen (Comm. ACM 27(3):236-239, 1984). The half width is measured from
the area of the vessel over its length, smoothed along the centre line, for the distance from the wall knows it to a
whole pixel only, which is the width of a capillary. Segments are what is left of the centre lines when the lumen of
every fork and crossing is cut out, so that a side branch begins outside its parent and crossings do not split in two.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from skimage.morphology import skeletonize

from ..utils.label_set import LabelSet, get_label_set
from ..utils.skeleton_points import link_graph, skeleton_links
from .field_of_view import field_of_view_scale

__all__ = [
    "VesselGeometry",
    "VesselGeometryD",
    "VesselGeometryDict",
    "VesselGeometryd",
    "smooth_along",
    "vessel_geometry",
]

_FAR = 1e4  # pixels: the distance from the wall in a picture without vessels


@dataclass(frozen=True)
class VesselGeometry:
    """The vessels of a picture, pixel by pixel and as a graph of their centre lines.

    Args:
        signed_distance: (X, Y) float32, pixels from the wall, negative inside; 10000 in a picture without vessels.
        radius: (X, Y) float32, half width in pixels of the nearest vessel; 0 in a picture without vessels.
        segment: (X, Y) int32, number of the nearest segment, 0 to `num_segments` - 1; -1 without vessels.
        num_segments: number of segments.
        skeleton: (X, Y) bool, centre lines.
        points: (n, 2) int64, the pixels of the centre lines in raster order.
        links: (2, m) int64, pairs of neighbouring points.
        point_radius: (n,) float32, half width at each point, pixels.
        point_segment: (n,) int32, segment of each point.
        in_fork: (n,) bool, points within the lumen of a fork or crossing.
        nearest: (X, Y) int32, number of the point nearest to each pixel; -1 without vessels.
    """

    signed_distance: np.ndarray
    radius: np.ndarray
    segment: np.ndarray
    num_segments: int
    skeleton: np.ndarray
    points: np.ndarray
    links: np.ndarray
    point_radius: np.ndarray
    point_segment: np.ndarray
    in_fork: np.ndarray
    nearest: np.ndarray


def vessel_geometry(vessel: np.ndarray, segment_length: float | None = None) -> VesselGeometry:
    """Measure the geometry of a vessel mask.

    Args:
        vessel: (X, Y) bool.
        segment_length: pixels; longer segments are divided evenly into about this length. None leaves them whole, from
            fork to fork.

    Returns:
        the geometry.
    """
    vessel = np.asarray(vessel, dtype=bool)
    if vessel.ndim != 2:
        raise ValueError(f"expected a vessel mask of shape (X, Y), got {vessel.shape}")
    skeleton = skeletonize(vessel)
    if not skeleton.any():
        return _no_vessels(vessel.shape)
    inside = ndimage.distance_transform_edt(vessel).astype(np.float32)
    outside = ndimage.distance_transform_edt(~vessel).astype(np.float32)
    signed = np.where(vessel, 0.5 - inside, outside - 0.5)  # the wall lies half a pixel beyond the last centre

    rows, columns = np.nonzero(skeleton)
    number = np.full(vessel.shape, -1, dtype=np.int32)
    number[rows, columns] = np.arange(len(rows))
    place = ndimage.distance_transform_edt(~skeleton, return_distances=False, return_indices=True)
    nearest = number[place[0], place[1]]
    del place
    links = skeleton_links(vessel.shape, rows, columns)
    depth = ndimage.maximum_filter(inside, 3)[rows, columns]
    in_fork = _in_forks(rows, columns, links, depth)
    area = np.bincount(nearest[vessel], minlength=len(rows))
    radius = _half_width(area, links, depth, in_fork, rows, columns)
    segment, count = _segments(len(rows), links, in_fork, segment_length)
    return VesselGeometry(
        signed_distance=signed,
        radius=radius[nearest],
        segment=segment[nearest],
        num_segments=count,
        skeleton=skeleton,
        points=np.stack([rows, columns], axis=1),
        links=links,
        point_radius=radius,
        point_segment=segment,
        in_fork=in_fork,
        nearest=nearest,
    )


def smooth_along(values: np.ndarray, links: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth values along centre lines, with about a Gaussian; what lies beside but on another line stays out of it.

    Args:
        values: (n,) or (n, k), one for each point.
        links: (2, m) pairs of neighbouring points.
        sigma: standard deviation in steps from point to point.

    Returns:
        float array of the same shape; equal values stay as they are.
    """
    result = np.asarray(values, dtype=np.float64)
    steps = round(2 * sigma * sigma)
    if not len(result) or not steps or not links.shape[1]:
        return result.copy()
    pairs = link_graph(links, len(result))
    pairs = pairs + pairs.T
    degree = np.asarray(pairs.sum(axis=1)).ravel()
    walk = sparse.diags(0.5 / np.maximum(degree, 1)) @ pairs + sparse.diags(np.where(degree > 0, 0.5, 1.0))
    walk = walk.tocsr()
    for _ in range(steps):  # a lazy walk of n steps spreads by a standard deviation of sqrt(n / 2)
        result = walk @ result
    return result


def _no_vessels(shape: tuple[int, ...]) -> VesselGeometry:
    none = np.full(shape, -1, dtype=np.int32)
    return VesselGeometry(
        signed_distance=np.full(shape, _FAR, dtype=np.float32),
        radius=np.zeros(shape, dtype=np.float32),
        segment=none,
        num_segments=0,
        skeleton=np.zeros(shape, dtype=bool),
        points=np.zeros((0, 2), dtype=np.int64),
        links=np.zeros((2, 0), dtype=np.int64),
        point_radius=np.zeros(0, dtype=np.float32),
        point_segment=np.zeros(0, dtype=np.int32),
        in_fork=np.zeros(0, dtype=bool),
        nearest=none,
    )


def _in_forks(rows: np.ndarray, columns: np.ndarray, links: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Which points lie within the lumen around a point that has three neighbours or more."""
    joints = np.flatnonzero(np.bincount(links.ravel(), minlength=len(rows)) >= 3)
    result = np.zeros(len(rows), dtype=bool)
    result[joints] = True
    for size in np.unique(np.ceil(depth[joints])):
        group = joints[np.ceil(depth[joints]) == size]
        reach = int(round(1.3 * size))  # a little beyond the wall, where the spurs of blunt ends reach
        dx, dy = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
        # looked up by a code of the pixel: the points are sorted by it
        width = int(columns.max()) + 2 * reach + 2
        code = rows * width + columns
        near = dx * dx + dy * dy <= reach * reach
        wanted = (rows[group, None] + dx[near]) * width + columns[group, None] + dy[near]
        result |= np.isin(code, wanted)
    return result


def _half_width(
    area: np.ndarray,
    links: np.ndarray,
    depth: np.ndarray,
    in_fork: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
) -> np.ndarray:
    """Half width at every point: area over length, both smoothed along the centre line outside the forks."""
    step = np.hypot(rows[links[0]] - rows[links[1]], columns[links[0]] - columns[links[1]])
    length = np.zeros(len(area))
    np.add.at(length, links.ravel(), np.tile(step / 2, 2))
    ends = np.bincount(links.ravel(), minlength=len(area)) < 2
    length += np.where(ends, depth, 0.0)  # a vessel reaches beyond the last point of its centre line
    free = links[:, ~in_fork[links[0]] & ~in_fork[links[1]]]
    smooth = smooth_along(np.stack([area, length], axis=1), free, 4.0)
    radius = smooth[:, 0] / (2 * np.maximum(smooth[:, 1], 0.5))
    radius = np.where(in_fork, depth - 0.25, radius)
    return np.clip(radius, np.maximum(depth - 0.75, 0.5), depth + 0.5).astype(np.float32)


def _segments(
    count: int, links: np.ndarray, in_fork: np.ndarray, segment_length: float | None
) -> tuple[np.ndarray, int]:
    """Segment of every point, and how many there are; points in forks get the segment that is the fewest steps away."""
    free = links[:, ~in_fork[links[0]] & ~in_fork[links[1]]]
    branch = _components(free, count)
    whole = _components(links, count)
    # a piece that is nothing but fork is a segment of its own
    has_branch = np.zeros(whole.max() + 1, dtype=bool)
    has_branch[whole[~in_fork]] = True
    seed = ~in_fork | ~has_branch[whole]
    branch = np.where(in_fork & seed, branch.max() + 1 + whole, branch)
    if segment_length is not None:
        branch = _divide(branch, free, seed, float(segment_length))
    segment = np.full(count, -1, dtype=np.int64)
    names, segment[seed] = np.unique(branch[seed], return_inverse=True)
    if not seed.all():
        segment[~seed] = segment[_nearest_seed(links, count, seed)[~seed]]
    return segment.astype(np.int32), len(names)


def _divide(branch: np.ndarray, links: np.ndarray, seed: np.ndarray, segment_length: float) -> np.ndarray:
    """Divide branches into even parts of about the length: a new number for each part."""
    count = len(branch)
    # a branch is walked from one of its tips, a loop from any of its points
    order = np.lexsort((np.bincount(links.ravel(), minlength=count), branch))
    order = order[seed[order]]
    starts = order[np.unique(branch[order], return_index=True)[1]]
    steps = _steps_from(links, count, starts)
    steps = np.where(np.isfinite(steps), steps, 0)
    length = np.zeros(branch.max() + 1)
    np.maximum.at(length, branch, steps)
    length = length[branch] + 1
    parts = np.maximum(np.rint(length / segment_length), 1)
    part = np.minimum(np.floor(steps * parts / length), parts - 1).astype(np.int64)
    return branch.astype(np.int64) * (int(part.max()) + 1) + part


def _steps_from(links: np.ndarray, count: int, starts: np.ndarray) -> np.ndarray:
    """Steps along the links from the nearest of the starts to every point."""
    root = np.stack([np.full(len(starts), count), starts])
    graph = link_graph(np.concatenate([links, root], axis=1), count + 1)
    return csgraph.dijkstra(graph, directed=False, indices=count, unweighted=True)[:count] - 1


def _nearest_seed(links: np.ndarray, count: int, seed: np.ndarray) -> np.ndarray:
    """For every point the seed that is reached first when walking along the links."""
    seeds = np.flatnonzero(seed)
    graph = link_graph(links, count)
    _, _, source = csgraph.dijkstra(
        graph, directed=False, indices=seeds, unweighted=True, min_only=True, return_predecessors=True
    )
    return source


def _components(links: np.ndarray, count: int) -> np.ndarray:
    return csgraph.connected_components(link_graph(links, count), directed=False)[1]


class VesselGeometryd(MapTransform):
    """Geometry of the vessels of a label map as three channels for a network.

    Sizes are given for a field of view 540 pixels wide and scaled to that of the label map. Channels: distance from the
    wall over 6 px, negative inside, clipped to -1..1; logarithm of the half width of the nearest vessel (-1 at 0.5 px,
    0 at 2 px, 1 at 8 px, clipped); a soft band, 1 in vessels, falling to 0 at `band` px from their walls, and 0 outside
    the field of view. In a picture without vessels they are 1, -1 and 0.

    Args:
        keys: keys of label maps, (1, X, Y).
        output_key: key of the result, float32 tensor (3, X, Y); one for each of the keys.
        vessel_class: name of the class of the vessels.
        label_set: label set of the label maps.
        band: width of the band, pixels.
        rim: pixels from the border of the field of view in which there is no band: in training, for the rim of a
            photograph is dark, and that of its background is filled. With 0 vessels reach the border.
        allow_missing_keys: whether a missing key is passed over.

    Raises:
        DataError: When the label set has no such class, or a label map no field of view.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        keys: KeysCollection = "label",
        output_key: str | Sequence[str] = "geometry",
        vessel_class: str = "vessel",
        label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
        band: float = 4.5,
        rim: float = 0.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.output_keys = (output_key,) if isinstance(output_key, str) else tuple(output_key)
        if len(self.output_keys) != len(self.keys):
            raise ValueError(f"{len(self.keys)} keys need as many output keys, got {len(self.output_keys)}")
        self.vessel_index = get_label_set(label_set).index(vessel_class)
        self.band, self.rim = float(band), float(rim)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key, output_key in self.key_iterator(d, self.output_keys):
            d[output_key] = self._channels(np.asarray(d[key])[0])
        return d

    def _channels(self, label: np.ndarray) -> torch.Tensor:
        scale = field_of_view_scale(label > 0)
        geometry = vessel_geometry(label == self.vessel_index)
        distance = geometry.signed_distance / scale
        width = np.log2(np.maximum(geometry.radius / scale, 0.5) / 2.0) / 2.0
        band = np.clip(1 - distance / self.band, 0, 1) * (label > 0)  # nothing is painted outside the field of view
        if self.rim and not (label > 0).all():  # where the picture cuts the field of view off there is no rim
            depth = ndimage.distance_transform_edt(label > 0) / scale
            band = band * np.clip((depth - self.rim) / 2, 0, 1)
        channels = np.stack([np.clip(distance / 6.0, -1, 1), np.clip(width, -1, 1), band])
        return torch.from_numpy(channels.astype(np.float32))


VesselGeometryD = VesselGeometryDict = VesselGeometryd
