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
"""Grey levels as a file stores them, with what is needed to show them: which level is black, which white, and which way
the picture's axes run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..utils.errors import DataError

__all__ = ["GreyLevels"]


@dataclass(frozen=True)
class GreyLevels:
    """One grey picture out of a file.

    Attributes:
        values: grey levels, shape (H, W); for DICOM after rescale slope and intercept.
        black: level shown black, or None where the file says nothing about it.
        white: level shown white; below `black` where large values are dark (MONOCHROME1).
        clip: whether levels beyond black and white are meant (a display window) or a fault of the file.
        inverted: whether large values are dark.
        right: letter of the patient's side that columns run towards, of L R A P S I (left, right, front, back, head,
            feet), "" where the file does not say.
        down: the same for rows.
        range_from: what black and white were taken from, for messages.
    """

    values: np.ndarray
    black: float | None
    white: float | None
    clip: bool = False
    inverted: bool = False
    right: str = ""
    down: str = ""
    range_from: str = ""

    def upright(self) -> GreyLevels:
        """The same picture turned so that the head is up, and the patient's left on the right of the picture.

        Sideways pictures are turned first. Front and back are left as they are in a lateral picture, and a slice across
        the body shows its front above. Axes of unknown direction stay.
        """
        values, right, down = self.values, self.right, self.down
        if (right and right in "SI") or (down and down in "LR"):
            values, right, down = values.T, down, right
        if right == "R":
            values, right = values[:, ::-1], "L"
        if down in ("S", "A"):
            values, down = values[::-1], "I" if down == "S" else "P"
        return GreyLevels(values, self.black, self.white, self.clip, self.inverted, right, down, self.range_from)

    def turn(self, values: np.ndarray) -> np.ndarray:
        """Turn another array (H, W), such as a mask on this picture, as `upright` turns the picture."""
        return replace(self, values=values).upright().values

    def to_unit(self, name: str, value_range: tuple[float, float] | None = None) -> np.ndarray:
        """Scale to black 0 and white 1.

        Args:
            name: file name for messages.
            value_range: lowest and highest level, to be used instead of the file's own; what lies beyond is clipped.

        Returns:
            float32 picture, shape (H, W), values in [0, 1].

        Raises:
            DataError: When levels are not finite, no range is known, or levels lie outside the file's own range.
        """
        values = np.asarray(self.values, dtype=np.float64)
        if not np.isfinite(values).all():
            raise DataError(f"{name} holds grey levels that are not finite; write the file again")
        black, white, clip = self.black, self.white, self.clip
        if value_range is not None:
            black, white, clip = *(value_range[::-1] if self.inverted else value_range), True
        lowest, highest = float(values.min()), float(values.max())
        if black is None or white is None:
            raise DataError(
                f"{name} holds levels {lowest:g}..{highest:g} and says nowhere which are black and white; "
                "give value_range=(lowest, highest) of the scanner"
            )
        slack = 1e-6 * abs(white - black)  # of a rescale or of floating numbers
        if not clip and (lowest < min(black, white) - slack or highest > max(black, white) + slack):
            raise DataError(
                f"{name} holds levels {lowest:g}..{highest:g}, outside {min(black, white):g}..{max(black, white):g}, "
                f"the range by {self.range_from}; correct the file, or give value_range=(lowest, highest)"
            )
        return np.clip((values - black) / (white - black), 0.0, 1.0).astype(np.float32)
