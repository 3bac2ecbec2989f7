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
"""Draws the vessels of a label map on a background, as measured in real photographs: a painter without training.

The photograph is the background times the vessels' transmission, exp(log ratio). The log ratio of a vessel is the
profile of one of the measured eyes times a factor that is drawn for it, see `VesselAppearance`. The rank of the factor
among vessels of like width goes along the tree as a Gaussian process (an Ornstein-Uhlenbeck process on the centre
lines' spanning tree, cut at forks where it must be cut), so that a dark vein stays dark where it thins. Where the trees
are known, arteries are light and veins dark, and where they cross, what they absorb adds up in part.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends
from scipy import ndimage
from scipy.sparse import csgraph
from scipy.special import ndtr

from ..utils.errors import ConfigError, DataError
from ..utils.label_set import LabelSet, get_label_set
from ..utils.log_ratio import LEVEL_OFFSET
from ..utils.seeding import derive_seed
from ..utils.skeleton_points import link_graph
from ..utils.smooth_noise import smooth_noise
from .field_of_view import field_of_view_scale
from .vessel_appearance import DEPTHS, RADII, SEGMENT, VesselAppearance, profile_depth, tone_weight
from .vessel_geometry import VesselGeometry, smooth_along, vessel_geometry

__all__ = ["PaintVessels", "PaintVesselsD", "PaintVesselsDict", "PaintVesselsd"]

_STREAM = 14  # keeps these draws apart from those of other transforms with the same seed and index
_ARTERY, _VEIN, _CROSSING = 1, 2, 3  # values of a map of the trees
_KNOWN_TREE_SHARE = 0.35  # real eyes come without their trees, so what a tree has in common is measured too low
_TREE_TONE = 0.8  # mean of a standard normal number given its sign: arteries are the lighter half
_LONG = 8.0  # lengths over which what a tree has in common may change where the trees are not known
_STEP = 1.2  # pixels, mean distance of neighbouring points of a centre line
_SHORT = 12.0  # pixels along a vessel over which falls what does not last
_SLOW_RADIUS = 2.0  # pixels, half width from which on lengths grow with it
_SMOOTH = 3.0  # pixels along the centre line
_VARIATION_SIZE = 0.5  # field radii
_BEHIND = 0.4  # share of the log ratio of the lighter of two vessels that cross
# how far looks of one picture go at a `look_range` of 1
_CONTRAST_SD, _COLOUR_SD = 0.25, 0.12  # in logarithms, of all vessels and of each colour channel
_MEAN_CONTRAST = 1.1
_FAINTEST = (0.2, 0.6)  # contrast that the faintest vessels keep, drawn from this range, relative to the mean
_REFLEX = {_ARTERY: 0.9, _VEIN: 0.45}  # most that the central light reflex takes of the log ratio on the centre line
_REFLEX_WIDTH = (0.45, 0.85)  # depth over half width at which the reflex begins and is whole
_REFLEX_RADII = (1.2, 2.4)  # half width in pixels from which on a reflex is seen, and seen whole


class PaintVessels(Transform):
    """Draw the vessels of a label map on a background.

    Args:
        appearance: measured look of vessels (`measure_vessel_appearance`): itself, its plain form, or the path of its
            JSON file.
        label_set: label set of the label maps.
        vessel_class: name of the class of the vessels.
        variation: standard deviation of the slow change of contrast over the picture, in logarithms.
        strength: contrast relative to the eyes measured.
        look_range: how far the look of a picture's vessels may depart from that of the eyes measured: 0 not at all, 1
            as far as those of an unknown camera might. Drawn anew for each picture are the contrast of all vessels,
            that of each colour channel, how faint the faintest are, and the central light reflex of arteries and
            veins.

    Raises:
        ConfigError: When `variation`, `strength` or `look_range` is negative, or `look_range` above 1.
        DataError: When the appearance cannot be read, or the label set has no such class.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        appearance: VesselAppearance | Mapping[str, Any] | str | os.PathLike,
        label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
        vessel_class: str = "vessel",
        variation: float = 0.08,
        strength: float = 1.0,
        look_range: float = 0.0,
    ) -> None:
        if variation < 0 or strength < 0:
            raise ConfigError(f"variation and strength must not be negative, got {variation} and {strength}")
        if not 0 <= look_range <= 1:
            raise ConfigError(f"look_range lies between 0 (as measured) and 1 (unknown cameras), got {look_range}")
        self.vessel_index = get_label_set(label_set).index(vessel_class)
        self.appearance = _appearance(appearance)
        self.variation, self.strength, self.look_range = float(variation), float(strength), float(look_range)

    def __call__(self, background: Any, label: Any, seed: int = 0, trees: Any = None) -> torch.Tensor:
        """Paint.

        Args:
            background: (C, X, Y), values 0..255, without vessels.
            label: label map (1, X, Y), class indices.
            seed: seed of everything that is drawn.
            trees: map (1, X, Y) of the trees, 0 none, 1 artery, 2 vein, 3 where they cross; None where unknown.

        Returns:
            float32 tensor (C, X, Y), 0..255; 0 outside the field of view. Without vessels the background itself.

        Raises:
            DataError: When sizes or the number of channels do not fit, or the label map has no field of view.
        """
        picture = np.asarray(background, dtype=np.float32)
        ratio = self.log_ratio(label, seed, trees)
        inside = np.asarray(label)[0] > 0
        if picture.shape != ratio.shape:
            raise DataError(
                f"a background of shape {picture.shape} cannot take vessels of shape {ratio.shape} (channels, X, Y): "
                "background and label map must have one size, and colours need an appearance measured in colour "
                "photographs, grey levels one measured in grey ones"
            )
        painted = (picture + LEVEL_OFFSET) * np.exp(ratio) - LEVEL_OFFSET
        return torch.from_numpy(np.clip(painted, 0, 255) * inside)

    def log_ratio(self, label: Any, seed: int = 0, trees: Any = None) -> np.ndarray:
        """The log ratio of photograph over background alone, (C, X, Y) float32; see `__call__`."""
        label_map = np.asarray(label)
        if label_map.ndim != 3 or label_map.shape[0] != 1:
            raise DataError(f"a label map has shape (1, X, Y), got {label_map.shape}")
        label_map = label_map[0]
        inside, vessel = label_map > 0, label_map == self.vessel_index
        scale = field_of_view_scale(inside)
        rng = np.random.default_rng(seed)
        eye = int(rng.integers(len(self.appearance.eyes)))
        if trees is None:
            total = self._layer(vessel, scale, eye, rng, None)
        else:
            tree_map = np.asarray(trees)[0]
            if tree_map.shape != vessel.shape or tree_map.max(initial=0) > _CROSSING:
                raise DataError(
                    f"a map of the trees has the label map's size {vessel.shape} and the values 0 none, 1 artery, "
                    f"2 vein, 3 crossing; got {tree_map.shape} with values up to {tree_map.max(initial=0)}"
                )
            layers = [
                self._layer(vessel & ((tree_map == own) | (tree_map == _CROSSING)), scale, eye, rng, tone)
                for own, tone in ((_ARTERY, -_TREE_TONE), (_VEIN, _TREE_TONE))
            ]
            unknown = vessel & (tree_map == 0)
            if unknown.any():
                layers.append(self._layer(unknown, scale, eye, rng, None))
            total = layers[0]
            for layer in layers[1:]:
                total = _over(total, layer)
        if self.look_range:
            drawn = rng.normal(0, _CONTRAST_SD) + rng.normal(0, _COLOUR_SD, (len(total), 1, 1))
            total *= np.exp(self.look_range * (np.log(_MEAN_CONTRAST) + drawn)).astype(np.float32)
        if self.variation and vessel.any():
            x, y = ((np.arange(size) - (size - 1) / 2) / (270 * scale) for size in vessel.shape)
            total *= np.exp(self.variation * smooth_noise(y, x, _VARIATION_SIZE, rng))
        return total * np.float32(self.strength) * inside

    def _layer(
        self, vessel: np.ndarray, scale: float, eye: int, rng: np.random.Generator, tone: float | None
    ) -> np.ndarray:
        """(C, X, Y) log ratio of some of the vessels; `tone` is the normal score of their tree, None where unknown."""
        own = np.random.default_rng(rng.integers(2**63))  # so that one layer's size does not shift the next one
        result = np.zeros((self.appearance.channels, *vessel.shape), dtype=np.float32)
        if not vessel.any():
            return result
        geometry = vessel_geometry(vessel)
        near = geometry.signed_distance < DEPTHS[-1] * scale
        rank = ndtr(self._scores(geometry, scale, own, tone))
        factor = self.appearance.factor(geometry.point_radius / scale, rank)
        along = smooth_along(np.stack([factor, tone_weight(rank)], axis=1), geometry.links, _SMOOTH * scale / _STEP)
        point = geometry.nearest[near]
        depth = profile_depth(geometry.signed_distance, geometry.radius, scale)[near]
        ratio = self.appearance.log_ratio(eye, depth, geometry.radius[near] / scale, along[point, 1])
        contrast = along[point, 0]
        if self.look_range:
            # drawn last, so that the same vessels are light and dark whatever the range
            floor = self.look_range * own.uniform(*_FAINTEST)
            contrast = floor + (1 - floor) * contrast
            most = self.look_range * _REFLEX[_ARTERY if tone is None or tone < 0 else _VEIN]
            contrast = contrast * (1 - own.uniform(0, most) * _reflex(geometry, near, scale))
        result[:, near] = (ratio * contrast[:, None]).T
        # the border between the shares of two vessels is nothing that is seen
        return np.stack([ndimage.gaussian_filter(plane, 0.4 * scale) for plane in result])

    def _scores(
        self, geometry: VesselGeometry, scale: float, rng: np.random.Generator, tone: float | None
    ) -> np.ndarray:
        """(n,) normal score of every point of the centre lines."""
        look = self.appearance
        share = look.tree_share if tone is None else max(look.tree_share, _KNOWN_TREE_SHARE)
        lengths = np.array([_LONG * look.length, look.length, _SHORT])
        stretch = np.maximum(geometry.point_radius / (_SLOW_RADIUS * scale), 1.0)  # wide vessels change slowly
        common, own, short = walk_along_trees(geometry, lengths * scale, rng, stretch)
        if tone is not None:
            common = tone + np.sqrt(1 - tone**2) * common
        lasting = np.interp(np.log(geometry.point_radius / scale), np.log(RADII), look.persistence)
        shares = np.stack([lasting * share, lasting * (1 - share), 1 - lasting])
        scores = (np.sqrt(shares) * np.stack([common, own, short])).sum(axis=0)
        # ranks were measured of means over segments, whose variance is 1; points vary more than that
        return scores / np.sqrt((shares * _variance_of_mean(SEGMENT / (lengths[:, None] * stretch))).sum(axis=0))


def _reflex(geometry: VesselGeometry, near: np.ndarray, scale: float) -> np.ndarray:
    """Share of the central light reflex at some pixels, 1 on the centre line of a wide vessel, 0 towards its wall."""
    depth = -geometry.signed_distance[near] / np.maximum(geometry.radius[near], 0.5)
    across = np.interp(depth, _REFLEX_WIDTH, (0.0, 1.0))
    return across * np.interp(geometry.radius[near] / scale, _REFLEX_RADII, (0.0, 1.0))


def walk_along_trees(
    geometry: VesselGeometry, lengths: Sequence[float], rng: np.random.Generator, stretch: np.ndarray | None = None
) -> np.ndarray:
    """Gaussian processes along the centre lines: unit variance, correlation exp(-distance / length) along the tree.

    Loops must be cut somewhere, and there values differ from one point to the next: they are cut in forks and
    crossings, of thin vessels first.

    Args:
        geometry: the vessels.
        lengths: correlation lengths in pixels, k of them.
        rng: source of chance.
        stretch: (n,) factors of the lengths at every point; None for 1.

    Returns:
        (k, n) float64, values of k independent processes at every point.
    """
    count, links = len(geometry.points), geometry.links
    radius = geometry.point_radius
    cost = 1.0 + np.where(geometry.in_fork[links].any(axis=0), 10.0 / np.minimum(*radius[links]), 0.0)
    pieces = csgraph.connected_components(link_graph(links, count), directed=False)[1]
    roots = np.unique(pieces, return_index=True)[1]
    # one more node hangs all pieces together, so that a single walk reaches all of them
    edges = np.concatenate([links, np.stack([np.full(len(roots), count), roots])], axis=1)
    tree = csgraph.minimum_spanning_tree(link_graph(edges, count + 1, np.concatenate([cost, np.ones(len(roots))])))
    order, parent = csgraph.breadth_first_order(tree, count, directed=False)
    noise = rng.standard_normal((len(lengths), count + 1))
    result = np.empty((len(lengths), count))
    points, before = order[1:], parent[order[1:]]
    points, before = points[before != count], before[before != count]
    for k, length in enumerate(lengths):
        keep = np.exp(-_STEP / (length * (np.ones(count) if stretch is None else stretch)))[points]
        fresh = np.sqrt(1 - keep**2) * noise[k][points]
        values = noise[k].tolist()
        for point, parent_point, kept, new in zip(*(item.tolist() for item in (points, before, keep, fresh))):
            values[point] = kept * values[parent_point] + new
        result[k] = values[:count]
    return result


def _variance_of_mean(length: np.ndarray) -> np.ndarray:
    """Variance of the mean of an Ornstein-Uhlenbeck process of unit variance over so many of its lengths."""
    return 2 * (length - 1 + np.exp(-length)) / length**2


def _appearance(appearance: VesselAppearance | Mapping[str, Any] | str | os.PathLike) -> VesselAppearance:
    if isinstance(appearance, VesselAppearance):
        return appearance
    if isinstance(appearance, Mapping):
        return VesselAppearance.from_dict(appearance)
    return VesselAppearance.load(appearance)


def _over(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Log ratio of two vessels, one over the other: the greater of them, and a part of the lesser."""
    dark = np.minimum(first, 0), np.minimum(second, 0)
    light = np.maximum(first, 0), np.maximum(second, 0)
    total = np.minimum(*dark) + _BEHIND * np.maximum(*dark)
    return total + np.maximum(*light) + _BEHIND * np.minimum(*light)


class PaintVesselsd(MapTransform):
    """Dictionary form of `PaintVessels`: case `index` of a seed is painted the same whatever came before it.

    Args:
        keys: keys of label maps, (1, X, Y).
        appearance: see `PaintVessels`.
        background_key: key of the background, (C, X, Y), values 0..255.
        output_key: keys of the results, float32 tensors (C, X, Y), 0..255.
        seed: seed of the set.
        index_key: key of the case's number.
        trees_key: key of the map of the trees, see `PaintVessels`; cases without it are painted as if trees were not
            known. None never looks for one.
        label_set: label set of the label maps.
        vessel_class: name of the class of the vessels.
        variation: see `PaintVessels`.
        strength: see `PaintVessels`.
        look_range: see `PaintVessels`.
        allow_missing_keys: whether a missing key is passed over.

    Raises:
        ConfigError: When a case has no number, and see `PaintVessels`.
        DataError: See `PaintVessels`; names the case by its `case_id`.
    """

    backend = PaintVessels.backend

    def __init__(
        self,
        keys: KeysCollection = "label",
        appearance: VesselAppearance | Mapping[str, Any] | str | os.PathLike = "vessel_appearance.json",
        background_key: str = "background",
        output_key: KeysCollection = "painted",
        seed: int = 0,
        index_key: str = "index",
        trees_key: str | None = "trees",
        label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
        vessel_class: str = "vessel",
        variation: float = 0.08,
        strength: float = 1.0,
        look_range: float = 0.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.output_keys = (output_key,) if isinstance(output_key, str) else tuple(output_key)
        if len(self.output_keys) != len(self.keys):
            raise ConfigError(f"{len(self.keys)} keys need as many output keys, got {len(self.output_keys)}")
        self.background_key, self.index_key, self.trees_key = background_key, index_key, trees_key
        self.seed = int(seed)
        self.paint = PaintVessels(appearance, label_set, vessel_class, variation, strength, look_range)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        if self.index_key not in d:
            raise ConfigError(f"a case without {self.index_key!r}: number the cases, vessels are drawn by it")
        trees = None if self.trees_key is None else d.get(self.trees_key)
        for key, output_key in self.key_iterator(d, self.output_keys):
            seed = derive_seed(self.seed, _STREAM, int(d[self.index_key]))
            try:
                d[output_key] = self.paint(d[self.background_key], d[key], seed, trees)
            except DataError as exception:
                raise DataError(f"case {d.get('case_id', d[self.index_key])}: {exception}") from exception
        return d


PaintVesselsD = PaintVesselsDict = PaintVesselsd
