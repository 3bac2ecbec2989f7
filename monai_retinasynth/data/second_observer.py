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
"""The masks of a second observer, where a data set has them: how well two people agree bounds what a network can do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..utils.errors import DataError
from .cases import detect_layout, load_cases
from .datalist import load_datalist

__all__ = ["SECOND_OBSERVER_KEY", "second_observer_cases"]

#: entry of a case in a data list: path of the second observer's label map
SECOND_OBSERVER_KEY = "second_observer"


def second_observer_cases(
    dataset_dir: str | os.PathLike,
    section: str = "test",
    layout: str = "auto",
    val_count: int = 2,
    split: str | None = None,
) -> dict[str, dict[str, Any]]:
    """Cases of a section with the second observer's mask in the place of the first one's.

    DRIVE has them for its test eyes (``2nd_manual``), CHASE_DB1 for all (``_2ndHO``); a data list names them as
    ``second_observer``.

    Args:
        dataset_dir: folder of the data set.
        section: see `load_cases`, as are `layout`, `val_count` and `split`.

    Returns:
        case_id -> case dictionary for `LoadFundusCased`; empty where there is no second observer.

    Raises:
        DataError: When the data set cannot be read, or a data list names a file that is missing.
    """
    layout = detect_layout(dataset_dir) if layout == "auto" else layout
    cases = load_cases(dataset_dir, section, layout, None, val_count, split)
    if layout == "datalist":
        return _of_datalist(Path(dataset_dir), cases)
    found = {}
    for case in cases:
        if layout in ("drive", "chase_db1") and (path := _beside(Path(case["vessel"]))) is not None:
            found[str(case["case_id"])] = {**case, "vessel": str(path)}
    return found


def _beside(vessel: Path) -> Path | None:
    """``2nd_manual/01_manual2.gif`` of ``1st_manual/01_manual1.gif``, ``Image_01L_2ndHO.png`` of ``..._1stHO.png``."""
    if vessel.parent.name == "1st_manual":
        folder, stem = vessel.parent.with_name("2nd_manual"), vessel.stem.replace("_manual1", "_manual2")
    else:
        folder, stem = vessel.parent, vessel.stem.replace("_1stHO", "_2ndHO")
    files = sorted(path for path in folder.glob(f"{stem}.*") if path != vessel) if folder.is_dir() else []
    return files[0] if files else None


def _of_datalist(folder: Path, cases: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    content = load_datalist(folder)
    listed = [case for name in ("training", "validation", "test") for case in content[name]]
    second = {case["label"]: case[SECOND_OBSERVER_KEY] for case in listed if SECOND_OBSERVER_KEY in case}
    found = {}
    for case in cases:
        name = second.get(Path(os.path.relpath(case["label"], folder.absolute())).as_posix())
        if name is None:
            continue
        if not (folder / name).is_file():
            raise DataError(
                f"the second observer's label map of case {case['case_id']} is missing: {folder / name}; restore it, "
                "or write the data set again"
            )
        found[str(case["case_id"])] = {**case, "label": str(folder.absolute() / name)}
    return found
