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
"""A small IDRiD in its owners' layout, drawn for the tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from monai_retinasynth.data import IDRID_STRUCTURES
from monai_retinasynth.simulation import FundusPhantom

__all__ = ["add_grading", "make_idrid", "write_links"]

WIDTH, HEIGHT = 96, 64


def make_idrid(root: Path, training: int = 3, test: int = 2) -> Path:
    """Phantoms of 96 x 64 pixels whose field of view is cut off above and below, with an optic disc, and soft exudates
    in the first eye of each part only."""
    phantom = FundusPhantom(WIDTH)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    segmentation = root / "A. Segmentation"
    for number in range(1, training + test + 1):
        part = "a. Training Set" if number <= training else "b. Testing Set"
        name = f"IDRiD_{number:02d}"
        top = (WIDTH - HEIGHT) // 2
        photograph = phantom.pair(number)[0][top : top + HEIGHT].copy()
        disc = ((x - 70) / 7) ** 2 + ((y - 30 - number) / 8) ** 2 <= 1
        photograph[disc] = np.clip(photograph[disc].astype(int) + 50, 0, 255)
        _save(segmentation / "1. Original Images" / part / f"{name}.jpg", Image.fromarray(photograph))
        for structure, (folder, ending) in IDRID_STRUCTURES.items():
            mask = disc if structure == "optic_disc" else (x - 30) ** 2 + (y - 30) ** 2 <= 9
            masks_dir = segmentation / "2. All Segmentation Groundtruths" / part / folder
            masks_dir.mkdir(parents=True, exist_ok=True)
            if structure != "soft_exudates" or number in (1, training + 1):
                _save(masks_dir / f"{name}_{ending}.tif", Image.fromarray(mask))
    return root


def add_grading(root: Path) -> Path:
    """A grading part with eyes 2 and 4 of the segmentation part in its training set (eye 4 twice, as another grade),
    eye 1 in its test set, and other eyes; the test set's last file is a copy of the training set's last one."""
    grading = root / "B. Disease Grading (768x510)"
    other = FundusPhantom(WIDTH)
    photographs = sorted((root / "A. Segmentation" / "1. Original Images").rglob("*.jpg"))
    for part, eyes, file, heading, ends in (
        ("a. Training Set", (4, 20, 2, 4, 21), "a. IDRiD_Disease Grading_Training Labels.csv", ",,,", ",,,"),
        ("b. Testing Set", (22, 1, 21), "b. IDRiD_Disease Grading_Testing Labels.csv", "", ""),
    ):
        lines = [f"Image name,Retinopathy grade,Risk of macular edema {heading}"]
        for number, eye in enumerate(eyes, start=1):
            path = grading / "1. Original Images" / part / f"IDRiD_{number:03d}.jpg"
            if eye <= len(photographs):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(photographs[eye - 1].read_bytes())
            else:
                _save(path, Image.fromarray(other.pair(eye)[0][:HEIGHT]))
            lines.append(f"IDRiD_{number:03d},{(number + eye) % 5},1{ends}")
        labels = grading / "2. Groundtruths" / file
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.write_text("\r\n".join(lines) + "\r\n")
    return grading


def write_links(path: Path, rows: list[tuple[str, int, str, int, float]]) -> Path:
    """Table of (section, number) of the segmentation and the grading part and their correlation."""
    parts = {"training": "a. Training Set", "test": "b. Testing Set"}
    path.write_text(
        "".join(
            f"A. Segmentation/1. Original Images/{parts[section]}/IDRiD_{number:02d}.jpg,"
            f"B. Disease Grading/1. Original Images/{parts[other]}/IDRiD_{match:03d}.jpg,{correlation}\n"
            for section, number, other, match, correlation in rows
        )
    )
    return path


def _save(path: Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
