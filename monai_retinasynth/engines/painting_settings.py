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
"""Which backgrounds, translators and other settings of the translation bundle go together."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..utils.errors import ConfigError
from ..utils.label_set import LabelSet, get_label_set

__all__ = ["TRANSLATORS", "check_painting"]

#: a trained network; the appearance of vessels measured on real eyes; vessels of real eyes, warped
TRANSLATORS = ("gan", "measured", "transplant")


def check_painting(
    background: str | None,
    translator: str = "gan",
    generation: bool = False,
    label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
    structure_class: str = "vessel",
    normalise_colour: bool = False,
    degradation: Any = None,
    augment_groups: Sequence[str] = (),
    target_label_set: Any = None,
) -> None:
    """Refuse settings of the translation bundle that cannot work together, before anything is read or trained.

    Args:
        background: "none" or None: photographs are made of the label map alone; "own": structures are painted into the
            background of the eye itself, in training and evaluation; a folder of backgrounds, in generation.
        translator: one of `TRANSLATORS`; training knows "gan" alone.
        generation: whether photographs of new label maps are to be made.
        label_set: label set of the label maps.
        structure_class: class that is painted.
        normalise_colour: whether the colour of the eye is taken out of its photograph.
        degradation: transform of photographs that are to be restored, or None.
        augment_groups: groups of the adaptive discriminator augmentation.
        target_label_set: label set of label maps that are to be drawn, or None.

    Raises:
        ConfigError: naming the setting and the remedy.
    """
    if translator not in TRANSLATORS:
        raise ConfigError(f"translator is one of {', '.join(TRANSLATORS)}, not {translator!r}")
    if not generation and translator != "gan":
        raise ConfigError(
            f"the translator {translator!r} needs no training: generate with configs/inference.json at once, or set "
            "translator to 'gan'"
        )
    if background in (None, "none"):
        if translator != "gan":
            raise ConfigError(
                f"the translator {translator!r} paints into backgrounds: give a folder of them with --background "
                "(write_background_dataset makes one of the training eyes)"
            )
        return
    if generation and background == "own":
        raise ConfigError(
            "background is 'own', but a new label map has no eye of its own: give a folder of backgrounds with "
            "--background (write_background_dataset makes one of the training eyes)"
        )
    if generation and not Path(os.fspath(background)).is_dir():
        raise ConfigError(
            f"no folder of backgrounds at {background}: write one with write_background_dataset, or check the path"
        )
    if not generation and background != "own":
        raise ConfigError(
            f"background is {background!r}, but training and evaluation paint each eye into its own background: set "
            "--background own (a folder is for generation), or none"
        )
    labels = get_label_set(label_set)
    if structure_class not in labels.class_names[1:]:
        raise ConfigError(
            f"structure_class is {structure_class!r}, which label set {labels.name!r} has not: give one of "
            f"{list(labels.class_names[1:])}"
        )
    for name, given, why in (
        ("normalise_colour", normalise_colour, "the background has the colour of the eye: set it to False"),
        ("degradation", degradation, "photographs are restored, or structures are painted: leave one out"),
        ("target_label_set", target_label_set, "label maps are drawn without backgrounds: set background to none"),
        ("augment_groups", augment_groups, "the augmentation knows no backgrounds: set it to []"),
    ):
        if given:
            raise ConfigError(f"{name} is {given!r} with a background ({background}): {why}")
