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
"""Networks: `nets` are whole, `blocks` are their parts."""

from __future__ import annotations

from .channels_last import ChannelsLastInstanceNorm2d, can_be_channels_last, to_channels_last
from .conditioning import check_conditioning
from .initialise import initialise_weights
from .nets import (
    GRADING_NETWORKS,
    AuxiliaryClassifierDiscriminator,
    AuxiliaryClassifierGenerator,
    BackgroundPainter,
    MultiscaleAttention,
    Pix2PixHDEnhancer,
    Pix2PixHDGenerator,
    Pix2PixHDGlobalTrunk,
    Pix2PixUNetGenerator,
    PooledMultiscaleDiscriminator,
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    SegmentationMultiscaleAttentionNet,
    SpatiallyAdaptiveGenerator,
    StyleEncoder,
    grading_network,
)

__all__ = [
    "GRADING_NETWORKS",
    "AuxiliaryClassifierDiscriminator",
    "AuxiliaryClassifierGenerator",
    "BackgroundPainter",
    "ChannelsLastInstanceNorm2d",
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
    "can_be_channels_last",
    "check_conditioning",
    "grading_network",
    "initialise_weights",
    "to_channels_last",
]
