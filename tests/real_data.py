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
"""Where the tests find real data, and how they skip without it."""

from __future__ import annotations

import os
import unittest
from pathlib import Path

__all__ = ["REPOSITORY", "data_root"]

REPOSITORY = Path(__file__).resolve().parents[1]


def data_root(name: str) -> Path:
    """Folder of the real data set `name`, or a skipped test that says where it was looked for."""
    base = Path(os.environ.get("RETINASYNTH_DATA", REPOSITORY.parent / "shared" / "data"))
    folder = base / name
    if not folder.is_dir():
        raise unittest.SkipTest(f"real data set {name} not found in {base}; set RETINASYNTH_DATA to its parent folder")
    return folder
