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
"""A folder that the user must name, asked for before the first stage runs."""

from __future__ import annotations

import os
from pathlib import Path

from ..utils.errors import ConfigError

__all__ = ["required_folder"]


def required_folder(folder: str | os.PathLike | None, setting: str, what: str) -> str:
    """The absolute path of a folder given in a setting.

    Args:
        folder: what the setting holds.
        setting: name of the setting, for the message.
        what: what the folder holds, for the message.

    Returns:
        absolute path; `~` is expanded.

    Raises:
        ConfigError: When nothing is given, or there is no such folder; names the setting.
    """
    if not folder:
        raise ConfigError(f"this workflow needs {what}: add --{setting} FOLDER")
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        raise ConfigError(f"{setting} should be {what}, but there is no folder {path}; correct --{setting}")
    return str(path)
