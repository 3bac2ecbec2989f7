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
"""Dot maps without dots, found before anything is drawn of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..transforms.dot_map import find_dots
from ..utils.errors import ConfigError, DataError
from ..utils.image_io import read_label_map
from ..utils.label_set import LabelSet, get_label_set
from .cases import load_cases

__all__ = ["count_empty_dot_maps"]

_logger = logging.getLogger(__name__)


def count_empty_dot_maps(
    dataset_dir: str | os.PathLike | Mapping[str, Any] | Sequence[Any],
    label_set: str | LabelSet | Mapping[str, Any],
    section: str = "all",
    layout: str = "auto",
    empty: str = "error",
) -> int:
    """Look for dot maps without any dot: nothing but background, outside or retina.

    Args:
        dataset_dir: folder of dot maps, as `load_cases` takes it.
        label_set: their label set, see `dot_label_set`.
        section: section of the data set.
        layout: see `load_cases`.
        empty: `"error"` refuses such maps, `"keep"` counts them and warns.

    Returns:
        number of maps without dots.

    Raises:
        ConfigError: When `empty` is neither.
        DataError: When there are such maps and `empty` is `"error"`, or a file cannot be read; names the files.
    """
    if empty not in ("error", "keep"):
        raise ConfigError(f"empty_dot_maps must be 'error' or 'keep', got {empty!r}")
    labels = get_label_set(label_set)
    cases = load_cases(dataset_dir, section, layout, val_count=0)
    files = [case["label"] for case in cases if not _has_dots(read_label_map(case["label"], labels), labels)]
    if not files:
        return 0
    shown = ", ".join(files[:4]) + (f" and {len(files) - 4} more" if len(files) > 4 else "")
    if empty == "error":
        raise DataError(
            f"{len(files)} of {len(cases)} dot maps have no dot, so there is nothing to draw: {shown}. Take them out, "
            "or keep them with empty_dot_maps 'keep'"
        )
    _logger.warning("%d of %d dot maps have no dot: %s", len(files), len(cases), shown)
    return len(files)


def _has_dots(dot_map: np.ndarray, labels: LabelSet) -> bool:
    return bool(find_dots(dot_map, labels))
