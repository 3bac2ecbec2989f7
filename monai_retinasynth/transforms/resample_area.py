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
"""Another size for a picture by area: every new pixel is the mean of exactly what it covers of the old ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from skimage.transform import resize_local_mean

__all__ = ["resample_area"]


def resample_area(image: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Resize each channel of an image, its proportions not kept.

    Old pixels on the border of two new ones count for both by the share that each covers; pooling over whole pixels
    would blur a picture whose size is no multiple of the new one.

    Args:
        image: shape (C, X, Y), any real type.
        size: new (X, Y). A side that grows is interpolated linearly.

    Returns:
        float32 tensor, shape (C, X, Y), same value range.
    """
    x, y = (int(side) for side in size)
    shrunk = (min(x, image.shape[1]), min(y, image.shape[2]))
    # one channel at a time and in double precision: large photographs, and shares that are compared with each other
    planes = [resize_local_mean(plane.double().numpy(), shrunk, preserve_range=True) for plane in image]
    result = torch.from_numpy(np.stack(planes)).float()
    return result if shrunk == (x, y) else F.interpolate(result[None], (x, y), mode="bilinear")[0]
