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
"""The phantoms: vessel trees grown on a simulated retina and the photographs a fundus camera would take of them, and
simulated chests with their radiographs."""

from __future__ import annotations

from ..transforms.vessel_appearance import VesselAppearance
from .chest_appearance import paint_radiograph
from .chest_geometry import ChestGeometry
from .chest_phantom import ChestPhantom
from .chest_phantom_dataset import write_chest_phantom_dataset
from .eye_geometry import EyeGeometry, Trunk
from .fundus_appearance import paint_fundus
from .lesion_amounts import LESION_AMOUNTS, LesionAmounts
from .lesion_appearance import paint_lesions
from .lesion_shapes import Lesion, draw_lesions
from .lesions import EyeLesions, quadrant, sample_lesions
from .new_vessels import grow_new_vessels
from .phantom import FundusPhantom
from .phantom_dataset import write_phantom_dataset
from .space_colonisation import GrowingForest
from .vessel_drawing import VesselField, draw_vessels
from .vessel_measurement import measure_vessel_appearance
from .vessel_tree import VesselTree, grow_vessel_trees

__all__ = [
    "ChestGeometry",
    "ChestPhantom",
    "LESION_AMOUNTS",
    "EyeGeometry",
    "EyeLesions",
    "FundusPhantom",
    "GrowingForest",
    "Lesion",
    "LesionAmounts",
    "Trunk",
    "VesselAppearance",
    "VesselField",
    "VesselTree",
    "draw_lesions",
    "draw_vessels",
    "grow_new_vessels",
    "grow_vessel_trees",
    "measure_vessel_appearance",
    "paint_fundus",
    "paint_lesions",
    "paint_radiograph",
    "quadrant",
    "sample_lesions",
    "write_chest_phantom_dataset",
    "write_phantom_dataset",
]
