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
"""Label maps at a lower resolution in which no lesion vanishes, however small it is.

A majority vote keeps large structures true to area, but a microaneurysm of a few pixels never has the majority of a
coarse pixel, and its disappearance changes what the map says about the eye. So: majority vote first, then every lesion
(8-connected region of one class) that the vote left without a pixel gets one back.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends, ensure_tuple_rep
from scipy import ndimage, sparse

from ..utils.errors import ConfigError, DataError
from ..utils.image_io import from_picture, to_picture
from ..utils.label_set import LESION_CLASSES, LabelSet, get_label_set

__all__ = ["ReduceLesionMapD", "ReduceLesionMapDict", "ReduceLesionMapd", "reduce_lesion_map"]


def reduce_lesion_map(
    label_map: np.ndarray,
    size: Sequence[int] | int,
    label_set: str | LabelSet | Mapping[str, Any] = "fundus_lesion",
    kept_classes: Sequence[str] | None = None,
) -> np.ndarray:
    """Bring a label map to another size without losing a lesion.

    1. A pixel gets the class that covers most of its area, the later one of the label set when two cover the same.
    2. For the kept classes, the last of the label set first: a lesion is there when it has a pixel of its class in
       which no other lesion of that class has a larger share. One that is not gets the pixel in which its own share is
       largest; if that pixel shows a later kept class, the next largest, and so on. If the pixel shows the lesion's own
       class already, two lesions have merged and nothing changes.

    So a lesion is missing only where later kept classes show in all the pixels that it touched.

    Args:
        label_map: class indices, shape (H, W).
        size: (rows, columns) of the result, or one number for both; proportions are not kept.
        label_set: label set of the map.
        kept_classes: names of the classes whose regions are kept; None for those of `LESION_CLASSES` that the label set
            has.

    Returns:
        uint8 class indices, shape `size`.

    Raises:
        ConfigError: When `size` is no size.
        DataError: When a value is no class of the label set, or a kept class is unknown.
    """
    labels = get_label_set(label_set)
    label_map = np.asarray(label_map)
    if label_map.ndim != 2:
        raise ValueError(f"expected a label map of shape (H, W), got {label_map.shape}")
    if label_map.min() < 0 or label_map.max() >= labels.num_classes:
        raise DataError(
            f"the label map holds values {label_map.min()} to {label_map.max()}, label set {labels.name!r} has the "
            f"classes 0 to {labels.num_classes - 1}"
        )
    if kept_classes is None:
        kept_classes = [name for name in LESION_CLASSES if name in labels.class_names]
    kept = sorted(labels.index(name) for name in kept_classes)
    size = _checked_size(size)
    label_map = label_map.astype(np.uint8, copy=False)
    if label_map.shape == size:
        return label_map.copy()
    spreads = [_spread(fine, coarse) for fine, coarse in zip(label_map.shape, size)]
    result = _largest_share(label_map, spreads, size)
    for index in reversed(kept):
        later = np.isin(np.arange(labels.num_classes), [other for other in kept if other > index])
        _bring_back(result, label_map, index, later, spreads)
    return result


def _checked_size(size: Sequence[int] | int) -> tuple[int, int]:
    try:
        rows, columns = (int(side) for side in ensure_tuple_rep(size, 2))
    except (TypeError, ValueError):
        rows = columns = 0
    if min(rows, columns) < 1:
        raise ConfigError(f"the size of a label map is two whole numbers, or one for both, not {size!r}")
    return rows, columns


def _spread(fine: int, coarse: int) -> tuple[np.ndarray, np.ndarray]:
    """Coarse cells that each of the fine ones overlaps, and the share of the coarse cell that it covers, (fine, k)."""
    step = fine / coarse
    pixel = np.arange(fine)[:, None]
    cell = np.floor(pixel / step).astype(np.int64) + np.arange(int(1 / step) + 2)
    overlap = np.minimum((cell + 1) * step, pixel + 1) - np.maximum(cell * step, pixel)
    share = np.where(cell < coarse, np.clip(overlap, 0, None) / step, 0.0)
    return np.minimum(cell, coarse - 1), share


def _largest_share(label_map: np.ndarray, spreads: list, size: tuple[int, int]) -> np.ndarray:
    matrices = []
    for (cell, share), coarse in zip(spreads, size):
        fine = np.broadcast_to(np.arange(len(cell))[:, None], cell.shape)
        matrix = sparse.coo_matrix((share.ravel(), (cell.ravel(), fine.ravel())), shape=(coarse, len(cell)))
        matrices.append(matrix.tocsr().astype(np.float32))
    result, largest = np.zeros(size, np.uint8), np.zeros(size, np.float32)
    for index in np.flatnonzero(np.bincount(label_map.ravel())):
        share = matrices[0] @ (label_map == index).astype(np.float32)
        share = np.rint((matrices[1] @ share.T).T * 1e5)  # equal but for rounding is equal
        wins = (share > 0) & (share >= largest)
        result[wins], largest[wins] = index, share[wins]
    return result


def _bring_back(result: np.ndarray, label_map: np.ndarray, index: int, later: np.ndarray, spreads: list) -> None:
    """Draw the lesions of a class that have no pixel in `result`, in place."""
    lesion, cell, share = _lesion_shares(label_map == index, spreads, result.shape)
    if not len(lesion):
        return
    flat = result.reshape(-1)
    by_cell = np.lexsort((-share, cell))  # the lesion with the largest share in each pixel comes first
    owners = by_cell[np.unique(cell[by_cell], return_index=True)[1]]
    there = np.zeros(lesion[-1] + 1, dtype=bool)
    there[lesion[owners[flat[cell[owners]] == index]]] = True
    begins = np.searchsorted(lesion, np.arange(len(there) + 1))
    for number in np.flatnonzero(~there):
        pixels = cell[begins[number] : begins[number + 1]]
        free = pixels[~later[flat[pixels]]]
        if len(free):
            flat[free[0]] = index


def _lesion_shares(mask: np.ndarray, spreads: list, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lesion, coarse pixel and the share of it that the lesion covers; by lesion, its largest share first."""
    (box,) = ndimage.find_objects(mask.astype(np.uint8)) or (None,)
    if box is None:
        return (np.zeros(0, np.int64),) * 3
    numbered, count = ndimage.label(mask[box], structure=np.ones((3, 3)))
    y, x = np.nonzero(numbered)
    lesion = numbered[y, x].astype(np.int64) - 1
    (row_cell, row_share), (column_cell, column_share) = spreads
    y, x = y + box[0].start, x + box[1].start
    cell = row_cell[y][:, :, None] * size[1] + column_cell[x][:, None, :]
    share = row_share[y][:, :, None] * column_share[x][:, None, :]
    lesion = np.broadcast_to(lesion[:, None, None], cell.shape)
    # a sparse matrix adds up what the pixels of a lesion have in each coarse pixel
    shares = sparse.coo_matrix((share.ravel(), (lesion.ravel(), cell.ravel())), shape=(count, size[0] * size[1]))
    shares = shares.tocsr().tocoo()
    overlaps = shares.data > 1e-9
    lesion, cell, share = shares.row[overlaps], shares.col[overlaps], shares.data[overlaps].round(9)
    order = np.lexsort((cell, -share, lesion))
    return lesion[order], cell[order], share[order]


class ReduceLesionMapd(MapTransform):
    """Dictionary form of `reduce_lesion_map`.

    Args:
        keys: keys of label maps, shape (1, X, Y).
        size: (X, Y) of the result, or one number for both.
        label_set: label set of the maps.
        kept_classes: names of the classes whose regions are kept; None for the lesions.
        allow_missing_keys: whether a missing key is passed over.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        keys: KeysCollection,
        size: Sequence[int] | int,
        label_set: str | LabelSet | Mapping[str, Any] = "fundus_lesion",
        kept_classes: Sequence[str] | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.size = _checked_size(size)
        self.label_set = get_label_set(label_set)
        self.kept_classes = None if kept_classes is None else tuple(kept_classes)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        columns, rows = self.size
        for key in self.key_iterator(d):
            picture = to_picture(torch.as_tensor(d[key]))
            if picture.shape[2] != 1:
                raise ValueError(f"expected a label map of shape (1, X, Y), got {tuple(d[key].shape)}")
            reduced = reduce_lesion_map(picture[..., 0], (rows, columns), self.label_set, self.kept_classes)
            d[key] = from_picture(reduced)
        return d


ReduceLesionMapD = ReduceLesionMapDict = ReduceLesionMapd
