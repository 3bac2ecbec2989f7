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

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..utils.errors import DataError
from .datalist import DATALIST_NAME, load_datalist

__all__ = ["dataset_origins", "refuse_grading_test_eyes"]

_logger = logging.getLogger(__name__)


def dataset_origins(dataset_dir: Any) -> list[dict[str, Any]]:
    """Name and provenance of the data sets in a folder or several, as far as they have a `datalist.json`.

    Args:
        dataset_dir: folder, or a list of folders; a list of cases, or None, has no origin.

    Returns:
        a dictionary a data set: `name` and, where there is one, `provenance`; no paths.

    Raises:
        DataError: When a `datalist.json` cannot be read.
    """
    folders = [dataset_dir] if isinstance(dataset_dir, (str, os.PathLike)) else dataset_dir
    origins = []
    for folder in folders if isinstance(folders, Sequence) else ():
        if isinstance(folder, (str, os.PathLike)) and (Path(folder) / DATALIST_NAME).is_file():
            content = load_datalist(folder)
            origins.append({key: content[key] for key in ("name", "provenance") if key in content})
    return origins


def refuse_grading_test_eyes(synthetic_dir: str | os.PathLike) -> str:
    """Make sure that the photographs of a synthetic set were not learnt from test eyes of IDRiD's grading part.

    Args:
        synthetic_dir: folder of a synthetic set whose provenance notes `training_data` (`dataset_origins`). Where it
            notes nothing, a warning is logged.

    Returns:
        the folder.

    Raises:
        DataError: When the set was made by networks trained on IDRiD's segmentation part without
            `exclude_grading_test`; three of its eyes are test eyes of the grading part.
    """
    provenance = load_datalist(synthetic_dir).get("provenance", {})
    if "training_data" not in provenance:
        _logger.warning(
            "%s does not say what it was learnt from: make sure that no test eye was among it", synthetic_dir
        )
    for origin in provenance.get("training_data", ()):
        learnt = origin.get("provenance", {})
        if str(learnt.get("origin", "")).startswith("IDRiD, A.") and not learnt.get("exclude_grading_test"):
            raise DataError(
                f"the photographs in {synthetic_dir} were learnt from {origin['name']}, where test eyes of IDRiD's "
                "grading part are among the training eyes. Prepare IDRiD with exclude_grading_test (the workflow "
                "diabetic_retinopathy does so by default) and make the set again"
            )
    return str(synthetic_dir)
