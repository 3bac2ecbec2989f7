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
"""Compares what a translator generates with the photographs, beside baselines, and writes scores and pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.utils.enums import CommonKeys
from scipy.ndimage import distance_transform_edt

from monai_retinasynth.data.synthetic_set_writer import SyntheticSetWriter
from monai_retinasynth.handlers.image_grid import as_picture
from monai_retinasynth.metrics.fidelity_results import print_fidelity_results, write_fidelity_results
from monai_retinasynth.metrics.image_fidelity import ImageFidelityReport
from monai_retinasynth.transforms.field_of_view import field_of_view_scale
from monai_retinasynth.transforms.fov_colour import RestoreFieldOfViewColour
from monai_retinasynth.utils.errors import ConfigError
from monai_retinasynth.utils.image_io import image_grid, write_rgb
from monai_retinasynth.utils.label_set import LabelSet, get_label_set

__all__ = ["FidelityReportHandler"]

_OWN_COLOUR = "generated_own_colour"
_MARGIN = 3.0  # pixels around structures, at a field of view of 540
_RIM = 8.0  # pixels of the field of view's border that backgrounds have no part in


class FidelityReportHandler:
    """Attach to a MONAI `SupervisedEvaluator` with `decollate=True` whose output holds generated photographs.

    Rows of the report:

    - ``generated``: the network's picture; where photographs are colour-normalised, in the mean training colour (the
      style of the test eye is unknown);
    - ``generated_own_colour``: the same in the test eye's own colour, only where photographs are colour-normalised;
    - ``background``: the background that structures are painted into, unpainted;
    - ``degraded_input``: the degraded photograph that a restoration starts from (in the eye's own colour);
    - the baselines, under their names.

    At the end `<stem>.json`, `<stem>.png` (source, generated, expected) and, where asked for, a data set of each row
    are written, and a table is printed.

    Args:
        output_dir: folder for what is written.
        baselines: callables by row; called with the case's batch dictionary they give a photograph (3, X, Y) in
            [-1, 1], or None where there is none for the case.
        label_set: label set of the label maps.
        photograph_key: key of the true photograph (3, X, Y), [-1, 1], in the batch.
        pred_key: key of the generated picture (3, X, Y) in the output.
        label_key: key of the label map (1, X, Y), class indices, in the batch.
        case_key: key of the case's name in the batch.
        outside_class: class index outside the field of view.
        colour_key: key of the eye's six numbers (see `FieldOfViewColour`) in the batch, where photographs are
            colour-normalised; None where they are not.
        training_colour: gives the mean training colour, six numbers, when called; needed with `colour_key`.
        outside_colour: colour outside the field of view of restored photographs, three numbers in [0, 255].
        degraded_key: key of the degraded photograph (3, X, Y), normalised as the network's target, in the batch.
        background_key: key of the background (3, X, Y), 0..255, in the batch; None for none.
        structure_class: class whose pixels, and those up to 3 px from them (at a field of view 540 px wide), have
            figures of their own, the outermost 8 px of the field of view left out; None for none.
        source_channels: how many of the condition's channels the picture shows (further ones hold coordinates).
        num_pictures: cases in the picture; 0 for no picture.
        save_sets: names of the rows to store as data sets in `sets/<row>`, or True for all.
        set_section: section of these sets' data list.
        provenance: where pictures come from (checkpoint hash, seed), stored with each set.
        context: what is evaluated, stored beside the scores.
        stem: file name without ending.
        print_table: whether to print the table.

    Raises:
        ConfigError: When `colour_key` comes without `training_colour`, a baseline takes the name of another row, or
            `save_sets` names a row that there is not.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike,
        baselines: Mapping[str, Callable[[Mapping[str, Any]], torch.Tensor | None]] | None = None,
        label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
        photograph_key: str = "photograph",
        pred_key: str = CommonKeys.PRED,
        label_key: str = CommonKeys.LABEL,
        case_key: str = "case_id",
        outside_class: int = 0,
        colour_key: str | None = None,
        training_colour: Callable[[], torch.Tensor] | None = None,
        outside_colour: Sequence[float] = (0.0, 0.0, 0.0),
        degraded_key: str | None = None,
        background_key: str | None = None,
        structure_class: int | None = None,
        source_channels: int | None = None,
        num_pictures: int = 4,
        save_sets: bool | str | Sequence[str] = False,
        set_section: str = "test",
        provenance: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        stem: str = "fidelity",
        print_table: bool = True,
    ) -> None:
        if colour_key is not None and training_colour is None:
            raise ConfigError(f"photographs are colour-normalised ({colour_key}): give training_colour as well.")
        self.baselines = dict(baselines or {})
        if taken := sorted(set(self.baselines) & {"generated", _OWN_COLOUR, "background", "degraded_input"}):
            raise ConfigError(f"the baseline {taken[0]!r} has the name of another row; give it a different one.")
        self.output_dir = Path(output_dir)
        self.label_set = get_label_set(label_set)
        self.photograph_key = photograph_key
        self.pred_key = pred_key
        self.label_key = label_key
        self.case_key = case_key
        self.outside_class = outside_class
        self.colour_key = colour_key
        self.training_colour = training_colour
        self.degraded_key = degraded_key
        self.background_key = background_key
        self.structure_class = structure_class
        self.source_channels = source_channels
        self.num_pictures = num_pictures
        possible = {
            "generated",
            *([_OWN_COLOUR] if colour_key is not None else []),
            *(["background"] if background_key is not None else []),
            *(["degraded_input"] if degraded_key is not None else []),
            *self.baselines,
        }
        asked = [save_sets] if isinstance(save_sets, str) else possible if save_sets is True else save_sets or []
        if absent := sorted(set(asked) - possible):
            raise ConfigError(f"save_sets asks for the row {absent[0]!r}; the rows are {sorted(possible)}.")
        self.save_sets = set(asked)
        self.set_section = set_section
        self.provenance = dict(provenance or {})
        self.context = dict(context or {})
        self.stem = stem
        self.print_table = print_table
        self.report = ImageFidelityReport()
        self._restore = RestoreFieldOfViewColour(outside_colour)
        self._pictures: list[dict[str, np.ndarray]] = []
        self._writers: dict[str, SyntheticSetWriter] = {}
        self._indices: dict[str, list[int]] = {}
        self._count = 0

    def attach(self, engine: Engine) -> None:
        """Register the three steps with an evaluator."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._update)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _start(self, engine: Engine) -> None:
        self.report.reset()
        self._pictures, self._writers, self._indices, self._count = [], {}, {}, 0

    def _update(self, engine: Engine) -> None:
        batch, output = engine.state.batch, engine.state.output
        if not (isinstance(batch, list) and isinstance(output, list)):
            raise ConfigError("FidelityReportHandler needs an evaluator with decollate=True.")
        for sample, made in zip(batch, output, strict=True):
            photograph, label = _plain(sample[self.photograph_key]), _plain(sample[self.label_key])
            structures = None if self.structure_class is None else self._structures(label[0])
            rows = self._rows(sample, made, label[0] == self.outside_class)
            for name, image in rows.items():
                self.report.update(
                    name,
                    image,
                    photograph,
                    str(sample[self.case_key]),
                    fov=label[0] != self.outside_class,
                    structures=structures,
                )
                self._save(name, image, label)
            if self._count < self.num_pictures:
                condition = _plain(made[CommonKeys.IMAGE])
                columns = {
                    "source": condition[: self.source_channels],
                    "generated": rows["generated"],
                    **({"own colour": rows[_OWN_COLOUR]} if _OWN_COLOUR in rows else {}),
                    "expected": photograph,
                }
                self._pictures.append({title: as_picture(image, self.label_set) for title, image in columns.items()})
            self._count += 1

    def _rows(self, sample: Mapping[str, Any], made: Mapping[str, Any], outside: torch.Tensor) -> dict[str, Any]:
        pred = _plain(made[self.pred_key]).float()
        if self.colour_key is None:
            rows = {"generated": pred}
        else:
            own = _plain(sample[self.colour_key])
            rows = {
                "generated": self._restore(pred, _plain(self.training_colour()), outside),
                _OWN_COLOUR: self._restore(pred, own, outside),
            }
        if self.background_key is not None:
            rows["background"] = _plain(sample[self.background_key]).float() / 127.5 - 1.0
        if self.degraded_key is not None:
            degraded = _plain(sample[self.degraded_key]).float()
            rows["degraded_input"] = degraded if self.colour_key is None else self._restore(degraded, own, outside)
        for name, baseline in self.baselines.items():
            image = baseline(sample)
            if image is not None:
                rows[name] = _plain(image).float()
        return rows

    def _structures(self, label: torch.Tensor) -> torch.Tensor:
        inside = label.numpy() != self.outside_class
        distance = distance_transform_edt(label.numpy() != self.structure_class)
        scale = field_of_view_scale(inside)
        away = inside if inside.all() else distance_transform_edt(inside) > _RIM * scale
        return torch.from_numpy((distance <= _MARGIN * scale) & inside & away)

    def _save(self, name: str, image: torch.Tensor, label: torch.Tensor) -> None:
        if name not in self.save_sets:
            return
        if name not in self._writers:
            self._writers[name] = SyntheticSetWriter(
                self.output_dir / "sets" / name, self.label_set, name, {**self.provenance, "row": name}
            )
        self._writers[name].write(self._count, label, image)
        self._indices.setdefault(name, []).append(self._count)

    def _finish(self, engine: Engine) -> None:
        results = self.report.results()
        for name, writer in self._writers.items():
            writer.finalize(section=self.set_section, indices=self._indices[name])
        if self._pictures:
            grid = image_grid([list(row.values()) for row in self._pictures], titles=list(self._pictures[0]))
            write_rgb(self.output_dir / f"{self.stem}.png", grid)
        write_fidelity_results(results, self.output_dir, self.context, self.stem)
        for name, row in results.items():
            # what is infinite is left out: trackers take finite numbers only
            numbers = {f"{name}_{key}": value for key, value in row.items() if isinstance(value, (int, float))}
            engine.state.metrics.update(numbers)
        if self.print_table:
            print_fidelity_results(results)


def _plain(value: Any) -> torch.Tensor:
    """A plain tensor on the CPU."""
    tensor = torch.as_tensor(value).detach().cpu()
    return tensor.as_tensor() if hasattr(tensor, "as_tensor") else tensor
