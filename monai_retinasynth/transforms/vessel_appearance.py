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
"""How vessels look in a set of photographs: what a painter needs to draw others like them.

A vessel is darkened background, so its look is the logarithm of photograph over background, which carries over to
darker and brighter places. Three things make it up. The profile: the mean log ratio across a vessel of a given half
width, for each eye and colour, inside the wall by the depth in half widths (so that the reflex along the middle of wide
vessels falls on one place) and outside by pixels (the blur and the halo). The factor: vessels of one width differ by
half of their contrast, so there is a distribution of factors by half width. And how the factor goes on along a tree:
partly it is the tree's own (arteries are lighter than veins), partly it fades along the vessel. Light and dark vessels
of one width have profiles of their own, between which a vessel lies by its rank; the reflex of arteries appears there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from scipy.ndimage import gaussian_filter

from ..utils.atomic_file import atomic_write
from ..utils.errors import DataError

__all__ = ["VesselAppearance", "profile_depth", "profile_weights", "tone_weight"]

#: half widths in pixels, at a field of view of 540 pixels, for which profiles are known
RADII = (0.6, 1.0, 1.5, 2.2, 3.2, 4.8, 7.0)
#: places across a vessel: -1 on the centre line to 0 on the wall, then pixels; at the last one the vessel ends
DEPTHS = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
#: ranks among vessels of the same width, for which factors are known
RANKS = tuple(round(0.025 + 0.05 * step, 3) for step in range(20))
#: length in pixels of the pieces whose factors are compared
SEGMENT = 24.0
_SOFT = 0.6  # pixels
_TONES = (0.25, 0.75)  # ranks of a light and of a dark vessel

_FORMAT = "vessel_appearance 1"  # to be counted up when a table changes its meaning


@dataclass(frozen=True)
class VesselAppearance:
    """Measured look of vessels; sizes are in pixels at a field of view 540 pixels wide.

    Args:
        eyes: names of the eyes that were measured, E of them.
        profiles: (E, 2, R, D, C) float32, mean log ratio of light and dark vessels with factor 1, by half width
            (`RADII`), place across the vessel (`DEPTHS`, the last one is 0) and colour channel.
        factors: (R, Q) float32, factors of vessels by half width and rank (`RANKS`).
        tree_share: share of the variance of the ranks (as normal scores) that a whole tree has in common.
        length: pixels along a vessel over which the rest of what goes on along it falls to 1 / e.
        persistence: (R,) float32, share of the variance that goes on along a vessel at all, by half width; what does
            not changes within a few pixels.
        origin: the photographs that were measured, dictionaries of `photograph_notes` with the `data_set` beside, by
            which `refuse_held_out_eyes` finds them again; empty for photographs in memory.
    """

    eyes: tuple[str, ...]
    profiles: np.ndarray
    factors: np.ndarray
    tree_share: float
    length: float
    persistence: np.ndarray
    origin: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "eyes", tuple(str(eye) for eye in self.eyes))
        object.__setattr__(self, "origin", tuple(dict(note) for note in self.origin))
        for name in ("profiles", "factors", "persistence"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float32))
        for name in ("tree_share", "length"):
            object.__setattr__(self, name, float(getattr(self, name)))
        shape = (len(self.eyes), 2, len(RADII), len(DEPTHS))
        if (
            not self.eyes
            or self.profiles.ndim != 5
            or self.profiles.shape[:4] != shape
            or self.factors.shape != (len(RADII), len(RANKS))
            or self.persistence.shape != (len(RADII),)
            or not np.isfinite(self.profiles).all()
            or not np.isfinite(self.factors).all()
            or not ((self.persistence >= 0) & (self.persistence <= 1)).all()
            or not 0 <= self.tree_share <= 1
            or not self.length > 0
        ):
            raise DataError(
                f"not an appearance of vessels: profiles {self.profiles.shape}, factors {self.factors.shape}, "
                f"tree_share {self.tree_share}, length {self.length} for {len(self.eyes)} eyes. Measure it again "
                "with measure_vessel_appearance"
            )

    @property
    def channels(self) -> int:
        """Number of colour channels."""
        return self.profiles.shape[4]

    def log_ratio(self, eye: int, depth: np.ndarray, radius: np.ndarray, tone: np.ndarray) -> np.ndarray:
        """Log ratio of vessels with factor 1.

        Args:
            eye: number of the eye whose profiles are used.
            depth: (N,) place across the vessel, see `profile_depth`.
            radius: (N,) half width, pixels at a field of view of 540.
            tone: (N,) 0 light to 1 dark, see `tone_weight`.

        Returns:
            (N, C) float32.
        """
        table = self.profiles[eye].reshape(-1, self.channels)
        return (profile_weights(depth, radius, tone) @ table).astype(np.float32)

    def factor(self, radius: np.ndarray, rank: np.ndarray) -> np.ndarray:
        """Factors of vessels by half width (pixels at a field of view of 540) and rank 0..1, (N,) each; (N,) float."""
        rows, by_row = _between(np.log(np.maximum(radius, RADII[0])), np.log(RADII))
        columns, by_column = _between(rank, RANKS)
        return sum(
            (by_row[:, i] * by_column[:, j]) * self.factors[rows + i, columns + j] for i in (0, 1) for j in (0, 1)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {
            "format": _FORMAT,
            "eyes": list(self.eyes),
            "radii": list(RADII),
            "depths": list(DEPTHS),
            "ranks": list(RANKS),
            "profiles": _rounded(self.profiles),
            "factors": _rounded(self.factors),
            "tree_share": round(self.tree_share, 4),
            "length": round(self.length, 2),
            "persistence": _rounded(self.persistence),
            "origin": [dict(note) for note in self.origin],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> VesselAppearance:
        """Appearance from its plain form, as `to_dict` gives it.

        Raises:
            DataError: When something is missing or of another shape, or it was measured at other places.
        """
        nodes = {"format": _FORMAT, "radii": list(RADII), "depths": list(DEPTHS), "ranks": list(RANKS)}
        other = [name for name, value in nodes.items() if data.get(name) != value]
        names = [field.name for field in fields(cls) if field.name != "origin"]
        missing = [name for name in names if name not in data]
        if other or missing:
            raise DataError(
                f"not an appearance of vessels as this version measures it ({', '.join(other + missing)} missing or "
                "different). Measure it again with measure_vessel_appearance"
            )
        try:
            return cls(**{name: data[name] for name in names}, origin=data.get("origin", ()))
        except (TypeError, ValueError) as exception:
            if isinstance(exception, DataError):
                raise
            raise DataError(f"damaged appearance of vessels: {exception}. Measure it again") from exception

    def save(self, path: str | os.PathLike) -> Path:
        """Write a JSON file, whole or not at all."""
        with atomic_write(path) as file:
            file.write(json.dumps(self.to_dict(), allow_nan=False).encode("utf-8") + b"\n")
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike) -> VesselAppearance:
        """Read the JSON file that `save` wrote.

        Raises:
            DataError: When the file is missing or no appearance of vessels.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            if not isinstance(data, dict):
                raise ValueError("it holds no dictionary")
            return cls.from_dict(data)
        except (OSError, ValueError) as exception:
            raise DataError(f"cannot read the appearance of vessels {path}: {exception}") from exception


def profile_depth(signed_distance: np.ndarray, radius: np.ndarray, scale: float) -> np.ndarray:
    """Place across a vessel: -1 on the centre line to 0 on the wall; outside, pixels at a field of view of 540.

    The distance is smoothed a little before: the staircase of a mask's border is not in the photograph.

    Args:
        signed_distance: (X, Y) from the wall, pixels, negative inside.
        radius: (X, Y) half width of the nearest vessel, pixels.
        scale: diameter of the field of view over 540 pixels.

    Returns:
        (X, Y) float32.
    """
    distance = gaussian_filter(np.minimum(signed_distance, 2 * DEPTHS[-1] * scale), _SOFT * scale)
    inside = np.maximum(distance / np.maximum(radius, 0.5), -1.0)
    return np.where(distance < 0, inside, distance / scale).astype(np.float32)


def tone_weight(rank: np.ndarray) -> np.ndarray:
    """How dark among vessels of its width, 0..1, by its rank: 0 up to the first quarter, 1 from the last on."""
    return np.clip((rank - _TONES[0]) / (_TONES[1] - _TONES[0]), 0.0, 1.0)


def profile_weights(depth: np.ndarray, radius: np.ndarray, tone: np.ndarray | None = None) -> sparse.csr_matrix:
    """Weights of the places at which profiles are known, for linear interpolation between them.

    Args:
        depth: (N,), see `profile_depth`.
        radius: (N,) half width, pixels at a field of view of 540.
        tone: (N,) 0 light to 1 dark; None for profiles without tones.

    Returns:
        (N, T R D) matrix, T = 2, or 1 without tones; rows sum to 1.
    """
    rows, by_row = _between(np.log(np.maximum(radius, RADII[0])), np.log(RADII))
    columns, by_column = _between(depth, DEPTHS)
    corners = [
        ((rows + i) * len(DEPTHS) + columns + j, by_row[:, i] * by_column[:, j]) for i in (0, 1) for j in (0, 1)
    ]
    size = len(RADII) * len(DEPTHS)
    if tone is not None:
        shares = (1.0 - tone, tone)
        corners = [(index + t * size, weight * shares[t]) for t in (0, 1) for index, weight in corners]
        size *= 2
    index, weight = (np.stack(item, axis=1) for item in zip(*corners))
    start = np.arange(0, index.size + 1, index.shape[1])
    return sparse.csr_matrix((weight.ravel().astype(np.float32), index.ravel(), start), shape=(len(index), size))


def _between(values: np.ndarray, nodes: Any) -> tuple[np.ndarray, np.ndarray]:
    """The node below each value, (N,), and the weights of it and of the next one, (N, 2); ends are continued."""
    nodes = np.asarray(nodes, dtype=np.float64)
    values = np.clip(values, nodes[0], nodes[-1])
    below = np.clip(np.searchsorted(nodes, values, side="right") - 1, 0, len(nodes) - 2)
    share = (values - nodes[below]) / (nodes[below + 1] - nodes[below])
    return below, np.stack([1 - share, share], axis=1)


def _rounded(values: np.ndarray) -> list:
    return np.round(values.astype(np.float64), 4).tolist()
