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
"""Where the bundles lie: beside a source checkout, or installed below the environment's share folder."""

from __future__ import annotations

import os
import site
import sysconfig
from pathlib import Path

from ..utils.errors import ConfigError

__all__ = ["find_bundles_dir"]


def find_bundles_dir() -> str:
    """Find the folder that holds the stage bundles.

    Searched in this order: the environment variable ``MONAI_RETINASYNTH_BUNDLES``, the source checkout that this
    package is imported from, and ``share/monai_retinasynth/bundles`` below the environment or the user's base (where
    a wheel installs them).

    Returns:
        the absolute path of the folder.

    Raises:
        ConfigError: when no folder with the stage bundles is found; the message lists the folders searched.
    """
    candidates = [
        Path(__file__).resolve().parents[2] / "bundles",
        *(
            Path(base) / "share" / "monai_retinasynth" / "bundles"
            for base in (sysconfig.get_path("data"), site.getuserbase())
        ),
    ]
    if chosen := os.environ.get("MONAI_RETINASYNTH_BUNDLES"):
        candidates = [Path(chosen)]
    for folder in candidates:
        if (folder / "label_map_generation" / "configs" / "metadata.json").is_file():
            return str(folder.resolve())
    raise ConfigError(
        "the stage bundles were not found in " + " or ".join(str(c) for c in candidates) + "; give their folder with "
        "--bundles_dir or the environment variable MONAI_RETINASYNTH_BUNDLES"
    )
