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
"""Label sets, pictures on disk, errors, seeds and checkpoints: what every other part of the package stands on."""

from __future__ import annotations

from .atomic_file import atomic_write
from .autocast import autocast_is_fast
from .checkpoint import checkpoint_digest, load_checkpoint, load_network_weights, recorded_setting, save_checkpoint
from .chest_organs import CHEST_ORGANS
from .errors import CheckpointError, ConfigError, DataError, DivergenceError, EmptySectionError
from .image_io import (
    IMAGE_SUFFIXES,
    convert_image,
    from_picture,
    image_grid,
    list_images,
    open_image,
    read_label_map,
    read_mask,
    read_rgb,
    read_trees,
    to_picture,
    write_grey,
    write_label_map,
    write_rgb,
)
from .label_set import (
    CHEST_ORGAN,
    FUNDUS_DISC_VESSEL,
    FUNDUS_LESION,
    FUNDUS_VESSEL,
    LABEL_SETS,
    LESION_CLASSES,
    LabelSet,
    get_label_set,
)
from .retinopathy_grade import RETINOPATHY_GRADES, check_grade
from .seeding import seed_everything, seeded_choices, seeded_latents, with_conditions
from .skeleton_points import SkeletonPoints, skeleton_points

__all__ = [
    "CHEST_ORGAN",
    "CHEST_ORGANS",
    "FUNDUS_DISC_VESSEL",
    "FUNDUS_LESION",
    "FUNDUS_VESSEL",
    "IMAGE_SUFFIXES",
    "LABEL_SETS",
    "LESION_CLASSES",
    "RETINOPATHY_GRADES",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DivergenceError",
    "EmptySectionError",
    "LabelSet",
    "SkeletonPoints",
    "atomic_write",
    "autocast_is_fast",
    "check_grade",
    "checkpoint_digest",
    "convert_image",
    "from_picture",
    "get_label_set",
    "image_grid",
    "list_images",
    "load_checkpoint",
    "load_network_weights",
    "open_image",
    "read_label_map",
    "read_mask",
    "read_rgb",
    "read_trees",
    "recorded_setting",
    "save_checkpoint",
    "seed_everything",
    "seeded_choices",
    "seeded_latents",
    "skeleton_points",
    "to_picture",
    "with_conditions",
    "write_grey",
    "write_label_map",
    "write_rgb",
]
