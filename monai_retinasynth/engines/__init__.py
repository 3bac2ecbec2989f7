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
"""Trainers on ignite, in MONAI's form."""

from __future__ import annotations

from .adversarial_base import GanIterationEvents, TwoPlayerTrainer
from .growth import GrowthPhase, ProgressiveGrowthSchedule
from .latent_gan_trainer import LatentGanTrainer
from .painting_settings import TRANSLATORS, check_painting
from .paired_gan_trainer import PairedGanTrainer
from .prepare_batch import PrepareLatentBatch, PrepareTranslationBatch
from .segmentation_organs import select_segmentation_organs
from .segmentation_sources import (
    SEGMENTATION_REGIMES,
    SegmentationSource,
    count_for_share,
    segmentation_run_name,
    select_segmentation_source,
)
from .segmentation_targets import OTHER_CLASS, SegmentationTargets, select_segmentation_targets
from .step_batches import StepBatches

__all__ = [
    "OTHER_CLASS",
    "SEGMENTATION_REGIMES",
    "TRANSLATORS",
    "GanIterationEvents",
    "GrowthPhase",
    "LatentGanTrainer",
    "PairedGanTrainer",
    "PrepareLatentBatch",
    "PrepareTranslationBatch",
    "ProgressiveGrowthSchedule",
    "SegmentationSource",
    "SegmentationTargets",
    "StepBatches",
    "TwoPlayerTrainer",
    "check_painting",
    "count_for_share",
    "segmentation_run_name",
    "select_segmentation_organs",
    "select_segmentation_source",
    "select_segmentation_targets",
]
