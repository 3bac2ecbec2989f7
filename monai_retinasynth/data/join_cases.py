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
"""Names of cases when data sets are mixed: every synthetic set numbers its cases from 0."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["join_cases"]


def join_cases(listed: Sequence[tuple[str | os.PathLike, Sequence[Mapping[str, Any]]]]) -> list[dict[str, Any]]:
    """Join the cases of several folders, under names that tell the folders apart where they share one.

    A folder that shares a `case_id` with another one puts its own name before all of its cases, as in
    ``<folder>_synthetic_00012``, which is good as a file name, too; as many of its parents as are needed where folders
    have equal names. A case that is listed twice from one folder keeps one name.

    Args:
        listed: folder and its cases, in order.

    Returns:
        the cases in this order; those of a single folder as they are.
    """
    resolved = [Path(folder).resolve() for folder, _ in listed]
    ids: dict[Path, set[str]] = {}
    for folder, (_, cases) in zip(resolved, listed):
        ids.setdefault(folder, set()).update(str(case["case_id"]) for case in cases)
    count = Counter(name for own in ids.values() for name in own)
    sharing = [folder for folder, own in ids.items() if any(count[name] > 1 for name in own)]
    prefixes: dict[Path, str] = {}
    for prefixes in _prefixes(sharing):
        named = [f"{prefixes.get(folder, '')}{name}" for folder, own in ids.items() for name in own]
        if len(set(named)) == len(named):
            break
    return [
        {**case, "case_id": f"{prefixes[folder]}{case['case_id']}"} if folder in prefixes else dict(case)
        for folder, (_, cases) in zip(resolved, listed)
        for case in cases
    ]


def _prefixes(folders: Sequence[Path]) -> Iterator[dict[Path, str]]:
    """Ever longer ones, so that the first that tells all cases apart may be taken."""
    parts = {folder: folder.parts[1:] for folder in folders}  # without the root, which is no name
    for depth in range(1, max(map(len, parts.values()), default=0) + 1):
        yield {folder: "_".join((*own[-depth:], "")) for folder, own in parts.items()}
    for width in range(1, 100):  # folders such as a_b/c and a/b_c, or cases that are called like another folder's
        yield {
            folder: f"{'_'.join(own[-1:])}_{number:0{width}d}_" for number, (folder, own) in enumerate(parts.items())
        }
