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
"""Handlers: plain classes with `attach(engine)`."""

from __future__ import annotations

from .adaptive_augmentation import AdaptiveAugmentationHandler
from .epoch_seed import EpochSeedHandler
from .fidelity_report import FidelityReportHandler
from .grade_predictions import GradePredictionsHandler
from .grading_report import GradingReportHandler
from .image_grid import ImageGridHandler
from .lesion_report import LesionReportHandler
from .organ_report import OrganReportHandler
from .progress_bar import TrainingProgressBar
from .synthetic_set_saver import SyntheticSetSaver
from .tensorboard_losses import TensorBoardLosses
from .training_checkpoint import TrainingCheckpoint
from .vessel_report import VesselReportHandler

__all__ = [
    "AdaptiveAugmentationHandler",
    "EpochSeedHandler",
    "FidelityReportHandler",
    "GradePredictionsHandler",
    "GradingReportHandler",
    "ImageGridHandler",
    "LesionReportHandler",
    "OrganReportHandler",
    "SyntheticSetSaver",
    "TensorBoardLosses",
    "TrainingCheckpoint",
    "TrainingProgressBar",
    "VesselReportHandler",
]
