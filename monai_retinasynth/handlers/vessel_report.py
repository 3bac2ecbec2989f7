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
"""Fills a vessel segmentation report while an evaluator runs, and scores, prints and writes it at the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.utils.enums import CommonKeys

from monai_retinasynth.metrics.segmentation_results import print_segmentation_results, write_segmentation_results
from monai_retinasynth.metrics.vessel_segmentation import CONVENTIONS, VesselSegmentationReport
from monai_retinasynth.utils.atomic_file import atomic_write

__all__ = ["VesselReportHandler"]


class VesselReportHandler:
    """
    Attach to a MONAI `SupervisedEvaluator` with `decollate=True`, whose output holds class probabilities.

    Two evaluators share the work: the first runs over validation data and its handler, without `threshold`, leaves the
    best one in its report; the second runs over test data with ``threshold=first_report.best_threshold``.

    Args:
        report: the report to fill; emptied at the start of every run.
        vessel_class: channel of the vessel probability, and the vessels' index in the label map.
        outside_class: index of the label map outside the field of view.
        threshold: probability from which on a pixel is vessel, or a callable that gives it when the run is over; None
            only fills the report and sets `report.threshold` to the best one.
        output_dir: folder for the JSON and CSV files and for `<stem>_histograms.npz`, what `report.histograms()` gives;
            None to write none.
        name: name of the run in files and table, such as REAL.
        stem: file name of the two files without ending.
        context: more facts to keep beside the scores (checkpoint, sections, ...).
        print_table: whether to print the table.
        pred_key: key of the probabilities, float (C, X, Y), in the engine's output.
        label_key: key of the label map, integer (1, X, Y), in the engine's output.
        case_key: key of the case's name in the engine's batch.
    """

    def __init__(
        self,
        report: VesselSegmentationReport,
        vessel_class: int = 2,
        outside_class: int = 0,
        threshold: float | Callable[[], float] | None = None,
        output_dir: str | os.PathLike | None = None,
        name: str = "segmentation",
        stem: str = "segmentation",
        context: dict | None = None,
        print_table: bool = True,
        pred_key: str = CommonKeys.PRED,
        label_key: str = CommonKeys.LABEL,
        case_key: str = "case_id",
    ) -> None:
        self.report = report
        self.vessel_class = vessel_class
        self.outside_class = outside_class
        self.threshold = threshold
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
            probability = _to_numpy(item[self.pred_key])[self.vessel_class].T
            self.report.update(
                probability, label == self.vessel_class, label != self.outside_class, str(case[self.case_key])
            )

    def _finish(self, engine: Engine) -> None:
        if self.threshold is None:
            self.report.threshold = self.report.best_threshold()
            return
        threshold = self.threshold() if callable(self.threshold) else self.threshold
        scores = {**self.context, **self.report.compute(threshold)}
        for convention in CONVENTIONS:
            # a score that cannot be computed is left out: trackers take numbers only
            metrics = {f"{convention}_{k}": v for k, v in scores[convention].items() if v is not None}
            engine.state.metrics.update(metrics)
        if self.output_dir is not None:
            write_segmentation_results({self.name: scores}, self.output_dir, self.stem)
            with atomic_write(Path(self.output_dir, f"{self.stem}_histograms.npz")) as file:
                np.savez_compressed(file, **self.report.histograms())
        if self.print_table:
            print_segmentation_results({self.name: scores})


def _to_numpy(tensor: torch.Tensor | np.ndarray) -> np.ndarray:
    return tensor.detach().cpu().numpy() if isinstance(tensor, torch.Tensor) else np.asarray(tensor)
