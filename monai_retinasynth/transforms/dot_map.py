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
"""Dot maps: of every object of a label map only where it is, the first stage of the three-stage method.

Ciano et al., Mathematics 9(22):2896, 2021: a generator makes maps with a dot for each object, coded by its class, and a
translator draws the objects around the dots. An organ or a lesion is one dot at its centroid. A vessel tree has no
useful centroid; here it is the dots of its bifurcations and ends and, if wanted, dots along its branches.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends, ensure_tuple_rep
from scipy import ndimage
from scipy.spatial import cKDTree

from ..utils.errors import ConfigError, DataError
from ..utils.image_io import from_picture, to_picture
from ..utils.label_set import LabelSet, get_label_set
from ..utils.skeleton_points import central_pixels, skeleton_points

__all__ = [
    "Dot",
    "LabelMapToDotsD",
    "LabelMapToDotsDict",
    "LabelMapToDotsd",
    "dot_label_set",
    "dots",
    "draw_dots",
    "find_dots",
    "label_map_to_dots",
]

#: classes that are no objects; class 0 is one of them whatever its name
_BACKGROUNDS = ("background", "outside", "retina")
_LINES = ("vessel",)
#: kinds of dots of a line, and how the channels of the class's colour are exchanged to show them
_LINE_KINDS = {"bifurcation": (0, 1, 2), "end": (1, 2, 0), "along": (2, 0, 1)}
_EIGHT = np.ones((3, 3), dtype=bool)
_APART = np.sqrt(2.0)  # discs whose rims are further apart do not touch, not even at a corner


@dataclass(frozen=True)
class Dot:
    """A dot of a dot map.

    Args:
        row: row of its centre in the picture, from 0.
        column: column of its centre.
        class_name: class in the dot label set.
        radius: pixels whose centres are no further away belong to the dot.
    """

    row: int
    column: int
    class_name: str
    radius: float


class _Kind(NamedTuple):
    """What becomes dots: the classes whose union is the object, whether it is a line, and its colour."""

    name: str
    parts: tuple[int, ...]
    line: bool
    color: tuple[int, int, int]


def _backgrounds(labels: LabelSet) -> list[int]:
    return [k for k, name in enumerate(labels.class_names) if k == 0 or name in _BACKGROUNDS]


def _kinds(
    labels: LabelSet,
    point_classes: Sequence[str] | None,
    skeleton_classes: Sequence[str] | None,
    merge: Mapping[str, Sequence[str]] | None,
) -> list[_Kind]:
    """The objects in the order of the label set, an object merged from several classes at its first one."""
    merge = dict(merge or {})
    backgrounds = _backgrounds(labels)
    parts = {name: tuple(labels.index(part) for part in names) for name, names in merge.items()}
    merged = {k for indices in parts.values() for k in indices}
    named = [labels.class_names.index(name) in parts[name] for name in parts if name in labels.class_names]
    if not all(parts.values()) or not all(named) or merged.intersection(backgrounds):
        raise ConfigError(
            f"merge joins classes of objects, one or more for each name, itself among them if it is one; got {merge}"
        )
    for k, name in enumerate(labels.class_names):
        if k not in merged and k not in backgrounds and name not in parts:
            parts[name] = (k,)
    if skeleton_classes is None:
        skeleton_classes = [name for name in _LINES if name in parts]
    if point_classes is None:
        point_classes = [name for name in parts if name not in skeleton_classes]
    wanted = [*point_classes, *skeleton_classes]
    unknown = [name for name in wanted if name not in parts]
    if unknown or not wanted or len(set(wanted)) != len(wanted):
        raise ConfigError(
            f"cannot make dots of {wanted}: name one or more of {list(parts)}, each once, as point_classes or as "
            "skeleton_classes"
        )
    kinds = []
    for name in sorted(wanted, key=lambda name: parts[name]):
        k = labels.class_names.index(name) if name in labels.class_names else parts[name][0]
        kinds.append(_Kind(name, parts[name], name in skeleton_classes, labels.colors[k]))
    return kinds


def dot_label_set(
    label_set: str | LabelSet | Mapping[str, Any],
    point_classes: Sequence[str] | None = None,
    skeleton_classes: Sequence[str] | None = None,
    merge: Mapping[str, Sequence[str]] | None = None,
    spacing: float | None = None,
) -> LabelSet:
    """Label set of the dot maps that `label_map_to_dots` makes of label maps of a set.

    Class 0 and the classes called background, outside or retina come first and stay as they are, so that a dot map of
    an eye shows its field of view. Then follow the classes of dots in the colours of their objects: the object's name,
    and for a line `<name>_bifurcation`, `<name>_end` and, with `spacing`, `<name>_along`, the last two with the
    colour's channels exchanged.

    Args:
        label_set: label set of the label maps.
        point_classes: see `dots`, as the other arguments.
        skeleton_classes: classes of lines.
        merge: objects that are several classes.
        spacing: whether there are dots along lines; its value does not count.

    Returns:
        the label set, called `<name>_dots`.

    Raises:
        ConfigError: When the classes are not such as `dots` takes.
        DataError: When `merge` names an unknown class.
    """
    labels = get_label_set(label_set)
    names = [labels.class_names[k] for k in _backgrounds(labels)]
    colors = [labels.colors[k] for k in _backgrounds(labels)]
    for kind in _kinds(labels, point_classes, skeleton_classes, merge):
        for suffix, channels in _LINE_KINDS.items() if kind.line else (("", (0, 1, 2)),):
            if suffix != "along" or spacing:
                names.append(f"{kind.name}_{suffix}" if suffix else kind.name)
                colors.append(tuple(kind.color[k] for k in channels))
    return LabelSet(f"{labels.name}_dots", tuple(names), tuple(colors))


def dots(
    label_map: np.ndarray,
    label_set: str | LabelSet | Mapping[str, Any],
    radius: float = 2.0,
    point_classes: Sequence[str] | None = None,
    skeleton_classes: Sequence[str] | None = None,
    merge: Mapping[str, Sequence[str]] | None = None,
    spacing: float | None = None,
    sized: bool = False,
    size_factor: float = 0.25,
    max_radius: float = 16.0,
    min_area: int = 1,
) -> list[Dot]:
    """Dots of a label map.

    An object (8-connected pixels of its classes) is one dot at its pixel nearest to its centroid, so inside it even
    where it is bent. What is lost: its shape, and its size unless `sized`.

    A line is the dots of its skeleton: bifurcations and ends, as `metrics.vessel_morphometry` counts them. Dots of one
    line class whose discs would touch could not be told apart in a map; of such dots a bifurcation stays rather than
    an end, and an end rather than a dot along the line: with radius 2, a tenth of DRIVE's bifurcations and ends goes
    this way, with radius 1 a fortieth. What is lost: which dots are joined, the width unless `sized`, and the course in
    between. Measured on six DRIVE eyes (565 x 584 px), as the distance of the skeleton from the straight lines between
    its neighbouring dots, for 304 bifurcations and ends an eye and

    - no others: 2.4 px on average, 8.8 px for the worst twentieth, up to 54 px: the curvature of the arcades is gone;
    - `spacing=32`, 60 more dots: 1.4, 4.7 and 15 px;
    - `spacing=16`, 270 more: 0.7, 2.2 and 8 px, within the vessel (3.5 px wide) nearly everywhere, and about as many
      dots along vessels as others; the one to begin with, in proportion at other sizes;
    - `spacing=8`, 783 more: 0.3, 1.0 and 4 px, but no longer sparse.

    Args:
        label_map: class indices, shape (H, W).
        label_set: label set of the map.
        radius: radius of the dots in pixels; 0 for single pixels.
        point_classes: names of classes, or of merged objects, that are one dot for each object; None for all that are
            neither background nor lines.
        skeleton_classes: names of those that are lines; None for "vessel", where the label set has it.
        merge: name of an object -> the classes whose union it is, made before objects are counted. A class can be
            part of several objects, as `utils.CHEST_ORGANS` has it; it is no object by itself then.
        spacing: pixels between dots along a line, about; None for none.
        sized: whether the radius follows the object: `size_factor` times the radius of a disc of its area, for a dot
            of a line half the line's width there; rounded, and between `radius` and `max_radius`.
        size_factor: see `sized`.
        max_radius: see `sized`.
        min_area: smaller objects and pieces of lines, in pixels, are left out.

    Returns:
        the dots by class (in the order of `dot_label_set`), row and column; empty for a map without objects.

    Raises:
        ConfigError: When the radius, spacing or area cannot be, or the classes are unknown, background or named twice.
        DataError: When a value of the map is no class, or `merge` names an unknown class.
    """
    labels = get_label_set(label_set)
    kinds = _kinds(labels, point_classes, skeleton_classes, merge)
    if radius < 0 or min_area < 1 or (spacing is not None and spacing < 2) or (sized and max_radius < radius):
        raise ConfigError(
            f"dots need a radius of 0 or more, a max_radius not below it, a spacing of 2 or more (or None) and a "
            f"min_area of 1 or more; got {radius=}, {max_radius=}, {spacing=}, {min_area=}"
        )
    label_map = _checked(label_map, labels)
    found: list[Dot] = []
    for kind in kinds:
        mask = np.isin(label_map, kind.parts) if len(kind.parts) > 1 else label_map == kind.parts[0]
        window, numbered, area = _objects(mask, min_area)
        if not len(area):
            continue
        if kind.line:
            found += _line_dots(kind.name, window, numbered > 0, radius, max_radius if sized else None, spacing)
            continue
        rows, columns = np.nonzero(numbered)
        centre = central_pixels(rows, columns, numbered[rows, columns] - 1)
        radii = np.full(len(area), float(radius))
        if sized:
            radii = np.clip(np.rint(np.sqrt(area / np.pi) * size_factor), radius, max_radius)
        found += _sorted_dots(kind.name, rows[centre] + window[0], columns[centre] + window[1], radii)
    return found


def _checked(label_map: np.ndarray, labels: LabelSet) -> np.ndarray:
    label_map = np.asarray(label_map)
    if label_map.ndim != 2 or not label_map.size:
        raise ValueError(f"expected a label map of shape (H, W), got {label_map.shape}")
    if label_map.min() < 0 or label_map.max() >= labels.num_classes:
        raise DataError(
            f"the label map holds values {label_map.min()} to {label_map.max()}, label set {labels.name!r} has the "
            f"classes 0 to {labels.num_classes - 1}"
        )
    return label_map.astype(np.uint8, copy=False)


def _objects(mask: np.ndarray, min_area: int) -> tuple[tuple[int, int], np.ndarray, np.ndarray]:
    """First row and column of the window that holds the mask, in it the number of each pixel's object, their areas."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return (0, 0), np.zeros((0, 0), np.int32), np.zeros(0, np.int64)
    window = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    numbered, count = ndimage.label(window, structure=_EIGHT)
    area = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    if min_area > 1:
        kept = area >= min_area
        numbered = np.concatenate([[0], np.cumsum(kept) * kept])[numbered]
        area = area[kept]
    return (int(rows[0]), int(columns[0])), numbered, area


def _sorted_dots(name: str, rows: np.ndarray, columns: np.ndarray, radii: np.ndarray) -> list[Dot]:
    order = np.lexsort((columns, rows))
    return [Dot(int(rows[k]), int(columns[k]), name, float(radii[k])) for k in order]


def _line_dots(
    name: str, window: tuple[int, int], mask: np.ndarray, radius: float, max_radius: float | None, spacing: float | None
) -> list[Dot]:
    points = skeleton_points(mask, spacing)
    places = np.concatenate(points)
    suffix = np.repeat(np.arange(3), [len(kind) for kind in points])
    radii = np.full(len(places), float(radius))
    if max_radius is not None:
        half_width = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1] - 0.5
        radii = np.clip(np.rint(half_width[tuple(places.T)]), radius, max_radius)
    kept = _first_of_touching(places, radii)
    found = []
    for k, kind in enumerate(_LINE_KINDS):
        rows, columns = places[kept & (suffix == k)].T + np.array(window)[:, None]
        found += _sorted_dots(f"{name}_{kind}", rows, columns, radii[kept & (suffix == k)])
    return found


def _first_of_touching(places: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """True for dots whose discs touch no earlier one that stays."""
    pairs = cKDTree(places).query_pairs(2 * radii.max() + _APART, output_type="ndarray")
    distance = np.hypot(*(places[pairs[:, 0]] - places[pairs[:, 1]]).T)
    pairs = pairs[distance <= radii[pairs].sum(axis=1) + _APART]
    kept = np.ones(len(places), dtype=bool)
    for first, second in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]:  # in each pair the earlier one comes first
        if kept[first]:
            kept[second] = False
    return kept


def draw_dots(
    points: Iterable[Dot],
    shape: Sequence[int],
    label_set: str | LabelSet | Mapping[str, Any],
    background: np.ndarray | None = None,
) -> np.ndarray:
    """Draw dots, the inverse of `find_dots`: for display, or to make a dot map from a list.

    Large dots are drawn first, so that a small one on top of a large one shows.

    Args:
        points: the dots.
        shape: (rows, columns) of the map.
        label_set: the dot label set, see `dot_label_set`.
        background: class indices under the dots, same shape; class 0 when None.

    Returns:
        uint8 class indices, shape `shape`.

    Raises:
        DataError: When a dot is of no class of the set, its centre lies outside the map, or the background has another
            shape.
    """
    labels = get_label_set(label_set)
    shape = tuple(int(side) for side in shape)
    drawn = np.zeros(shape, np.uint8) if background is None else np.array(background, dtype=np.uint8)
    if drawn.shape != shape or len(shape) != 2:
        raise DataError(f"dots are drawn on a map (rows, columns); got the shape {shape}, background {drawn.shape}")
    by_radius: dict[float, list[tuple[int, int, int]]] = {}
    for dot in points:
        if not (0 <= dot.row < shape[0] and 0 <= dot.column < shape[1]):
            raise DataError(f"{dot} lies outside a map of shape {shape}")
        by_radius.setdefault(dot.radius, []).append((dot.row, dot.column, labels.index(dot.class_name)))
    for radius in sorted(by_radius, reverse=True):
        centre = np.array(sorted(by_radius[radius], key=lambda item: item[2]))
        down, right = _disc(radius)
        rows, columns = centre[:, :1] + down, centre[:, 1:2] + right
        inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        value = np.broadcast_to(centre[:, 2:], rows.shape)
        drawn[rows[inside], columns[inside]] = value[inside]
    return drawn


def _disc(radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Steps from a centre to the pixels of its disc."""
    reach = int(radius)
    down, right = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    inside = down**2 + right**2 <= radius**2
    return down[inside], right[inside]


def find_dots(dot_map: np.ndarray, label_set: str | LabelSet | Mapping[str, Any], min_area: int = 1) -> list[Dot]:
    """Read a dot map, the inverse of `draw_dots`.

    Exact for dots of whole radii that touch no other dot and not the border of the map; dots of one class that touch
    are read as one.

    Args:
        dot_map: class indices, shape (H, W).
        label_set: its label set, see `dot_label_set`.
        min_area: smaller spots, in pixels, are left out: a generated map may have stray pixels.

    Returns:
        the dots by class, row and column. A radius is that of the largest disc with no more pixels than the spot.

    Raises:
        DataError: When a value of the map is no class of the set.
    """
    labels = get_label_set(label_set)
    dot_map = _checked(dot_map, labels)
    areas = np.array([len(_disc(k)[0]) for k in range(1 + int(np.sqrt(dot_map.size)))])
    found: list[Dot] = []
    for k in sorted(set(range(labels.num_classes)).difference(_backgrounds(labels))):
        window, numbered, area = _objects(dot_map == k, min_area)
        if len(area):
            rows, columns = np.nonzero(numbered)
            centre = central_pixels(rows, columns, numbered[rows, columns] - 1)
            radii = np.searchsorted(areas, area, side="right") - 1.0
            found += _sorted_dots(labels.class_names[k], rows[centre] + window[0], columns[centre] + window[1], radii)
    return found


def label_map_to_dots(
    label_map: np.ndarray,
    label_set: str | LabelSet | Mapping[str, Any],
    radius: float = 2.0,
    point_classes: Sequence[str] | None = None,
    skeleton_classes: Sequence[str] | None = None,
    merge: Mapping[str, Sequence[str]] | None = None,
    spacing: float | None = None,
    sized: bool = False,
    size_factor: float = 0.25,
    max_radius: float = 16.0,
    min_area: int = 1,
) -> np.ndarray:
    """Dot map of a label map: the dots of :func:`dots`, drawn on its background classes.

    Where the label map has objects, the dot map has the last of the background classes (retina for an eye, background
    for a chest) and dots. A 512 px map takes one core 7 ms for five organs, 10 ms for a vessel tree, 15 ms with dots
    along its branches and 30 ms with sized ones.

    Args:
        label_map: class indices, shape (H, W).
        label_set: label set of the map; the dot map's is `dot_label_set(label_set, ...)`.
        radius: radius of the dots in pixels; see `dots` for this and all other arguments.
        point_classes: classes of objects.
        skeleton_classes: classes of lines.
        merge: objects that are several classes.
        spacing: pixels between dots along lines.
        sized: whether the radius follows the object.
        size_factor: share of the object's radius.
        max_radius: largest radius.
        min_area: smaller objects are left out.

    Returns:
        uint8 class indices, shape (H, W); without dots where there are no objects.

    Raises:
        ConfigError: see `dots`.
        DataError: see `dots`.
    """
    labels = get_label_set(label_set)
    classes = (point_classes, skeleton_classes, merge)
    found = dots(label_map, labels, radius, *classes, spacing, sized, size_factor, max_radius, min_area)
    background = _without_objects(label_map, labels)
    return draw_dots(found, background.shape, dot_label_set(labels, *classes, spacing), background)


def _without_objects(label_map: np.ndarray, labels: LabelSet) -> np.ndarray:
    """The background classes of a label map as they are numbered in its dot map."""
    backgrounds = _backgrounds(labels)
    table = np.full(labels.num_classes, len(backgrounds) - 1, np.uint8)
    table[backgrounds] = np.arange(len(backgrounds))
    return table[np.asarray(label_map)]


class LabelMapToDotsd(MapTransform):
    """Dictionary form of `label_map_to_dots`.

    Args:
        keys: keys of label maps, shape (1, X, Y).
        label_set: label set of the maps.
        dot_keys: keys of the dot maps, one for each of `keys`; None puts them in the label maps' place.
        allow_empty: whether a map without dots is let through.
        case_key: key of the case's name, for messages.
        allow_missing_keys: whether a missing key is passed over.
        **options: the other arguments of `label_map_to_dots`.

    Raises:
        ConfigError: When the options cannot work.
        DataError: When a label map has no objects and `allow_empty` is false; names the case.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        keys: KeysCollection,
        label_set: str | LabelSet | Mapping[str, Any],
        dot_keys: KeysCollection | None = None,
        allow_empty: bool = False,
        case_key: str = "case_id",
        allow_missing_keys: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.label_set = get_label_set(label_set)
        self.dot_keys = self.keys if dot_keys is None else ensure_tuple_rep(dot_keys, len(self.keys))
        self.allow_empty = allow_empty
        self.case_key = case_key
        self.options = options
        label_map_to_dots(np.zeros((1, 1), np.uint8), self.label_set, **options)  # wrong options fail at once

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key, dot_key in self.key_iterator(d, self.dot_keys):
            picture = to_picture(torch.as_tensor(d[key]))
            if picture.shape[2] != 1:
                raise ValueError(f"expected a label map of shape (1, X, Y), got {tuple(d[key].shape)}")
            dot_map = label_map_to_dots(picture[..., 0], self.label_set, **self.options)
            if not self.allow_empty and dot_map.max() < len(_backgrounds(self.label_set)):
                case = d.get(self.case_key, getattr(d[key], "meta", {}).get("filename_or_obj", "without a name"))
                raise DataError(
                    f"the {key} of the case {case} gives a dot map without dots: its label map shows none of the "
                    f"objects of {self.label_set.name!r}. Leave the case out, or let empty maps through with "
                    "allow_empty=True"
                )
            d[dot_key] = from_picture(dot_map)
        return d


LabelMapToDotsD = LabelMapToDotsDict = LabelMapToDotsd
