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
"""Grey levels of a DICOM radiograph: BitsStored, rescale, MONOCHROME1, the stored window; read with ITK.

ITK (GDCM) decodes the pixels and the tags. Four things are looked up in the bytes of the header before it is asked,
because it crashes on them or passes over them: colour by palette, the modality LUT, pixel data that are shorter than
rows and columns say, and MONOCHROME1, which it inverts itself but not for every kind of pixel.
"""

from __future__ import annotations

import math
import os
import re
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import ITKReader

from ..utils.errors import ConfigError, DataError
from .grey_levels import GreyLevels

__all__ = ["equal_channels", "read_dicom_levels"]

# (0028,0004) and (7FE0,0010), explicit or implicit value representation, little endian
_PHOTOMETRIC = re.compile(rb"\x28\x00\x04\x00(?:CS..|..\x00\x00)([A-Z0-9_]+)", re.DOTALL)
_PIXEL_DATA = re.compile(rb"\xe0\x7f\x10\x00(?:O[BW]\x00\x00)?(....)", re.DOTALL)
_MODALITY_LUT = re.compile(rb"\x28\x00\x00\x30(?:SQ\x00\x00|....)", re.DOTALL)

_REQUIRED = {"0028|0004": "PhotometricInterpretation", "0028|0101": "BitsStored", "0028|0103": "PixelRepresentation"}
_SIDES = {"L": "L", "R": "R", "A": "A", "P": "P", "H": "S", "F": "I"}


def equal_channels(picture: np.ndarray, name: str) -> np.ndarray:
    """The one channel, shape (H, W), of a picture (H, W, C) whose channels are all the same.

    Raises:
        DataError: When they differ, so that the picture has colours.
    """
    if not (picture == picture[..., :1]).all():
        raise DataError(f"{name} is a colour picture, a radiograph is grey; convert the file to one channel")
    return picture[..., 0]


def read_dicom_levels(path: str | os.PathLike, window: str | None = None) -> GreyLevels:
    """Read a DICOM file with one grey picture (or colour with three equal channels).

    Args:
        path: the file.
        window: `"stored"`: black and white by the window centre and width in the file (the first, where there are
            several; PS3.3 C.11.2.1.2, LINEAR and LINEAR_EXACT). None: by BitsStored, PixelRepresentation and rescale.

    Returns:
        the grey levels after rescale, as stored, not turned.

    Raises:
        DataError: When the file is no DICOM file, has no (whole) pixel data, several frames, colours, a modality LUT,
            or no window where one is wanted.
        ConfigError: When `window` is none of the two.
    """
    if window not in (None, "stored"):
        raise ConfigError(f"window must be 'stored' or None, got {window!r}")
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as exception:
        raise DataError(f"cannot read {path}: {exception.strerror or exception}") from exception
    pixel_data = list(_PIXEL_DATA.finditer(content))
    header = content[: pixel_data[0].start()] if pixel_data else content
    photometric = _PHOTOMETRIC.search(header)
    kind = photometric[1].decode() if photometric else ""
    if kind.startswith("PALETTE"):
        raise DataError(f"{path} is a colour picture ({kind} COLOR), a radiograph is grey; convert it to MONOCHROME2")
    if _MODALITY_LUT.search(header):
        raise DataError(f"{path} has a modality LUT, which is not applied here; export it with a linear rescale")
    inverted = kind == "MONOCHROME1"
    if not inverted:
        values, tags, rescale = _decode(path, path, pixel_data)
    else:
        # the stored values are wanted, whatever ITK does with MONOCHROME1: it is given a copy that says MONOCHROME2
        start, stop = photometric.span(1)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy.dcm"
            copy.write_bytes(content[:start] + b"MONOCHROME2" + content[stop:])
            values, tags, rescale = _decode(copy, path, pixel_data)
    black, white = _window(tags, path) if window == "stored" else _stored_range(tags, rescale, path)
    right, down = _patient_axes(tags)
    if inverted:
        black, white = white, black
    return GreyLevels(values, black, white, window is not None, inverted, right, down, "BitsStored")


def _decode(
    file: Path, path: Path, pixel_data: list[re.Match[bytes]]
) -> tuple[np.ndarray, dict[str, str], tuple[float, float]]:
    """Levels (H, W), tags ("gggg|eeee" -> text), and (slope, intercept) of `file`; `path` is its name for messages."""
    import itk

    io = itk.GDCMImageIO.New()
    if not io.CanReadFile(str(file)):
        with open(file, "rb") as opened:
            is_dicom = opened.read(132)[128:] == b"DICM"
        if is_dicom:
            raise DataError(
                f"{path} is a DICOM file without a readable picture: its pixel module (rows, columns, bits, pixel "
                "data) is missing or cut off, or its compression is unknown. Export the image again"
            )
        raise DataError(f"{path} is no image of a known kind: neither png, jpg, tif, NIfTI nor DICOM")
    try:
        io.SetFileName(str(file))
        io.ReadImageInformation()
        dictionary = io.GetMetaDataDictionary()
        tags = {key: dictionary[key] for key in dictionary.GetKeys() if "|" in key}
        tags = {key: value.strip(" \0") for key, value in tags.items() if isinstance(value, str)}
        _check_tags(tags, path)
        columns, rows, frames = (io.GetDimensions(axis) for axis in range(3))
        if frames != 1:
            raise DataError(
                f"{path} holds a volume of shape {(frames, rows, columns)} (frames, rows, columns) where one picture "
                "is expected; choose a frame and save it as a file of its own"
            )
        channels = io.GetNumberOfComponents()
        lengths = [struct.unpack("<I", match[1])[0] for match in pixel_data]
        expected = rows * columns * int(tags.get("0028|0002", "1")) * int(tags["0028|0100"]) // 8
        if lengths and max(lengths) < expected:  # compressed data have the largest length there is
            raise DataError(
                f"{path} has {max(lengths)} bytes of pixel data where {rows} rows and {columns} columns take "
                f"{expected}; the file is damaged, export the image again"
            )
        reader = ITKReader(reverse_indexing=True)  # (frames, rows, columns): ITK's own order, not transposed
        image = reader.read(str(file), imageio=io, **({"pixel_type": itk.D} if channels == 1 else {}))
        values = np.array(reader.get_data(image)[0])  # a copy: the view dies with the image
    except (RuntimeError, TypeError) as exception:
        reason = str(exception).strip().rpartition("\n")[2]
        raise DataError(f"cannot read {path}: {reason}. Export the image again, uncompressed") from exception
    if channels > 1:
        values = equal_channels(values.reshape(rows, columns, channels), str(path))
    return values.reshape(rows, columns), tags, (io.GetRescaleSlope(), io.GetRescaleIntercept())


def _check_tags(tags: dict[str, str], path: Path) -> None:
    missing = [f"{name} ({key.replace('|', ',')})" for key, name in _REQUIRED.items() if not tags.get(key)]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)} of the pixel module; export the image again")
    if int(tags.get("0028|0102") or int(tags["0028|0101"]) - 1) != int(tags["0028|0101"]) - 1:
        raise DataError(
            f"{path} keeps {tags['0028|0101']} bits below high bit {tags['0028|0102']}, a layout that is not in use "
            "any more; export the image again"
        )


def _stored_range(tags: dict[str, str], rescale: tuple[float, float], path: Path) -> tuple[float, float]:
    """Lowest and highest level that the stored bits can express, after rescale."""
    levels = 2 ** int(tags["0028|0101"])
    lowest = -levels // 2 if tags["0028|0103"] == "1" else 0
    slope, intercept = rescale
    if slope == 0 or not math.isfinite(slope) or not math.isfinite(intercept):
        raise DataError(f"{path} has the rescale slope {slope} and intercept {intercept}; correct the file")
    ends = sorted(slope * level + intercept for level in (lowest, lowest + levels - 1))
    return ends[0], ends[1]


def _window(tags: dict[str, str], path: Path) -> tuple[float, float]:
    """Levels that the stored window shows black and white."""
    try:
        center, width = (float(tags[key].split("\\")[0]) for key in ("0028|1050", "0028|1051"))
    except (KeyError, ValueError) as exception:
        raise DataError(f"{path} stores no window centre and width; read it with window=None") from exception
    function = tags.get("0028|1056") or "LINEAR"
    if function not in ("LINEAR", "LINEAR_EXACT"):
        raise DataError(f"{path} has a window of the kind {function}, which is not applied here; use window=None")
    black, white = center - width / 2, center + width / 2 - (function == "LINEAR")
    if not black < white or not math.isfinite(white - black):
        raise DataError(f"{path} stores the window centre {center} and width {width}, which shows nothing")
    return black, white


def _patient_axes(tags: dict[str, Any]) -> tuple[str, str]:
    """Sides of the patient that columns and rows run towards, by PatientOrientation (0020,0020)."""
    right, _, down = tags.get("0020|0020", "").partition("\\")
    return _SIDES.get(right.strip()[:1], ""), _SIDES.get(down.strip()[:1], "")
