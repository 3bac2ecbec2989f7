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
"""Writing synthetic grey pictures and their label maps as PNG, NIfTI or DICOM, whole or not at all.

A DICOM file says what it is: derived, synthetic, of no patient; and its UIDs are its own. UIDs are of the 2.25 kind,
a UUID as a number (PS3.5 B.2), made from seed and index where these are given, so that the same case has the same UIDs
whenever it is written.
"""

from __future__ import annotations

import gzip
import os
import tempfile
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .._version import __version__
from ..utils.atomic_file import atomic_write
from ..utils.errors import ConfigError, DataError
from ..utils.image_io import write_label_map
from ..utils.label_set import LabelSet, get_label_set

__all__ = ["RADIOGRAPH_SUFFIXES", "synthetic_uid", "write_class_indices", "write_radiograph"]

RADIOGRAPH_SUFFIXES = (".png", ".nii", ".nii.gz", ".dcm")

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_NAMESPACE = uuid.UUID("6f0e1b0a-7d55-4d3c-9a51-2f6d1b8f8c11")  # of this package, drawn once
_DERIVATION = "Synthetic: made by a generative model, not acquired; shows no patient"


def synthetic_uid(*parts: Any) -> str:
    """A DICOM UID: the same for the same parts, a new one each time without parts.

    Args:
        parts: what names the object, such as origin, seed, index and kind; compared by their text.

    Returns:
        `2.25.` and up to 39 digits.
    """
    drawn = uuid.uuid5(_NAMESPACE, "\n".join(map(str, parts))) if parts else uuid.uuid4()
    return f"2.25.{drawn.int}"


def write_radiograph(
    path: str | os.PathLike,
    picture: np.ndarray,
    bits: int = 8,
    modality: str = "OT",
    seed: int | None = None,
    index: int | None = None,
    origin: str = "",
    description: str = "Synthetic image",
) -> None:
    """Write a synthetic grey picture; the suffix of `path` says as what.

    The same values are read back by `read_radiograph`. In NIfTI the array is (x, y), as MONAI and ITK have it, with the
    affine that ITK gives a picture, diag(-1, -1, 1): x runs to the patient's left.

    Args:
        path: file ending in .png, .nii, .nii.gz or .dcm.
        picture: shape (H, W), uint8, or floating in [0, 1].
        bits: bits stored of a pixel: 8, 12 or 16 (a PNG: 8 or 16).
        modality: DICOM modality, such as `"DX"` or `"OT"` (other).
        seed: seed that the picture was generated from, or None.
        index: number of the picture under that seed, or None. With both, the UIDs are the same each time.
        origin: what else tells this picture from others of that seed and index, such as the checkpoint's hash.
        description: DICOM series description; also tells files of one case apart.

    Raises:
        DataError: When the picture is not as said above, or the file cannot be written.
        ConfigError: When the suffix, the bits or the modality are not possible, or seed comes without index.
    """
    levels = _quantise(path, picture, bits)
    _write(path, levels, bits, modality, _case(seed, index, origin), description, label_set=None)


def write_class_indices(
    path: str | os.PathLike,
    label_map: np.ndarray,
    label_set: str | LabelSet | dict,
    modality: str = "OT",
    seed: int | None = None,
    index: int | None = None,
    origin: str = "",
    description: str = "Synthetic label map",
) -> None:
    """Write the label map of a synthetic picture: palette PNG, NIfTI labels, or DICOM of 8 bits whose grey levels are
    the class indices.

    Given the same seed, index and origin as the picture, a DICOM label map belongs to the picture's study.

    Args:
        path: file ending in .png, .nii, .nii.gz or .dcm.
        label_map: class indices, shape (H, W).
        label_set: label set of the classes.
        modality: see `write_radiograph`.
        seed: see `write_radiograph`.
        index: see `write_radiograph`.
        origin: see `write_radiograph`.
        description: see `write_radiograph`.

    Raises:
        DataError: When a value is no class of `label_set`, or the file cannot be written.
        ConfigError: When the suffix or the modality are not possible, or seed comes without index.
    """
    label_set = get_label_set(label_set)
    array = np.asarray(label_map)
    if array.ndim != 2 or array.size == 0:
        raise DataError(f"a label map has shape (H, W), got {array.shape} for {path}")
    if not ((array >= 0) & (array < label_set.num_classes) & (array == np.floor(array))).all():
        raise DataError(
            f"values of the label map for {path} are not all classes 0..{label_set.num_classes - 1} "
            f"of label set {label_set.name!r}"
        )
    levels = array.astype(np.uint8)
    _write(path, levels, 8, modality, _case(seed, index, origin), description, label_set)


def _case(seed: int | None, index: int | None, origin: str) -> tuple[Any, ...]:
    if (seed is None) != (index is None):
        raise ConfigError(f"seed {seed} and index {index} name a case together, give both or none")
    return () if seed is None else (origin, seed, index)


def _quantise(path: str | os.PathLike, picture: np.ndarray, bits: int) -> np.ndarray:
    if bits not in (8, 12, 16):
        raise ConfigError(f"bits must be 8, 12 or 16, got {bits!r}")
    array = np.asarray(picture)
    if array.ndim != 2 or array.size == 0:
        raise DataError(f"a grey picture has shape (H, W), got {array.shape} for {path}")
    if array.dtype == np.uint8:
        array = array / 255.0
    elif array.dtype.kind != "f" or not ((array >= 0) & (array <= 1)).all():  # not a number fails here too
        raise DataError(f"a grey picture is uint8, or floating in [0, 1]; the one for {path} is not ({array.dtype})")
    levels = np.rint(array.astype(np.float64) * (2**bits - 1))
    return levels.astype(np.uint8 if bits == 8 else np.uint16)


def _write(
    path: str | os.PathLike,
    levels: np.ndarray,
    bits: int,
    modality: str,
    case: tuple[Any, ...],
    description: str,
    label_set: LabelSet | None,
) -> None:
    name = Path(path).name.lower()
    if name.endswith(".png"):
        if bits == 12:
            raise ConfigError(f"a PNG has 8 or 16 bits, not 12; give another number for {path}")
        if label_set is not None:
            write_label_map(path, levels, label_set)
            return
        with atomic_write(path) as file:
            Image.fromarray(levels).save(file, format="PNG", compress_level=4)
        return
    if name.endswith((".nii", ".nii.gz")):
        content = _nifti_bytes(levels, bits, label_set)
        content = gzip.compress(content, mtime=0) if name.endswith(".gz") else content  # no time: same file each time
    elif name.endswith(".dcm"):
        content = _dicom_bytes(path, levels, bits, _dicom_tags(modality, case, description))
    else:
        raise ConfigError(f"{path} ends in none of {', '.join(RADIOGRAPH_SUFFIXES)}, so its format is unknown")
    with atomic_write(path) as file:
        file.write(content)


def _nifti_bytes(levels: np.ndarray, bits: int, label_set: LabelSet | None) -> bytes:
    import nibabel

    image = nibabel.Nifti1Image(np.ascontiguousarray(levels.T), np.diag([-1.0, -1.0, 1.0, 1.0]))
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = _DERIVATION.encode()[:79]
    if label_set is None:
        image.header["cal_max"] = 2**bits - 1  # shown white, and so what `read_radiograph` scales by
    else:
        image.header.set_intent("label", name=label_set.name[:15])
    return image.to_bytes()


def _dicom_tags(modality: str, case: tuple[Any, ...], description: str) -> dict[str, str]:
    if not (1 <= len(modality) <= 16 and modality.isascii() and modality.isupper() and modality.isalpha()):
        raise ConfigError(f"modality must be a DICOM code such as 'DX' or 'OT', got {modality!r}")
    names = (case or (uuid.uuid4(),)) + (modality,)
    return {
        "0008|0008": "DERIVED\\SECONDARY",
        "0008|0016": _SECONDARY_CAPTURE,
        "0008|0018": synthetic_uid("instance", *names, description),
        "0008|0020": "",  # no date, time, accession number, physician, birth date, sex: nobody was examined
        "0008|0030": "",
        "0008|0050": "",
        "0008|0060": modality,
        "0008|0064": "SYN",  # synthetic image
        "0008|0070": "monai_retinasynth",
        "0008|0090": "",
        "0008|103e": description[:64],
        "0008|2111": f"{_DERIVATION} (monai_retinasynth {__version__})",
        "0010|0010": "SYNTHETIC^NO PATIENT",
        "0010|0020": f"SYNTHETIC-{synthetic_uid('patient', *names)[-12:]}",
        "0010|0030": "",
        "0010|0040": "",
        "0018|1020": __version__,
        "0020|000d": synthetic_uid("study", *names),
        "0020|000e": synthetic_uid("series", *names, description),
        "0020|0010": "",
        "0020|0011": "",
        "0020|0013": "1",
        "0020|0020": "",
        "0028|0301": "NO",
    }


def _dicom_bytes(path: str | os.PathLike, levels: np.ndarray, bits: int, tags: dict[str, str]) -> bytes:
    import itk

    if bits == 12:  # ITK stores other than 8 or 16 bits only of a floating picture
        tags = {**tags, "0028|0100": "16", "0028|0101": "12", "0028|0102": "11", "0028|0103": "0"}
    image = itk.image_from_array(np.ascontiguousarray(levels, dtype=np.float32 if bits == 12 else levels.dtype))
    dictionary = image.GetMetaDataDictionary()
    for key, value in tags.items():
        dictionary[key] = value
    io = itk.GDCMImageIO.New()
    io.KeepOriginalUIDOn()
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "image.dcm"
            itk.imwrite(image, str(file), imageio=io)
            content = file.read_bytes()
    except (OSError, RuntimeError) as exception:
        raise DataError(f"could not make {path}: {exception}. Free some space in the folder for temporary files") from (
            exception
        )
    pixels = levels.astype(levels.dtype.newbyteorder("<")).tobytes()
    if not content.endswith(pixels + bytes(len(pixels) % 2)):  # ITK does not notice every full disk
        raise DataError(f"could not make {path}: it came out incomplete. Free some space in the temporary folder")
    return content
