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
"""The background for a case's label map, from a library."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends

from ..utils.errors import ConfigError, DataError
from ..utils.seeding import derive_seed

if TYPE_CHECKING:
    from ..data.background_library import BackgroundLibrary

__all__ = ["FitBackgroundD", "FitBackgroundDict", "FitBackgroundd"]

_STREAM = 12  # keeps these draws apart from those of other transforms with the same seed and index


class FitBackgroundd(MapTransform):
    """Puts a background under each label map, see `BackgroundLibrary.fit`.

    The background depends on the seed, the index of the case and the label map alone.

    Args:
        keys: keys of label maps, shape (1, X, Y), class indices.
        library: the backgrounds.
        output_key: keys for the backgrounds, uint8 tensors (C, X, Y), 0 outside the field of view.
        id_key: keys for the names of the eyes that the backgrounds come from; None for none.
        seed: seed of the set of cases.
        index_key: key of the index of a case in the set, a whole number.
        exclude_key: key of the name, or a list of names, of eyes that must not be taken; None for none.
        field_degrees_key: key of the visual angle of the label map's field of view, where the case has one.
        allow_missing_keys: whether a missing key is passed over.

    Raises:
        ConfigError: When the numbers of keys differ, or a case has no index.
        DataError: When no background can be placed; names the case by its `case_id`.
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        keys: KeysCollection = "label",
        library: BackgroundLibrary | None = None,
        output_key: KeysCollection = "background",
        id_key: KeysCollection | None = "background_id",
        seed: int = 0,
        index_key: str = "index",
        exclude_key: str | None = None,
        field_degrees_key: str = "field_degrees",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if library is None:
            raise ConfigError("FitBackgroundd needs a library of backgrounds: BackgroundLibrary(folder)")
        self.library = library
        self.output_keys = (output_key,) if isinstance(output_key, str) else tuple(output_key)
        self.id_keys = (None,) * len(self.keys) if id_key is None else (id_key,) if isinstance(id_key, str) else id_key
        if not len(self.keys) == len(self.output_keys) == len(self.id_keys):
            raise ConfigError(f"{len(self.keys)} keys need as many output_key and id_key")
        self.seed, self.index_key, self.exclude_key = int(seed), index_key, exclude_key
        self.field_degrees_key = field_degrees_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        if self.index_key not in d:
            raise ConfigError(f"a case without {self.index_key!r}: number the cases, the background is drawn by it")
        seed = derive_seed(self.seed, _STREAM, int(d[self.index_key]))
        exclude = () if self.exclude_key is None else d[self.exclude_key]
        for key, output_key, id_key in self.key_iterator(d, self.output_keys, self.id_keys):
            try:
                fitted = self.library.fit(d[key], seed, exclude, d.get(self.field_degrees_key))
            except DataError as exception:
                raise DataError(f"case {d.get('case_id', d[self.index_key])}: {exception}") from exception
            d[output_key] = fitted.image
            if id_key is not None:
                d[id_key] = fitted.case_id
        return d


FitBackgroundD = FitBackgroundDict = FitBackgroundd
