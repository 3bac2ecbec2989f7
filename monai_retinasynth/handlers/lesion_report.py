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
"""Fills a lesion segmentation report while an evaluator runs, and scores, prints and writes it at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.utils.enums import CommonKeys

from monai_retinasynth.metrics.lesion_results import LESION_RESULTS_STEM, print_lesion_results, write_lesion_results
from monai_retinasynth.metrics.lesion_segmentation import OPERATING_POINTS, LesionSegmentationReport
from monai_retinasynth.utils.label_set import LabelSet, get_label_set

__all__ = ["LesionReportHandler"]

Thresholds = Mapping[str, float | None]


class LesionReportHandler:
    """
    Attach to a MONAI `SupervisedEvaluator` with `decollate=True`, whose output holds class probabilities.

    Two evaluators share the work: the first runs over validation data and its handler, without `thresholds`, leaves the
    best ones in its report; the second runs over test data with ``thresholds=first_report.best_thresholds``.

    Args:
        report: the report to fill, with the names of the lesion classes; emptied at the start of every run.
        label_set: label set of the probabilities and of the label map: says which channel a lesion has.
        outside_class: index of the label map outside the field of view.
        thresholds: class name -> probability, or a callable that gives them when the run is over; None only fills the
            report and sets `report.thresholds` to the best ones.
        output_dir: folder for the JSON and CSV files; None to write none.
        name: name of the run in files and table, such as REAL.
        stem: file name of the two files without ending.
        context: more facts to keep beside the scores (checkpoint, sections, ...).
        print_table: whether to print the table.
        pred_key: key of the probabilities, float (C, X, Y), in the engine's output.
        label_key: key of the label map, integer (1, X, Y), in the engine's output.
        case_key: key of the case's name in the engine's batch.

    Raises:
        DataError: when the label set has no class of a name in the report.
    """

    def __init__(
        self,
        report: LesionSegmentationReport,
        label_set: str | LabelSet | Mapping[str, Any] = "fundus_lesion",
        outside_class: int = 0,
        thresholds: Thresholds | Callable[[], Thresholds] | None = None,
        output_dir: str | os.PathLike | None = None,
        name: str = "segmentation",
        stem: str = LESION_RESULTS_STEM,
        context: Mapping[str, Any] | None = None,
        print_table: bool = True,
        pred_key: str = CommonKeys.PRED,
        label_key: str = CommonKeys.LABEL,
        case_key: str = "case_id",
    ) -> None:
        labels = get_label_set(label_set)
        self.report = report
        self.classes = [labels.index(name) for name in report.class_names]
        self.outside_class = outside_class
        self.thresholds = thresholds
        self.output_dir = output_dir
        self.name = name
        self.stem = stem
        self.context = dict(context or {})
        self.print_table = print_table
        self.pred_key = pred_key
        self.label_key = label_key
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
            # scores do not depend on the axis order, but reports speak of (H, W): turn (X, Y) into it
            label = _to_numpy(item[self.label_key])[0].T
            probability = _to_numpy(item[self.pred_key])[self.classes].swapaxes(1, 2)
            target = np.stack([label == number for number in self.classes])
            self.report.update(probability, target, label != self.outside_class, str(case[self.case_key]))

    def _finish(self, engine: Engine) -> None:
        if self.thresholds is None:
            self.report.thresholds = self.report.best_thresholds()
            return
        thresholds = self.thresholds() if callable(self.thresholds) else self.thresholds
        results = {self.name: {**self.context, **self.report.compute(thresholds)}}
        for lesion, scores in results[self.name]["classes"].items():
            flat = {"auprc": scores["auprc"], "auprc_mean": scores["auprc_mean"]}
            for point in OPERATING_POINTS:
                flat.update({f"{point}_{key}": value for key, value in (scores[point] or {}).items()})
            # a score that cannot be computed is left out: trackers take numbers only
            engine.state.metrics.update({f"{lesion}_{k}": v for k, v in flat.items() if v is not None})
        if self.output_dir is not None:
            write_lesion_results(results, self.output_dir, self.stem)
        if self.print_table:
            print_lesion_results(results)


def _to_numpy(tensor: torch.Tensor | np.ndarray) -> np.ndarray:
    return tensor.detach().cpu().numpy() if isinstance(tensor, torch.Tensor) else np.asarray(tensor)
