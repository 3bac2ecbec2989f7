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
"""Writing a synthetic data set sample by sample, so that generation can stop at any moment and go on later."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..utils.atomic_file import atomic_write
from ..utils.distributed import process_rank
from ..utils.errors import DataError
from ..utils.image_io import read_label_map, read_rgb, to_picture, write_grey, write_label_map, write_rgb
from ..utils.label_set import LabelSet, get_label_set
from .datalist import DATALIST_NAME, SECTIONS, load_datalist, write_datalist

__all__ = ["SyntheticSetWriter"]

_PROVENANCE_NAME = "provenance.json"


class SyntheticSetWriter:
    """A data set folder that is filled by index: `labels/synthetic_00012.png`, `images/synthetic_00012.png`, and in the
    end `datalist.json`.

    Files appear whole or not at all, the label map before the picture: a case with all its files is a finished case.
    What is noted of single cases stands in `notes/synthetic_00012.json` and, as `notes` of the case, in the data list.
    Photographs are written as RGB, radiographs (one channel) as 8-bit grey PNGs.

    Args:
        output_dir: folder of the data set.
        label_set: label set of the label maps.
        name: name of the data set.
        provenance: where the samples come from (seed, checkpoint hash, ...), plain values for JSON; noted with each
            case together with its index; the `eyes` that it was painted with (`refuse_held_out_synthetic`) only once.
        image_required: whether a case is finished only with a photograph.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike,
        label_set: str | LabelSet | Mapping[str, Any],
        name: str,
        provenance: Mapping[str, Any],
        image_required: bool = True,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.label_set = get_label_set(label_set)
        self.name = name
        self.provenance = dict(provenance)
        self.image_required = image_required
        self._same_provenance = False

    def image_path(self, index: int) -> Path:
        """File of the photograph number `index`."""
        return self.output_dir / "images" / f"synthetic_{index:05d}.png"

    def label_path(self, index: int) -> Path:
        """File of the label map number `index`."""
        return self.output_dir / "labels" / f"synthetic_{index:05d}.png"

    def notes_path(self, index: int) -> Path:
        """File of what is noted of sample number `index`."""
        return self.output_dir / "notes" / f"synthetic_{index:05d}.json"

    def exists(self, index: int) -> bool:
        """Whether sample number `index` is finished: its files are there, readable and of one size.

        Raises:
            DataError: When the folder holds samples of another provenance.
        """
        self._check_provenance()
        label_path, image_path = self.label_path(index), self.image_path(index)
        if not label_path.is_file() or (self.image_required and not image_path.is_file()):
            return False
        try:
            label = read_label_map(label_path, self.label_set)
            return not image_path.is_file() or read_rgb(image_path).shape[:2] == label.shape
        except DataError:
            return False

    def write(
        self,
        index: int,
        label: torch.Tensor | np.ndarray,
        image: torch.Tensor | np.ndarray | None = None,
        notes: Mapping[str, Any] | None = None,
    ) -> None:
        """Write sample number `index`.

        Args:
            index: number of the sample.
            label: class indices: tensor of shape (1, X, Y), or ordinary array of shape (H, W).
            image: photograph or radiograph: tensor of shape (3, X, Y) or (1, X, Y), values -1..1, or ordinary uint8
                array of shape (H, W, 3) or (H, W).
            notes: how this sample was made, plain values for JSON; they become `notes` of its case.

        Raises:
            DataError: When shapes or values are wrong, the disk is full, or the folder holds samples of another
                provenance.
        """
        self._check_provenance()
        if self.image_required and image is None:
            raise DataError(f"sample {index} of {self.output_dir} needs a photograph beside its label map")
        label_picture = self._label_picture(index, label)
        image_picture = None if image is None else self._image_picture(index, image)
        if image_picture is not None and image_picture.shape[:2] != label_picture.shape:
            raise DataError(
                f"sample {index}: photograph {image_picture.shape[:2]} and label map {label_picture.shape} "
                "(height, width) differ in size"
            )
        # a photograph of an earlier try must not make the half-written case look finished
        self.image_path(index).unlink(missing_ok=True)
        self.notes_path(index).unlink(missing_ok=True)
        if notes:
            with atomic_write(self.notes_path(index)) as file:
                file.write((json.dumps(dict(notes)) + "\n").encode())
        write_label_map(self.label_path(index), label_picture, self.label_set)
        if image_picture is not None:
            write = write_grey if image_picture.ndim == 2 else write_rgb
            write(self.image_path(index), image_picture)
        self._check_provenance(create=True)

    def finalize(
        self,
        section: str = "training",
        indices: Iterable[int] | None = None,
        grades: Sequence[int | None] | None = None,
    ) -> Path:
        """Write `datalist.json`; sections that an earlier call wrote are kept.

        Args:
            section: section that the samples go to.
            indices: numbers of the samples; None means all finished ones in the folder.
            grades: grades of the samples from number 0 on, gone through again and again where there are fewer; None
                where samples have no grade.

        Returns:
            path of the file.

        Raises:
            DataError: When samples are missing or damaged, or there are none.
        """
        if section not in SECTIONS:
            raise DataError(f"unknown section {section!r}, use one of {list(SECTIONS)}")
        if indices is None:
            stems = (path.stem.rpartition("_")[2] for path in self.label_path(0).parent.glob("synthetic_*.png"))
            numbers = [n for n in sorted(int(stem) for stem in stems if stem.isdigit()) if self.exists(n)]
        else:
            numbers = sorted({int(n) for n in indices})
            missing = [n for n in numbers if not self.exists(n)]
            if missing:
                raise DataError(
                    f"{len(missing)} of {len(numbers)} samples in {self.output_dir} are missing or damaged: "
                    f"{missing[:10]}{' ...' if len(missing) > 10 else ''}. Run the generation again, "
                    "it makes these only"
                )
        if not numbers:
            raise DataError(f"no finished sample in {self.output_dir}, run the generation first")
        sections: dict[str, list[Any]] = {}
        if (self.output_dir / DATALIST_NAME).is_file():
            earlier = load_datalist(self.output_dir)
            sections = {name: earlier[name] for name in SECTIONS}
        sections[section] = [self._case(n, grades[n % len(grades)] if grades else None) for n in numbers]
        return write_datalist(self.output_dir, sections, self.label_set, self.name, {"provenance": self.provenance})

    def _check_provenance(self, create: bool = False) -> None:
        """Refuse to fill up a folder of another seed or checkpoint, whose samples would pass for new ones."""
        if self._same_provenance:
            return
        path = self.output_dir / _PROVENANCE_NAME
        wanted = json.loads(json.dumps(self.provenance))
        try:
            found = json.loads(path.read_text()) if path.is_file() else None
        except ValueError as error:
            remedy = "Choose another output_dir, or remove the folder"
            raise DataError(f"{path} cannot be read: {error}. {remedy}") from error
        if found is not None and found != wanted:
            raise DataError(
                f"{self.output_dir} holds samples made from {found}, now they would be made from {wanted}. Choose "
                "another output_dir, or remove the folder"
            )
        if found is None and create and process_rank() == 0:
            with atomic_write(path) as file:
                file.write((json.dumps(wanted, indent=2) + "\n").encode())
        self._same_provenance = found is not None or create

    def _case(self, index: int, grade: int | None) -> dict[str, Any]:
        case: dict[str, Any] = {"label": self.label_path(index).relative_to(self.output_dir).as_posix()}
        if self.image_path(index).is_file():
            case["image"] = self.image_path(index).relative_to(self.output_dir).as_posix()
        # whose eyes they are stands once, at the top of the list
        provenance = {**{key: value for key, value in self.provenance.items() if key != "eyes"}, "index": index}
        if grade is not None:
            case["grade"] = int(grade)
        if self.notes_path(index).is_file():
            try:
                case["notes"] = json.loads(self.notes_path(index).read_text())
            except ValueError as error:
                raise DataError(
                    f"{self.notes_path(index)} cannot be read: {error}. Remove {self.label_path(index)} and run the "
                    "generation again, it makes this sample only"
                ) from error
        return {**case, "case_id": f"synthetic_{index:05d}", "source": "synthetic", "provenance": provenance}

    def _label_picture(self, index: int, label: torch.Tensor | np.ndarray) -> np.ndarray:
        if isinstance(label, torch.Tensor):
            if label.ndim != 3 or label.shape[0] != 1:
                raise DataError(f"sample {index}: a label map tensor has shape (1, X, Y), got {tuple(label.shape)}")
            return to_picture(label)[..., 0]
        if np.ndim(label) != 2:
            raise DataError(f"sample {index}: a label map array has shape (H, W), got {np.shape(label)}")
        return np.asarray(label)

    def _image_picture(self, index: int, image: torch.Tensor | np.ndarray) -> np.ndarray:
        if not isinstance(image, torch.Tensor):
            return np.asarray(image)
        if image.ndim != 3 or image.shape[0] not in (1, 3):
            raise DataError(
                f"sample {index}: a picture is a tensor of shape (3, X, Y), or (1, X, Y) for a grey one, got "
                f"{tuple(image.shape)}"
            )
        values = image.detach().float()
        if not bool(torch.isfinite(values).all()):
            raise DataError(f"sample {index}: the photograph holds values that are not finite; has training diverged?")
        picture = to_picture(((values.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8))
        return picture[..., 0] if picture.shape[2] == 1 else picture
