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
"""What a stage writes about itself (settings, state, minutes), and how a later run compares its settings with it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..utils.errors import DataError

__all__ = [
    "RECORD_NAME",
    "StageRecord",
    "changed_settings",
    "decisive_settings",
    "flatten_settings",
    "settings_fingerprint",
]

#: file in the folder of a stage
RECORD_NAME = "stage.json"
_NEUTRAL_SETTINGS = ("bundle_root", "device", "num_workers", "output_dir", "picture_interval", "tensorboard_dir")
_WATCHING_HANDLERS = ("ImageGridHandler", "TensorBoardLosses", "TrainingProgressBar")


def flatten_settings(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Flatten nested settings to ``{"a::b::0": value}``; values that JSON does not know are kept as their `repr`."""
    if isinstance(settings, Mapping):
        items = [(str(k), v) for k, v in settings.items()]
    elif isinstance(settings, (list, tuple)):
        items = [(str(i), v) for i, v in enumerate(settings)]
    else:
        plain = settings is None or isinstance(settings, (str, int, float, bool))
        return {prefix: settings if plain else repr(settings)}
    if not items:
        return {prefix: "{}" if isinstance(settings, Mapping) else "[]"}
    flat: dict[str, Any] = {}
    for key, value in items:
        flat.update(flatten_settings(value, f"{prefix}::{key}" if prefix else key))
    return flat


def settings_fingerprint(settings: Mapping[str, Any]) -> str:
    """SHA-256 (first 16 hexadecimal digits) of the decisive ones of flattened settings."""
    text = json.dumps(decisive_settings(settings), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def decisive_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The flattened settings that decide a stage's result: without where and on what it runs and how it is watched."""
    watching = {
        key.removesuffix("_target_")
        for key, value in settings.items()
        if key.endswith("::_target_") and str(value).rsplit(".", 1)[-1] in _WATCHING_HANDLERS
    }
    return {
        key: value
        for key, value in settings.items()
        if key.split("::")[0] not in _NEUTRAL_SETTINGS
        and not any(key.startswith(prefix) for prefix in watching)
        and "::settings" not in key  # what a checkpoint repeats of settings that are compared here anyway
    }


def changed_settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One line for each decisive setting that differs: ``key: old -> new``."""
    old, new = decisive_settings(old), decisive_settings(new)
    lines = []
    for key in sorted(set(old) | set(new)):
        before, after = old.get(key, "(not set)"), new.get(key, "(not set)")
        if before != after:
            lines.append(f"{key}: {before} -> {after}")
    return lines


class StageRecord:
    """The file ``stage.json`` in a stage's folder.

    Args:
        folder: the stage's own folder; created by `write`.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.path = Path(folder) / RECORD_NAME

    def read(self) -> dict[str, Any] | None:
        """The record, or None where the stage never began.

        Raises:
            DataError: when the file is there but is not a stage record.
        """
        if not self.path.is_file():
            return None
        try:
            record = json.loads(self.path.read_text())
            return {"status": record["status"], "settings": record["settings"], **record}
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{self.path} is not a stage record; delete the folder {self.path.parent} to redo it"
            ) from error

    def write(self, **content: Any) -> None:
        """Write the record atomically."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps(content, indent=2) + "\n")
        os.replace(temporary, self.path)
