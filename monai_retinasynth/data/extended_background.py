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
"""A background that reaches beyond its field of view, so that a shift or a turn uncovers nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt

from ..transforms.affine_warp import affine_warp
from ..transforms.field_of_view import field_of_view_scale
from ..transforms.fill_holes import fill_holes
from ..transforms.resample_area import resample_area

__all__ = ["ExtendedBackground", "extend_background", "field_of_view_centre", "turned", "zoomed"]


@dataclass
class ExtendedBackground:
    """A background that reaches beyond its field of view.

    Args:
        case_id: the eye that it comes from.
        image: uint8, shape (C, X, Y).
        covered: bool, shape (X, Y): where the picture holds.
        centre: centre of the field of view along X and Y, in pixels.
        scale: its diameter over 540 pixels.
    """

    case_id: str
    image: np.ndarray
    covered: np.ndarray
    centre: tuple[float, float]
    scale: float


def extend_background(case_id: str, image: np.ndarray, inside: np.ndarray, reach: float) -> ExtendedBackground:
    """The background on a canvas that reaches beyond its field of view, filled there."""
    scale = field_of_view_scale(inside)
    pad = math.ceil(reach * scale) + 1
    image, inside = np.pad(image, ((0, 0), (pad, pad), (pad, pad))), np.pad(inside, pad)
    lines = [np.flatnonzero(inside.any(axis=1 - axis)) for axis in (0, 1)]
    box = tuple(slice(int(line[0]) - pad, int(line[-1]) + pad + 1) for line in lines)
    image, inside = image[(slice(None), *box)].copy(), inside[box]
    covered = distance_transform_edt(~inside) <= reach * scale
    target = covered & ~inside
    filled = fill_holes(image, inside, np.ones(inside.shape, dtype=np.float32), target, scale)
    image[:, target] = np.clip(np.rint(filled), 0, 255)
    return ExtendedBackground(case_id, image, covered, field_of_view_centre(inside), scale)


def field_of_view_centre(inside: np.ndarray) -> tuple[float, float]:
    """Middle of a field of view along X and Y: of its outermost pixels, so that a cut or a notch moves it little."""
    lines = (np.flatnonzero(inside.any(axis=1 - axis)) for axis in (0, 1))
    return tuple(float(line[0] + line[-1]) / 2 for line in lines)


def zoomed(background: ExtendedBackground, zoom: float) -> ExtendedBackground:
    """The background at another size, by area averaging."""
    size = [max(1, round(side * zoom)) for side in background.covered.shape]
    image = resample_area(torch.from_numpy(background.image), size).round().clamp(0, 255).byte().numpy()
    covered = resample_area(torch.from_numpy(background.covered[None]).float(), size)[0].numpy() > 0.999
    old_size = background.covered.shape
    centre = tuple((c + 0.5) * new / old - 0.5 for c, new, old in zip(background.centre, size, old_size))
    return ExtendedBackground(background.case_id, image, covered, centre, background.scale * zoom)


def turned(planes: np.ndarray, background: ExtendedBackground, degrees: float) -> np.ndarray:
    """uint8 planes (C, X, Y) of a background turned about the centre of the field of view; 0 from beyond the canvas."""
    image = torch.from_numpy(planes)[None].float()
    x, y = (c - (size - 1) / 2 for c, size in zip(background.centre, background.covered.shape))
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = torch.tensor([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]])
    turned = affine_warp(image, matrix[None].double(), [0.0] * image.shape[1])
    return turned[0].round().clamp(0, 255).byte().numpy()
