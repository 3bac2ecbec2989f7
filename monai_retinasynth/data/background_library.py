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
"""Backgrounds for label maps of other eyes: which one, mirrored how and shifted where, so that disc and arcades fit.

A background fits where the structures that its own eye had lie most like those of the label map. Both are blurred, and
their correlation over all shifts is one product of their Fourier transforms. For a label map of a narrower field of
view a part of the background is taken, and enlarged.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import torch
from scipy.ndimage import rotate

from ..transforms.field_of_view import field_of_view_scale
from ..transforms.load_fundus_case import LoadFundusCased
from ..transforms.remove_structures import background_classes
from ..utils.errors import ConfigError, DataError
from ..utils.label_set import LabelSet, get_label_set
from .background_set import list_backgrounds
from .extended_background import ExtendedBackground, extend_background, field_of_view_centre, turned, zoomed
from .structure_correlation import (
    CELL,
    CELLS,
    FIELD_RADIUS,
    fovea_place,
    mirrored_plane,
    spectrum,
    standardised,
    structures_on_grid,
)

__all__ = ["BackgroundLibrary", "FittedBackground"]

_BEYOND = 20.0  # by which a background reaches beyond its field of view, besides the shift
_SAME_SIZE = 0.03  # fields of view that differ by no more are not scaled
_FOVEA_WEIGHT = 0.4  # of structures that run through a fovea, beside the correlation
_MIRRORS = ((False, False), (True, False), (False, True), (True, True))


@dataclass(frozen=True)
class FittedBackground:
    """A background placed under a label map.

    Args:
        image: uint8 tensor (C, X, Y) of the label map's size, 0 outside its field of view.
        case_id: the eye that the background comes from.
        mirrored: whether it was mirrored along X and along Y.
        shift: how far it was moved along X and Y, in pixels of the label map, from where the centres of both fields of
            view agree.
        rotation: degrees by which it was turned.
        zoom: how many times it was enlarged, beyond what makes both fields of view one size.
        score: correlation of the blurred structures, at most 1, and a little more where the fovea stays bare, less
            where structures would run through it.
    """

    image: torch.Tensor
    case_id: str
    mirrored: tuple[bool, bool]
    shift: tuple[int, int]
    rotation: float
    zoom: float
    score: float


class BackgroundLibrary:
    """The backgrounds of a folder, each read and extended beyond its field of view once.

    Args:
        folder: data set that `write_background_dataset` wrote.
        label_set: label set of the label maps, or its name; that of the backgrounds is the same.
        classes: names of the structures that are fitted to each other; None for all but the first two.
        max_shift: largest shift along each side, in pixels at a field of view of 540 pixels.
        rotation_degrees: backgrounds are also turned by so much either way; 0 leaves them as they are.
        num_candidates: the background is drawn from so many that fit best.
        num_backgrounds: use the first so many backgrounds only; None for all.
        image_channels: 3 for colours, 1 for grey levels.
        field_degrees: visual angle of the backgrounds' field of view, for label maps that know theirs; None where it is
            that of all label maps.

    Raises:
        ConfigError: When a setting is out of range, or the label set lacks a class.
        DataError: When the folder holds no backgrounds, fewer than asked for, or ones of another label set or modality.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
        classes: Sequence[str] | None = None,
        max_shift: float = 30.0,
        rotation_degrees: float = 0.0,
        num_candidates: int = 4,
        num_backgrounds: int | None = None,
        image_channels: int = 3,
        field_degrees: float | None = None,
    ) -> None:
        _check_angle(field_degrees)
        if not 0 <= max_shift <= 60 or num_candidates < 1 or not 0 <= rotation_degrees <= 20:
            raise ConfigError(
                "max_shift must be 0 to 60 pixels, rotation_degrees 0 to 20 and num_candidates 1 or more, got "
                f"{max_shift}, {rotation_degrees} and {num_candidates}"
            )
        self.field_degrees = field_degrees
        self.folder = os.fspath(folder)
        self.label_set = get_label_set(label_set)
        self.classes = background_classes(self.label_set, classes)
        self.max_shift, self.num_candidates = float(max_shift), int(num_candidates)
        self.rotations = (0.0,) if not rotation_degrees else (0.0, -float(rotation_degrees), float(rotation_degrees))
        load = LoadFundusCased(self.label_set, image_dtype="uint8", image_channels=image_channels)
        self._backgrounds: list[ExtendedBackground] = []
        spectra = []
        for case in list_backgrounds(folder, self.label_set, num_backgrounds, image_channels):
            loaded = load(case)
            label = loaded["label"].numpy()[0]
            if not (label > 0).any():
                raise DataError(f"the label map {case['label']} of a background has no field of view; write it again")
            self._backgrounds.append(extend_background(case["case_id"], loaded["image"].numpy(), label > 0, self.reach))
            spectra.append(self._spectra(label))
        # of every background, rotation and mirror; conjugate, for the correlation
        self._templates = torch.stack(spectra).conj().resolve_conj()
        self._resized: dict[int, tuple[float, ExtendedBackground]] = {}

    @property
    def case_ids(self) -> tuple[str, ...]:
        """Names of the eyes."""
        return tuple(background.case_id for background in self._backgrounds)

    @property
    def reach(self) -> float:
        """How far backgrounds are extended, in pixels at a field of view of 540."""
        return self.max_shift + _BEYOND

    def fit(
        self, label: torch.Tensor, seed: int, exclude: Iterable[str] = (), field_degrees: float | None = None
    ) -> FittedBackground:
        """Choose and place a background for a label map.

        Args:
            label: label map (1, X, Y), class indices, of any size.
            seed: draws among the backgrounds that fit best; the same seed gives the same background.
            exclude: names of eyes that must not be taken.
            field_degrees: visual angle of the label map's field of view; None for that of the backgrounds. Where it is
                wider they are not reduced: there is nothing beyond them.

        Returns:
            the background at its place.

        Raises:
            ConfigError: When the angle is none.
            DataError: When the label map has no field of view, all eyes are excluded, or none covers the field of view.
        """
        label_map = np.asarray(label)[0]
        inside = label_map > 0
        scale = field_of_view_scale(inside)
        _check_angle(field_degrees)
        zoom = max(1.0, self.field_degrees / field_degrees) if self.field_degrees and field_degrees else 1.0
        excluded = {exclude} if isinstance(exclude, str) else {str(name) for name in exclude}
        allowed = [number for number, name in enumerate(self.case_ids) if name not in excluded]
        if not allowed:
            raise DataError(
                f"all backgrounds of {self.folder} are excluded ({', '.join(sorted(excluded))}). Give it backgrounds "
                "of other eyes: write_background_dataset with more cases"
            )
        scores, shifts = self._correlate(label_map, allowed, zoom)
        candidates = []
        for flat in np.argsort(-scores.ravel(), kind="stable"):
            chosen, turn, mirror = np.unravel_index(flat, scores.shape)
            shift = tuple(int(round(float(s) * CELL * scale * zoom)) for s in shifts[chosen, turn, mirror])
            placement = (allowed[chosen], self.rotations[turn], _MIRRORS[mirror], shift)
            if (corner := self._corner(inside, scale * zoom, *placement)) is not None:
                candidates.append((float(scores[chosen, turn, mirror]), corner, placement))
            if len(candidates) == self.num_candidates:
                break
        if not candidates:
            raise DataError(
                f"no background of {self.folder} covers the field of view of the label map ({inside.shape[0]} x "
                f"{inside.shape[1]} pixels): its shape reaches more than {self.reach:.0f} pixels (at a diameter of "
                "540) beyond theirs. Use backgrounds of a camera whose field of view has that shape"
            )
        drawn = int(np.random.default_rng(seed).integers(len(candidates)))
        score, corner, (number, rotation, mirrored, shift) = candidates[drawn]
        image = self._cut(inside, scale * zoom, corner, number, rotation, mirrored)
        return FittedBackground(image, self.case_ids[number], mirrored, shift, rotation, zoom, score)

    def _spectra(self, label: np.ndarray) -> torch.Tensor:
        """Fourier transforms of what label maps are correlated with, (rotations, mirrors, cells, frequencies)."""
        structures = structures_on_grid(label, self.classes)
        template = standardised(structures) - _FOVEA_WEIGHT * fovea_place(structures)
        planes = [rotate(template, angle, reshape=False, order=1) if angle else template for angle in self.rotations]
        return torch.stack([torch.stack([spectrum(mirrored_plane(plane, m)) for m in _MIRRORS]) for plane in planes])

    def _correlate(self, label_map: np.ndarray, allowed: list[int], zoom: float) -> tuple[np.ndarray, np.ndarray]:
        """Best score (backgrounds, rotations, mirrors) of each placement, and its shift in cells of the background."""
        wanted = spectrum(standardised(structures_on_grid(label_map, self.classes, zoom), zoom))
        correlation = torch.fft.irfft2(wanted * self._templates[allowed], s=(CELLS, CELLS))
        # enlarged, a background reaches beyond the label map's field of view by itself
        window = int((self.max_shift / zoom + FIELD_RADIUS * (1 - 1 / zoom)) / CELL)
        near = torch.arange(-window, window + 1)
        near = correlation[..., near[:, None], near[None, :]].flatten(-2)
        best, place = near.max(-1)
        shifts = torch.stack([place // (2 * window + 1) - window, place % (2 * window + 1) - window], dim=-1)
        return best.numpy(), shifts.numpy()

    def _sized(self, number: int, scale: float) -> ExtendedBackground:
        """A background for a field of view of this scale; the last size of each is kept."""
        background = self._backgrounds[number]
        zoom = scale / background.scale
        if abs(zoom - 1) <= _SAME_SIZE:
            return background
        zoom = round(zoom / 0.02) * 0.02 if zoom > 0.2 else zoom  # sizes of one camera vary a little
        kept = self._resized.get(number)  # once: other threads may put another size there at any time
        if kept is None or kept[0] != zoom:
            kept = self._resized[number] = (zoom, zoomed(background, zoom))
        return kept[1]

    def _corner(
        self,
        inside: np.ndarray,
        scale: float,
        number: int,
        rotation: float,
        mirrored: tuple[bool, bool],
        shift: tuple[int, int],
    ) -> tuple[int, int] | None:
        """Pixel of the mirrored background at the corner of the label map; None where it does not cover it."""
        background = self._sized(number, scale)
        covered = background.covered
        if rotation:
            covered = turned(255 * covered[None].astype(np.uint8), background, rotation)[0] == 255
        covered = mirrored_plane(covered, mirrored)
        corner = []
        for centre, mirror, size, own, moved in zip(
            background.centre, mirrored, covered.shape, field_of_view_centre(inside), shift
        ):
            corner.append(round((size - 1 - centre if mirror else centre) - own - moved))
        x, y = np.nonzero(inside)
        x, y = x + corner[0], y + corner[1]
        if min(x.min(), y.min()) < 0 or x.max() >= covered.shape[0] or y.max() >= covered.shape[1]:
            return None
        return tuple(corner) if covered[x, y].all() else None

    def _cut(
        self,
        inside: np.ndarray,
        scale: float,
        corner: tuple[int, int],
        number: int,
        rotation: float,
        mirrored: tuple[bool, bool],
    ) -> torch.Tensor:
        background = self._sized(number, scale)
        image = background.image
        if rotation:
            image = turned(image, background, rotation)
        for axis, mirror in enumerate(mirrored):
            image = np.flip(image, axis + 1) if mirror else image
        result = np.zeros((image.shape[0], *inside.shape), dtype=np.uint8)
        x, y = np.nonzero(inside)
        first, last = (x.min(), y.min()), (x.max() + 1, y.max() + 1)
        to = tuple(slice(a, b) for a, b in zip(first, last))
        source = tuple(slice(a + c, b + c) for a, b, c in zip(first, last, corner))
        result[(slice(None), *to)] = image[(slice(None), *source)] * inside[to]
        return torch.from_numpy(result)


def _check_angle(field_degrees: float | None) -> None:
    """Refuse what is no visual angle of a field of view in degrees, such as one in radians."""
    if field_degrees is not None and not (isinstance(field_degrees, Real) and 10 <= field_degrees <= 200):
        raise ConfigError(f"field_degrees must be the visual angle, 10 to 200 degrees, got {field_degrees!r}")
