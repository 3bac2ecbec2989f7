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
"""Writing a restored or generated photograph as a PNG file of its case's name."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends

from ..utils.errors import DataError
from ..utils.image_io import to_picture, write_rgb

__all__ = ["SavePhotographD", "SavePhotographDict", "SavePhotographd"]


class SavePhotographd(MapTransform):
    """Write photographs as 8-bit RGB, `<case>.png`. The data pass through unchanged.

    Args:
        keys: keys of photographs (3, X, Y), values in [-1, 1]; what lies beyond is clipped.
        output_dir: folder for the files, made when missing.
        case_key: key of the case's name, which becomes the file name.
        allow_missing_keys: whether a key may be absent.

    Raises:
        DataError: when a photograph holds values that are not finite, or a file cannot be written.
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | os.PathLike,
        case_key: str = "case_id",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.output_dir = Path(output_dir)
        self.case_key = case_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key in self.key_iterator(d):
            path = self.output_dir / f"{d[self.case_key]}.png"
            values = torch.as_tensor(d[key]).detach().float().cpu()
            if not bool(torch.isfinite(values).all()):
                raise DataError(f"{path} would hold values that are not finite; has training diverged?")
            write_rgb(path, to_picture(((values.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)))
        return d


SavePhotographD = SavePhotographDict = SavePhotographd
