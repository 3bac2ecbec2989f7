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
"""Has a generator copied its training maps and bent them? Dice after the best alignment that a warp could undo.

A generator that learnt from warped maps may copy a map and warp it, and Dice in place would not show it. So every map
is aligned with every reference first: mirrored, turned, enlarged and shifted as their blurred structures correlate most
(all shifts at once, by Fourier transforms), then bent by a smooth field of optical flow (Le Besnerais and Champagnat,
ICIP 2005, as `skimage.registration.optical_flow_ilk`). What counts as a copy is learnt from the reals: warped on
purpose they are copies, among themselves they are none. Eight eyes of DRIVE among themselves reach 0.35 at most, warped
by `WarpStructures` 0.60 at least with their own originals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from skimage.registration import optical_flow_ilk
from skimage.transform import resize_local_mean, warp

__all__ = ["AlignedCopy", "aligned_nearest_dice", "copy_threshold"]

_SEARCH = 96  # edge of the square on which poses are compared, pixels
_PAD = 32  # shifts up to so many of these pixels
_FINE = 192  # edge on which maps are bent and compared
_ANGLES = tuple(range(-20, 21, 4))  # degrees
_ZOOMS = (0.84, 0.92, 1.0, 1.09, 1.19)
_MIRRORS = ((False, False), (True, False), (False, True), (True, True))
_FINALISTS = 3  # poses of a map that are bent
_REACH = 12  # radius of the window of the flow, pixels of the fine grid


@dataclass(frozen=True)
class AlignedCopy:
    """The reference that a map comes closest to.

    Args:
        reference: its number.
        dice: after alignment, 0 to 1.
        mirrored: whether the order of the rows (upside down) and that of the columns of the reference was reversed.
        angle: degrees by which it was turned.
        zoom: how much it was enlarged.
        shift: rows and columns by which it was moved, as shares of the edge.
    """

    reference: int
    dice: float
    mirrored: tuple[bool, bool]
    angle: float
    zoom: float
    shift: tuple[float, float]


def aligned_nearest_dice(
    maps: Sequence[np.ndarray], references: Sequence[np.ndarray] | None = None
) -> list[AlignedCopy]:
    """Of each map the reference that it comes closest to after alignment.

    Args:
        maps: (H, W) bool each, true on the structures.
        references: the same; None for all other maps.

    Returns:
        one result a map.

    Raises:
        ValueError: when there is nothing to compare.
    """
    others = maps if references is None else references
    if not len(maps) or len(others) < (2 if references is None else 1):
        raise ValueError("nothing to compare: give one map and one reference at least, or two maps and no references")
    poses = [(mirrored, angle, zoom) for mirrored, angle, zoom in product(_MIRRORS, _ANGLES, _ZOOMS)]
    squares = [_square(item) for item in others]
    spectra = torch.stack([_spectra(square, poses) for square in squares])
    edge = _SEARCH + _PAD
    along = torch.arange(edge)
    along = (along <= _PAD) | (along >= edge - _PAD + 1)  # shifts as the Fourier transform orders them
    near = along[:, None] & along[None, :]
    found = []
    for number, item in enumerate(maps):
        square = _square(item)
        wanted = torch.fft.rfft2(_standardised(_reduced(square, _SEARCH)), s=(edge, edge))
        correlation = torch.fft.irfft2(wanted * spectra.conj(), s=(edge, edge))
        if references is None:
            correlation[number] = -torch.inf
        best, place = correlation.where(near, -torch.inf).flatten(-2).max(-1)
        candidates = []
        for flat in torch.argsort(best.flatten(), descending=True)[:_FINALISTS].tolist():
            reference, pose = divmod(flat, len(poses))
            rows, columns = divmod(int(place[reference, pose]), edge)
            shares = tuple(((s + _PAD) % edge - _PAD) / _SEARCH for s in (rows, columns))
            posed = _posed(_reduced(squares[reference], _FINE), *poses[pose], shares)
            dice = _bent_dice(_reduced(square, _FINE), posed)
            candidates.append(AlignedCopy(reference, dice, *poses[pose], shares))
        found.append(max(candidates, key=lambda copy: copy.dice))
    return found


def copy_threshold(planted: Sequence[float], among_real: Sequence[float]) -> float:
    """The Dice from which on a map counts as a copy: half way between planted copies and real maps among themselves.

    Args:
        planted: aligned Dice of training maps that were warped on purpose with their originals.
        among_real: aligned Dice of real maps with the nearest other one.

    Returns:
        the middle of the 5th percentile of the planted ones and the largest among the reals.

    Raises:
        ValueError: when the two do not come apart, so that no threshold tells a copy.
    """
    low, high = float(np.max(among_real)), float(np.percentile(planted, 5))
    if high <= low:
        raise ValueError(
            f"planted copies reach {high:.3f} (5th percentile), real maps among themselves {low:.3f}: alignment does "
            "not tell copies of these maps"
        )
    return (low + high) / 2


def _square(mask: np.ndarray) -> np.ndarray:
    mask = np.asarray(mask, dtype=np.float32)
    edge = max(mask.shape)
    rows, columns = ((edge - side) // 2 for side in mask.shape)
    square = np.zeros((edge, edge), dtype=np.float32)
    square[rows : rows + mask.shape[0], columns : columns + mask.shape[1]] = mask
    return square


def _reduced(square: np.ndarray, size: int) -> np.ndarray:
    """Coverage on a grid of this size."""
    return resize_local_mean(square, (size, size)).astype(np.float32)


def _standardised(plane: np.ndarray) -> torch.Tensor:
    blurred = ndimage.gaussian_filter(np.minimum(plane, 0.5), 1.2)
    blurred = blurred - blurred.mean()
    return torch.from_numpy(blurred / max(float(np.linalg.norm(blurred)), 1e-9))


def _posed(
    plane: np.ndarray, mirrored: tuple[bool, bool], angle: float, zoom: float, shift: tuple[float, float] = (0.0, 0.0)
) -> np.ndarray:
    for axis, mirror in enumerate(mirrored):
        plane = np.flip(plane, axis) if mirror else plane
    turn = np.deg2rad(angle)
    # places are taken from the inverse: rows and columns of the result, moved back, turned back, reduced
    cos, sin = np.cos(turn) / zoom, np.sin(turn) / zoom
    rows, columns = -2 * shift[0], -2 * shift[1]
    matrix = [[cos, -sin, cos * columns - sin * rows], [sin, cos, sin * columns + cos * rows]]
    grid = F.affine_grid(torch.tensor(matrix, dtype=torch.float32)[None], (1, 1, *plane.shape), align_corners=False)
    moved = F.grid_sample(torch.from_numpy(np.ascontiguousarray(plane))[None, None], grid, align_corners=False)
    return moved[0, 0].numpy()


def _spectra(square: np.ndarray, poses: Sequence[tuple[tuple[bool, bool], float, float]]) -> torch.Tensor:
    small = _reduced(square, _SEARCH)
    planes = torch.stack([_standardised(_posed(small, *pose)) for pose in poses])
    return torch.fft.rfft2(planes, s=(_SEARCH + _PAD,) * 2)


def _bent_dice(fixed: np.ndarray, moving: np.ndarray) -> float:
    """Dice of two coverages after the second was bent onto the first."""
    soft = [ndimage.gaussian_filter(np.minimum(plane, 0.5), 2.0) for plane in (fixed, moving)]
    places = np.stack(np.meshgrid(*map(np.arange, fixed.shape), indexing="ij")).astype(np.float32)
    flow = optical_flow_ilk(*soft, radius=_REACH, num_warp=8)
    bent = warp(moving, places + flow, order=1, mode="constant")
    first, second = fixed > 0.4, bent > 0.4
    return float(2 * (first & second).sum() / max(int(first.sum() + second.sum()), 1))
