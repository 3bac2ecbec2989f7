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
"""What the settings of the two-stage workflow come to: painting on backgrounds or not, which recipe, how many steps."""

from __future__ import annotations

from pathlib import Path

from monai.bundle import ConfigParser

from ..utils.errors import ConfigError

__all__ = ["paints_on_background", "segmentation_iterations", "two_stage_translation_recipe"]

_PAINTERS = ("gan", "measured", "transplant")


def paints_on_background(background: str | None, translator: str) -> bool:
    """Whether photographs are painted on backgrounds, or made of their label maps alone.

    Args:
        background: "none" or None, "own", or a folder of backgrounds.
        translator: "gan", "measured" or "transplant"; the last two can do nothing without backgrounds.

    Raises:
        ConfigError: when the translator is unknown, or needs backgrounds and there are to be none.
    """
    if translator not in _PAINTERS:
        raise ConfigError(f"translator is one of {', '.join(_PAINTERS)}, not {translator!r}")
    has_background = background not in (None, "none")
    if translator != "gan" and not has_background:
        raise ConfigError(
            f"translator {translator!r} paints on backgrounds, but background is 'none': add --background own or the "
            "folder of a background set, or --translator gan for the form without backgrounds"
        )
    return has_background


def two_stage_translation_recipe(recipe: str | None, has_background: bool, bundles_dir: str) -> str | None:
    """Name of the translation bundle's recipe where the user names none: `<recipe>_background`, or `recipe`.

    Args:
        recipe: recipe of all bundles; None for their own settings.
        has_background: whether photographs are painted on backgrounds.
        bundles_dir: folder of the bundles.

    Raises:
        ConfigError: when there is no recipe of that name for backgrounds.
    """
    if not recipe or not has_background:
        return recipe
    name = f"{recipe}_background"
    folder = Path(bundles_dir, "label_to_image_translation", "recipes")
    if not (folder / f"{name}.json").is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*_background.json"))) or "none"
        raise ConfigError(
            f"the translation bundle has no recipe {name} for photographs painted on backgrounds (there is {known}): "
            f"name one with --translation_recipe, or add --background none for recipe {recipe}, which needs none"
        )
    return name


def segmentation_iterations(recipe: str | None, bundles_dir: str) -> int:
    """Iterations of the segmentation bundle with a recipe, where nothing else is said.

    Args:
        recipe: name of the recipe; None for the bundle's own settings.
        bundles_dir: folder of the bundles.

    Raises:
        ConfigError: when there is no such recipe, or it gives no number.
    """
    bundle = Path(bundles_dir, "semantic_segmentation")
    files = [bundle / "configs" / "train.json", *([bundle / "recipes" / f"{recipe}.json"] if recipe else [])]
    if not files[-1].is_file():
        known = ", ".join(sorted(path.stem for path in files[-1].parent.glob("*.json")))
        raise ConfigError(f"{files[-1]} does not exist; --recipe is one of {known}")
    iterations = ConfigParser.load_config_files([str(file) for file in files])["max_iterations"]
    if not isinstance(iterations, int):
        raise ConfigError(f"max_iterations of {files[-1]} should be a whole number, got {iterations!r}")
    return iterations
