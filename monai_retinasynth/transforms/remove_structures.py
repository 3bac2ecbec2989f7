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
"""The background of a photograph: the same eye without its vessels, or whatever classes of its label map are named."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends
from scipy.ndimage import binary_fill_holes, distance_transform_edt

from ..utils.errors import ConfigError, DataError
from ..utils.label_set import LabelSet, get_label_set
from .field_of_view import field_of_view_scale
from .fill_holes import fill_holes

__all__ = [
    "RemoveStructures",
    "RemoveStructuresD",
    "RemoveStructuresDict",
    "RemoveStructuresd",
    "background_classes",
    "remove_structures",
]

_FEATHER = 2.0  # pixels over which the photograph returns beyond what is filled
_LEAST_TRUST = 0.2  # of the level right beside a structure, where its soft shadow falls
_MOST_FILLED = 0.6  # share of the field of view
_DARKEST = 8.0  # mean level of a photograph, and of what belongs to its retina


def remove_structures(
    photograph: np.ndarray,
    structures: np.ndarray,
    field_of_view: np.ndarray,
    margin: float = 3.0,
    rim: float = 8.0,
    seed: int = 0,
    decoys: np.ndarray | None = None,
) -> np.ndarray:
    """Take structures out of a photograph and put what surrounds them in their place, see `fill_holes`.

    The rim of the field of view is filled from inside as well: it is dark, and debris would be spread from it. Sizes
    are in pixels at a field of view of 540 pixels (DRIVE) and scaled with its diameter.

    Args:
        photograph: shape (C, X, Y), values 0..255, one channel or several.
        structures: bool, shape (X, Y).
        field_of_view: bool, shape (X, Y).
        margin: distance from the structures up to which pixels are filled: an annotator's border is not the end of a
            vessel's shadow.
        rim: distance from the border of the field of view up to which pixels are filled. Where the picture itself cuts
            the field of view off there is no rim.
        seed: seed of the places that texture is copied from.
        decoys: bool, shape (X, Y): places that are filled although nothing is there, so that who sees the background
            cannot tell from its texture where the structures were.

    Returns:
        float32, shape (C, X, Y), 0..255: the photograph itself a few pixels away from what is filled; 0 outside the
        field of view.

    Raises:
        DataError: When the field of view is empty, the photograph is black in it, or the structures take up more than
            60 % of it.
    """
    photograph, structures = np.asarray(photograph), np.asarray(structures, dtype=bool)
    inside = np.asarray(field_of_view, dtype=bool)
    if photograph.ndim != 3 or not photograph.shape[1:] == structures.shape == inside.shape:
        raise DataError(
            f"expected a photograph (C, X, Y) with structures and a field of view of its size, got {photograph.shape}, "
            f"{structures.shape} and {inside.shape}. Give each photograph a label map of its own size"
        )
    scale = field_of_view_scale(inside)
    box = _box(inside)
    inside, structures, picture = inside[box], structures[box], photograph[(slice(None), *box)]
    if picture[:, inside].mean() < _DARKEST:
        raise DataError(
            "the photograph is black inside its field of view: there is nothing to fill from. Leave it out, or check "
            "that photograph and label map belong together"
        )
    beyond = _distance(structures) / scale - margin
    if (share := float((beyond <= 0)[inside].mean())) > _MOST_FILLED:
        raise DataError(
            f"the structures and a margin of {margin:g} pixels around them take up {share:.0%} of the field of view, "
            f"at most {_MOST_FILLED:.0%} can be filled from the rest. Backgrounds are for thin or small structures "
            "(vessels, lesions, a disc), not for organs; name fewer classes, or check the label map"
        )
    # a mask that is drawn too wide, or round over a notch, holds black ground
    lit = binary_fill_holes(inside & (picture.max(axis=0) > _DARKEST))
    depth = None if lit.all() else distance_transform_edt(lit).astype(np.float32) / scale - rim
    apart = beyond if decoys is None else np.minimum(beyond, _distance(np.asarray(decoys, dtype=bool)[box]) / scale)
    kept = apart if depth is None else np.minimum(apart, depth)
    kept = np.clip(kept / _FEATHER, 0, 1)  # 1: the photograph, 0: filled, between them both
    known = inside & (kept > 0)
    if not known.any():
        raise DataError("structures, decoys and rim leave no pixel to fill from. Name fewer classes, or a smaller rim")
    trust = _LEAST_TRUST + (1 - _LEAST_TRUST) * np.clip(apart / (_FEATHER + margin), 0, 1)
    target = inside & (kept < 1)
    result = np.zeros(photograph.shape, dtype=np.float32)
    part = result[(slice(None), *box)]
    part[:, known] = picture[:, known]
    share = kept[target]
    filled = fill_holes(picture, known, trust, target, scale, seed)
    part[:, target] = share * picture[:, target] + (1 - share) * filled
    return np.clip(result, 0, 255, out=result)


def _box(mask: np.ndarray) -> tuple[slice, slice]:
    """The smallest part of a picture that holds the mask, and a pixel around it where there is one."""
    lines = (np.flatnonzero(mask.any(axis=1 - axis)) for axis in (0, 1))
    return tuple(slice(max(int(line[0]) - 1, 0), int(line[-1]) + 2) for line in lines)


def _distance(mask: np.ndarray) -> np.ndarray:
    if not mask.any():
        return np.full(mask.shape, np.inf, dtype=np.float32)
    return distance_transform_edt(~mask).astype(np.float32)


def background_classes(label_set: LabelSet, classes: Sequence[str] | None = None) -> list[int]:
    """Indices of the classes that are taken out: those named, or all but the first two (outside and retina).

    Raises:
        ConfigError: When the label set lacks a class, has none to take out, or none for what lies outside of the field
            of view.
    """
    if label_set.class_names[0] != "outside":
        raise ConfigError(
            f"class 0 of label set {label_set.name!r} is {label_set.class_names[0]!r}, so its maps do not tell the "
            "field of view, class 'outside'. Backgrounds are for thin or small structures in a field of view (vessels, "
            "lesions, a disc), not for organs of a radiograph"
        )
    if classes is None:
        chosen = list(label_set.class_names[2:])
    else:
        chosen = [classes] if isinstance(classes, str) else list(classes)
    unknown = [name for name in chosen if name not in label_set.class_names]
    if unknown or not chosen or label_set.class_names[0] in chosen:
        raise ConfigError(
            f"classes to take out of photographs are one or more of {list(label_set.class_names[1:])} (label set "
            f"{label_set.name!r}), got {chosen}"
        )
    return [label_set.index(name) for name in chosen]


class RemoveStructures(Transform):
    """Background of a photograph by its label map, see `remove_structures`.

    Args:
        label_set: label set of the label maps, or its name; class 0 is what lies outside of the field of view.
        classes: names of the classes to take out; None for all but the first two.
        margin: see `remove_structures`.
        rim: see `remove_structures`.
        seed: see `remove_structures`.
        allow_absent: whether a label map without a pixel of these classes is taken as it is (a healthy eye).

    Raises:
        ConfigError: When the label set lacks a class.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
        classes: Sequence[str] | None = None,
        margin: float = 3.0,
        rim: float = 8.0,
        seed: int = 0,
        allow_absent: bool = False,
    ) -> None:
        self.label_set = get_label_set(label_set)
        self.classes = background_classes(self.label_set, classes)
        self.margin, self.rim, self.seed = margin, rim, seed
        self.allow_absent = allow_absent

    def __call__(self, photograph: Any, label: Any, decoys: Any = None, seed: int | None = None) -> torch.Tensor:
        """Take the classes out of a photograph.

        Args:
            photograph: tensor (C, X, Y), values 0..255.
            label: label map (1, X, Y), class indices.
            decoys: mask (1, X, Y) of places to fill as well, or None.
            seed: seed of this photograph alone; None for that of the transform.

        Returns:
            tensor (C, X, Y) of the photograph's type.

        Raises:
            DataError: When the label map has none of the classes, and see `remove_structures`.
        """
        label_map = np.asarray(label)[0]
        structures = np.isin(label_map, self.classes)
        if not structures.any() and not self.allow_absent:
            names = [self.label_set.class_names[index] for index in self.classes]
            raise DataError(
                f"the label map has no pixel of the classes to take out, {names}. Check that it is the right one, or "
                "leave the case out"
            )
        background = remove_structures(
            np.asarray(photograph),
            structures,
            label_map > 0,
            self.margin,
            self.rim,
            self.seed if seed is None else seed,
            None if decoys is None else np.asarray(decoys)[0] > 0,
        )
        dtype = torch.as_tensor(photograph).dtype
        result = torch.from_numpy(background)
        return result if dtype.is_floating_point else result.round().to(dtype)


class RemoveStructuresd(MapTransform):
    """Dictionary form of `RemoveStructures`.

    Args:
        keys: keys of photographs, shape (C, X, Y), values 0..255.
        label_set: label set of the label maps, or its name.
        classes: names of the classes to take out; None for all but the first two.
        label_key: key of the label map, shape (1, X, Y).
        output_key: keys for the backgrounds.
        margin: see `remove_structures`.
        rim: see `remove_structures`.
        seed: see `remove_structures`.
        allow_absent: see `RemoveStructures`.
        allow_missing_keys: whether a missing key is passed over.

    Raises:
        ConfigError: When the label set lacks a class.
        DataError: See `RemoveStructures`; names the case by its `case_id`.
    """

    backend = RemoveStructures.backend

    def __init__(
        self,
        keys: KeysCollection = "image",
        label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
        classes: Sequence[str] | None = None,
        label_key: str = "label",
        output_key: KeysCollection = "background",
        margin: float = 3.0,
        rim: float = 8.0,
        seed: int = 0,
        allow_absent: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.output_keys = (output_key,) if isinstance(output_key, str) else tuple(output_key)
        if len(self.output_keys) != len(self.keys):
            raise ConfigError(f"{len(self.keys)} keys need as many output keys, got {len(self.output_keys)}")
        self.label_key = label_key
        self.remove = RemoveStructures(label_set, classes, margin, rim, seed, allow_absent)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key, output_key in self.key_iterator(d, self.output_keys):
            try:
                d[output_key] = self.remove(d[key], d[self.label_key])
            except DataError as exception:
                raise DataError(f"case {d.get('case_id', 'without a case_id')}: {exception}") from exception
        return d


RemoveStructuresD = RemoveStructuresDict = RemoveStructuresd
