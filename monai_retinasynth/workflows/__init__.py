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
"""Running the stages of a system in order."""

from __future__ import annotations

from .ablation import ablation_runs, ablation_stages, merge_overrides
from .ablation_summary import summarise_ablation
from .across_cameras import AcrossCameras, camera_folders, evaluation_name
from .across_cameras_rows import ACROSS_CAMERAS_ROWS, across_cameras_rows
from .across_cameras_summary import summarise_across_cameras
from .bundle_folder import find_bundles_dir
from .compare_ways import compare_ways, pooled_sd
from .contact_sheet import write_contact_sheet
from .folder_signature import folder_signature
from .generation_cost import generation_trainings, measure_generation_cost
from .generation_ways import GENERATION_WAYS, GenerationWays
from .grade_sheet import write_grade_sheet
from .grading_stages import grading_stages
from .grading_summary import summarise_grading
from .label_map_audit import audit_label_maps
from .label_map_collapse import measure_collapse
from .multi_stage import SEGMENTATION_NETWORKS, multi_stage_runs, multi_stage_stages, multi_stage_tag
from .multi_stage_summary import summarise_multi_stage
from .required_folder import required_folder
from .second_observer_scores import score_second_observer
from .share_stages import share_run_names, share_stages
from .stage import BundleStage, FunctionStage, WorkflowStage
from .stage_record import StageRecord, changed_settings, flatten_settings, settings_fingerprint
from .staged_workflow import StagedWorkflow
from .synthetic_share_summary import summarise_synthetic_shares
from .translation_summary import summarise_translation
from .two_stage_settings import paints_on_background, segmentation_iterations, two_stage_translation_recipe
from .two_stage_summary import summarise_two_stage
from .workflow_run_stage import WorkflowRunStage

__all__ = [
    "ACROSS_CAMERAS_ROWS",
    "GENERATION_WAYS",
    "SEGMENTATION_NETWORKS",
    "AcrossCameras",
    "BundleStage",
    "FunctionStage",
    "GenerationWays",
    "StageRecord",
    "StagedWorkflow",
    "WorkflowRunStage",
    "WorkflowStage",
    "ablation_runs",
    "ablation_stages",
    "across_cameras_rows",
    "audit_label_maps",
    "camera_folders",
    "changed_settings",
    "compare_ways",
    "evaluation_name",
    "find_bundles_dir",
    "flatten_settings",
    "folder_signature",
    "generation_trainings",
    "grading_stages",
    "measure_collapse",
    "measure_generation_cost",
    "merge_overrides",
    "multi_stage_runs",
    "multi_stage_stages",
    "multi_stage_tag",
    "paints_on_background",
    "pooled_sd",
    "required_folder",
    "score_second_observer",
    "segmentation_iterations",
    "settings_fingerprint",
    "share_run_names",
    "share_stages",
    "summarise_ablation",
    "summarise_across_cameras",
    "summarise_grading",
    "summarise_multi_stage",
    "summarise_synthetic_shares",
    "summarise_translation",
    "summarise_two_stage",
    "two_stage_translation_recipe",
    "write_contact_sheet",
    "write_grade_sheet",
]
