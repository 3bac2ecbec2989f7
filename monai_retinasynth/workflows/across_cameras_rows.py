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
"""The rows of the across-camera table: what a segmentation network is trained on, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..utils.errors import ConfigError

__all__ = ["ACROSS_CAMERAS_PAINTERS", "ACROSS_CAMERAS_ROWS", "KEYS_OF_THE_TABLE", "Painter", "across_cameras_rows"]

_STRONG = {"photometric": "strong"}
_HALF_PLAIN = {"train_on": "mixed", "batch_mixing": "half"}
_HALF = {**_HALF_PLAIN, **_STRONG}
# a third of the iterations and of the rate from scratch, where these are DRIVE's
_THEN_REAL = {"train_on": "synthetic_then_real", "max_iterations": 250, "learning_rate": 0.001}

#: row -> settings of the segmentation bundle, and of the table: `title`; `synthetic`, the sets that it trains on, by
#: their painter; `control`, for rows with real photographs alone, the best of which a synthetic row counts against;
#: `checkpoints`, settings that name the network of another row, such as `pretrained`; `steps_of`, a row of whose
#: iterations this one has as many, those of the network that it starts from included
ACROSS_CAMERAS_ROWS: dict[str, dict[str, Any]] = {
    "real": {"title": "REAL", "control": True, "train_on": "real"},
    "real_photometric": {"title": "REAL, photometric", "control": True, "train_on": "real", **_STRONG},
    "real_warped": {"title": "REAL, photometric, warped", "control": True, "train_on": "real", "warp": True, **_STRONG},
    "synth_measured": {"title": "SYNTH, measured", "synthetic": ["measured"], "train_on": "synthetic"},
    "synth_measured_photometric": {
        "title": "SYNTH, measured, photometric",
        "synthetic": ["measured"],
        "train_on": "synthetic",
        **_STRONG,
    },
    "synth_varied_photometric": {
        "title": "SYNTH, measured with varied looks, photometric",
        "synthetic": ["varied"],
        "train_on": "synthetic",
        **_STRONG,
    },
    "half_measured": {"title": "half REAL, half measured", "synthetic": ["measured"], **_HALF},
    "half_varied": {"title": "half REAL, half measured with varied looks", "synthetic": ["varied"], **_HALF},
    "synth_varied_fields_photometric": {
        "title": "SYNTH, measured with varied looks and fields of view, photometric",
        "synthetic": ["varied_fields"],
        "train_on": "synthetic",
        **_STRONG,
    },
    "half_varied_fields": {
        "title": "half REAL, half measured with varied looks and fields of view",
        "synthetic": ["varied_fields"],
        **_HALF,
    },
    "half_measured_plain": {
        "title": "half REAL, half measured, not photometric",
        "synthetic": ["measured"],
        **_HALF_PLAIN,
    },
    "half_measured_annealed": {
        "title": "REAL and measured, three quarters measured at first, one at the end",
        "synthetic": ["measured"],
        "train_on": "mixed",
        "synthetic_batch_share": 0.75,
        "synthetic_batch_share_end": 0.25,
        **_STRONG,
    },
    "half_measured_quarter_transplanted": {
        "title": "half REAL, quarter measured, quarter transplanted",
        "synthetic": ["measured", "transplanted"],
        **_HALF,
    },
    "half_measured_easy": {
        "title": "half REAL, half measured, without what REAL finds hard",
        "synthetic": ["measured"],
        **_HALF,
        "ignore_above": 1.25,
        "checkpoints": {"reference_checkpoint": "real"},
    },
    "synth_transplanted": {"title": "SYNTH, transplanted", "synthetic": ["transplanted"], "train_on": "synthetic"},
    "half_transplanted": {"title": "half REAL, half transplanted", "synthetic": ["transplanted"], **_HALF},
    "synth_gan": {"title": "SYNTH, learned", "synthetic": ["gan"], "train_on": "synthetic"},
    "synth_gan_photometric": {
        "title": "SYNTH, learned, photometric",
        "synthetic": ["gan"],
        "train_on": "synthetic",
        **_STRONG,
    },
    "half_gan": {"title": "half REAL, half learned", "synthetic": ["gan"], **_HALF},
    "real_same_steps": {
        "title": "REAL, as many steps as SYNTH then REAL",
        "control": True,
        "train_on": "real",
        "steps_of": "synth_measured_then_real",
    },
    "synth_measured_then_real": {
        "title": "SYNTH, measured, then REAL",
        "synthetic": [],
        "checkpoints": {"pretrained": "synth_measured"},
        **_THEN_REAL,
    },
    "synth_measured_photometric_then_real": {
        "title": "SYNTH, measured, then REAL, photometric",
        "synthetic": [],
        "checkpoints": {"pretrained": "synth_measured_photometric"},
        **_THEN_REAL,
        **_STRONG,
    },
    "synth_gan_then_real": {
        "title": "SYNTH, learned, then REAL",
        "synthetic": [],
        "checkpoints": {"pretrained": "synth_gan"},
        **_THEN_REAL,
    },
    "synth_gan_plain": {
        "title": "SYNTH, learned without backgrounds",
        "synthetic": ["gan_plain"],
        "train_on": "synthetic",
    },
}
#: keys of a row (as `across_cameras_rows` gives them) that are no settings of the segmentation bundle
KEYS_OF_THE_TABLE = ("title", "synthetic", "control", "checkpoints", "iterations_of")


class Painter(NamedTuple):
    """How a synthetic set is painted.

    Args:
        translator: that of the translation bundle.
        on_background: whether it paints on backgrounds.
        generation: settings of the translation bundle in generation.
        simulation: arguments of `write_phantom_dataset` in place of the run's own, for label maps of its own.
    """

    translator: str
    on_background: bool = True
    generation: Mapping[str, Any] = {}
    simulation: Mapping[str, Any] = {}


ACROSS_CAMERAS_PAINTERS: dict[str, Painter] = {
    "measured": Painter("measured"),
    "varied": Painter("measured", generation={"look_range": 1.0}),
    "varied_fields": Painter(
        "measured",
        generation={"look_range": 1.0},
        simulation={"view": ["macula", "disc"], "field_degrees": [30.0, 45.0]},
    ),
    "transplanted": Painter("transplant"),
    "gan": Painter("gan"),
    "gan_plain": Painter("gan", on_background=False),
}


def across_cameras_rows(
    names: Sequence[str] | None = None, more: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, dict[str, Any]]:
    """Rows of the table in their order.

    Args:
        names: the rows wanted; None for all.
        more: rows beside `ACROSS_CAMERAS_ROWS`, or in the place of those of the same name.

    Returns:
        name -> row. In place of `steps_of` stands `iterations_of`: the `max_iterations` of the networks that follow one
        another there, None where a row has those of the run.

    Raises:
        ConfigError: when a row is unknown or named twice, has no `train_on`, an unknown painter, needs the network of a
            row that does not come before it, or as many steps as a row that there is not.
    """
    known = {**ACROSS_CAMERAS_ROWS, **{name: dict(row) for name, row in (more or {}).items()}}
    names = list(known if names is None else names)
    unknown = [name for name in names if name not in known]
    if unknown or not names or len(set(names)) < len(names):
        raise ConfigError(f"rows are {names}; name different ones of {', '.join(known)}, or describe new ones")
    for number, name in enumerate(names):
        row = known[name]
        if "train_on" not in row or not set(row.get("synthetic", ())) <= set(ACROSS_CAMERAS_PAINTERS):
            painters = ", ".join(ACROSS_CAMERAS_PAINTERS)
            raise ConfigError(f"row {name} is {row}; it needs train_on, and as synthetic some of {painters}")
        missing = sorted(set(row.get("checkpoints", {}).values()) - set(names[:number]))
        if missing:
            raise ConfigError(f"row {name} starts from the network of {', '.join(missing)}, which must come before it")
    return {name: _with_iterations(name, known) for name in names}


def _with_iterations(name: str, known: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    row = dict(known[name])
    other = row.pop("steps_of", None)
    if other is None:
        return row
    chain: list[str] = []
    while other is not None:
        if other not in known or other in [name, *chain] or "steps_of" in known[other]:
            raise ConfigError(
                f"row {name} has as many steps as {' after '.join([*chain, str(other)])}; name as steps_of another row "
                f"with iterations of its own, of {', '.join(known)}"
            )
        chain.append(other)
        other = known[other].get("checkpoints", {}).get("pretrained")
    if "max_iterations" in row:
        raise ConfigError(f"row {name} has both max_iterations and steps_of; leave one out")
    return {**row, "iterations_of": [known[link].get("max_iterations") for link in reversed(chain)]}
