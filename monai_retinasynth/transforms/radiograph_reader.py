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
"""Reading radiographs: png, jpg, tif, DICOM and NIfTI all come out as the same grey picture, upright, values 0..1."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config import PathLike
from monai.data import NibabelReader, PILReader
from monai.utils import ensure_tuple
from PIL import Image, ImageOps

from ..utils.errors import ConfigError, DataError
from ..utils.image_io import IMAGE_SUFFIXES, convert_image, open_image, read_label_map
from ..utils.label_set import LabelSet, get_label_set
from .dicom_levels import equal_channels, read_dicom_levels
from .grey_levels import GreyLevels

__all__ = [
    "DICOM_SUFFIXES",
    "NIFTI_SUFFIXES",
    "RadiographReader",
    "check_display",
    "read_class_indices",
    "read_levels",
    "read_radiograph",
]

NIFTI_SUFFIXES = (".nii", ".nii.gz")
DICOM_SUFFIXES = (".dcm", ".dicom", ".dic", ".ima")

# what Pillow and nibabel raise for a damaged or foreign file
_PILLOW_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, Image.DecompressionBombError)
_NIFTI_ERRORS = (OSError, ValueError, EOFError, zlib.error, struct.error, RuntimeError)


def read_radiograph(
    path: str | os.PathLike,
    window: str | None = None,
    value_range: tuple[float, float] | None = None,
    orient: bool = True,
) -> np.ndarray:
    """Read a radiograph of any kind of file as one grey picture, bone light and air dark.

    Files that end as neither pictures nor NIfTI files do are taken for DICOM, which often has no suffix at all.

    Black and white are, in a png, jpg or tif, the ends of its bits (a tif of floating numbers: 0 and 1); in DICOM, the
    ends of BitsStored after rescale, turned round for MONOCHROME1; in NIfTI, cal_min and cal_max where they are set,
    else the ends of uint8 and uint16, or 0 and 1 for floating numbers. Nothing is stretched to the extremes found.

    The orientation is that of a png: row 0 above, column 0 at the left, the patient upright with their left on the
    right of the picture. Pictures are turned by EXIF, by DICOM's PatientOrientation, and by NIfTI's affine. An affine
    of positive spacings without rotation is what programs write that know of no patient, MONAI for every png among
    them: such an array is taken as (x, y) of the picture, x to the right and y down.

    Args:
        path: the file.
        window: `"stored"` applies the window centre and width in a DICOM file; None does not. Without effect on other
            files.
        value_range: lowest and highest level to be used in place of the file's own; what lies beyond is clipped.
        orient: False leaves the array as stored (NIfTI: columns are the first axis).

    Returns:
        float32 picture, shape (H, W), values in [0, 1].

    Raises:
        DataError: When the file is missing, damaged, no image, a volume or a colour picture, or its black and white are
            unknown.
        ConfigError: When `window` or `value_range` make no sense.
    """
    check_display(window, value_range)
    levels = read_levels(path, window)
    return (levels.upright() if orient else levels).to_unit(str(path), value_range)


def check_display(window: str | None, value_range: Sequence[float] | None) -> None:
    """Refuse a `window` or `value_range` that `read_radiograph` cannot use.

    Raises:
        ConfigError: When they make no sense.
    """
    if window not in (None, "stored"):
        raise ConfigError(f"window must be 'stored' or None, got {window!r}")
    if value_range is not None:
        if window is not None:
            raise ConfigError("window='stored' and value_range both set black and white, give one of them")
        if len(value_range) != 2 or not value_range[0] < value_range[1]:
            raise ConfigError(f"value_range must be (lowest, highest), got {value_range!r}")


def read_class_indices(
    path: str | os.PathLike, label_set: str | LabelSet | dict | None = None, orient: bool = True
) -> np.ndarray:
    """Read a label map of a radiograph, palette PNG, NIfTI or DICOM, in the orientation of `read_radiograph`.

    Args:
        path: the file.
        label_set: label set that the values must belong to; None takes any of 0..255.
        orient: see `read_radiograph`.

    Returns:
        uint8 class indices, shape (H, W).

    Raises:
        DataError: When the file cannot be read, or holds values that are no classes.
    """
    if str(path).lower().endswith(IMAGE_SUFFIXES):
        return np.array(open_image(path, "index")) if label_set is None else read_label_map(path, label_set)
    levels = read_levels(path)
    values = np.asarray((levels.upright() if orient else levels).values)
    highest = 255 if label_set is None else get_label_set(label_set).num_classes - 1
    if not ((values >= 0) & (values <= highest) & (values == np.round(values))).all():
        raise DataError(
            f"unexpected values in the label map {path}: {values.min():g}..{values.max():g}; class indices are whole "
            f"numbers 0..{highest}"
        )
    return np.ascontiguousarray(values, dtype=np.uint8)


class RadiographReader(PILReader):
    """Reader of radiographs for MONAI's `LoadImage`, see `read_radiograph`; picklable.

    Arrays come out as `PILReader` gives them, shape (X, Y), X to the right and Y down, the affine is the identity for
    every kind of file: so cases of different kinds go into one batch.

    Args:
        mode: `"grey"`, values in [0, 1]; `"index"`, class indices of a label map.
        window: see `read_radiograph`.
        value_range: see `read_radiograph`.
        orient: see `read_radiograph`.
        reverse_indexing: see `monai.data.PILReader`.
    """

    def __init__(
        self,
        mode: str = "grey",
        window: str | None = None,
        value_range: tuple[float, float] | None = None,
        orient: bool = True,
        reverse_indexing: bool = True,
    ) -> None:
        super().__init__(converter=None, reverse_indexing=reverse_indexing)
        if mode not in ("grey", "index"):
            raise ValueError(f"mode must be 'grey' or 'index', got {mode!r}")
        self.mode = mode
        self.window = window
        self.value_range = None if value_range is None else (float(value_range[0]), float(value_range[1]))
        self.orient = orient

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Whether all of the file names end as pictures, NIfTI or DICOM do, or have no suffix, as DICOM may."""
        known = IMAGE_SUFFIXES + NIFTI_SUFFIXES + DICOM_SUFFIXES
        return all(str(name).lower().endswith(known) or not Path(name).suffix for name in ensure_tuple(filename))

    def read(self, data: Sequence[PathLike] | PathLike | np.ndarray, **kwargs: Any) -> Image.Image | list[Image.Image]:
        """Open one file or several.

        Raises:
            DataError: When a file cannot be used, see `read_radiograph`.
        """
        images = [Image.fromarray(self._picture(name)) for name in ensure_tuple(data)]
        return images if len(images) > 1 else images[0]

    def _picture(self, name: PathLike) -> np.ndarray:
        if self.mode == "index":
            return read_class_indices(name, None, self.orient)
        return read_radiograph(name, self.window, self.value_range, self.orient)


def read_levels(path: str | os.PathLike, window: str | None = None) -> GreyLevels:
    """Read the grey levels of a file as they are stored, with the way its axes run.

    Args:
        path: see `read_radiograph`.
        window: see `read_radiograph`.

    Returns:
        the grey levels, neither scaled nor turned.

    Raises:
        DataError: see `read_radiograph`.
    """
    if not os.path.isfile(path):
        raise DataError(f"image file not found: {path}")
    name = str(path).lower()
    if name.endswith(IMAGE_SUFFIXES):
        return _read_picture_levels(path)
    if name.endswith(NIFTI_SUFFIXES):
        return _read_nifti_levels(path)
    return read_dicom_levels(path, window)


def _read_picture_levels(path: str | os.PathLike) -> GreyLevels:
    try:
        with Image.open(path) as image:
            pages, size = getattr(image, "n_frames", 1), image.size
            tags = getattr(image, "tag_v2", {})
            deep_colour = image.mode.startswith("RGB") and any(";16" in str(tile) for tile in image.tile)
            form = image.format
            image.load()
            upright = ImageOps.exif_transpose(image)
    except _PILLOW_ERRORS as exception:
        raise DataError(
            f"cannot read {path}: {exception}. The file is damaged, truncated or no image; replace it"
        ) from exception
    if pages > 1 and form != "MPO":  # MPO: previews in the file of a camera
        raise DataError(
            f"{path} holds a volume of shape {(pages, size[1], size[0])} (pages, rows, columns) where one picture is "
            "expected; save the page as a file of its own"
        )
    if deep_colour:
        raise DataError(f"{path} has colours of 16 bits, of which 8 would be lost; convert the file to 16-bit grey")
    image = upright if upright is not None else image
    if image.mode == "F":
        return GreyLevels(np.asarray(image), 0.0, 1.0, range_from="floating numbers")
    if image.mode.startswith("I"):
        bits = 16 if not tags else int(tags.get(258, (16,))[0])
        signed = tags.get(339, (1,)) not in (1, (1,)) if tags else False
        white = None if bits > 16 or signed else 2.0**bits - 1
        if white is not None and tags and tags.get(262) == 0:  # white is zero: Pillow inverts 8 bits only
            return GreyLevels(np.asarray(image), white, 0.0, inverted=True, range_from=f"{bits} bits")
        return GreyLevels(np.asarray(image), None if white is None else 0.0, white, range_from=f"{bits} bits")
    if image.mode in ("1", "L") and "transparency" not in image.info:
        return GreyLevels(np.asarray(image.convert("L")), 0.0, 255.0, range_from="8 bits")
    grey = equal_channels(np.asarray(convert_image(image, "RGB")), str(path))
    return GreyLevels(grey, 0.0, 255.0, range_from="8 bits")


def _read_nifti_levels(path: str | os.PathLike) -> GreyLevels:
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image = NibabelReader().read(str(path))
        shape, stored = tuple(image.shape), image.header.get_data_dtype()
        axes = _picture_axes(shape, path)
        array = np.asanyarray(image.dataobj)
    except (*_NIFTI_ERRORS, ImageFileError) as exception:
        if isinstance(exception, DataError):
            raise
        raise DataError(f"cannot read {path}: {exception}. The file is damaged or no NIfTI; replace it") from exception
    if array.dtype.fields:  # RGB24: three uint8 with names
        array = np.stack([array[channel] for channel in ("R", "G", "B")], axis=-1)
        array, stored = equal_channels(array, str(path)), np.dtype(np.uint8)
    values = array.reshape([shape[axis] for axis in axes]).T
    slope, intercept = image.dataobj.slope, image.dataobj.inter  # the header of a loaded image has lost them
    lowest, highest = float(image.header["cal_min"]), float(image.header["cal_max"])
    right, down = _nifti_axes(image, axes, nibabel)
    if lowest < highest:
        return GreyLevels(values, lowest, highest, True, False, right, down, "cal_min and cal_max")
    if stored in (np.dtype(np.uint8), np.dtype(np.uint16)):
        black, white = sorted(slope * level + intercept for level in (0, np.iinfo(stored).max))
        return GreyLevels(values, black, white, False, False, right, down, str(stored))
    black, white = (0.0, 1.0) if stored.kind == "f" else (None, None)
    return GreyLevels(values, black, white, False, False, right, down, str(stored))


def _picture_axes(shape: tuple[int, ...], path: str | os.PathLike) -> tuple[int, int]:
    """The two axes of a NIfTI array that the picture lies in; the others have length 1."""
    long = [axis for axis, length in enumerate(shape) if length > 1]
    if len(shape) < 2 or len(long) > 2 or any(axis > 2 for axis in long):
        raise DataError(
            f"{path} holds an array of shape {shape} where one picture is expected, two axes and perhaps a third of "
            "length 1; choose a slice and save it as a file of its own"
        )
    first, second = sorted((long + [axis for axis in range(len(shape)) if axis not in long])[:2])
    return first, second


def _nifti_axes(image: Any, axes: tuple[int, int], nibabel: Any) -> tuple[str, str]:
    """Sides of the patient that the two axes run towards, "" and "" where the affine tells of no patient."""
    rotation = np.asarray(image.affine)[:3, :3]
    no_turn = (np.diag(rotation) > 0).all() and np.allclose(rotation, np.diag(np.diag(rotation)))
    known = int(image.header["sform_code"]) > 0 or int(image.header["qform_code"]) > 0
    if no_turn or not known:
        return "", ""
    codes = nibabel.aff2axcodes(image.affine)
    return codes[axes[0]] or "", codes[axes[1]] or ""
