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
"""Real structures moved to another retina: a painter without training that paints nothing of its own.

The structures of a real photograph, as the logarithm of photograph over background, and their label map are warped by
one field and laid on another background. What a network trained on such pictures misses against one trained on real
photographs is what the background and its fit cost; what the measured painter misses against this one is how its
structures look. So it is a control, with no more trees than the data set has eyes.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends
from scipy import ndimage

from ..utils.errors import ConfigError, DataError
from ..utils.label_set import LabelSet, get_label_set
from ..utils.log_ratio import LEVEL_OFFSET, log_ratio_to_background
from ..utils.seeding import derive_seed
from ..utils.smooth_noise import smooth_noise
from .field_of_view import field_of_view_scale
from .remove_structures import background_classes, remove_structures

__all__ = [
    "DrawLogRatioD",
    "DrawLogRatioDict",
    "DrawLogRatiod",
    "WarpStructures",
    "WarpStructuresD",
    "WarpStructuresDict",
    "WarpStructuresd",
    "draw_log_ratio",
    "structure_log_ratio",
]

_STREAM = 13  # keeps these draws apart from those of other transforms with the same seed and index
_FEATHER = 2.0  # pixels over which the log ratio ends
_ELASTIC = ((25.0, 0.75), (6.0, 0.22))  # largest shift in pixels, size of the pattern in field radii


def structure_log_ratio(
    photograph: np.ndarray, structures: np.ndarray, field_of_view: np.ndarray, margin: float = 3.0, rim: float = 8.0
) -> np.ndarray:
    """Logarithm of a photograph over its own background, in a band around its structures.

    Args:
        photograph: (C, X, Y), values 0..255.
        structures: (X, Y) bool.
        field_of_view: (X, Y) bool.
        margin: width of the band in pixels at a field of view of 540; it ends softly over its last 2.
        rim: pixels at the border of the field of view in which nothing is taken.

    Returns:
        (C, X, Y) float32, 0 outside the band.

    Raises:
        DataError: See `remove_structures`.
    """
    photograph = np.asarray(photograph, dtype=np.float32)
    structures, inside = np.asarray(structures, dtype=bool), np.asarray(field_of_view, dtype=bool)
    if not (structures & inside).any():
        return np.zeros(photograph.shape, dtype=np.float32)
    background = remove_structures(photograph, structures & inside, inside, margin, rim)
    scale = field_of_view_scale(inside)
    distance = ndimage.distance_transform_edt(~structures) / scale
    depth = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1] / scale
    band = np.clip((margin + 1 - distance) / _FEATHER, 0, 1)
    weight = band * np.clip((depth - rim) / _FEATHER, 0, 1) * inside
    return (weight * log_ratio_to_background(photograph, background, inside, scale)).astype(np.float32)


def draw_log_ratio(background: Any, log_ratio: Any, label: Any) -> torch.Tensor:
    """Draw structures on a background.

    Args:
        background: (C, X, Y), values 0..255.
        log_ratio: (C, X, Y).
        label: label map (1, X, Y), class indices; 0 is outside the field of view.

    Returns:
        float32 tensor (C, X, Y), 0..255; 0 outside the field of view.

    Raises:
        DataError: When sizes or numbers of channels differ.
    """
    picture, ratio = torch.as_tensor(background).float(), torch.as_tensor(log_ratio).float()
    inside = torch.as_tensor(label) > 0
    if picture.shape != ratio.shape or inside.shape[1:] != picture.shape[1:]:
        raise DataError(
            f"a background {tuple(picture.shape)}, a log ratio {tuple(ratio.shape)} and a label map "
            f"{tuple(inside.shape)} (channels, X, Y) do not fit together: they must have one size, and the first two "
            "as many channels (colours or grey levels)"
        )
    return ((picture + LEVEL_OFFSET) * ratio.exp() - LEVEL_OFFSET).clamp(0, 255) * inside


class WarpStructures(Transform):
    """Take the structures of a real photograph and warp them together with their label map.

    The field of view stays where it is: structures are moved within it. Drawn are mirroring, rotation, zoom and elastic
    shifts at two scales.

    Args:
        label_set: label set of the label maps.
        classes: names of the classes that are structures; None for all but the first two.
        rotation_degrees: largest rotation either way.
        zoom: least and most enlargement.
        elastic: factor of the elastic shifts, which are up to 25 and 6 pixels at a field of view of 540.
        mirror: probabilities of mirroring along X and along Y.
        margin: see `structure_log_ratio`.

    Raises:
        ConfigError: When a setting is out of range or the label set lacks a class.
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
        classes: Sequence[str] | None = None,
        rotation_degrees: float = 15.0,
        zoom: Sequence[float] = (0.9, 1.12),
        elastic: float = 1.0,
        mirror: Sequence[float] = (0.5, 0.3),
        margin: float = 3.0,
    ) -> None:
        if len(zoom) != 2 or not 0.5 <= zoom[0] <= zoom[1] <= 2 or not 0 <= rotation_degrees <= 180 or elastic < 0:
            raise ConfigError(
                "zoom is a least and a most within 0.5 and 2, rotation_degrees 0 to 180, elastic 0 or more, got "
                f"{list(zoom)}, {rotation_degrees} and {elastic}"
            )
        if len(mirror) != 2 or not all(0 <= chance <= 1 for chance in mirror):
            raise ConfigError(f"mirror is two probabilities, along X and along Y, got {list(mirror)}")
        self.classes = background_classes(get_label_set(label_set), classes)
        self._all_classes = tuple(range(2, get_label_set(label_set).num_classes))
        self.rotation_degrees, self.elastic, self.margin = float(rotation_degrees), float(elastic), float(margin)
        self.zoom, self.mirror = tuple(map(float, zoom)), tuple(map(float, mirror))

    def __call__(self, photograph: Any, label: Any, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """Warp.

        Args:
            photograph: (C, X, Y), values 0..255; None warps the label map alone, all its classes together.
            label: its label map (1, X, Y), class indices.
            seed: seed of the warp.

        Returns:
            the warped label map, uint8 tensor (1, X, Y), and the log ratio of the warped structures over their
            background, float32 tensor (C, X, Y), C = 0 without a photograph.

        Raises:
            DataError: When the label map has no field of view, or see `remove_structures`.
        """
        label_map = np.asarray(label)[0]
        inside, structures = label_map > 0, np.isin(label_map, self.classes)
        # on the background of another eye, the other classes are not where this eye has them
        moved_classes = self.classes if photograph is not None else self._all_classes
        if photograph is None:
            ratio = torch.zeros(0, *label_map.shape)
        else:
            ratio = torch.from_numpy(structure_log_ratio(np.asarray(photograph), structures, inside, self.margin))
        grid = self._grid(label_map.shape, field_of_view_scale(inside), np.random.default_rng(seed))
        masks = torch.from_numpy(np.stack([label_map == index for index in moved_classes]).astype(np.float32))
        moved = F.grid_sample(torch.cat([ratio, masks])[None], grid, align_corners=True)[0]
        share, number = moved[len(ratio) :].max(dim=0)
        retina = torch.from_numpy(np.minimum(label_map, 1).astype(np.uint8))
        present = (share > 0.5) & (retina > 0)
        warped = torch.where(present, torch.tensor(moved_classes, dtype=torch.uint8)[number], retina)
        return warped[None], moved[: len(ratio)] * torch.from_numpy(inside)

    def _grid(self, shape: tuple[int, int], scale: float, rng: np.random.Generator) -> torch.Tensor:
        """(1, X, Y, 2) places to take from, as `grid_sample` wants them."""
        angle = np.deg2rad(rng.uniform(-self.rotation_degrees, self.rotation_degrees))
        zoom = rng.uniform(*self.zoom)
        signs = np.where(rng.random(2) < self.mirror, -1.0, 1.0)
        centre = (np.array(shape) - 1) / 2
        x, y = np.meshgrid(*(np.arange(size) - middle for size, middle in zip(shape, centre)), indexing="ij")
        from_x = (np.cos(angle) * x - np.sin(angle) * y) / zoom
        from_y = (np.sin(angle) * x + np.cos(angle) * y) / zoom
        along_x, along_y = ((np.arange(size) - middle) / (270 * scale) for size, middle in zip(shape, centre))
        for largest, size in _ELASTIC:
            for place in (from_x, from_y):
                shift = smooth_noise(along_y, along_x, size, rng)
                place += self.elastic * largest * scale * shift / max(float(np.abs(shift).max()), 1e-6)
        # grid_sample calls the last axis (our Y) x; mirroring comes last: it is of where things are taken from
        places = [signs[1] * from_y / max(centre[1], 0.5), signs[0] * from_x / max(centre[0], 0.5)]
        return torch.from_numpy(np.stack(places, axis=-1).astype(np.float32))[None]


class WarpStructuresd(MapTransform):
    """Dictionary form of `WarpStructures`: the label map of a real case is replaced by the warped one, and the log
    ratio of its structures is put beside it, to be drawn by `DrawLogRatiod` on the background of another eye.

    Args:
        keys: keys of photographs, (C, X, Y), values 0..255.
        label_key: key of the label map, which is replaced.
        output_key: keys of the log ratios, float32 tensors (C, X, Y).
        seed: seed of the set of cases.
        index_key: key of the case's number.
        label_set: see `WarpStructures`, as the rest.
        classes: names of the classes that are structures.
        rotation_degrees: largest rotation either way.
        zoom: least and most enlargement.
        elastic: factor of the elastic shifts.
        mirror: probabilities of mirroring.
        margin: width of the band.
        allow_missing_keys: whether a case may lack the photograph; then its label map is warped all the same, without
            a log ratio.

    Raises:
        ConfigError: When a case has no number, and see `WarpStructures`.
        DataError: See `WarpStructures`; names the case by its `case_id`.
    """

    backend = WarpStructures.backend

    def __init__(
        self,
        keys: KeysCollection = "image",
        label_key: str = "label",
        output_key: str = "log_ratio",
        seed: int = 0,
        index_key: str = "index",
        label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
        classes: Sequence[str] | None = None,
        rotation_degrees: float = 15.0,
        zoom: Sequence[float] = (0.9, 1.12),
        elastic: float = 1.0,
        mirror: Sequence[float] = (0.5, 0.3),
        margin: float = 3.0,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if len(self.keys) != 1:
            raise ConfigError(f"one photograph belongs to a label map, got the keys {self.keys}")
        self.label_key, self.output_key = label_key, output_key
        self.seed, self.index_key = int(seed), index_key
        self.warp = WarpStructures(label_set, classes, rotation_degrees, zoom, elastic, mirror, margin)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        if self.index_key not in d:
            raise ConfigError(f"a case without {self.index_key!r}: number the cases, the warp is drawn by it")
        seed = derive_seed(self.seed, _STREAM, int(d[self.index_key]))
        photograph = next((d[key] for key in self.key_iterator(d)), None)
        try:
            d[self.label_key], ratio = self.warp(photograph, d[self.label_key], seed)
        except DataError as exception:
            raise DataError(f"case {d.get('case_id', d[self.index_key])}: {exception}") from exception
        if photograph is not None:
            d[self.output_key] = ratio
        return d


class DrawLogRatiod(MapTransform):
    """Dictionary form of `draw_log_ratio`.

    Args:
        keys: keys of log ratios, (C, X, Y).
        background_key: key of the background, (C, X, Y), values 0..255.
        label_key: key of the label map, (1, X, Y).
        output_key: key of the result, float32 tensor (C, X, Y), 0..255.
        allow_missing_keys: whether a missing key is passed over.

    Raises:
        DataError: See `draw_log_ratio`; names the case by its `case_id`.
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        keys: KeysCollection = "log_ratio",
        background_key: str = "background",
        label_key: str = "label",
        output_key: str = "painted",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.background_key, self.label_key, self.output_key = background_key, label_key, output_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key in self.key_iterator(d):
            try:
                d[self.output_key] = draw_log_ratio(d[self.background_key], d[key], d[self.label_key])
            except DataError as exception:
                raise DataError(f"case {d.get('case_id', 'without a case_id')}: {exception}") from exception
        return d


WarpStructuresD = WarpStructuresDict = WarpStructuresd
DrawLogRatioD = DrawLogRatioDict = DrawLogRatiod
