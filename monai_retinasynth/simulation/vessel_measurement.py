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
"""Measures how vessels look in photographs that have vessel masks, see `VesselAppearance`.

Everything is measured against the photograph's own background (`remove_structures`). Profiles are the least-squares fit
of tables that are interpolated linearly, as the painter does, held together by a little smoothness, and each eye's by
what all eyes have in common where it shows little. A segment's factor is the regression of its darkness on the profile.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from scipy.stats import norm
from skimage.transform import downscale_local_mean

from ..data.cases import load_cases
from ..data.held_out_eyes import note_eyes
from ..transforms.field_of_view import field_of_view_scale
from ..transforms.load_fundus_case import LoadFundusCased
from ..transforms.remove_structures import remove_structures
from ..transforms.vessel_appearance import (
    DEPTHS,
    RADII,
    RANKS,
    SEGMENT,
    VesselAppearance,
    profile_depth,
    profile_weights,
    tone_weight,
)
from ..transforms.vessel_geometry import VesselGeometry, vessel_geometry
from ..utils.errors import DataError
from ..utils.label_set import LabelSet, get_label_set
from ..utils.log_ratio import log_ratio_to_background
from ..utils.skeleton_points import link_graph

__all__ = ["measure_eyes", "measure_vessel_appearance"]

_RIM = 6.0  # pixels at the border of the field of view that are left out
_MOST_SCALE = 2.0  # larger photographs are measured at this scale: nothing finer is asked for
_LEAST_SEGMENTS = 30  # in all eyes together
# weights, in pixels, of smoothness, of zero, and of what eyes have in common
_SMOOTH, _RIDGE, _COMMON = 5.0, 0.05, 30.0
_KERNEL = 0.25  # standard deviation, in logarithms of half widths, of what counts as like width
_FACTORS = (0.05, 3.0)  # least and most
_LAGS = np.arange(0.0, 241.0, SEGMENT) + SEGMENT / 2  # pixels along the tree, borders of bins


@dataclass(frozen=True)
class _Eye:
    """Pixels in and around the vessels of one eye, and its segments."""

    name: str
    log_ratio: np.ndarray  # (N, C)
    depth: np.ndarray  # (N,)
    radius: np.ndarray  # (N,) at a field of view of 540
    segment: np.ndarray  # (N,)
    segment_radius: np.ndarray  # (S,)
    distance: np.ndarray  # (S, S) along the tree, pixels at a field of view of 540
    pixel: float  # area of a pixel, in those at a field of view of 540


def measure_vessel_appearance(
    dataset_dir: str | os.PathLike | Mapping[str, Any] | Sequence[Any],
    label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
    layout: str = "auto",
    section: str = "training",
    num_cases: int | None = None,
    val_count: int = 2,
    split: str | None = None,
    image_size: Sequence[int] | int | None = None,
    vessel_class: str = "vessel",
) -> VesselAppearance:
    """Measure the vessels of the training eyes of a data set.

    Args:
        dataset_dir: folder of photographs with vessel masks or label maps, see `load_cases`.
        label_set: label set of the label maps.
        layout: layout of the folder.
        section: section of the data set.
        num_cases: measure the first so many cases only; None for all.
        val_count: number of training cases held out for validation.
        split: named split of CHASE_DB1, None for its default.
        image_size: (X, Y) to which cases are resized before; None keeps the size of the files.
        vessel_class: name of the class of the vessels.

    Returns:
        their appearance.

    Raises:
        DataError: When a case has no photograph or a file cannot be read, the label set has no such class, or the eyes
            show too few vessels to measure.
    """
    settings = {"layout": layout, "val_count": val_count, "split": split}
    cases = load_cases(dataset_dir, section, num_cases=num_cases, **settings)
    origin = note_eyes(dataset_dir, section, [case["image"] for case in cases if "image" in case], **settings)
    labels = get_label_set(label_set)
    vessel_index = labels.index(vessel_class)
    load = LoadFundusCased(labels, spatial_size=image_size)

    def eyes():
        for case in cases:
            if "image" not in case:
                raise DataError(
                    f"case {case['case_id']} of {dataset_dir} has no photograph: the appearance of vessels is measured "
                    "in photographs"
                )
            loaded = load(case)
            label = np.asarray(loaded["label"])[0]
            yield str(case["case_id"]), np.asarray(loaded["image"]), label == vessel_index, label > 0

    return replace(measure_eyes(eyes(), str(dataset_dir)), origin=origin)


def measure_eyes(eyes: Any, where: str = "the eyes given") -> VesselAppearance:
    """Measure the vessels of photographs in memory.

    Args:
        eyes: iterable of name, photograph (C, X, Y) with values 0..255, vessels (X, Y) bool and field of view (X, Y)
            bool; none of them is kept.
        where: where they come from, for the error messages.

    Raises:
        DataError: When they show too few vessels to measure, or differ in their number of channels.
    """
    measured = [eye for item in eyes if (eye := _measure(*item)) is not None]
    if len({eye.log_ratio.shape[1] for eye in measured}) > 1:
        raise DataError(f"{where}: photographs with and without colours cannot be measured together")
    if not measured or sum(len(eye.segment_radius) for eye in measured) < _LEAST_SEGMENTS:
        count = sum(len(eye.segment_radius) for eye in measured)
        raise DataError(
            f"too few vessels to measure in {where}: {count} pieces {SEGMENT:g} px long (at a field of view of 540 px) "
            f"in all, at least {_LEAST_SEGMENTS} are needed. Check that the label maps show the vessels, or add eyes"
        )
    plain = _fit(measured, [profile_weights(eye.depth, eye.radius) for eye in measured], 1)
    factors = [_factors(eye, table) for eye, table in zip(measured, plain)]
    ranks = _ranks(measured, factors)
    share, length, persistence = _along_the_tree(measured, factors, ranks)
    toned = [
        sparse.diags(factor[eye.segment].astype(np.float32))
        @ profile_weights(eye.depth, eye.radius, tone_weight(rank)[eye.segment])
        for eye, factor, rank in zip(measured, (_known(f) for f in factors), (_known(r, 0.5) for r in ranks))
    ]
    return VesselAppearance(
        eyes=tuple(eye.name for eye in measured),
        profiles=np.stack(_fit(measured, toned, 2)),
        factors=_quantiles(measured, factors),
        tree_share=share,
        length=length,
        persistence=persistence,
    )


def _measure(name: str, photograph: np.ndarray, vessel: np.ndarray, inside: np.ndarray) -> _Eye | None:
    """The pixels and segments of an eye; None where it has no vessel."""
    if not (vessel & inside).any():
        return None
    scale = field_of_view_scale(inside)
    if (step := int(np.ceil(scale / _MOST_SCALE))) > 1:
        photograph = downscale_local_mean(photograph, (1, step, step))
        vessel, inside = (downscale_local_mean(mask, (step, step)) >= 0.5 for mask in (vessel, inside))
        scale = field_of_view_scale(inside)
    try:
        background = remove_structures(photograph, vessel & inside, inside)
    except DataError as exception:
        raise DataError(f"case {name}: {exception}") from exception
    depth = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    geometry = vessel_geometry(vessel & inside, SEGMENT * scale)
    used = (geometry.signed_distance < DEPTHS[-1] * scale) & (depth > _RIM * scale)
    radius = geometry.radius[used]
    segment_radius = _mean_by(geometry.point_radius, geometry.point_segment, geometry.num_segments) / scale
    return _Eye(
        name=name,
        log_ratio=log_ratio_to_background(photograph, background, inside, scale)[:, used].T,
        depth=profile_depth(geometry.signed_distance, geometry.radius, scale)[used],
        radius=radius / scale,
        segment=geometry.segment[used],
        segment_radius=segment_radius,
        distance=_distances(geometry, _LAGS[-1] * scale) / scale,
        pixel=scale**-2,
    )


def _mean_by(values: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(group, values, count) / np.maximum(np.bincount(group, minlength=count), 1)


def _distances(geometry: VesselGeometry, limit: float) -> np.ndarray:
    """(S, S) distance between the middles of segments along the tree, pixels; infinite beyond the limit."""
    ends = geometry.point_segment[geometry.links]
    ends = np.unique(np.sort(ends[:, ends[0] != ends[1]], axis=0), axis=1)
    length = np.bincount(geometry.point_segment, minlength=geometry.num_segments)
    graph = link_graph(ends, geometry.num_segments, length[ends].mean(axis=0))
    return csgraph.dijkstra(graph, directed=False, limit=limit)


def _fit(eyes: Sequence[_Eye], weights: Sequence[sparse.csr_matrix], tones: int) -> list[np.ndarray]:
    """Tables of every eye, (T, R, D, C), by least squares; first of all eyes together, which each is held to."""
    squares = [eye.pixel * (matrix.T @ matrix).toarray() for matrix, eye in zip(weights, eyes)]
    products = [eye.pixel * np.asarray(matrix.T @ eye.log_ratio) for matrix, eye in zip(weights, eyes)]
    smooth = _smoothness(tones)
    last = np.arange(len(smooth)) % len(DEPTHS) == len(DEPTHS) - 1
    free = ~last  # at the last depth the vessel has ended: 0

    def solve(square, product, ridge, centre):
        left = square + ridge * np.eye(len(square))
        right = product + ridge * centre
        table = np.zeros_like(product)
        table[free] = np.linalg.solve(left[np.ix_(free, free)], right[free])
        return table

    common = solve(sum(squares) + len(eyes) * smooth, sum(products), _RIDGE, np.zeros_like(products[0]))
    shape = (tones, len(RADII), len(DEPTHS), common.shape[1])
    # smoothness holds for the difference from the common table, so that it takes nothing from what all eyes share
    return [
        solve(square + smooth, product + smooth @ common, _COMMON, common).reshape(shape)
        for square, product in zip(squares, products)
    ]


def _smoothness(tones: int) -> np.ndarray:
    """Quadratic form that punishes bends of a table along the depth and steps along the half width."""
    bend = np.diff(np.eye(len(DEPTHS)), 2, axis=0)
    step = np.diff(np.eye(len(RADII)), 1, axis=0)
    form = np.kron(np.eye(len(RADII)), bend.T @ bend) + np.kron(step.T @ step, np.eye(len(DEPTHS)))
    return _SMOOTH * np.kron(np.eye(tones), form)


def _factors(eye: _Eye, table: np.ndarray) -> np.ndarray:
    """(S,) how dark each segment is, 1 as its profile says; not a number where hardly anything of it is seen."""
    channel = 1 if eye.log_ratio.shape[1] == 3 else 0  # green shows blood best
    within = eye.depth <= 0.25
    expected = profile_weights(eye.depth[within], eye.radius[within]) @ table.reshape(-1, table.shape[-1])[:, channel]
    segment, count = eye.segment[within], len(eye.segment_radius)
    power = np.bincount(segment, expected**2, count)
    enough = (eye.pixel * np.bincount(segment, minlength=count) >= 12) & (eye.pixel * power > 0.02)
    product = np.bincount(segment, expected * eye.log_ratio[within, channel], count)
    return np.where(enough, np.clip(product / np.maximum(power, 1e-9), *_FACTORS), np.nan)


def _known(values: np.ndarray, otherwise: float = 1.0) -> np.ndarray:
    return np.where(np.isfinite(values), values, otherwise)


def _pooled(eyes: Sequence[_Eye], factors: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of the half width and factor of all measured segments."""
    radius, factor = np.concatenate([eye.segment_radius for eye in eyes]), np.concatenate(factors)
    known = np.isfinite(factor)
    return np.log(radius[known]), factor[known]


def _ranks(eyes: Sequence[_Eye], factors: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Share of the segments of like half width that are lighter than each segment, 0..1."""
    radii, values = _pooled(eyes, factors)
    result = []
    for eye, factor in zip(eyes, factors):
        rank = np.full(len(factor), np.nan)
        for start in np.array_split(np.flatnonzero(np.isfinite(factor)), max(1, len(factor) // 256)):
            like = np.exp(-0.5 * ((np.log(eye.segment_radius[start])[:, None] - radii) / _KERNEL) ** 2)
            lighter = (values < factor[start, None]) + 0.5 * (values == factor[start, None])
            rank[start] = (like * lighter).sum(axis=1) / like.sum(axis=1)
        result.append(np.clip(rank, 0.005, 0.995))
    return result


def _quantiles(eyes: Sequence[_Eye], factors: Sequence[np.ndarray]) -> np.ndarray:
    """(R, Q) factors by half width and rank."""
    radii, values = _pooled(eyes, factors)
    order = np.argsort(values)
    radii, values = radii[order], values[order]
    result = []
    for radius in np.log(RADII):
        # beyond the widest vessel there is nothing: the nearest ones serve
        width = max(_KERNEL, float(np.sort(np.abs(radii - radius))[min(20, len(radii) - 1)]))
        weight = np.exp(-0.5 * ((radii - radius) / width) ** 2)
        below = (np.cumsum(weight) - 0.5 * weight) / weight.sum()
        result.append(np.interp(RANKS, below, values))
    return np.stack(result)


def _along_the_tree(
    eyes: Sequence[_Eye], factors: Sequence[np.ndarray], ranks: Sequence[np.ndarray]
) -> tuple[float, float, np.ndarray]:
    """How factors go on along a tree: share common to the tree, length of the rest, and by half width (R,) the share of
    the variance that goes on at all."""
    distances, products, radii = [], [], []
    for eye, rank in zip(eyes, ranks):
        score = norm.ppf(rank)
        first, second = np.nonzero(np.triu(np.isfinite(eye.distance), 1))
        known = np.isfinite(score[first]) & np.isfinite(score[second])
        first, second = first[known], second[known]
        distances.append(eye.distance[first, second])
        products.append(score[first] * score[second])
        radii.append(0.5 * np.log(eye.segment_radius[first] * eye.segment_radius[second]))
    distance, product, radius = (np.concatenate(item) for item in (distances, products, radii))
    lag = np.searchsorted(_LAGS, distance) - 1
    used = (lag >= 0) & (lag < len(_LAGS) - 1)
    if not used.any():
        return 0.3, 60.0, np.full(len(RADII), 0.7)
    count = np.bincount(lag[used], minlength=len(_LAGS) - 1)
    seen = count > 0
    place = _mean_by(distance[used], lag[used], len(_LAGS) - 1)[seen]
    correlation = _mean_by(product[used], lag[used], len(_LAGS) - 1)[seen]
    best = None
    for length in np.geomspace(15.0, 150.0, 20):
        for share in np.linspace(0.0, 0.8, 17):
            shape = share + (1 - share) * np.exp(-place / length)
            level = np.clip((count[seen] * shape * correlation).sum() / (count[seen] * shape**2).sum(), 0.1, 1.0)
            error = (count[seen] * (correlation - level * shape) ** 2).sum()
            if best is None or error < best[0]:
                best = (error, share, length, level)
    _, share, length, level = best
    near = used & (distance < 2.2 * SEGMENT)
    shape = share + (1 - share) * np.exp(-distance[near] / length)
    persistence = []
    for node in np.log(RADII):
        weight = np.exp(-0.5 * ((radius[near] - node) / (1.5 * _KERNEL)) ** 2)
        prior = 20.0  # pairs of segments
        top = (weight * shape * product[near]).sum() + prior * level
        persistence.append(np.clip(top / ((weight * shape**2).sum() + prior), 0.15, 1.0))
    return float(share), float(length), np.asarray(persistence)
