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
"""A reader for MONAI's `LoadImage` that is right for every kind of fundus file: tif, gif, png, jpg, ppm; palette, RGBA,
1-bit and 16-bit grey."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from monai.config import PathLike
from monai.data import PILReader
from monai.utils import ensure_tuple
from PIL import Image

from ..utils.image_io import IMAGE_SUFFIXES, open_image

__all__ = ["FundusReader"]


class FundusReader(PILReader):
    """`PILReader` with the conversion built in; picklable, so that spawned workers can have it.

    Arrays come out as `PILReader` gives them: (X, Y, channel) or (X, Y), X to the right.

    Args:
        mode: `"RGB"`, photographs, 0..255; `"mask"`, grey levels 0..255 of a mask; `"index"`, the class indices of a
            palette image.
        reverse_indexing: see `monai.data.PILReader`.
    """

    def __init__(self, mode: str = "RGB", reverse_indexing: bool = True) -> None:
        super().__init__(converter=None, reverse_indexing=reverse_indexing)
        if mode not in ("RGB", "mask", "index"):
            raise ValueError(f"mode must be 'RGB', 'mask' or 'index', got {mode!r}")
        self.mode = mode

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Whether all of the file names end as image files do."""
        return all(str(name).lower().endswith(IMAGE_SUFFIXES) for name in ensure_tuple(filename))

    def read(self, data: Sequence[PathLike] | PathLike | np.ndarray, **kwargs) -> Image.Image | list[Image.Image]:
        """Open one file or several in the reader's mode.

        Raises:
            DataError: When a file is missing, unreadable or truncated.
        """
        mode = "L" if self.mode == "mask" else self.mode
        images = [open_image(name, mode) for name in ensure_tuple(data)]
        return images if len(images) > 1 else images[0]
