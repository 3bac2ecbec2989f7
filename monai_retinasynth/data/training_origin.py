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
"""What the training data of a synthetic set were: noted when the set is made, looked up before it is used."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..utils.errors import DataError
from .datalist import DATALIST_NAME, load_datalist
from .grading_list import GRADING_LIST_NAME

__all__ = ["dataset_origins", "refuse_grading_test_eyes"]

_logger = logging.getLogger(__name__)


def dataset_origins(dataset_dir: Any) -> list[dict[str, Any]]:
    """Name and provenance of the data sets in a folder or several, as far as they have a `datalist.json`.

    Args:
        dataset_dir: folder, dictionary with `dataset_dir` as `load_cases` takes it, or a list of these; a list of
            cases, None or "" has no origin.

    Returns:
        a dictionary a data set: `name` and, where there are any, `provenance`, `fraction` and `fraction_seed`; no
        paths.

    Raises:
        DataError: When a `datalist.json` cannot be read.
    """
    folders = [dataset_dir] if isinstance(dataset_dir, (str, os.PathLike, Mapping)) else dataset_dir
    origins = []
    for source in folders if isinstance(folders, Sequence) else ():
        settings = source if isinstance(source, Mapping) else {"dataset_dir": source}
        folder = settings.get("dataset_dir")
        if folder and isinstance(folder, (str, os.PathLike)) and (Path(folder) / DATALIST_NAME).is_file():
            content = {**load_datalist(folder), **settings}
            kept = ("name", "provenance", "fraction", "fraction_seed")
            origins.append({key: content[key] for key in kept if key in content})
    return origins


def refuse_grading_test_eyes(synthetic_dir: Any, grading_dir: str | os.PathLike | None = None) -> Any:
    """Make sure that synthetic photographs were not learnt from test eyes of IDRiD's grading part.

    Three training eyes of the segmentation part are test eyes of the grading part. What a synthetic set was learnt from
    stands in its provenance: `training_data` of the translator, and of the label maps' generator below
    `label_map_data`. Where nothing stands there, a warning is logged.

    Args:
        synthetic_dir: folder of a synthetic set, or a list of such folders.
        grading_dir: the graded data set that is tested on; nothing is refused where it is not IDRiD's grading part
            (`prepare_idrid_grading`). None takes it for that.

    Returns:
        `synthetic_dir`.

    Raises:
        DataError: When a set was learnt from IDRiD's segmentation part and these eyes were not left out.
    """
    if grading_dir is not None and not _origin_of(grading_dir).startswith("IDRiD, B."):
        return synthetic_dir
    for folder in [synthetic_dir] if isinstance(synthetic_dir, (str, os.PathLike)) else synthetic_dir:
        provenance = load_datalist(folder).get("provenance", {})
        if not provenance.get("training_data"):
            _logger.warning("%s does not say what it was learnt from: make sure that no test eye was among it", folder)
        for learnt in _mappings(provenance):
            if str(learnt.get("origin", "")).startswith("IDRiD, A.") and not learnt.get("exclude_grading_test"):
                raise DataError(
                    f"the synthetic set {folder} was learnt from eyes of IDRiD's segmentation part, some of which are "
                    "test eyes of its grading part. Train on a set without them (prepare_idrid_lesions with "
                    "exclude_grading_test, as the workflow diabetic_retinopathy does) and make the set again"
                )
    return synthetic_dir


def _origin_of(grading_dir: str | os.PathLike) -> str:
    path = Path(grading_dir, GRADING_LIST_NAME)
    try:
        return str(json.loads(path.read_text(encoding="utf-8")).get("provenance", {}).get("origin", ""))
    except (OSError, ValueError, AttributeError):
        return ""  # no list, or one that its reader will complain about


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """All dictionaries in a nested value."""
    if isinstance(value, Mapping):
        yield value
        value = list(value.values())
    for item in value if isinstance(value, (list, tuple)) else ():
        yield from _mappings(item)
