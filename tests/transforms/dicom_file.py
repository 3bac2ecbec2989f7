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
"""Writes DICOM files element by element, so that tests can say exactly what stands in them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

__all__ = ["CR_IMAGE", "DX_IMAGE", "grey_elements", "write_dicom"]

CR_IMAGE = "1.2.840.10008.5.1.4.1.1.1"
DX_IMAGE = "1.2.840.10008.5.1.4.1.1.1.1"
_IMPLICIT_LITTLE_ENDIAN, _EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
_LONG = ("OB", "OW", "SQ", "UN", "UT")  # their length takes 4 bytes

Elements = dict[tuple[int, int], tuple[str, object]]


def _value(vr: str, value: object) -> bytes:
    if isinstance(value, bytes):
        data = value
    elif vr == "US":
        data = struct.pack("<H", value)
    elif vr == "UL":
        data = struct.pack("<I", value)
    else:
        data = str(value).encode("ascii")
    padding = b"\0" if vr in ("UI", "OB", "OW") else b" "
    return data + padding * (len(data) % 2)


def _element(tag: tuple[int, int], vr: str, value: object, implicit: bool = False) -> bytes:
    data = _value(vr, value)
    if implicit:
        return struct.pack("<HHI", *tag, len(data)) + data
    size = struct.pack("<HI", 0, len(data)) if vr in _LONG else struct.pack("<H", len(data))
    return struct.pack("<HH", *tag) + vr.encode() + size + data


def grey_elements(
    stored: np.ndarray, bits: int = 12, photometric: str = "MONOCHROME2", sop: str = DX_IMAGE
) -> Elements:
    """Elements of a grey picture, or of several frames.

    Args:
        stored: the stored values, shape (H, W) or (frames, H, W), uint8, uint16 or int16.
        bits: BitsStored.
        photometric: PhotometricInterpretation.
        sop: SOP class.

    Returns:
        tag -> (value representation, value).
    """
    allocated = stored.dtype.itemsize * 8
    elements: Elements = {
        (0x0008, 0x0016): ("UI", sop),
        (0x0008, 0x0018): ("UI", "1.2.3.4.5"),
        (0x0008, 0x0060): ("CS", "DX"),
        (0x0020, 0x000D): ("UI", "1.2.3.4"),
        (0x0020, 0x000E): ("UI", "1.2.3.4.1"),
        (0x0028, 0x0002): ("US", 1),
        (0x0028, 0x0004): ("CS", photometric),
        (0x0028, 0x0010): ("US", stored.shape[-2]),
        (0x0028, 0x0011): ("US", stored.shape[-1]),
        (0x0028, 0x0100): ("US", allocated),
        (0x0028, 0x0101): ("US", bits),
        (0x0028, 0x0102): ("US", bits - 1),
        (0x0028, 0x0103): ("US", int(stored.dtype.kind == "i")),
        (0x7FE0, 0x0010): ("OB" if allocated == 8 else "OW", stored.astype(stored.dtype.newbyteorder("<")).tobytes()),
    }
    if stored.ndim == 3:
        elements[0x0028, 0x0008] = ("IS", stored.shape[0])
    return elements


def write_dicom(path: Path, elements: Mapping[tuple[int, int], tuple[str, object]], implicit: bool = False) -> Path:
    """Write a DICOM file of these elements (explicit or implicit VR, little endian); returns `path`."""
    syntax = _IMPLICIT_LITTLE_ENDIAN if implicit else _EXPLICIT_LITTLE_ENDIAN
    sop = elements.get((0x0008, 0x0016), ("UI", DX_IMAGE))[1]
    meta = _element((2, 1), "OB", b"\0\1") + _element((2, 2), "UI", sop) + _element((2, 3), "UI", "1.2.3.4.5")
    meta += _element((2, 0x10), "UI", syntax) + _element((2, 0x12), "UI", "1.2.3.4.6")
    body = b"".join(_element(tag, *elements[tag], implicit) for tag in sorted(elements))
    path.write_bytes(bytes(128) + b"DICM" + _element((2, 0), "UL", len(meta)) + meta + body)
    return path
