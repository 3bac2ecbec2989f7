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
"""Scores: vessel segmentation, connectivity, the shape of vessel trees, memorisation, image fidelity."""

from __future__ import annotations

from .cldice import centerline_dice
from .fidelity_results import print_fidelity_results, read_fidelity_results, write_fidelity_results
from .image_fidelity import FIDELITY_FORMS, FIDELITY_KEYS, ImageFidelityReport, image_fidelity
from .memorisation import nearest_neighbour_dice
from .morphometry import (
    MORPHOMETRY_KEYS,
    box_counting_dimension,
    compare_morphometry,
    morphometry_table,
    vessel_morphometry,
)
from .segmentation_results import (
    print_segmentation_results,
    read_segmentation_results,
    write_segmentation_results,
)
from .trivial_baselines import TrivialBaselines, mean_colour_photograph, mean_photograph
from .vessel_segmentation import CONVENTIONS, SCORE_NAMES, VesselSegmentationReport, confusion_scores

__all__ = [
    "CONVENTIONS",
    "FIDELITY_FORMS",
    "FIDELITY_KEYS",
    "MORPHOMETRY_KEYS",
    "SCORE_NAMES",
    "ImageFidelityReport",
    "TrivialBaselines",
    "VesselSegmentationReport",
    "box_counting_dimension",
    "centerline_dice",
    "compare_morphometry",
    "confusion_scores",
    "image_fidelity",
    "mean_colour_photograph",
    "mean_photograph",
    "morphometry_table",
    "nearest_neighbour_dice",
    "print_fidelity_results",
    "print_segmentation_results",
    "read_fidelity_results",
    "read_segmentation_results",
    "vessel_morphometry",
    "write_fidelity_results",
    "write_segmentation_results",
]
