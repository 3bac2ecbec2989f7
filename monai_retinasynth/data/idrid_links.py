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
"""Eyes that are in both the segmentation and the grading part of IDRiD: their grades, and what leaks between them.

Most photographs of the segmentation part (4288 x 2848) are in the grading part, too, under another name and shuffled
over training and test. Reduced to a small grey picture, a photograph correlates above 0.9997 with itself in the other
part, and below 0.997 with the most similar one of another eye. Through these links an eye with lesion masks has a
grade, and a test eye can be kept out of a training on the other part.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from ..utils.atomic_file import atomic_write
from ..utils.errors import DataError
from ..utils.file_digest import file_digest
from ..utils.image_io import list_images, open_image
from .idrid_grading import read_idrid_grading_table

__all__ = [
    "LINKS_NAME",
    "MIN_CORRELATION",
    "GradingLeaks",
    "IdridLink",
    "find_idrid_links",
    "leaking_grading_cases",
    "read_idrid_grades",
    "read_idrid_links",
    "write_idrid_links",
]

LINKS_NAME = "seg_to_grading_nearest.csv"
MIN_CORRELATION = 0.9995

_SEGMENTATION, _GRADING = "A. Segmentation", "B. Disease Grading"
_PHOTOGRAPHS = "1. Original Images"
_PARTS = {"training": "a. Training Set", "test": "b. Testing Set"}
_GRADE_FILES = {
    "training": "a. IDRiD_Disease Grading_Training Labels.csv",
    "test": "b. IDRiD_Disease Grading_Testing Labels.csv",
}
_NAME = re.compile(r"IDRiD_\d+")
_THUMBNAIL = (96, 64)  # width x height


@dataclass(frozen=True)
class IdridLink:
    """A photograph of the segmentation part and the nearest one of the grading part.

    Args:
        segmentation_image: name without ending, such as IDRiD_01.
        segmentation_section: `"training"` or `"test"`.
        grading_image: name without ending, such as IDRiD_102.
        grading_section: `"training"` or `"test"`.
        grade: diabetic retinopathy, 0 to 4, of the grading photograph.
        correlation: of the two as small grey pictures; the same photograph above `MIN_CORRELATION`.
    """

    segmentation_image: str
    segmentation_section: str
    grading_image: str
    grading_section: str
    grade: int
    correlation: float


@dataclass(frozen=True)
class GradingLeaks:
    """Names of photographs that must not be used as their section says; see `leaking_grading_cases`.

    Args:
        training_in_segmentation_test: of the grading training set, but a test eye of the segmentation part.
        test_in_segmentation_training: of the grading test set, but a training eye of the segmentation part.
        training_in_grading_test: of the grading training set, but the same file as one of the grading test set.
        segmentation_training_in_grading_test: of the segmentation training set, but a test eye of the grading part.
    """

    training_in_segmentation_test: tuple[str, ...] = field(default=())
    test_in_segmentation_training: tuple[str, ...] = field(default=())
    training_in_grading_test: tuple[str, ...] = field(default=())
    segmentation_training_in_grading_test: tuple[str, ...] = field(default=())


def read_idrid_grades(idrid_dir: str | os.PathLike) -> dict[str, dict[str, int]]:
    """Grades of diabetic retinopathy of IDRiD's grading part.

    Args:
        idrid_dir: folder that holds `B. Disease Grading` (or a copy of other size, `B. Disease Grading (768x510)`),
            or that holds it beside.

    Returns:
        for `"training"` and `"test"`: name of the photograph (IDRiD_001) -> grade, 0 to 4.

    Raises:
        DataError: When a file is missing, or a row has no grade or no risk of edema; names the file and the line.
    """
    folder = _part_folder(idrid_dir, _GRADING) / "2. Groundtruths"
    return {
        section: {image: grade for image, (grade, _) in read_idrid_grading_table(folder / name).items()}
        for section, name in _GRADE_FILES.items()
    }


def read_idrid_links(
    idrid_dir: str | os.PathLike, links: str | os.PathLike | None = None, min_correlation: float = MIN_CORRELATION
) -> list[IdridLink]:
    """Read the eyes that are in both parts of IDRiD from a table, and their grades.

    Args:
        idrid_dir: folder that holds `A. Segmentation` and `B. Disease Grading`, or one of these.
        links: table with a row `path in A. Segmentation, path in B. Disease Grading, correlation` for each photograph
            of the segmentation part, as `write_idrid_links` writes it; None for `seg_to_grading_nearest.csv` in
            `idrid_dir`.
        min_correlation: rows with at most this correlation show different eyes and are left out.

    Returns:
        one link for each photograph that is in both parts, in the order of the table.

    Raises:
        DataError: When a file is missing, a row is no such row, a photograph has no grade or two rows; names the line.
    """
    if links is None:
        root = Path(idrid_dir)
        links = next((p for p in (root / LINKS_NAME, root.parent / LINKS_NAME) if p.is_file()), root / LINKS_NAME)
    path = Path(links)
    rows = _read_rows(path, "make it with write_idrid_links(path, find_idrid_links(idrid_dir)), or do without grades")
    grades = read_idrid_grades(idrid_dir)
    found: dict[tuple[str, str], IdridLink] = {}
    for number, row in rows:
        try:
            segmentation, grading = (_section_and_name(cell) for cell in row[:2])
            correlation = float(row[2])
        except (ValueError, IndexError) as exception:
            raise DataError(
                f"{path}, line {number}: {','.join(row)!r} is no row of a photograph of A. Segmentation, one of "
                "B. Disease Grading and their correlation; write the table again"
            ) from exception
        if not correlation > min_correlation:
            continue
        if grading[1] not in grades[grading[0]]:
            raise DataError(f"{path}, line {number}: {row[1]} has no grade in {_GRADE_FILES[grading[0]]}; correct one")
        if segmentation in found:
            raise DataError(f"{path}, line {number}: a second link for {row[0]}; keep one of the two")
        found[segmentation] = IdridLink(
            segmentation[1], segmentation[0], grading[1], grading[0], grades[grading[0]][grading[1]], correlation
        )
    return list(found.values())


def find_idrid_links(idrid_dir: str | os.PathLike, progress: bool = True) -> list[IdridLink]:
    """Find the nearest photograph of the grading part for each one of the segmentation part, a minute of comparing.

    All are reduced to grey pictures of 96 x 64 pixels and correlated. The result holds poor matches, too: those above
    `MIN_CORRELATION` are the same photograph.

    Args:
        idrid_dir: folder that holds `A. Segmentation` and `B. Disease Grading`.
        progress: show a progress bar.

    Returns:
        one link for each photograph of the segmentation part.

    Raises:
        DataError: When a part is missing, or a photograph is unreadable or has no grade.
    """
    grades = read_idrid_grades(idrid_dir)
    listed = {part: _list_photographs(_part_folder(idrid_dir, part)) for part in (_SEGMENTATION, _GRADING)}
    rows = {}
    with tqdm(total=sum(map(len, listed.values())), desc="IDRiD links", disable=not progress, unit="eye") as bar:
        for part, photographs in listed.items():
            rows[part] = np.stack([_thumbnail(path, bar) for _, path in photographs])
    correlations = rows[_SEGMENTATION] @ rows[_GRADING].T
    links = []
    for (section, path), row in zip(listed[_SEGMENTATION], correlations):
        nearest = int(row.argmax())
        grading_section, grading_path = listed[_GRADING][nearest]
        if grading_path.stem not in grades[grading_section]:
            raise DataError(f"{grading_path} has no grade in {_GRADE_FILES[grading_section]}; add it there")
        grade = grades[grading_section][grading_path.stem]
        links.append(IdridLink(path.stem, section, grading_path.stem, grading_section, grade, float(row[nearest])))
    return links


def write_idrid_links(path: str | os.PathLike, links: Iterable[IdridLink]) -> Path:
    """Write the table that `read_idrid_links` reads.

    Args:
        path: csv file.
        links: see `find_idrid_links`.

    Returns:
        the path.

    Raises:
        DataError: When the file cannot be written.
    """
    lines = [
        f"{_SEGMENTATION}/{_PHOTOGRAPHS}/{_PARTS[link.segmentation_section]}/{link.segmentation_image}.jpg,"
        f"{_GRADING}/{_PHOTOGRAPHS}/{_PARTS[link.grading_section]}/{link.grading_image}.jpg,{link.correlation:.5f}\n"
        for link in links
    ]
    with atomic_write(path) as file:
        file.write("".join(lines).encode("utf-8"))
    return Path(path)


def leaking_grading_cases(
    idrid_dir: str | os.PathLike, links: str | os.PathLike | None = None, min_correlation: float = MIN_CORRELATION
) -> GradingLeaks:
    """Photographs of the grading part whose use in a training, or test, would put a test eye into a training.

    Some files of the grading part are there twice, even with different grades; copies of a linked file leak as well.

    Args:
        idrid_dir: see `read_idrid_links`, as are `links` and `min_correlation`.

    Returns:
        the names, sorted.

    Raises:
        DataError: see `read_idrid_links`.
    """
    linked = read_idrid_links(idrid_dir, links, min_correlation)
    files: dict[str, set[tuple[str, str]]] = {}
    for section, path in _list_photographs(_part_folder(idrid_dir, _GRADING)):
        files.setdefault(file_digest(path), set()).add((section, path.stem))
    copies = {key: same for same in files.values() for key in same}
    leaks: dict[tuple[str, str], set[str]] = {("training", "test"): set(), ("test", "training"): set()}
    trained: set[str] = set()
    for link in linked:
        key = (link.grading_section, link.grading_image)
        for section, name in copies.get(key, {key}):
            if section != link.segmentation_section:
                leaks[section, link.segmentation_section].add(name)
                trained.update([link.segmentation_image] if section == "test" else [])
    doubled = {n for (s, n), same in copies.items() if s == "training" and any(other == "test" for other, _ in same)}
    return GradingLeaks(*(tuple(sorted(names)) for names in (*leaks.values(), doubled, trained)))


def _part_folder(idrid_dir: str | os.PathLike, part: str) -> Path:
    """Folder of a part, which reduced copies call differently, in or beside `idrid_dir`."""
    root = Path(idrid_dir).absolute()
    for folder in (root, root.parent):
        found = sorted(path for path in folder.glob(f"{part}*") if path.is_dir())
        if found:
            return found[0]
    raise DataError(f"no folder '{part}' in {root}: it holds that part of IDRiD; unpack it there")


def _list_photographs(folder: Path) -> list[tuple[str, Path]]:
    photographs = []
    for section, name in _PARTS.items():
        directory = folder / _PHOTOGRAPHS / name
        if not directory.is_dir() or not (paths := list_images(directory)):
            raise DataError(f"no photographs in {directory}; unpack IDRiD there again")
        photographs.extend((section, path) for path in paths)
    return photographs


def _thumbnail(path: Path, bar: tqdm) -> np.ndarray:
    """Grey levels of a small copy, centred and of length 1, so that a product of two is their correlation."""
    bar.update()
    grey = open_image(path, "L").resize(_THUMBNAIL, Image.Resampling.BOX)
    values = np.asarray(grey, dtype=np.float64).ravel()
    values = values - values.mean()
    length = np.linalg.norm(values)
    if length == 0:
        raise DataError(f"{path} is one even grey, no photograph; replace it")
    return values / length


def _read_rows(path: Path, remedy: str) -> list[tuple[int, list[str]]]:
    """Rows of a csv file that are not blank, with their line numbers."""
    if not path.is_file():
        raise DataError(f"no file {path}; {remedy}")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return [(n, row) for n, row in enumerate(csv.reader(file), start=1) if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as exception:
        raise DataError(f"cannot read {path}: {exception}; it should be a csv file, {remedy}") from exception


def _section_and_name(cell: str) -> tuple[str, str]:
    """Section and name that a path stands for; ValueError where it is none of IDRiD's."""
    *_, folder, file = cell.strip().replace("\\", "/").split("/")
    section = next(section for section, name in _PARTS.items() if name == folder) if folder in _PARTS.values() else None
    name = Path(file).stem
    if section is None or not _NAME.fullmatch(name):
        raise ValueError(cell)
    return section, name
