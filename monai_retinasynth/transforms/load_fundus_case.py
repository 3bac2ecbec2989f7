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
"""A case from its files: the photograph (or radiograph) and its label map, composed from whatever masks there are."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.transforms import Transform
from monai.utils import ensure_tuple_rep

from ..utils.errors import ConfigError, DataError
from ..utils.image_io import from_picture, open_image, read_label_map, read_mask, read_rgb, read_trees, to_picture
from ..utils.label_set import LESION_CLASSES, LabelSet, get_label_set
from .compose_label_map import compose_fundus_label_map
from .field_of_view import derive_field_of_view
from .reduce_lesion_map import reduce_lesion_map
from .resample_area import resample_area

__all__ = ["LoadFundusCaseD", "LoadFundusCaseDict", "LoadFundusCased"]


class LoadFundusCased(Transform):
    """Load the files of a case dictionary.

    The label map comes from the `label` file (class indices) or is composed of a `vessel` mask and the field of view,
    which is read from the `fov` file or, when there is none, derived from the photograph.

    Input: `image` (path; may be missing where there is a `label` file) and either `label` or `vessel` and perhaps
    `fov`, `trees` (paths). Output: `image`, tensor (image_channels, X, Y), 0..255; `label`, uint8 tensor (1, X, Y);
    `trees`, where it is given, uint8 tensor (1, X, Y), see `read_trees`; `vessel` and `fov` are dropped; all other keys
    pass through. Plain tensors without metadata, so batches collate fast.

    Args:
        label_set: label set of the label maps, or its name; composing needs the classes of `fundus_vessel`.
        image_key: key of the photograph.
        label_key: key of the label map.
        image_dtype: `"float32"`, or `"uint8"` to keep a cached data set at a quarter of the memory (cast after the
            random crop, `ScaleIntensityRanged` does).
        spatial_size: (X, Y), or one number for both, to which a case is resized, its proportions not kept: the
            photograph by area averaging (linearly where a side grows), the label map to the class with the largest
            share of each pixel, no lesion being lost (`reduce_lesion_map`). None keeps the size of the files.
        image_channels: 3 reads colours, 1 reads grey levels (radiographs).
        target_label_set: label set of a second label map, `target` (path), which is loaded beside `label`: uint8 tensor
            (1, X, Y) of the same size. None leaves `target` as it is.

    Raises:
        ConfigError: When `spatial_size` is no size, or `image_channels` neither 1 nor 3.
        DataError: When a file is missing, unreadable, holds unexpected values, or sizes differ; names the files.
    """

    def __init__(
        self,
        label_set: str | LabelSet | dict = "fundus_vessel",
        image_key: str = "image",
        label_key: str = "label",
        image_dtype: str = "float32",
        spatial_size: Sequence[int] | int | None = None,
        image_channels: int = 3,
        target_label_set: str | LabelSet | dict | None = None,
    ) -> None:
        if image_channels not in (1, 3):
            raise ConfigError(f"image_channels must be 3 (colours) or 1 (grey levels), got {image_channels!r}")
        if image_dtype not in ("float32", "uint8"):
            raise ValueError(f"image_dtype must be 'float32' or 'uint8', got {image_dtype!r}")
        self.label_set = get_label_set(label_set)
        self.image_key = image_key
        self.label_key = label_key
        self.image_dtype = getattr(torch, image_dtype)
        self.spatial_size = None if spatial_size is None else checked_size(spatial_size)
        self.image_channels = image_channels
        self.target_label_set = None if target_label_set is None else get_label_set(target_label_set)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        image_path, label_path = d.get(self.image_key), d.get(self.label_key)
        vessel_path, fov_path = d.pop("vessel", None), d.pop("fov", None)
        photograph = None if image_path is None else self._read_image(image_path)
        if label_path is not None:
            label_map = read_label_map(label_path, self.label_set)
        elif vessel_path is not None:
            label_map = self._compose(photograph, image_path, vessel_path, fov_path)
        else:
            raise DataError(
                f"the case {d.get('case_id', image_path)} names neither a label map ({self.label_key!r}) nor a vessel "
                "mask ('vessel'); add one of them"
            )
        if photograph is not None:
            _same_size(image_path, photograph, label_path or vessel_path, label_map)
            d[self.image_key] = self._resized_image(from_picture(photograph)).to(self.image_dtype)
        d[self.label_key] = self._resized_label(from_picture(label_map), self.label_set)
        if d.get("trees") is not None:
            trees = read_trees(d["trees"])
            _same_size(d["trees"], trees, label_path or vessel_path, label_map)
            d["trees"] = self._resized_trees(from_picture(trees))
        if self.target_label_set is not None:
            if d.get("target") is None:
                raise DataError(
                    f"the case {d.get('case_id', label_path)} has no 'target', the label map that is to be drawn of "
                    "its dots; write the data set with write_dot_dataset"
                )
            target = read_label_map(d["target"], self.target_label_set)
            _same_size(d["target"], target, label_path, label_map)
            d["target"] = self._resized_label(from_picture(target), self.target_label_set)
        return d

    def _read_image(self, path: Any) -> np.ndarray:
        return read_rgb(path) if self.image_channels == 3 else np.array(open_image(path, "L"))

    def _resized_image(self, image: torch.Tensor) -> torch.Tensor:
        if self.spatial_size is None or tuple(image.shape[1:]) == self.spatial_size:
            return image
        return resample_area(image, self.spatial_size).round()

    def _resized_label(self, label: torch.Tensor, label_set: LabelSet) -> torch.Tensor:
        if self.spatial_size is None or tuple(label.shape[1:]) == self.spatial_size:
            return label
        if set(LESION_CLASSES) & set(label_set.class_names):
            return from_picture(reduce_lesion_map(to_picture(label)[..., 0], self.spatial_size[::-1], label_set))
        one_hot = F.one_hot(label[0].long(), label_set.num_classes).movedim(-1, 0)
        # of two classes with the same share (but for rounding) the later one wins: thin structures come last in a set
        shares = (resample_area(one_hot, self.spatial_size) * 1e5).round().flip(0)
        return (len(shares) - 1 - shares.argmax(0, keepdim=True)).to(torch.uint8)

    def _resized_trees(self, trees: torch.Tensor) -> torch.Tensor:
        if self.spatial_size is None or tuple(trees.shape[1:]) == self.spatial_size:
            return trees
        return F.interpolate(trees[None], self.spatial_size, mode="nearest-exact")[0]

    def _compose(self, photograph: np.ndarray | None, image_path: Any, vessel_path: Any, fov_path: Any) -> np.ndarray:
        if self.label_set.class_names != ("outside", "retina", "vessel"):
            raise DataError(
                f"a vessel mask ({vessel_path}) gives the classes outside, retina, vessel; label set "
                f"{self.label_set.name!r} has {list(self.label_set.class_names)}: store label maps and name them "
                "'label'"
            )
        vessel = read_mask(vessel_path)
        if photograph is not None:
            _same_size(image_path, photograph, vessel_path, vessel)
        if fov_path is not None:
            fov = read_mask(fov_path)
            _same_size(fov_path, fov, vessel_path, vessel)
            if not fov.any():
                raise DataError(f"unexpected values in the field-of-view mask {fov_path}: it is empty")
        elif photograph is not None:
            try:
                fov = derive_field_of_view(np.broadcast_to(np.atleast_3d(photograph), (*photograph.shape[:2], 3)))
            except DataError as exception:
                raise DataError(f"{image_path}: {exception}") from exception
        else:
            raise DataError(f"the vessel mask {vessel_path} has neither a 'fov' mask nor an 'image' to derive it from")
        return compose_fundus_label_map(vessel, fov)


def checked_size(spatial_size: Sequence[int] | int) -> tuple[int, ...]:
    try:
        size = tuple(int(side) for side in ensure_tuple_rep(spatial_size, 2))
    except (TypeError, ValueError):
        size = ()
    if not size or min(size) < 1:
        raise ConfigError(f"an image size is two whole numbers, width and height in pixels, not {spatial_size!r}")
    return size


def _same_size(path: Any, array: np.ndarray, other_path: Any, other: np.ndarray) -> None:
    if array.shape[:2] != other.shape[:2]:
        sizes = [f"{a.shape[1]} x {a.shape[0]}" for a in (array, other)]
        raise DataError(
            f"sizes differ: {path} is {sizes[0]}, {other_path} is {sizes[1]} (width x height). "
            "Give each image a mask of its own size"
        )


LoadFundusCaseD = LoadFundusCaseDict = LoadFundusCased
