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

from .cases import CASE_SECTIONS, LAYOUTS, detect_layout, load_cases
from .chase_db1 import CHASE_DB1_SPLITS, ChaseDB1Dataset, list_chase_db1_cases
from .checks import check_dataset, print_dataset_report
from .datalist import DATALIST_NAME, SECTIONS, load_datalist, write_datalist
from .drive import DriveDataset, list_drive_cases
from .fundus_dataset import FundusDataset
from .idrid import IDRID_STRUCTURES, list_idrid_segmentation_cases
from .import_label_maps import import_label_maps
from .import_side_by_side import import_side_by_side
from .merge_vessels import merge_vessels
from .moved_discs import write_moved_discs
from .paired_folders import list_paired_folder_cases
from .photograph_folder import list_photographs
from .prepare_idrid_discs import prepare_idrid_discs
from .seeded_latents_dataset import SeededLatentDataset
from .synthetic_set_writer import SyntheticSetWriter
from .training_references import LabelMapDataset, load_label_maps, training_colours

__all__ = [
    "CASE_SECTIONS",
    "CHASE_DB1_SPLITS",
    "DATALIST_NAME",
    "IDRID_STRUCTURES",
    "LAYOUTS",
    "SECTIONS",
    "ChaseDB1Dataset",
    "DriveDataset",
    "FundusDataset",
    "LabelMapDataset",
    "SeededLatentDataset",
    "SyntheticSetWriter",
    "check_dataset",
    "detect_layout",
    "import_label_maps",
    "import_side_by_side",
    "list_chase_db1_cases",
    "list_drive_cases",
    "list_idrid_segmentation_cases",
    "list_paired_folder_cases",
    "list_photographs",
    "load_cases",
    "load_datalist",
    "load_label_maps",
    "merge_vessels",
    "prepare_idrid_discs",
    "print_dataset_report",
    "training_colours",
    "write_datalist",
    "write_moved_discs",
]
