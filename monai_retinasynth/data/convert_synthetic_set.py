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
"""A synthetic data set of PNG files, written again as NIfTI or DICOM with a data list of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..transforms.radiograph_reader import read_radiograph
from ..utils.atomic_file import atomic_write
from ..utils.errors import ConfigError, DataError
from ..utils.image_io import read_label_map, read_mask
from ..utils.label_set import get_label_set
from .datalist import DATALIST_NAME, SECTIONS, load_datalist, write_datalist
from .radiograph_writer import write_class_indices, write_radiograph

__all__ = ["CONVERSION_FORMATS", "convert_synthetic_set"]

CONVERSION_FORMATS = {"nifti": ".nii.gz", "dicom": ".dcm"}
_SETTINGS_NAME = "conversion.json"


def convert_synthetic_set(
    dataset_dir: str | os.PathLike,
    output_dir: str | os.PathLike,
    format: str,
    bits: int = 8,
    modality: str = "OT",
) -> Path:
    """Write a synthetic set of grey pictures as NIfTI or DICOM files, in folders of the same names.

    Interrupted, it goes on where it stopped: files that are there are whole, and are kept. A case's DICOM files (image,
    label maps, organ masks) form one study, whose UIDs follow from the case's name and provenance (seed, index,
    checkpoint), so that a repeated conversion gives the same files. Masks become pictures of 0 and white.

    Args:
        dataset_dir: the synthetic set: images/ and labels/ of PNG files, perhaps masks or targets, and `datalist.json`.
        output_dir: folder for the converted set, not the same one.
        format: `"nifti"` (.nii.gz) or `"dicom"` (.dcm).
        bits: bits stored of an image's pixel: 8, 12 or 16.
        modality: DICOM modality, such as `"DX"` or `"OT"`.

    Returns:
        path of the `datalist.json` of the converted set.

    Raises:
        DataError: When a case is real (a DICOM file would call it synthetic), a file is missing, damaged or in colour,
            two files would get one name, targets are of an unknown label set, or `output_dir` holds another conversion.
        ConfigError: When `format`, `bits` or `modality` are not possible.
    """
    if format not in CONVERSION_FORMATS:
        raise ConfigError(f"format must be one of {list(CONVERSION_FORMATS)}, got {format!r}")
    source, target = Path(dataset_dir), Path(output_dir)
    if source.resolve() == target.resolve():
        raise DataError(f"the converted set would overwrite the data list of {source}; choose another output_dir")
    content = load_datalist(source)
    label_set = get_label_set(content["label_set"])
    known = {"name", "package_version", "label_set", *SECTIONS}
    extra = {key: value for key, value in content.items() if key not in known}
    settings = {"format": format, "bits": bits, "modality": modality, "name": content.get("name", source.name)}
    _check_settings(target, {**settings, "label_set": label_set.to_dict(), "extra": extra})

    taken: dict[str, str] = {}

    def convert(relative: str, write: Callable[[Path, Path], None]) -> str:
        """Write one file unless it is there; gives its path in the converted set."""
        path = PurePosixPath(relative)
        if path.is_absolute() or ".." in path.parts:
            raise DataError(
                f"{relative} in {source / DATALIST_NAME} lies outside the data set; make its paths relative"
            )
        name = path.with_suffix(CONVERSION_FORMATS[format]).as_posix()
        if taken.setdefault(name, relative) != relative:
            raise DataError(f"{taken[name]} and {relative} of {source} would both become {name}; rename one of them")
        if not (target / name).is_file():
            write(target / name, source / path)
        return name

    sections: dict[str, list[dict[str, Any]]] = {}
    for section in SECTIONS:
        sections[section] = []
        for position, case in enumerate(content[section]):
            if case["source"] != "synthetic":
                raise DataError(
                    f"case {case['case_id']} of {source} is real, and would be marked as synthetic; convert sets of "
                    "synthetic cases only"
                )
            identity = _identity(settings["name"], section, position, case)
            converted = dict(case)
            converted["label"] = convert(
                case["label"],
                lambda path, png, of=identity: write_class_indices(
                    path, read_label_map(png, label_set), label_set, modality, **of
                ),
            )
            if "target" in case:
                if "target_label_set" not in content:
                    raise DataError(f"{source / DATALIST_NAME} has targets and no target_label_set; write it again")
                targets = get_label_set(content["target_label_set"])
                converted["target"] = convert(
                    case["target"],
                    lambda path, png, of=identity, labels=targets: write_class_indices(
                        path, read_label_map(png, labels), labels, modality, description="Target label map", **of
                    ),
                )
            if "image" in case:
                converted["image"] = convert(
                    case["image"],
                    lambda path, png, of=identity: write_radiograph(path, read_radiograph(png), bits, modality, **of),
                )
            if "masks" in case:
                converted["masks"] = {
                    organ: convert(
                        mask,
                        lambda path, png, of=identity, organ=organ: write_radiograph(
                            path, np.uint8(255) * read_mask(png), 8, modality, description=f"Mask {organ}", **of
                        ),
                    )
                    for organ, mask in case["masks"].items()
                }
            sections[section].append(converted)
    if not taken:
        raise DataError(f"{source} has no cases to convert")
    return write_datalist(target, sections, label_set, settings["name"], extra)


def _identity(name: str, section: str, position: int, case: Mapping[str, Any]) -> dict[str, Any]:
    """Seed, index and origin that name a case; a case that was made without a seed goes by its place and name."""
    provenance = case.get("provenance") if isinstance(case.get("provenance"), dict) else {}
    origin = json.dumps([name, section, case["case_id"], provenance], sort_keys=True)
    return {"seed": provenance.get("seed", 0), "index": provenance.get("index", position), "origin": origin}


def _check_settings(target: Path, settings: Mapping[str, Any]) -> None:
    """Note what the folder is filled with, and refuse to fill it with something else."""
    path = target / _SETTINGS_NAME
    wanted = json.loads(json.dumps(settings))
    remedy = "choose another output_dir, or remove the folder"
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as exception:
            raise DataError(f"{path} cannot be read: {exception}; {remedy}") from exception
        if found != wanted:
            changed = sorted(key for key in wanted if not isinstance(found, dict) or found.get(key) != wanted[key])
            raise DataError(f"{target} holds a conversion with another {', '.join(changed) or 'content'}; {remedy}")
        return
    if (target / DATALIST_NAME).exists():
        raise DataError(f"{target} holds a data set already; {remedy}")
    with atomic_write(path) as file:
        file.write((json.dumps(wanted, indent=2) + "\n").encode())
