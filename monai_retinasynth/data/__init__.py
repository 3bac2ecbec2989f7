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
"""Data sets: the owners' layouts, the package's own data lists, writing synthetic sets, checking before training."""

from __future__ import annotations

from .background_library import BackgroundLibrary, FittedBackground
from .background_set import (
    background_eyes,
    background_origin,
    list_backgrounds,
    refuse_held_out_backgrounds,
    write_background_dataset,
)
from .cases import CASE_SECTIONS, LAYOUTS, detect_layout, load_cases
from .chase_db1 import CHASE_DB1_SPLITS, ChaseDB1Dataset, list_chase_db1_cases
from .checks import check_dataset, print_dataset_report
from .convert_synthetic_set import CONVERSION_FORMATS, convert_synthetic_set
from .datalist import DATALIST_NAME, SECTIONS, load_datalist, write_datalist
from .declared_label_set import declared_label_set
from .dot_dataset import write_dot_dataset
from .drive import DriveDataset, list_drive_cases
from .empty_dot_maps import count_empty_dot_maps
from .estimate_grade import estimate_grade
from .fgadr import FGADR_STRUCTURES, list_fgadr_cases, prepare_fgadr_lesions
from .fundus_dataset import FundusDataset
from .grading_dataset import FundusGradingDataset
from .grading_list import GRADING_LIST_NAME, load_graded_cases, write_grading_list
from .held_out_eyes import refuse_held_out_eyes, refuse_held_out_synthetic
from .hold_out_by_grade import hold_out_by_grade
from .idrid import IDRID_STRUCTURES, list_idrid_segmentation_cases
from .idrid_grading import left_out_idrid_grading, list_idrid_grading_cases
from .idrid_links import (
    GradingLeaks,
    IdridLink,
    find_idrid_links,
    leaking_grading_cases,
    read_idrid_grades,
    read_idrid_links,
    write_idrid_links,
)
from .import_label_maps import import_label_maps
from .import_side_by_side import import_side_by_side
from .jsrt_scr import JSRT_SCR_SPLITS, is_jsrt_scr_layout, list_jsrt_scr_cases
from .merge_vessels import merge_vessels
from .mixed_batch_sampler import MixedBatchSampler
from .moved_discs import write_moved_discs
from .paired_folders import list_paired_folder_cases
from .photograph_folder import list_photographs
from .prepare_idrid_discs import prepare_idrid_discs
from .prepare_idrid_grading import prepare_idrid_grading
from .prepare_idrid_lesions import prepare_idrid_lesions
from .prepare_jsrt_scr import prepare_jsrt_scr
from .prepare_radiographs import prepare_radiographs
from .radiograph_folder import list_radiograph_cases
from .radiograph_writer import RADIOGRAPH_SUFFIXES, synthetic_uid, write_class_indices, write_radiograph
from .resize_dataset import resize_dataset
from .scale_to_field_of_view import scale_to_field_of_view
from .second_observer import second_observer_cases
from .seeded_latents_dataset import SeededLatentDataset
from .synthetic_set_writer import SyntheticSetWriter
from .training_fraction import choose_training_cases
from .training_grades import grade_weights, training_grades
from .training_origin import dataset_origins, refuse_grading_test_eyes
from .training_references import LabelMapDataset, load_label_maps, training_colours

__all__ = [
    "CASE_SECTIONS",
    "CHASE_DB1_SPLITS",
    "CONVERSION_FORMATS",
    "DATALIST_NAME",
    "FGADR_STRUCTURES",
    "GRADING_LIST_NAME",
    "IDRID_STRUCTURES",
    "JSRT_SCR_SPLITS",
    "LAYOUTS",
    "RADIOGRAPH_SUFFIXES",
    "SECTIONS",
    "BackgroundLibrary",
    "ChaseDB1Dataset",
    "DriveDataset",
    "FittedBackground",
    "FundusDataset",
    "FundusGradingDataset",
    "GradingLeaks",
    "IdridLink",
    "LabelMapDataset",
    "MixedBatchSampler",
    "SeededLatentDataset",
    "SyntheticSetWriter",
    "background_eyes",
    "background_origin",
    "check_dataset",
    "choose_training_cases",
    "convert_synthetic_set",
    "count_empty_dot_maps",
    "dataset_origins",
    "declared_label_set",
    "detect_layout",
    "estimate_grade",
    "find_idrid_links",
    "grade_weights",
    "hold_out_by_grade",
    "import_label_maps",
    "import_side_by_side",
    "is_jsrt_scr_layout",
    "leaking_grading_cases",
    "left_out_idrid_grading",
    "list_backgrounds",
    "list_chase_db1_cases",
    "list_drive_cases",
    "list_fgadr_cases",
    "list_idrid_grading_cases",
    "list_idrid_segmentation_cases",
    "list_jsrt_scr_cases",
    "list_paired_folder_cases",
    "list_photographs",
    "list_radiograph_cases",
    "load_cases",
    "load_datalist",
    "load_graded_cases",
    "load_label_maps",
    "merge_vessels",
    "prepare_fgadr_lesions",
    "prepare_idrid_discs",
    "prepare_idrid_grading",
    "prepare_idrid_lesions",
    "prepare_jsrt_scr",
    "prepare_radiographs",
    "print_dataset_report",
    "read_idrid_grades",
    "read_idrid_links",
    "refuse_grading_test_eyes",
    "refuse_held_out_backgrounds",
    "refuse_held_out_eyes",
    "refuse_held_out_synthetic",
    "resize_dataset",
    "scale_to_field_of_view",
    "second_observer_cases",
    "synthetic_uid",
    "training_colours",
    "training_grades",
    "write_background_dataset",
    "write_class_indices",
    "write_datalist",
    "write_dot_dataset",
    "write_grading_list",
    "write_idrid_links",
    "write_moved_discs",
    "write_radiograph",
]
