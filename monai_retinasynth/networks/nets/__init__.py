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
"""Generators and discriminators."""

from __future__ import annotations

from .auxiliary_classifier_discriminator import AuxiliaryClassifierDiscriminator
from .auxiliary_classifier_generator import AuxiliaryClassifierGenerator
from .background_painter import BackgroundPainter
from .grading_network import GRADING_NETWORKS, grading_network
from .pix2pix_unet_generator import Pix2PixUNetGenerator
from .pix2pixhd_generator import Pix2PixHDEnhancer, Pix2PixHDGenerator, Pix2PixHDGlobalTrunk
from .pooled_multiscale_discriminator import PooledMultiscaleDiscriminator
from .progressive_discriminator import ProgressiveDiscriminator
from .progressive_generator import ProgressiveGenerator
from .smanet import MultiscaleAttention, SegmentationMultiscaleAttentionNet
from .spatially_adaptive_generator import SpatiallyAdaptiveGenerator
from .style_encoder import StyleEncoder

__all__ = [
    "GRADING_NETWORKS",
    "AuxiliaryClassifierDiscriminator",
    "AuxiliaryClassifierGenerator",
    "BackgroundPainter",
    "MultiscaleAttention",
    "Pix2PixHDEnhancer",
    "Pix2PixHDGenerator",
    "Pix2PixHDGlobalTrunk",
    "Pix2PixUNetGenerator",
    "PooledMultiscaleDiscriminator",
    "ProgressiveDiscriminator",
    "ProgressiveGenerator",
    "SegmentationMultiscaleAttentionNet",
    "SpatiallyAdaptiveGenerator",
    "StyleEncoder",
    "grading_network",
]
