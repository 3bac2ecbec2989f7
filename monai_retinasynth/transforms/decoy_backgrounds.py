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
"""Backgrounds of training eyes with decoys: holes that are filled although nothing is to be painted there.

A filled place never looks quite like the rest. Where only structures have been filled, a translator reads from the
background where to paint, and for backgrounds that are fitted to other label maps that is wrong.
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.transforms import MapTransform, RandomizableTransform
from scipy.ndimage import distance_transform_edt

from ..utils.errors import ConfigError, DataError
from ..utils.label_set import LabelSet
from ..utils.seeding import derive_seed
from .field_of_view import field_of_view_scale
from .remove_structures import RemoveStructures

__all__ = [
    "DecoyBackgroundsD",
    "DecoyBackgroundsDict",
    "DecoyBackgroundsd",
    "RandBackgroundVariantD",
    "RandBackgroundVariantDict",
    "RandBackgroundVariantd",
]

_STREAM = 11


class DecoyBackgroundsd(MapTransform):
    """Takes the structures out of a photograph several times, each time beside other decoys.

    The decoys have the shape of the structures of a label map that is drawn from `decoy_labels`, mirrored at random and
    shifted. What is drawn depends on the seed and the name of the case alone, so that the result can be cached.

    Args:
        keys: key of the photograph, (C, X, Y), 0..255.
        decoy_labels: label maps (1, X', Y') that decoys are taken from; scaled to the size of the case.
        label_set: label set of the label maps, or its name.
        classes: names of the classes to take out; None for all but the first two.
        label_key: key of the label map, (1, X, Y).
        output_key: key of the result, (V * C, X, Y), of the photograph's type: the variants one after another.
        num_variants: V.
        max_shift: largest shift of decoys along each side, pixels at a field of view 540 pixels wide.
        margin: see `remove_structures`; decoys are as wide.
        rim: see `remove_structures`; that of `write_background_dataset`.
        seed: seed of all that is drawn.
        name_key: key of the name of the case.

    Raises:
        ConfigError: When there are no variants to make, or no label map to take decoys from.
        DataError: see `remove_structures`; names the case.
    """

    def __init__(
        self,
        keys: Any = "image",
        decoy_labels: Sequence[torch.Tensor] = (),
        label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
        classes: Sequence[str] | None = None,
        label_key: str = "label",
        output_key: str = "background",
        num_variants: int = 2,
        max_shift: float = 60.0,
        margin: float = 3.0,
        rim: float = 8.0,
        seed: int = 0,
        name_key: str = "case_id",
    ) -> None:
        super().__init__(keys)
        if num_variants < 1 or not len(decoy_labels):
            raise ConfigError(
                f"{num_variants} backgrounds an eye, with decoys from {len(decoy_labels)} label maps: both must be 1 "
                "or more"
            )
        self.decoy_labels = decoy_labels
        self.label_key, self.output_key, self.name_key = label_key, output_key, name_key
        self.num_variants, self.max_shift, self.margin, self.rim, self.seed = num_variants, max_shift, margin, rim, seed
        self.remove = RemoveStructures(label_set, classes, margin, rim)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        name = str(d.get(self.name_key, ""))
        for key in self.key_iterator(d):
            variants = []
            for variant in range(self.num_variants):
                seed = derive_seed(self.seed, _STREAM, zlib.crc32(name.encode()), variant)
                decoys = self._decoys(d[self.label_key], np.random.default_rng(seed))
                try:
                    variants.append(self.remove(d[key], d[self.label_key], decoys, seed % 2**31))
                except DataError as exception:
                    raise DataError(f"case {name or 'without a case_id'}: {exception}") from exception
            d[self.output_key] = torch.cat(variants)
        return d

    def _decoys(self, label: Any, rng: np.random.Generator) -> np.ndarray:
        """Mask (1, X, Y) of the places to fill."""
        inside = np.asarray(label)[0] > 0
        other = torch.as_tensor(self.decoy_labels[rng.integers(len(self.decoy_labels))])
        if tuple(other.shape[1:]) != inside.shape:
            other = F.interpolate(other[None].float(), size=inside.shape, mode="nearest")[0]
        mask = np.isin(np.asarray(other)[0], self.remove.classes)
        for axis in (0, 1):
            if rng.random() < 0.5:
                mask = np.flip(mask, axis)
        scale = field_of_view_scale(inside)
        reach = min(round(self.max_shift * scale), min(inside.shape) // 2)
        mask = np.roll(mask, rng.integers(-reach, reach + 1, 2), (0, 1))
        if not mask.any():
            return mask[None]
        return (distance_transform_edt(~mask) <= self.margin * scale)[None]


class RandBackgroundVariantd(RandomizableTransform, MapTransform):
    """Chooses one of the variants that `DecoyBackgroundsd` made, at random.

    Args:
        keys: keys of the variants, (V * C, X, Y); what is left is (C, X, Y).
        num_variants: V.
        allow_missing_keys: whether a missing key is passed over.
    """

    def __init__(self, keys: Any = "background", num_variants: int = 2, allow_missing_keys: bool = False) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self)
        self.num_variants = num_variants

    def randomize(self, data: Any = None) -> None:
        super().randomize(data)
        self._variant = int(self.R.randint(self.num_variants))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        self.randomize()
        for key in self.key_iterator(d):
            channels = d[key].shape[0] // self.num_variants
            d[key] = d[key][self._variant * channels : (self._variant + 1) * channels]
        return d


DecoyBackgroundsD = DecoyBackgroundsDict = DecoyBackgroundsd
RandBackgroundVariantD = RandBackgroundVariantDict = RandBackgroundVariantd
