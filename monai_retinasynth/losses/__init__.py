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
"""Losses: adversarial, gradient penalties, feature matching, perceptual, of styles and of class probabilities."""

from __future__ import annotations

from .adversarial import ADVERSARIAL_KINDS, DiscriminatorLoss, GeneratorLoss, logits_by_scale
from .banded_l1 import BandedL1Loss
from .feature_matching import FeatureMatchingLoss
from .ignore_index import with_ignore_index
from .kl_divergence import kl_divergence_loss
from .penalties import R1Penalty, WassersteinGradientPenalty
from .perceptual import VGGPerceptualLoss
from .probability_cross_entropy import ProbabilityCrossEntropyLoss

__all__ = [
    "ADVERSARIAL_KINDS",
    "BandedL1Loss",
    "DiscriminatorLoss",
    "FeatureMatchingLoss",
    "GeneratorLoss",
    "ProbabilityCrossEntropyLoss",
    "R1Penalty",
    "VGGPerceptualLoss",
    "WassersteinGradientPenalty",
    "kl_divergence_loss",
    "logits_by_scale",
    "with_ignore_index",
]
