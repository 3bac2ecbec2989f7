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

from .aligned_copies import AlignedCopy, aligned_nearest_dice, copy_threshold
from .chest_statistics import chest_statistics
from .cldice import centerline_dice
from .collapse import collapse_figures, label_map_dice
from .fidelity_results import print_fidelity_results, read_fidelity_results, write_fidelity_results
from .grading import GRADING_SCORES, GradingReport
from .grading_results import print_grading_results, read_grading_results, write_grade_predictions, write_grading_results
from .image_fidelity import FIDELITY_FORMS, FIDELITY_KEYS, STRUCTURE_KEYS, ImageFidelityReport, image_fidelity
from .label_map_limits import LIMITED_FIGURES, LabelMapLimits, measure_label_map_limits
from .lesion_results import LESION_RESULTS_STEM, print_lesion_results, read_lesion_results, write_lesion_results
from .lesion_segmentation import LESION_SCORE_NAMES, OPERATING_POINTS, LesionSegmentationReport
from .lesion_statistics import LESION_STATISTICS_KEYS, lesion_statistics, lesion_statistics_by_grade
from .memorisation import nearest_neighbour_dice
from .morphometry import (
    MORPHOMETRY_KEYS,
    box_counting_dimension,
    compare_morphometry,
    morphometry_table,
    vessel_morphometry,
)
from .organ_results import ORGAN_RESULTS_STEM, print_organ_results, read_organ_results, write_organ_results
from .organ_segmentation import ORGAN_GROUPS, ORGAN_SCORE_NAMES, OrganSegmentationReport
from .paired_bootstrap import paired_bootstrap, patient_of_case, pooled_auc, pooled_f1
from .segmentation_results import (
    print_segmentation_results,
    read_segmentation_results,
    write_segmentation_results,
)
from .trivial_baselines import TrivialBaselines, mean_colour_photograph, mean_photograph
from .vessel_segmentation import (
    CONVENTIONS,
    HISTOGRAM_EDGES,
    SCORE_NAMES,
    VesselSegmentationReport,
    confusion_counts,
    confusion_scores,
)

__all__ = [
    "AlignedCopy",
    "CONVENTIONS",
    "FIDELITY_FORMS",
    "FIDELITY_KEYS",
    "GRADING_SCORES",
    "GradingReport",
    "HISTOGRAM_EDGES",
    "ImageFidelityReport",
    "LESION_RESULTS_STEM",
    "LESION_SCORE_NAMES",
    "LESION_STATISTICS_KEYS",
    "LIMITED_FIGURES",
    "LabelMapLimits",
    "LesionSegmentationReport",
    "MORPHOMETRY_KEYS",
    "OPERATING_POINTS",
    "ORGAN_GROUPS",
    "ORGAN_RESULTS_STEM",
    "ORGAN_SCORE_NAMES",
    "OrganSegmentationReport",
    "SCORE_NAMES",
    "STRUCTURE_KEYS",
    "TrivialBaselines",
    "VesselSegmentationReport",
    "aligned_nearest_dice",
    "box_counting_dimension",
    "centerline_dice",
    "chest_statistics",
    "collapse_figures",
    "compare_morphometry",
    "confusion_counts",
    "confusion_scores",
    "copy_threshold",
    "image_fidelity",
    "label_map_dice",
    "lesion_statistics",
    "lesion_statistics_by_grade",
    "mean_colour_photograph",
    "mean_photograph",
    "measure_label_map_limits",
    "morphometry_table",
    "nearest_neighbour_dice",
    "paired_bootstrap",
    "patient_of_case",
    "pooled_auc",
    "pooled_f1",
    "print_fidelity_results",
    "print_grading_results",
    "print_lesion_results",
    "print_organ_results",
    "print_segmentation_results",
    "read_fidelity_results",
    "read_grading_results",
    "read_lesion_results",
    "read_organ_results",
    "read_segmentation_results",
    "vessel_morphometry",
    "write_fidelity_results",
    "write_grade_predictions",
    "write_grading_results",
    "write_lesion_results",
    "write_organ_results",
    "write_segmentation_results",
]
