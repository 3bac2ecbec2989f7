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
"""Fills a grading report while an evaluator runs, and scores, prints and writes it at the end."""

from __future__ import annotations

import os

import torch
from ignite.engine import Engine, Events
from monai.utils.enums import CommonKeys

from monai_retinasynth.metrics.grading import GRADING_SCORES, GradingReport
from monai_retinasynth.metrics.grading_results import print_grading_results, write_grading_results

__all__ = ["GradingReportHandler"]


class GradingReportHandler:
    """
    Attach to a MONAI `SupervisedEvaluator` with `decollate=True`, whose output holds probabilities of grades.

    Args:
        report: the report to fill; emptied at the start of every run.
        output_dir: folder for the JSON and CSV files; None to write none.
        name: name of the run in files and table, such as REAL.
        stem: file name of the two files without ending.
        context: more facts to keep beside the scores (checkpoint, sections, ...).
        print_table: whether to print the tables.
        pred_key: key of the probabilities, float (num_grades,), in the engine's output.
        label_key: key of the true grade in the engine's output.
        case_key: key of the case's name in the engine's batch.
    """

    def __init__(
        self,
        report: GradingReport,
        output_dir: str | os.PathLike | None = None,
        name: str = "grading",
        stem: str = "grading",
        context: dict | None = None,
        print_table: bool = True,
        pred_key: str = CommonKeys.PRED,
        label_key: str = CommonKeys.LABEL,
        case_key: str = "case_id",
    ) -> None:
        self.report = report
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
            probabilities = torch.as_tensor(item[self.pred_key]).detach().float().cpu().numpy()
            self.report.update(probabilities, int(item[self.label_key]), str(case[self.case_key]))

    def _finish(self, engine: Engine) -> None:
        scores = {**self.context, **self.report.compute()}
        # a score that is not defined is left out: trackers take numbers only
        engine.state.metrics.update({key: scores[key] for key in GRADING_SCORES if scores[key] is not None})
        if self.output_dir is not None:
            write_grading_results({self.name: scores}, self.output_dir, self.stem)
        if self.print_table:
            print_grading_results({self.name: scores})
