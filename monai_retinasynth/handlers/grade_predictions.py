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
"""Keeps the grades that an evaluator predicts, and writes them as one CSV file at the end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.utils.enums import CommonKeys

from monai_retinasynth.metrics.grading_results import write_grade_predictions

__all__ = ["GradePredictionsHandler"]


class GradePredictionsHandler:
    """
    Attach to a MONAI `SupervisedEvaluator` with `decollate=True`, whose output holds probabilities of grades.

    The file has a row an image: `case_id`, `predicted` (the most probable grade), `probability_0`, `probability_1`, ...

    Args:
        path: CSV file, written when the run is complete.
        pred_key: key of the probabilities, float (num_grades,), in the engine's output.
        case_key: key of the case's name in the engine's batch.

    Raises:
        DataError: when the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike, pred_key: str = CommonKeys.PRED, case_key: str = "case_id") -> None:
        self.path = Path(path)
        self.pred_key = pred_key
        self.case_key = case_key
        self._rows: list[dict[str, Any]] = []

    def attach(self, engine: Engine) -> None:
        """Register the three steps with an evaluator."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._update)
        engine.add_event_handler(Events.COMPLETED, self._finish)

    def _start(self, engine: Engine) -> None:
        self._rows = []

    def _update(self, engine: Engine) -> None:
        for item, case in zip(engine.state.output, engine.state.batch, strict=True):
            values = torch.as_tensor(item[self.pred_key]).detach().float().cpu()
            row = {"case_id": str(case[self.case_key]), "predicted": int(values.argmax())}
            self._rows.append({**row, "probabilities": values.tolist()})

    def _finish(self, engine: Engine) -> None:
        write_grade_predictions(self.path, self._rows)
