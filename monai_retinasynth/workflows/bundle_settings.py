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
"""A name that no configuration of a bundle has is refused: MONAI would take it for a new entry that nothing reads."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from monai.bundle import ConfigParser

from ..utils.errors import ConfigError

__all__ = ["check_bundle_settings"]


def check_bundle_settings(names: Iterable[str], files: Sequence[str | None], bundle: str = "segmentation") -> None:
    """Check that these are settings of a bundle.

    Args:
        names: identifiers such as ``max_iterations`` or ``train::trainer::epoch_length``.
        files: the bundle's configuration files; None entries and missing files are left out.
        bundle: name of the bundle for the message.

    Raises:
        ConfigError: when one is not, with those that it resembles.
    """
    known = ConfigParser.load_config_files([file for file in files if file and Path(file).is_file()])
    for identifier in names:
        key = identifier.split("::")[0]
        if key not in known:
            close = difflib.get_close_matches(key, known, n=3)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise ConfigError(f"the {bundle} bundle has no setting {key}{hint}")
