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
"""The label set that a data set declares, so that a configuration need not repeat the classes of its dot maps."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..utils.errors import DataError
from ..utils.label_set import get_label_set
from .datalist import DATALIST_NAME, load_datalist

__all__ = ["declared_label_set"]


def declared_label_set(dataset_dir: str | os.PathLike | Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    """Label set in the `datalist.json` of a data set, or of several with the same one.

    Args:
        dataset_dir: folder, dictionary with `dataset_dir`, or a list of these, as `load_cases` takes it.

    Returns:
        plain form of the label set.

    Raises:
        DataError: When a folder has no `datalist.json`, or the label sets differ; names the folders.
    """
    is_one = isinstance(dataset_dir, (str, os.PathLike, Mapping))
    found: dict[str, dict[str, Any]] = {}
    for source in [dataset_dir] if is_one else dataset_dir:
        folder = Path(source["dataset_dir"] if isinstance(source, Mapping) else source)
        if not (folder / DATALIST_NAME).is_file():
            raise DataError(
                f"{folder} does not say which classes its maps have: there is no {DATALIST_NAME} in it. Check the "
                "folder, or give label_set as a dictionary with name, class_names and colors"
            )
        found[str(folder)] = get_label_set(load_datalist(folder)["label_set"]).to_dict()
    if not found:
        raise DataError("no folder is given, so there is no label set; give at least one")
    first, label_set = next(iter(found.items()))
    for folder, other in found.items():
        if other != label_set:
            raise DataError(
                f"the label sets of {first} ({label_set['name']}) and {folder} ({other['name']}) differ; take data "
                "sets of one label set"
            )
    return label_set
