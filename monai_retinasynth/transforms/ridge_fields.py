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
"""Label maps of thin structures as smooth fields: a ridge on the centre lines and the radius along it.

A class probability of a thin vessel is low and breaks where the generator hesitates. A ridge is 1 on every centre line
and falls to 0 within a fixed distance, so that a thin vessel is as firm as a thick one; how thick it is stands in a
field of its own. Both survive a reduction under which the vessel has no pixel left, and the way back draws its centre
line with its radius at any size.

The fields of a label map, in this order, each 0 to 1:

- outside the field of view, the share of the pixel;
- the share of every further class that is neither retina nor thin (such as the optic disc);
- the ridge;
- the ridge times the radius, on a logarithmic scale. Times the ridge, so that averaging weights radii by ridges.

Retina is what is left. Lengths are pixels at a field of view of 540 pixels (DRIVE).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold
from skimage.morphology import skeletonize

from ..utils.errors import ConfigError, DataError
from ..utils.label_set import LabelSet, get_label_set
from .field_of_view import field_of_view_scale
from .fit_grid import area_matrix, cubic_matrix, fit_grid

__all__ = [
    "LabelMapToRidge",
    "LabelMapToRidgeD",
    "LabelMapToRidgeDict",
    "LabelMapToRidged",
    "RidgeLayout",
    "RidgeToLabelMap",
    "RidgeToLabelMapD",
    "RidgeToLabelMapDict",
    "RidgeToLabelMapd",
    "calibrate_ridge_level",
    "ridge_probabilities",
    "uses_ridge",
]

_RADII = (0.5, 16.0)  # pixels: ends of the logarithmic scale
_WEAK = 0.85  # of the level: ridges are followed down to here from where they reach the level
_BEYOND_WALL = 0.2  # subtracted from radii, which count from the first pixel beyond the wall; chosen on DRIVE's density


@dataclass(frozen=True)
class RidgeLayout:
    """Which field is where.

    Args:
        label_set: label set of the label maps; its class 0 is outside the field of view.
        thin_class: name of the thin structures.
        width: distance from the centre line at which the ridge ends, in pixels at a field of view of 540.

    Raises:
        ConfigError: when the label set has no such class, or the width is not positive.
    """

    label_set: LabelSet
    thin_class: str = "vessel"
    width: float = 6.0

    def __post_init__(self) -> None:
        if self.thin_class not in self.label_set.class_names or self.label_set.index(self.thin_class) < 2:
            raise ConfigError(
                f"thin_class is {self.thin_class!r}; the label set {self.label_set.name} has "
                f"{', '.join(self.label_set.class_names[2:])}"
            )
        if not self.width > 0:
            raise ConfigError(f"width of the ridge must be positive, got {self.width}")

    @property
    def areas(self) -> tuple[int, ...]:
        """Classes that have a field of their own: outside, and all but retina and the thin structures."""
        thin = self.label_set.index(self.thin_class)
        return (0, *(c for c in range(2, self.label_set.num_classes) if c != thin))

    @property
    def num_fields(self) -> int:
        """Number of fields K."""
        return len(self.areas) + 2


class LabelMapToRidge(Transform):
    """Fields of a label map, reduced by averaging over areas.

    Args:
        label_set: label set, or its name.
        size: (x, y) of the fields; another aspect ratio than that of the label map is reached by adding outside evenly
            on two sides.
        thin_class: see `RidgeLayout`.
        width: see `RidgeLayout`.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        label_set: str | LabelSet | Mapping[str, Any],
        size: Sequence[int],
        thin_class: str = "vessel",
        width: float = 6.0,
    ) -> None:
        self.layout = RidgeLayout(get_label_set(label_set), thin_class, width)
        self.size = (int(size[0]), int(size[1]))

    def __call__(self, label: torch.Tensor) -> torch.Tensor:
        """
        Args:
            label: class indices, shape (1, X, Y).

        Returns:
            float32 fields (K, x, y), 0..1.

        Raises:
            DataError: when the label map has no field of view, or the ridge is wider than it.
        """
        index = np.asarray(label)[0]
        scale = field_of_view_scale(index > 0)
        width = self.layout.width * scale
        if width >= min(index.shape):
            raise DataError(
                f"a ridge {width:.1f} pixels wide does not fit into a label map of {index.shape[0]} x "
                f"{index.shape[1]} pixels; give a smaller width"
            )
        thin = index == self.layout.label_set.index(self.layout.thin_class)
        fields = np.zeros((self.layout.num_fields, *index.shape), dtype=np.float32)
        for field, area in zip(fields, self.layout.areas):
            field[:] = index == area
        if thin.any():
            centre = skeletonize(thin)
            distance, nearest = ndimage.distance_transform_edt(~centre, return_indices=True)
            # a centre line may lie a pixel beside the middle
            radius = ndimage.maximum_filter(ndimage.distance_transform_edt(np.pad(thin, 1))[1:-1, 1:-1], size=3)
            fields[-2] = np.clip(1 - distance / width, 0, 1)
            fields[-1] = fields[-2] * _to_unit(radius[tuple(nearest)] / scale)
        step, offsets = fit_grid(index.shape, self.size)
        along_x = area_matrix(index.shape[0], self.size[0], step, offsets[0])
        along_y = area_matrix(index.shape[1], self.size[1], step, offsets[1])
        reduced = along_x @ torch.from_numpy(fields) @ along_y.T
        reduced[0] += 1 - along_x.sum(1)[:, None] * along_y.sum(1)[None, :]  # beyond the border
        return reduced.clamp_(0, 1)


class RidgeToLabelMap(Transform):
    """The way back: centre lines of the ridge, drawn with their radius at full size.

    Args:
        label_set: label set, or its name.
        size: (X, Y) of the label map; what another aspect ratio added on two sides is cropped.
        level: height from which on a ridge is one, see `calibrate_ridge_level`; it is followed down to 0.85 of that.
        thin_class: see `RidgeLayout`.
        width: see `RidgeLayout`.
        least_length: shorter pieces of centre line are left out, in pixels at a field of view of 540.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        label_set: str | LabelSet | Mapping[str, Any],
        size: Sequence[int],
        level: float = 0.55,
        thin_class: str = "vessel",
        width: float = 6.0,
        least_length: float = 12.0,
    ) -> None:
        if not 0 < level < 1:
            raise ConfigError(f"level of the ridge must lie between 0 and 1, got {level}")
        self.layout = RidgeLayout(get_label_set(label_set), thin_class, width)
        self.size = (int(size[0]), int(size[1]))
        self.level = float(level)
        self.least_length = float(least_length)

    def __call__(self, fields: torch.Tensor) -> torch.Tensor:
        """
        Args:
            fields: (K, x, y), 0..1.

        Returns:
            uint8 class indices, shape (1, X, Y); all outside where there is no field of view.

        Raises:
            DataError: when there are not K fields.
        """
        return self.draw(self.enlarged(fields))

    def enlarged(self, fields: torch.Tensor) -> torch.Tensor:
        """The fields (K, x, y) at the label map's size, (K, X, Y) float32.

        Raises:
            DataError: when there are not K fields.
        """
        fields = torch.as_tensor(fields).float()
        if fields.ndim != 3 or len(fields) != self.layout.num_fields:
            raise DataError(
                f"{self.layout.num_fields} fields (K, x, y) are expected of the label set "
                f"{self.layout.label_set.name}, got {tuple(fields.shape)}. Were they made with another representation "
                "or label set?"
            )
        step, offsets = fit_grid(self.size, fields.shape[1:])
        along_x = cubic_matrix(self.size[0], fields.shape[1], step, offsets[0])
        along_y = cubic_matrix(self.size[1], fields.shape[2], step, offsets[1])
        return (along_x @ fields @ along_y.T).clamp_(0, 1)

    def draw(self, enlarged: torch.Tensor) -> torch.Tensor:
        """The label map, uint8 (1, X, Y), of fields at its size."""
        fine = enlarged.numpy()
        areas = fine[: len(self.layout.areas)]
        retina = 1 - areas.sum(0)
        label = np.asarray([1, *self.layout.areas], dtype=np.uint8)[np.concatenate([retina[None], areas]).argmax(0)]
        inside = label != 0
        if not inside.any():
            return torch.from_numpy(label)[None]
        drawn = self._structures(fine[-2], fine[-1], field_of_view_scale(inside))
        label[drawn & inside] = self.layout.label_set.index(self.layout.thin_class)
        return torch.from_numpy(label)[None]

    def _structures(self, ridge: np.ndarray, weighted: np.ndarray, scale: float) -> np.ndarray:
        firm = apply_hysteresis_threshold(ridge, _WEAK * self.level, self.level)
        centre = skeletonize(firm)
        pieces, _ = ndimage.label(centre, np.ones((3, 3)))
        centre &= np.bincount(pieces.ravel())[pieces] >= self.least_length * scale
        if not centre.any():
            return centre
        distance, nearest = ndimage.distance_transform_edt(~centre, return_indices=True)
        radius = np.zeros(ridge.shape)
        radius[centre] = scale * _from_unit(weighted[centre] / ridge[centre]) - _BEYOND_WALL
        return distance <= np.maximum(radius[tuple(nearest)], 0.5)


def _to_unit(radius: np.ndarray) -> np.ndarray:
    low, high = np.log(_RADII)
    return np.clip((np.log(np.maximum(radius, _RADII[0])) - low) / (high - low), 0, 1)


def _from_unit(value: np.ndarray) -> np.ndarray:
    low, high = np.log(_RADII)
    return np.exp(low + np.clip(value, 0, 1) * (high - low))


def ridge_probabilities(
    fields: torch.Tensor, label_set: str | LabelSet | Mapping[str, Any], thin_class: str = "vessel"
) -> torch.Tensor:
    """Fields as class probabilities, to be looked at: the ridge is the thin structures.

    Args:
        fields: (K, x, y), 0..1.
        label_set: label set, or its name.
        thin_class: see `RidgeLayout`.

    Returns:
        (C, x, y), sum 1.
    """
    layout = RidgeLayout(get_label_set(label_set), thin_class)
    areas = fields[: len(layout.areas)]
    areas = areas / areas.sum(0).clamp_min(1)
    left = 1 - areas.sum(0)
    result = torch.zeros(layout.label_set.num_classes, *fields.shape[1:], dtype=fields.dtype, device=fields.device)
    result[list(layout.areas)] = areas
    result[layout.label_set.index(thin_class)] = left * fields[-2]
    result[1] = left * (1 - fields[-2])
    return result


def uses_ridge(
    representation: str, keep_lesions: bool = False, image_channels: int = 0, warps_per_map: int = 0
) -> bool:
    """Whether label maps are generated as ridges, after a look at whether the settings go together.

    Args:
        representation: `"probabilities"` or `"ridge"`.
        keep_lesions: whether label maps are reduced without losing a lesion, as class indices.
        image_channels: channels of an image made together with the label map.
        warps_per_map: how many warped forms of each real map there are; 0 for the maps themselves.

    Raises:
        ConfigError: when they do not.
    """
    if representation not in ("probabilities", "ridge"):
        raise ConfigError(f"representation must be 'probabilities' or 'ridge', got {representation!r}")
    if not isinstance(warps_per_map, int) or warps_per_map < 0:
        raise ConfigError(f"warps_per_map must be a whole number, 0 or more, got {warps_per_map!r}")
    if warps_per_map and (image_channels or keep_lesions):
        raise ConfigError("warps_per_map warps vessel maps alone: set it to 0 with image_channels or keep_lesions")
    if representation == "ridge" and (image_channels or keep_lesions):
        raise ConfigError(
            "representation 'ridge' is for label maps of thin structures alone: take 'probabilities' with "
            "image_channels or keep_lesions"
        )
    return representation == "ridge"


def calibrate_ridge_level(
    label_maps: Iterable[torch.Tensor],
    size: Sequence[int],
    label_set: str | LabelSet | Mapping[str, Any],
    thin_class: str = "vessel",
    width: float = 6.0,
    candidates: Sequence[float] = (0.25, 0.35, 0.45, 0.55, 0.65),
) -> float:
    """The level with which reducing the maps to `size` and drawing them again keeps the thin structures best.

    Args:
        label_maps: real maps (the training ones), shape (1, X, Y) each.
        size: (x, y) of the fields.
        label_set: label set, or its name.
        thin_class: see `RidgeLayout`.
        width: see `RidgeLayout`.
        candidates: levels to try.

    Returns:
        the level whose Dice, pooled over the maps, is largest.

    Raises:
        DataError: when there is no map, or none holds the thin structures.
    """
    forth = LabelMapToRidge(label_set, size, thin_class, width)
    overlap, total, true = np.zeros(len(candidates)), np.zeros(len(candidates)), 0
    thin = forth.layout.label_set.index(thin_class)
    for label in label_maps:
        real = np.asarray(label)[0] == thin
        true += int(real.sum())
        drawers = [RidgeToLabelMap(label_set, real.shape, level, thin_class, width) for level in candidates]
        enlarged = drawers[0].enlarged(forth(label))
        for number, drawer in enumerate(drawers):
            back = drawer.draw(enlarged).numpy()[0] == thin
            overlap[number] += (back & real).sum()
            total[number] += back.sum() + real.sum()
    if true == 0:
        raise DataError(f"cannot calibrate the level of the ridge: no label map given holds {thin_class}")
    return float(candidates[int(np.argmax(overlap / np.maximum(total, 1)))])


class LabelMapToRidged(MapTransform):
    """Dictionary form of `LabelMapToRidge`: label maps (1, X, Y) become fields (K, x, y).

    Args:
        keys: keys of label maps.
        label_set: see there, as all that are not named here.
        size: see there.
        thin_class: see there.
        width: see there.
        allow_missing_keys: whether a missing key is passed over.
    """

    backend = LabelMapToRidge.backend

    def __init__(
        self,
        keys: KeysCollection,
        label_set: str | LabelSet | Mapping[str, Any],
        size: Sequence[int],
        thin_class: str = "vessel",
        width: float = 6.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = LabelMapToRidge(label_set, size, thin_class, width)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self.transform(d[key])
        return d


class RidgeToLabelMapd(MapTransform):
    """Dictionary form of `RidgeToLabelMap`: fields (K, x, y) become label maps (1, X, Y).

    Args:
        keys: keys of fields.
        label_set: see there, as all that are not named here.
        size: see there.
        level: see there.
        thin_class: see there.
        width: see there.
        least_length: see there.
        evidence_key: key for the ridge at the label map's size, float32 (1, X, Y), as `RepairTreed` takes it; None for
            none.
        allow_missing_keys: whether a missing key is passed over.
    """

    backend = RidgeToLabelMap.backend

    def __init__(
        self,
        keys: KeysCollection,
        label_set: str | LabelSet | Mapping[str, Any],
        size: Sequence[int],
        level: float = 0.55,
        thin_class: str = "vessel",
        width: float = 6.0,
        least_length: float = 12.0,
        evidence_key: str | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = RidgeToLabelMap(label_set, size, level, thin_class, width, least_length)
        self.evidence_key = evidence_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key in self.key_iterator(d):
            enlarged = self.transform.enlarged(d[key])
            d[key] = self.transform.draw(enlarged)
            if self.evidence_key is not None:
                d[self.evidence_key] = enlarged[-2:-1]
        return d


LabelMapToRidgeD = LabelMapToRidgeDict = LabelMapToRidged
RidgeToLabelMapD = RidgeToLabelMapDict = RidgeToLabelMapd
