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
"""Transforms: reading fundus files, the field of view, label maps and their resolutions, batch augmentation."""

from __future__ import annotations

from .affine_warp import affine_warp
from .augmentation_parameters import AugmentationParameters, AugmentationStrengths, draw_augmentation
from .bind_to_background import BindToBackground, BindToBackgroundD, BindToBackgroundd, BindToBackgroundDict
from .class_probabilities import (
    ExpandClassProbabilitiesD,
    ExpandClassProbabilitiesd,
    ExpandClassProbabilitiesDict,
    ReduceLabelMapD,
    ReduceLabelMapd,
    ReduceLabelMapDict,
    calibrate_class_weights,
    expand_class_probabilities,
    reduce_label_map,
)
from .colour_matrix import apply_colour, colour_matrices
from .compose_chest_label_map import compose_chest_label_map, organ_masks
from .compose_label_map import (
    ComposeFundusLabelMapD,
    ComposeFundusLabelMapd,
    ComposeFundusLabelMapDict,
    compose_fundus_label_map,
)
from .compose_lesion_label_map import compose_lesion_label_map
from .decoy_backgrounds import (
    DecoyBackgroundsD,
    DecoyBackgroundsd,
    DecoyBackgroundsDict,
    RandBackgroundVariantD,
    RandBackgroundVariantd,
    RandBackgroundVariantDict,
)
from .discriminator_augmentation import DiscriminatorAugmentation
from .dot_map import (
    Dot,
    LabelMapToDotsD,
    LabelMapToDotsd,
    LabelMapToDotsDict,
    dot_label_set,
    dots,
    draw_dots,
    find_dots,
    label_map_to_dots,
)
from .field_of_view import DeriveFieldOfViewD, DeriveFieldOfViewd, DeriveFieldOfViewDict, derive_field_of_view
from .fill_field_of_view import FillFieldOfView, FillFieldOfViewD, FillFieldOfViewd, FillFieldOfViewDict
from .fit_background import FitBackgroundD, FitBackgroundd, FitBackgroundDict
from .fit_image import (
    ExpandImageD,
    ExpandImaged,
    ExpandImageDict,
    ReduceImageD,
    ReduceImaged,
    ReduceImageDict,
    expand_image,
    reduce_image,
)
from .fov_colour import (
    FieldOfViewColour,
    FieldOfViewColourD,
    FieldOfViewColourd,
    FieldOfViewColourDict,
    NormalizeFieldOfViewColour,
    NormalizeFieldOfViewColourD,
    NormalizeFieldOfViewColourd,
    NormalizeFieldOfViewColourDict,
    RestoreFieldOfViewColour,
    RestoreFieldOfViewColourD,
    RestoreFieldOfViewColourd,
    RestoreFieldOfViewColourDict,
    SampleColour,
    SampleColourD,
    SampleColourd,
    SampleColourDict,
)
from .fov_coordinates import (
    FieldOfViewCoordinates,
    FieldOfViewCoordinatesD,
    FieldOfViewCoordinatesd,
    FieldOfViewCoordinatesDict,
)
from .fundus_reader import FundusReader
from .link_thin_class import link_thin_class
from .load_fundus_case import LoadFundusCaseD, LoadFundusCased, LoadFundusCaseDict
from .load_organ_masks import LoadOrganMasksD, LoadOrganMasksd, LoadOrganMasksDict
from .mark_hard_pixels import MarkHardPixelsD, MarkHardPixelsd, MarkHardPixelsDict
from .move_structure import mirror_disc, move_disc
from .paint_vessels import PaintVessels, PaintVesselsD, PaintVesselsd, PaintVesselsDict
from .radiograph_reader import RadiographReader, read_class_indices, read_radiograph
from .rand_channel_gamma import RandChannelGamma, RandChannelGammaD, RandChannelGammad, RandChannelGammaDict
from .rand_focus import RandFocus, RandFocusD, RandFocusd, RandFocusDict
from .rand_grain import RandGrain, RandGrainD, RandGraind, RandGrainDict
from .random_rigid_batch import RandomFlipRotateBatch
from .reduce_lesion_map import (
    ReduceLesionMapD,
    ReduceLesionMapd,
    ReduceLesionMapDict,
    reduce_lesion_map,
)
from .remove_structures import (
    RemoveStructures,
    RemoveStructuresD,
    RemoveStructuresd,
    RemoveStructuresDict,
    remove_structures,
)
from .repair_tree import RepairCounts, RepairTree, RepairTreeD, RepairTreed, RepairTreeDict
from .resample_area import resample_area
from .ridge_fields import (
    LabelMapToRidge,
    LabelMapToRidgeD,
    LabelMapToRidged,
    LabelMapToRidgeDict,
    RidgeLayout,
    RidgeToLabelMap,
    RidgeToLabelMapD,
    RidgeToLabelMapd,
    RidgeToLabelMapDict,
    calibrate_ridge_level,
    ridge_probabilities,
    uses_ridge,
)
from .sample_noise import SampleNoiseD, SampleNoised, SampleNoiseDict
from .sample_style import SampleStyleD, SampleStyled, SampleStyleDict
from .save_photograph import SavePhotographD, SavePhotographd, SavePhotographDict
from .save_prediction import SavePredictionD, SavePredictiond, SavePredictionDict
from .soften_one_hot import SoftenOneHot
from .square_photograph import SquarePhotographD, SquarePhotographd, SquarePhotographDict, square_photograph
from .transplant_structures import (
    DrawLogRatioD,
    DrawLogRatiod,
    DrawLogRatioDict,
    WarpStructures,
    WarpStructuresD,
    WarpStructuresd,
    WarpStructuresDict,
    draw_log_ratio,
    structure_log_ratio,
)
from .vessel_contrast import VesselContrast, VesselContrastD, VesselContrastd, VesselContrastDict
from .vessel_geometry import (
    VesselGeometry,
    VesselGeometryD,
    VesselGeometryd,
    VesselGeometryDict,
    vessel_geometry,
)

__all__ = [
    "AugmentationParameters",
    "AugmentationStrengths",
    "BindToBackground",
    "BindToBackgroundD",
    "BindToBackgroundDict",
    "BindToBackgroundd",
    "ComposeFundusLabelMapD",
    "ComposeFundusLabelMapDict",
    "ComposeFundusLabelMapd",
    "DecoyBackgroundsD",
    "DecoyBackgroundsDict",
    "DecoyBackgroundsd",
    "DeriveFieldOfViewD",
    "DeriveFieldOfViewDict",
    "DeriveFieldOfViewd",
    "DiscriminatorAugmentation",
    "Dot",
    "DrawLogRatioD",
    "DrawLogRatioDict",
    "DrawLogRatiod",
    "ExpandClassProbabilitiesD",
    "ExpandClassProbabilitiesDict",
    "ExpandClassProbabilitiesd",
    "ExpandImageD",
    "ExpandImageDict",
    "ExpandImaged",
    "FieldOfViewColour",
    "FieldOfViewColourD",
    "FieldOfViewColourDict",
    "FieldOfViewColourd",
    "FieldOfViewCoordinates",
    "FieldOfViewCoordinatesD",
    "FieldOfViewCoordinatesDict",
    "FieldOfViewCoordinatesd",
    "FillFieldOfView",
    "FillFieldOfViewD",
    "FillFieldOfViewDict",
    "FillFieldOfViewd",
    "FitBackgroundD",
    "FitBackgroundDict",
    "FitBackgroundd",
    "FundusReader",
    "LabelMapToDotsD",
    "LabelMapToDotsDict",
    "LabelMapToDotsd",
    "LabelMapToRidge",
    "LabelMapToRidgeD",
    "LabelMapToRidgeDict",
    "LabelMapToRidged",
    "LoadFundusCaseD",
    "LoadFundusCaseDict",
    "LoadFundusCased",
    "LoadOrganMasksD",
    "LoadOrganMasksDict",
    "LoadOrganMasksd",
    "MarkHardPixelsD",
    "MarkHardPixelsDict",
    "MarkHardPixelsd",
    "NormalizeFieldOfViewColour",
    "NormalizeFieldOfViewColourD",
    "NormalizeFieldOfViewColourDict",
    "NormalizeFieldOfViewColourd",
    "PaintVessels",
    "PaintVesselsD",
    "PaintVesselsDict",
    "PaintVesselsd",
    "RadiographReader",
    "RandBackgroundVariantD",
    "RandBackgroundVariantDict",
    "RandBackgroundVariantd",
    "RandChannelGamma",
    "RandChannelGammaD",
    "RandChannelGammaDict",
    "RandChannelGammad",
    "RandFocus",
    "RandFocusD",
    "RandFocusDict",
    "RandFocusd",
    "RandGrain",
    "RandGrainD",
    "RandGrainDict",
    "RandGraind",
    "RandomFlipRotateBatch",
    "ReduceImageD",
    "ReduceImageDict",
    "ReduceImaged",
    "ReduceLabelMapD",
    "ReduceLabelMapDict",
    "ReduceLabelMapd",
    "ReduceLesionMapD",
    "ReduceLesionMapDict",
    "ReduceLesionMapd",
    "RemoveStructures",
    "RemoveStructuresD",
    "RemoveStructuresDict",
    "RemoveStructuresd",
    "RepairCounts",
    "RepairTree",
    "RepairTreeD",
    "RepairTreeDict",
    "RepairTreed",
    "RestoreFieldOfViewColour",
    "RestoreFieldOfViewColourD",
    "RestoreFieldOfViewColourDict",
    "RestoreFieldOfViewColourd",
    "RidgeLayout",
    "RidgeToLabelMap",
    "RidgeToLabelMapD",
    "RidgeToLabelMapDict",
    "RidgeToLabelMapd",
    "SampleColour",
    "SampleColourD",
    "SampleColourDict",
    "SampleColourd",
    "SampleNoiseD",
    "SampleNoiseDict",
    "SampleNoised",
    "SampleStyleD",
    "SampleStyleDict",
    "SampleStyled",
    "SavePhotographD",
    "SavePhotographDict",
    "SavePhotographd",
    "SavePredictionD",
    "SavePredictionDict",
    "SavePredictiond",
    "SoftenOneHot",
    "SquarePhotographD",
    "SquarePhotographDict",
    "SquarePhotographd",
    "VesselContrast",
    "VesselContrastD",
    "VesselContrastDict",
    "VesselContrastd",
    "VesselGeometry",
    "VesselGeometryD",
    "VesselGeometryDict",
    "VesselGeometryd",
    "WarpStructures",
    "WarpStructuresD",
    "WarpStructuresDict",
    "WarpStructuresd",
    "affine_warp",
    "apply_colour",
    "calibrate_class_weights",
    "calibrate_ridge_level",
    "colour_matrices",
    "compose_chest_label_map",
    "compose_fundus_label_map",
    "compose_lesion_label_map",
    "derive_field_of_view",
    "dot_label_set",
    "dots",
    "draw_augmentation",
    "draw_dots",
    "draw_log_ratio",
    "expand_class_probabilities",
    "expand_image",
    "find_dots",
    "label_map_to_dots",
    "link_thin_class",
    "mirror_disc",
    "move_disc",
    "organ_masks",
    "read_class_indices",
    "read_radiograph",
    "reduce_image",
    "reduce_label_map",
    "reduce_lesion_map",
    "remove_structures",
    "resample_area",
    "ridge_probabilities",
    "square_photograph",
    "structure_log_ratio",
    "uses_ridge",
    "vessel_geometry",
]
