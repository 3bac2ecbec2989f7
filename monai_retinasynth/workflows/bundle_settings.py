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
"""Settings of a bundle given by a workflow's user: unknown ones are refused, each stage gets those of its own files.

MONAI would take a name that no configuration has for a new entry that nothing reads.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from ..utils.errors import ConfigError

__all__ = ["check_bundle_settings", "settings_of_stage"]


def check_bundle_settings(
    names: Iterable[str],
    files: Sequence[str | None],
    bundle: str = "segmentation",
    set_here: Sequence[str] = (),
) -> None:
    """Check that these are settings of a bundle.

    Args:
        names: identifiers such as ``max_iterations`` or ``train::trainer::epoch_length``.
        files: the bundle's configuration files; None entries and missing files are left out.
        bundle: name of the bundle for the message.
        set_here: settings that the workflow gives itself, which nobody else may.

    Raises:
        ConfigError: when one is not, with those that it resembles, or the workflow sets it.
    """
    known = _known(files)
    for identifier in names:
        key = identifier.split("::")[0]
        if key in set_here:
            raise ConfigError(f"{key} of the {bundle} bundle is set by the workflow itself; leave it out")
        if key not in known:
            close = difflib.get_close_matches(key, known, n=3)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise ConfigError(f"the {bundle} bundle has no setting {key}{hint}")


def settings_of_stage(
    settings: Mapping[str, Any], own_files: Sequence[str], all_files: Sequence[str], recipe: str | None = None
) -> dict[str, Any]:
    """Those of a bundle's settings that the configuration of one of its stages reads.

    A setting of the training alone would otherwise change the record of what no training touches.

    Args:
        settings: identifier -> value.
        own_files: configuration files of the stage, without the recipe, which is shared with other stages.
        all_files: configuration files of all stages that `settings` are given to.
        recipe: the stage's recipe; what it alone names, such as an argument of its own network, is kept.
    """
    own, elsewhere, only_recipe = _known(own_files), _known(all_files), _known([recipe])
    return {
        identifier: value
        for identifier, value in settings.items()
        if (key := identifier.split("::")[0]) in own or (key in only_recipe and key not in elsewhere)
    }


def _known(files: Sequence[str | None]) -> set[str]:
    # "a::b" of an overlay is an entry of "a"
    known = ConfigParser.load_config_files([file for file in files if file and Path(file).is_file()])
    return {key.split("::")[0] for key in known}
