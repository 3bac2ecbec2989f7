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
"""A check of a data set before any training: every problem with its path, all in one go."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from ..transforms.load_fundus_case import LoadFundusCased
from ..utils.errors import DataError
from ..utils.image_io import open_image
from ..utils.label_set import FUNDUS_LESION, LabelSet, get_label_set
from .cases import CASE_SECTIONS, detect_layout, load_cases
from .datalist import load_datalist
from .section_overlaps import section_overlaps

__all__ = ["check_dataset", "print_dataset_report"]


def check_dataset(
    dataset_dir: str | os.PathLike | Mapping[str, Any] | Sequence[Any],
    label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
    layout: str = "auto",
    sections: Sequence[str] | str | None = None,
    multiple: int | None = None,
    min_cases: int = 1,
    val_count: int = 2,
    require_image: bool = False,
    split: str | None = None,
    raise_on_error: bool = True,
    verbose: bool = True,
    num_grades: int | None = None,
    require_all_grades: bool = False,
) -> dict[str, Any]:
    """Read every case of a data set, print a table and collect all problems.

    A case, or its photograph under another name, that stands in two of the sections is a problem, see
    `section_overlaps`.

    Args:
        dataset_dir: folder, or list of folders or dictionaries, see `load_cases`.
        label_set: label set that the maps must keep to.
        layout: see `load_cases`.
        sections: sections to check; None for those the data set has.
        multiple: sizes that are not a multiple of it are a problem; None where the network pads.
        min_cases: fewer cases in a section are a problem.
        val_count: number of training cases held out for validation.
        require_image: whether a case without a photograph is a problem.
        split: named split of CHASE_DB1, None for its default.
        raise_on_error: whether problems raise (after the table is printed) or are only reported.
        verbose: whether to show progress and print the table.
        num_grades: number of grades of a conditional training (5 for diabetic retinopathy); a case without a grade
            (outside the test section), or with one that is not in 0..num_grades - 1, is a problem. None where grades
            do not matter.
        require_all_grades: whether a grade without a training case is a problem, too, or only reported.

    Returns:
        plain dictionary for JSON: `ok`, `dataset_dir`, `label_set`, `problems` (list of sentences with paths),
        `grades_without_training_case` (empty without `num_grades`), and `sections`: for each `cases`, `images`,
        `sources`, `sizes` ("width x height": count), `class_fractions` (mean share of pixels of each class),
        `cases_with_class`, `grades` (grade as a string: count of cases), `vessel_masks` (0 where the cases have label
        maps) and `grey_masks` (how many of these hold grey levels between their darkest and brightest one).

    Raises:
        DataError: When there are problems and `raise_on_error`; names all of them.
    """
    label_set = get_label_set(label_set)
    problems: list[str] = []
    listed: dict[str, list[dict[str, Any]]] = {}
    for section in _sections(dataset_dir, layout, sections, val_count, problems):
        try:
            listed[section] = load_cases(
                dataset_dir, section, layout=layout, val_count=val_count, split=split, partial_grades=True
            )
        except DataError as exception:
            problems.append(f"{section}: {exception}")
    report: dict[str, Any] = {"dataset_dir": _plain(dataset_dir), "label_set": label_set.name, "sections": {}}
    for section, cases in listed.items():
        if len(cases) < min_cases:
            problems.append(f"{section}: too few cases, {len(cases)} found and {min_cases} needed. Add cases")
        report["sections"][section] = _check_section(
            section, cases, label_set, multiple, require_image, verbose, problems
        )
        if num_grades is not None:
            problems.extend(_grade_problems(cases, num_grades, required=section != "test"))
    one_folder = isinstance(dataset_dir, (str, os.PathLike, Mapping)) or len(dataset_dir) == 1
    problems.extend(section_overlaps(listed, compare_names=one_folder))
    report["grades_without_training_case"] = _untrained_grades(listed, num_grades)
    if require_all_grades:
        problems.extend(
            f"training: no case of grade {grade}, so it cannot be learnt. Add one, for example synthetic ones"
            for grade in report["grades_without_training_case"]
        )
    _check_declared(dataset_dir, label_set, problems)
    report["problems"] = list(dict.fromkeys(problems))
    report["ok"] = not problems
    if verbose:
        print_dataset_report(report, label_set)
    if problems and raise_on_error:
        lines = "\n  - ".join(report["problems"])
        raise DataError(f"the data set {_plain(dataset_dir)} has {len(report['problems'])} problem(s):\n  - {lines}")
    return report


def print_dataset_report(report: Mapping[str, Any], label_set: str | LabelSet | Mapping[str, Any]) -> None:
    """Print the report of `check_dataset` as a table, followed by its problems."""
    label_set = get_label_set(label_set)
    rows = report["sections"].values()
    grades = ["grades"] if any(row["grades"] for row in rows) else []
    # many classes make a table of their own, in which they are rows: a terminal is 80 characters wide
    beside = label_set.class_names if label_set.num_classes <= 4 else ()
    table = Table(title=f"Data check: {report['dataset_dir']}")
    for heading in ("section", "cases", "images", *grades, "width x height", *(f"{name} %" for name in beside)):
        table.add_column(heading, justify="left" if heading == "section" else "right")
    for section, row in report["sections"].items():
        sizes = [f"{size} ({count})" for size, count in row["sizes"].items()]
        shown = "\n".join(sizes[:4] + ([f"and {len(sizes) - 4} more"] if len(sizes) > 4 else []))
        counts = ["\n".join(f"{grade}: {count}" for grade, count in row["grades"].items())] if grades else []
        table.add_row(section, str(row["cases"]), str(row["images"]), *counts, shown, *_percentages(row, beside))
    console = Console()
    console.print(table)
    if not beside:
        table = Table("class", *report["sections"], title="Share of the pixels, %; cases with the class")
        for name in label_set.class_names:
            shares = (_percentages(row, [name])[0] for row in rows)
            cases = (row["cases_with_class"].get(name, 0) for row in rows)
            table.add_row(name, *(f"{share}; {count}" for share, count in zip(shares, cases)))
        console.print(table)
    if untrained := report["grades_without_training_case"]:
        listed = ", ".join(map(str, untrained))
        console.print(f"no training case of grade {listed}: it cannot be learnt", highlight=False)
    if grey := sum(row["grey_masks"] for row in rows):
        masks = sum(row["vessel_masks"] for row in rows)
        console.print(f"{grey} of {masks} vessel masks hold grey levels; above 127 is vessel", highlight=False)
    for problem in report["problems"]:
        console.print(f"problem: {problem}", style="red", markup=False, highlight=False, soft_wrap=True)
    if not report["problems"]:
        console.print("no problem found", style="green")


def _percentages(row: Mapping[str, Any], class_names: Sequence[str]) -> list[str]:
    return [f"{100 * row['class_fractions'].get(name, 0.0):.2f}" for name in class_names]


def _check_section(
    section: str,
    cases: list[dict[str, Any]],
    label_set: LabelSet,
    multiple: int | None,
    require_image: bool,
    verbose: bool,
    problems: list[str],
) -> dict[str, Any]:
    load = LoadFundusCased(label_set=label_set, image_dtype="uint8")
    sizes: Counter[str] = Counter()
    with_class: Counter[str] = Counter()
    fractions = []
    vessel_masks = grey_masks = 0
    identifiers = Counter(case["case_id"] for case in cases)
    problems.extend(f"{section}: {n} cases are called {name}" for name, n in identifiers.items() if n > 1)
    for case in tqdm(cases, desc=f"check {section}", disable=None if verbose else True, leave=False):
        try:
            loaded = load(case)
        except DataError as exception:
            problems.append(str(exception))
            continue
        label = loaded["label"]
        width, height = label.shape[1:]
        sizes[f"{width} x {height}"] += 1
        if "label" not in case:  # composed of a mask
            vessel_masks += 1
            grey_masks += _holds_grey_levels(case["vessel"])
        name = case.get("label") or case.get("vessel")
        if require_image and "image" not in loaded:
            problems.append(f"{name}: the case has no photograph")
        if multiple is not None and (width % multiple or height % multiple):
            fits = f"{-(-width // multiple) * multiple} x {-(-height // multiple) * multiple}"
            problems.append(f"{name}: size {width} x {height} is no multiple of {multiple}; pad or resize it to {fits}")
        counts = np.bincount(label.numpy().ravel(), minlength=label_set.num_classes)
        fractions.append(counts / counts.sum())
        with_class.update(label_set.class_names[c] for c in np.flatnonzero(counts))
        problems.extend(_odd_fractions(name, fractions[-1], label_set))
    mean = np.mean(fractions, axis=0) if fractions else np.zeros(label_set.num_classes)
    return {
        "cases": len(cases),
        "images": sum("image" in case for case in cases),
        "sources": dict(Counter(case["source"] for case in cases)),
        "sizes": dict(sizes.most_common()),
        "class_fractions": {n: float(f) for n, f in zip(label_set.class_names, mean)},
        "cases_with_class": {n: with_class[n] for n in label_set.class_names},
        "grades": {str(g): n for g, n in sorted(Counter(case["grade"] for case in cases if "grade" in case).items())},
        "vessel_masks": vessel_masks,
        "grey_masks": grey_masks,
    }


def _holds_grey_levels(mask_path: str) -> bool:
    return bool(np.count_nonzero(np.bincount(np.asarray(open_image(mask_path, "L")).ravel())) > 2)


def _grade_problems(cases: list[dict[str, Any]], num_grades: int, required: bool) -> list[str]:
    problems = []
    for case in cases:
        name = case.get("label") or case.get("vessel")
        if "grade" not in case:
            if required:
                problems.append(
                    f"{name}: case {case['case_id']} without a grade; give it one in its data list, or leave the case "
                    "out"
                )
        elif not 0 <= case["grade"] < num_grades:
            problems.append(
                f"{name}: grade outside 0-{num_grades - 1}, case {case['case_id']} has {case['grade']}; correct it in "
                "its data list"
            )
    return problems


def _untrained_grades(listed: Mapping[str, list[dict[str, Any]]], num_grades: int | None) -> list[int]:
    training = listed.get("training", listed.get("all"))
    if num_grades is None or training is None:
        return []
    return [grade for grade in range(num_grades) if all(case.get("grade") != grade for case in training)]


def _odd_fractions(name: Any, fractions: np.ndarray, label_set: LabelSet) -> list[str]:
    """Label maps that no eye has: without any retina or vessel, or with more vessel than retina (an inverted mask)."""
    if label_set.class_names == FUNDUS_LESION.class_names and fractions[FUNDUS_LESION.index("retina")] == 0:
        return [f"{name}: no retina in the label map; is it of another label set, or black?"]
    if label_set.class_names != ("outside", "retina", "vessel"):
        return []
    _, retina, vessel = fractions
    if vessel == 0:
        return [f"{name}: no vessel in the label map" + (" and no retina" if retina == 0 else "")]
    if vessel > retina:
        return [f"{name}: more vessel ({vessel:.0%}) than retina ({retina:.0%}); is the mask inverted?"]
    return []


def _sections(
    dataset_dir: Any, layout: str, sections: Sequence[str] | str | None, val_count: int, problems: list[str]
) -> list[str]:
    if sections is not None:
        wanted = [sections] if isinstance(sections, str) else list(sections)
        wrong = [s for s in wanted if s not in CASE_SECTIONS]
        if wrong:
            raise DataError(f"unknown sections {wrong}, use {list(CASE_SECTIONS)}")
        return wanted
    if not isinstance(dataset_dir, (str, os.PathLike)):
        return ["training"]
    try:
        found = detect_layout(dataset_dir) if layout == "auto" else layout
        if found == "datalist":
            content = load_datalist(dataset_dir)
            present = [s for s in ("training", "validation", "test") if content[s]]
            if not present:
                problems.append(f"{dataset_dir}: the data list has no case in any section")
            return present
    except DataError as exception:
        problems.append(str(exception))
        return []
    if found == "label_maps":
        return ["all"]
    return ["training", "validation", "test"] if val_count else ["training", "test"]


def _check_declared(dataset_dir: Any, label_set: LabelSet, problems: list[str]) -> None:
    """The classes that a data list declares must be those asked for."""
    sources = [dataset_dir] if isinstance(dataset_dir, (str, os.PathLike, Mapping)) else list(dataset_dir)
    for source in sources:
        folder = source.get("dataset_dir") if isinstance(source, Mapping) else source
        try:
            if folder is None or detect_layout(folder) != "datalist":
                continue
            declared = get_label_set(load_datalist(folder)["label_set"])
        except DataError:
            continue  # reported by the listing already
        if declared.class_names != label_set.class_names:
            problems.append(
                f"{folder}: its label maps have the classes {list(declared.class_names)}, "
                f"{list(label_set.class_names)} ({label_set.name}) are asked for"
            )


def _plain(dataset_dir: Any) -> str | list[Any]:
    if isinstance(dataset_dir, (str, os.PathLike)):
        return os.fspath(dataset_dir)
    sources = [dataset_dir] if isinstance(dataset_dir, Mapping) else dataset_dir
    return [
        {k: str(v) if k == "dataset_dir" else v for k, v in s.items()} if isinstance(s, Mapping) else str(s)
        for s in sources
    ]
