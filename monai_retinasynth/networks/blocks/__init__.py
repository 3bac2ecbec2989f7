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
"""Layers and blocks of the generators and discriminators."""

from __future__ import annotations

from .equalized import EqualizedConv2d, EqualizedLinear, EqualizedResamplingConv2d
from .image_norms import IMAGE_NORMS, FastInstanceNorm2d, make_image_norm
from .minibatch_stddev import MinibatchStdDev
from .octave_noise import octave_noise
from .pixel_norm import PixelNorm
from .progressive_stages import (
    DiscriminatorEnd,
    DiscriminatorStage,
    GeneratorStage,
    GeneratorStart,
    progressive_resolutions,
    progressive_width,
)
from .resampled_conv import FUSED_FROM, UpsampledConv2d, downsampling_conv2d, kernel_sums, upsampling_conv2d
from .small_map_conv import (
    PRODUCT_UP_TO,
    DoublingConvTranspose2d,
    HalvingConv2d,
    doubling_conv_transpose2d,
    halving_conv2d,
)
from .spatially_adaptive_block import SpatiallyAdaptiveBlock
from .spatially_adaptive_norm import MODULATIONS, SpatiallyAdaptiveNorm, SpatialModulation, make_plain_norm
from .translation_blocks import ReflectedResidualBlock, conv_norm_relu, upsample_norm_relu

__all__ = [
    "FUSED_FROM",
    "IMAGE_NORMS",
    "MODULATIONS",
    "PRODUCT_UP_TO",
    "DiscriminatorEnd",
    "DiscriminatorStage",
    "DoublingConvTranspose2d",
    "EqualizedConv2d",
    "EqualizedLinear",
    "EqualizedResamplingConv2d",
    "FastInstanceNorm2d",
    "GeneratorStage",
    "GeneratorStart",
    "HalvingConv2d",
    "MinibatchStdDev",
    "PixelNorm",
    "ReflectedResidualBlock",
    "SpatialModulation",
    "SpatiallyAdaptiveBlock",
    "SpatiallyAdaptiveNorm",
    "UpsampledConv2d",
    "conv_norm_relu",
    "doubling_conv_transpose2d",
    "downsampling_conv2d",
    "halving_conv2d",
    "kernel_sums",
    "make_image_norm",
    "make_plain_norm",
    "octave_noise",
    "progressive_resolutions",
    "progressive_width",
    "upsample_norm_relu",
    "upsampling_conv2d",
]
