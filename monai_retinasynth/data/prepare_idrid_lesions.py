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
"""IDRiD's photographs with lesions and optic disc as label maps, and with grades, small enough to train on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..utils.errors import ConfigError, DataError
from .idrid import list_idrid_segmentation_cases
from .idrid_links import (
    LINKS_NAME,
    MIN_CORRELATION,
    IdridLink,
    find_idrid_links,
    leaking_grading_cases,
    read_idrid_links,
    write_idrid_links,
)
from .prepare_lesions import check_settings, divide_training, prepare_lesions, read_two_valued_mask

__all__ = ["prepare_idrid_lesions"]

_REFERENCE = (
    "P. Porwal et al., Indian Diabetic Retinopathy Image Dataset, Data 3(3):25, 2018; CC BY 4.0 "
    "(https://creativecommons.org/licenses/by/4.0/); cropped, reduced, masks composed to label maps"
)


def prepare_idrid_lesions(
    idrid_dir: str | os.PathLike | None,
    output_dir: str | os.PathLike,
    size: int = 512,
    val_count: int = 6,
    links: str | os.PathLike | None = None,
    grades: bool = True,
    min_correlation: float = MIN_CORRELATION,
    missing_grade: str = "keep",
    exclude_grading_test: bool = False,
    num_cases: int | None = None,
    progress: bool = True,
) -> Path:
    """Write `images/IDRiD_01.png`, `labels/IDRiD_01.png`, ... and `datalist.json` with the label set `fundus_lesion`.

    The 54 photographs of the training set make the sections training and validation, the 27 of the testing set the
    section test. See `prepare_lesions` for what happens to a picture; a second call goes on where the first one
    stopped, and other grades or sections for the same size reuse its pictures.

    60 of the 81 eyes are in IDRiD's grading part too and so have a grade of their own. What happens to the others is
    `missing_grade`. By default they are kept without one: most uses need no grade, and an estimate from the masks rates
    severe eyes too low (see `estimate_grade` for how often it is right), so it is only made when asked for. A training
    that needs the grade of every case asks for `"drop"` or `"estimate"`.

    Args:
        idrid_dir: folder that holds IDRiD's `A. Segmentation` (and `B. Disease Grading` for the grades).
        output_dir: folder of the data set, made when missing.
        size: edge of the pictures in pixels.
        val_count: number of training cases held out for validation (the last of those that are not left out).
        links: table of the eyes that are in both parts, see `read_idrid_links`. None for `seg_to_grading_nearest.csv`
            in `idrid_dir`; where there is no such file either, the eyes are compared (`find_idrid_links`, a minute) and
            the table is kept in `output_dir`.
        grades: give each case its grade; without, the grading part and the links are not needed.
        min_correlation: a link counts from above this correlation on.
        missing_grade: what happens to a case without a link: `"keep"` it without a grade, `"drop"` it from
            training and validation, or `"estimate"` the grade from its lesions (`estimate_grade`), which its
            provenance says.
        exclude_grading_test: leave out the training photographs that are test photographs of the grading part, or
            copies of these, for experiments that are tested on that part.
        num_cases: take the first so many cases of each section only; None for all.
        progress: show a progress bar.

    Returns:
        path of `datalist.json`.

    Raises:
        ConfigError: When no folder is given, or a setting is out of range.
        DataError: When a photograph has no disc mask, a mask has another size or other values than two, a file is
            unreadable, there are no links, or the folder holds cases of another size; names the file.
    """
    if not idrid_dir:
        raise ConfigError("no folder of IDRiD is given; set idrid_dir to the one that holds 'A. Segmentation'")
    if num_cases is not None and num_cases < 1:
        raise ConfigError(f"num_cases must be 1 or more, or None for all, got {num_cases}")
    check_settings(size, missing_grade)
    if not grades and (missing_grade == "drop" or exclude_grading_test):
        wish = "missing_grade='drop'" if missing_grade == "drop" else "exclude_grading_test"
        raise ConfigError(f"{wish} needs the links to the grading part; set grades to true")
    parts = {part: list_idrid_segmentation_cases(idrid_dir, part, val_count=0) for part in ("training", "test")}
    for case in (case for cases in parts.values() for case in cases):
        if "optic_disc" not in case["masks"]:
            raise DataError(
                f"{case['case_id']} has no optic disc mask ({case['case_id']}_OD.tif) beside its photograph "
                f"{case['image']}. Add the mask, or take the photograph away"
            )
    table = _links_table(idrid_dir, Path(output_dir), links, progress) if grades else None
    linked = read_idrid_links(idrid_dir, table, min_correlation) if grades else []
    by_image = {(link.segmentation_section, link.segmentation_image): link for link in linked}
    for part, cases in parts.items():
        for case in cases:
            _add_grade(case, by_image.get((part, case["case_id"])))
    if exclude_grading_test:
        tested = leaking_grading_cases(idrid_dir, table, min_correlation).segmentation_training_in_grading_test
        parts["training"] = [case for case in parts["training"] if case["case_id"] not in tested]
    where = f"the training photographs of IDRiD in {idrid_dir}"
    sections = {**divide_training(parts["training"], val_count, missing_grade, where), "test": parts["test"]}
    sections = {section: cases[:num_cases] for section, cases in sections.items()}
    extra = {
        "reference": _REFERENCE,
        "licence": "CC BY 4.0",
        "provenance": {
            "origin": "IDRiD, A. Segmentation",
            "grades": f"B. Disease Grading, links above {min_correlation}" if grades else "none",
            "missing_grade": missing_grade,
            "exclude_grading_test": exclude_grading_test,
        },
    }
    return prepare_lesions(
        sections, output_dir, size, missing_grade, "IDRiD with lesions", extra, read_two_valued_mask, progress
    )


def _links_table(
    idrid_dir: str | os.PathLike, output_dir: Path, links: str | os.PathLike | None, progress: bool
) -> str | os.PathLike | None:
    """The table to read; made in the output folder where the owner of the data has none."""
    root = Path(idrid_dir)
    beside = (root / LINKS_NAME, root.parent / LINKS_NAME)
    if links is not None or any(path.is_file() for path in beside):
        return links
    made = output_dir / LINKS_NAME
    if not made.is_file():
        write_idrid_links(made, find_idrid_links(idrid_dir, progress=progress))
    return made


def _add_grade(case: dict[str, Any], link: IdridLink | None) -> None:
    case["provenance"] = {"photograph": f"IDRiD, A. Segmentation, {case['case_id']}"}
    if link is not None:
        case["grade"] = link.grade
        case["provenance"]["grade"] = (
            f"IDRiD, B. Disease Grading, {link.grading_section} set, {link.grading_image} "
            f"(correlation {link.correlation:.5f})"
        )
