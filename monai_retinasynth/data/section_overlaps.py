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
"""Cases that stand in two sections of a data set, so that a network is tested on what it was trained on."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from ..utils.file_digest import file_digest

__all__ = ["section_overlaps"]


def section_overlaps(
    cases_by_section: Mapping[str, Sequence[Mapping[str, Any]]], compare_names: bool = True
) -> list[str]:
    """Find photographs, files and names of cases that stand in more than one section.

    Photographs are the same when they are one file, or files of the same content; only files of one size are read. Of
    cases without a photograph, the label maps are compared by their paths, since two eyes may have equal maps.

    Args:
        cases_by_section: cases as `load_cases` gives them.
        compare_names: whether a `case_id` in two sections is a problem, too; not where folders with names of their own
            are mixed.

    Returns:
        a sentence for each pair, with both sections and paths; a pair that is found in two ways is named once.
    """
    entries = [
        (section, case, os.path.realpath(_file(case)))
        for section, cases in cases_by_section.items()
        for case in cases
    ]
    digests = _digests([(section, path) for section, case, path in entries if "image" in case])
    found: dict[tuple[int, int], str] = {}
    for first, second in _across(entries, [path for *_, path in entries]):
        (one, case, path), (other, *_) = entries[first], entries[second]
        what = "photograph" if "image" in case else "label map"
        found[first, second] = f"{path} is the {what} of a case in {one} and of one in {other}; take it out of one"
    for first, second in _across(entries, [digests.get(path) for *_, path in entries]):
        (one, _, path), (other, _, copy) = entries[first], entries[second]
        text = f"{path} in {one} and {copy} in {other} are the same photograph; take one of them out"
        found.setdefault((first, second), text)
    if compare_names:
        for first, second in _across(entries, [str(case["case_id"]) for _, case, _ in entries]):
            (one, case, path), (other, _, copy) = entries[first], entries[second]
            text = (
                f"the case {case['case_id']} stands in {one} ({path}) and in {other} ({copy}); take it out of one, or "
                "give it another case_id if these are different eyes"
            )
            found.setdefault((first, second), text)
    return list(found.values())


def _file(case: Mapping[str, Any]) -> str:
    """The photograph of a case, or what else it has."""
    for key in ("image", "label", "vessel"):
        if case.get(key):
            return case[key]
    return next(iter(case["masks"].values()))


def _across(entries: Sequence[tuple[str, Any, Any]], values: Sequence[Hashable | None]) -> Iterator[tuple[int, int]]:
    """Pairs of entries of different sections that have the same value."""
    places: dict[Hashable, list[int]] = {}
    for place, value in enumerate(values):
        if value is not None:
            places.setdefault(value, []).append(place)
    for same in places.values():
        yield from ((i, j) for i, j in combinations(same, 2) if entries[i][0] != entries[j][0])


def _digests(photographs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """SHA-256 by path of each photograph (section, path) for which another section has one of its size."""
    by_size: dict[int, dict[str, set[str]]] = {}
    for section, path in photographs:
        if os.path.isfile(path):  # a missing one is a problem of its own
            by_size.setdefault(os.path.getsize(path), {}).setdefault(path, set()).add(section)
    return {
        path: file_digest(path)
        for paths in by_size.values()
        if len(paths) > 1 and len(set().union(*paths.values())) > 1
        for path in paths
    }
