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
"""Small graded data sets, drawn for the tests: IDRiD's grading part in its owners' layout, and folders with a list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from monai_retinasynth.data import write_datalist, write_grading_list
from monai_retinasynth.utils.image_io import write_label_map, write_rgb

__all__ = ["graded_eye", "make_graded_set", "make_grading_list", "make_idrid_grading"]

GROUND = "B. Disease Grading (768x510)"
PARTS = (
    ("a. Training Set", "a. IDRiD_Disease Grading_Training Labels.csv"),
    ("b. Testing Set", "b. IDRiD_Disease Grading_Testing Labels.csv"),
)


def graded_eye(grade: int, seed: int = 0, width: int = 48, height: int = 32) -> np.ndarray:
    """A round eye cut off above and below; the worse the grade, the greener, so that a grade can be learnt."""
    y, x = np.mgrid[:height, :width] + 0.5
    inside = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (0.45 * width) ** 2
    rgb = np.random.default_rng((seed, grade)).normal((150, 40 + 40 * grade, 40), 6, (height, width, 3))
    rgb[~inside] = 2
    return np.clip(rgb, 0, 255).astype(np.uint8)


def make_idrid_grading(root: Path, training: Sequence[int] = (0, 1, 2, 3, 4, 0), test: Sequence[int] = (0, 2)) -> Path:
    """IDRiD's grading part with these grades; the risk of macular edema is 2 from grade 3 on."""
    for (folder, table), grades in zip(PARTS, (training, test)):
        lines = ["Image name,Retinopathy grade,Risk of macular edema ,,,"]
        for number, grade in enumerate(grades, start=1):
            path = root / GROUND / "1. Original Images" / folder / f"IDRiD_{number:03d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            seed = number + 100 * folder.startswith("b")
            Image.fromarray(graded_eye(grade, seed)).save(path, quality=95)
            lines.append(f"IDRiD_{number:03d},{grade},{2 if grade > 2 else 0},,,")
        csv_path = root / GROUND / "2. Groundtruths" / table
        csv_path.parent.mkdir(parents=True, exist_ok=True)
        csv_path.write_text("\r\n".join([*lines, ",,,,,", ""]))
    return root


def make_grading_list(folder: Path, size: int = 32, **sections: Sequence[int]) -> Path:
    """A prepared folder with `grading.json` and the grades of each section."""
    cases = {
        section: [
            {
                "image": f"images/{section}_{number}.png",
                "grade": grade,
                "case_id": f"{section}_{number}",
                "source": "real",
            }
            for number, grade in enumerate(grades)
        ]
        for section, grades in sections.items()
    }
    for section, listed in cases.items():
        for number, case in enumerate(listed):
            write_rgb(folder / case["image"], graded_eye(case["grade"], number + 50 * len(section), size, size))
    write_grading_list(folder, cases, "graded eyes")
    return folder


def make_graded_set(folder: Path, grades: Sequence[int | None], size: int = 40, images: bool = True) -> Path:
    """A synthetic set with `datalist.json`; None is a case without a grade."""
    cases = []
    for number, grade in enumerate(grades):
        name = f"synthetic_{number:05d}"
        case = {"label": f"labels/{name}.png", "case_id": f"{folder.name}_{name}", "source": "synthetic"}
        write_label_map(folder / case["label"], np.ones((size, size), np.uint8), "fundus_lesion")
        if images:
            case["image"] = f"images/{name}.png"
            write_rgb(folder / case["image"], graded_eye(grade or 0, 500 + number, size, size))
        cases.append(case if grade is None else {**case, "grade": grade})
    write_datalist(folder, {"training": cases}, "fundus_lesion", "synthetic eyes")
    return folder
