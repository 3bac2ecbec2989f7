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
"""Fills an organ segmentation report while an evaluator runs, and scores, prints and writes it at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.utils.enums import CommonKeys

from monai_retinasynth.metrics.organ_results import ORGAN_RESULTS_STEM, print_organ_results, write_organ_results
from monai_retinasynth.metrics.organ_segmentation import OrganSegmentationReport
from monai_retinasynth.utils.chest_organs import CHEST_ORGANS
from monai_retinasynth.utils.errors import DataError
from monai_retinasynth.utils.label_set import LabelSet, get_label_set

__all__ = ["OrganReportHandler"]


class OrganReportHandler:
    """
    Attach to a MONAI `SupervisedEvaluator` with `decollate=True`, whose output holds class probabilities.

    A pixel belongs to an organ when its most probable class is one of the organ's; no threshold is needed. The truth is
    the organ's own mask in the batch (`LoadOrganMasksd`), not the label map, which hides the lung under the heart.

    Args:
        report: the report to fill, with the names of the organs; emptied at the start of every run.
        label_set: label set of the probabilities: says which channels an organ has.
        organs: organ -> names of the classes whose union it is.
        output_dir: folder for the JSON and CSV files; None to write none.
        name: name of the run in files and table, such as REAL.
        stem: file name of the two files without ending.
        context: more facts to keep beside the scores (checkpoint, section, ...).
        print_table: whether to print the table.
        pred_key: key of the probabilities, float (C, X, Y), in the engine's output.
        masks_key: key of the true masks, (organs, X, Y) in the report's order, not 0 where the organ is, in the
            engine's batch.
        case_key: key of the case's name in the engine's batch.

    Raises:
        DataError: when an organ of the report has no classes, or the label set lacks one of them.
    """

    def __init__(
        self,
        report: OrganSegmentationReport,
        label_set: str | LabelSet | Mapping[str, Any] = "chest_organ",
        organs: Mapping[str, Sequence[str]] = CHEST_ORGANS,
        output_dir: str | os.PathLike | None = None,
        name: str = "segmentation",
        stem: str = ORGAN_RESULTS_STEM,
        context: Mapping[str, Any] | None = None,
        print_table: bool = True,
        pred_key: str = CommonKeys.PRED,
        masks_key: str = "masks",
        case_key: str = "case_id",
    ) -> None:
        labels = get_label_set(label_set)
        self.report = report
        self.classes = np.zeros((len(report.organ_names), labels.num_classes), dtype=bool)
        for row, organ in zip(self.classes, report.organ_names):
            if not organs.get(organ):
                raise DataError(f"no class is named for the organ {organ!r}; there are classes for {list(organs)}")
            row[[labels.index(name) for name in organs[organ]]] = True
        self.output_dir = output_dir
        self.name = name
        self.stem = stem
        self.context = dict(context or {})
        self.print_table = print_table
        self.pred_key = pred_key
        self.masks_key = masks_key
        self.case_key = case_key

    def attach(self, engine: Engine) -> None:
        """Register the three steps with an evaluator."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._update)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _start(self, engine: Engine) -> None:
        self.report.reset()

    def _update(self, engine: Engine) -> None:
        for item, case in zip(engine.state.output, engine.state.batch, strict=True):
            name = str(case[self.case_key])
            probability = torch.as_tensor(item[self.pred_key]).detach()
            if len(probability) != self.classes.shape[1]:
                raise DataError(
                    f"case {name}: {len(probability)} channels of class probabilities, the label set has "
                    f"{self.classes.shape[1]} classes; evaluate with the label set of the training"
                )
            if not bool(torch.isfinite(probability).all()):
                raise DataError(f"case {name}: the predicted probabilities hold NaN or infinity; the training diverged")
            # scores do not depend on the axis order, but reports speak of (H, W): turn (X, Y) into it
            label = probability.argmax(0).cpu().numpy().T
            target = torch.as_tensor(case[self.masks_key]).cpu().numpy().swapaxes(1, 2) != 0
            self.report.update(self.classes[:, label], target, name)

    def _finish(self, engine: Engine) -> None:
        results = {self.name: {**self.context, **self.report.compute()}}
        scores = results[self.name]
        for organ, own in {**scores["organs"], **scores["groups"], "all_organs": scores["all_organs"]}.items():
            # a score that cannot be computed is left out: trackers take numbers only
            engine.state.metrics.update({f"{organ}_{key}": value for key, value in own.items() if value is not None})
        if self.output_dir is not None:
            write_organ_results(results, self.output_dir, self.stem)
        if self.print_table:
            print_organ_results(results)
