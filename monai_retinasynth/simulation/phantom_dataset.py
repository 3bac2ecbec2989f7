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
"""Writes phantom eyes as a data set on disk: the embedded default data, or label maps for stage 2 without a GAN."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from .._version import __version__
from ..data.datalist import SECTIONS, write_datalist
from ..utils.atomic_file import atomic_write
from ..utils.errors import ConfigError, DataError
from ..utils.image_io import read_label_map, read_rgb, read_trees, write_grey, write_label_map, write_rgb
from ..utils.label_set import get_label_set
from .lesion_amounts import LesionAmounts
from .phantom import FundusPhantom

__all__ = ["write_phantom_dataset"]

_SETTINGS_NAME = "phantom.json"


def write_phantom_dataset(
    output_dir: str | os.PathLike,
    size: int | Sequence[int] = 512,
    num_training: int = 20,
    num_validation: int = 2,
    num_test: int = 4,
    seed: int = 0,
    labels_only: bool = False,
    source: str = "synthetic",
    progress: bool = True,
    overwrite: bool = False,
    label_set: str = "fundus_vessel",
    grades: Sequence[int] | None = None,
    lesion_amounts: Mapping[int | str, LesionAmounts] | None = None,
    left_out_classes: Sequence[str] = (),
    view: str | Sequence[str] = "macula",
    field_degrees: float | Sequence[float] = 45.0,
    trees: bool = False,
) -> Path:
    """Write `images/phantom_00000.png`, `labels/phantom_00000.png`, ... and `datalist.json`.

    Cases are numbered through training, validation and test; number i is case i of the seed, whatever the counts. A
    second call goes on where the first one stopped and leaves finished cases alone; files appear whole or not at all,
    the label map first. With the label set `fundus_lesion` every case has a `grade` in the data list, and with fields
    of view other than 45 degrees its `field_degrees`.

    Args:
        output_dir: folder of the data set, made when missing.
        size: edge or (H, W) in pixels.
        num_training: cases of the training section.
        num_validation: cases of the validation section.
        num_test: cases of the test section.
        seed: seed of the phantom.
        labels_only: write no photographs.
        source: `"real"` where the phantom stands in for real eyes, `"synthetic"` where it is generated data.
        progress: show a progress bar.
        overwrite: replace a phantom set of other settings in the folder.
        label_set: `"fundus_vessel"`, or `"fundus_lesion"` for eyes with diabetic retinopathy.
        grades: grades 0 to 4 that the cases take in turn, for `"fundus_lesion"` only; all five when `None`.
        lesion_amounts: amounts of lesions by grade, where they are to differ from `LESION_AMOUNTS`.
        left_out_classes: names of classes that the label maps show as retina: those that a translator has not learnt,
            such as the vessels, of which IDRiD has no masks.
        view: `"macula"` or `"disc"`, or both, see :class:`FundusPhantom`.
        field_degrees: visual angle of the field of view, or two angles, see :class:`FundusPhantom`.
        trees: write `trees/phantom_00000.png`, ... as well, grey PNGs of 0 none, 1 artery, 2 vein, 3 both (`trees` in
            the data list): a painter can then draw arteries and veins as what they are.

    Returns:
        path of `datalist.json`.

    Raises:
        ConfigError: when a count is negative, all are 0, `source` is unknown, outside or retina is left out, or the
            phantom cannot be of that size, label set, grades or amounts.
        DataError: when the folder holds phantoms of other settings, or a file cannot be written.
    """
    counts = (num_training, num_validation, num_test)
    if min(counts) < 0 or sum(counts) == 0:
        raise ConfigError(
            f"a phantom data set needs one case at least and no negative count, got {dict(zip(SECTIONS, counts))}"
        )
    if source not in ("real", "synthetic"):
        raise ConfigError(f"source must be 'real' or 'synthetic', got {source!r}")
    folder = Path(output_dir)
    phantom = FundusPhantom(size, seed, label_set, grades, lesion_amounts, view, field_degrees)
    provenance: dict[str, Any] = {
        "simulation": "FundusPhantom",
        "seed": phantom.seed,
        "size": list(phantom.size),
        "package_version": __version__,
    }
    if phantom.has_lesions:
        used = {str(grade): phantom.lesion_amounts[grade].to_dict() for grade in sorted(set(phantom.grades))}
        provenance.update(label_set=label_set, grades=list(phantom.grades), lesion_amounts=used)
    if (phantom.views, phantom.field_range) != (("macula",), (45.0, 45.0)):
        provenance.update(view=_one_or_all(phantom.views), field_degrees=_one_or_all(phantom.field_range))
    if left_out_classes:
        provenance["left_out_classes"] = list(left_out_classes)
    shown = _shown_classes(phantom, left_out_classes)
    fresh = _settle(folder, provenance, overwrite)

    for index in tqdm(range(sum(counts)), desc="phantom eyes", disable=not progress, unit="eye"):
        if fresh or not _finished(folder, index, phantom, labels_only, trees):
            _write_case(folder, phantom, index, labels_only, shown, trees)

    cases: dict[str, list[dict[str, Any]]] = {}
    start = 0
    for section, count in zip(SECTIONS, counts):
        cases[section] = [
            _case(index, labels_only, source, provenance, phantom, trees)
            for index in range(start, start + count)
        ]
        start += count
    return write_datalist(folder, cases, phantom.label_set, "fundus phantom", {"provenance": provenance})


def _settle(folder: Path, provenance: dict[str, Any], overwrite: bool) -> bool:
    """Note the settings in the folder; True when what lies there must be written anew."""
    path = folder / _SETTINGS_NAME
    earlier = None
    if path.is_file():
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            earlier = "unreadable"
    if earlier == provenance:
        return False
    if earlier is not None and not overwrite:
        raise DataError(
            f"{folder} holds phantoms of other settings ({earlier}, wanted {provenance}): "
            "choose another output_dir, delete the folder, or pass overwrite=True"
        )
    if earlier is not None:
        for stale in [
            folder / "datalist.json",
            *folder.glob("images/phantom_*.png"),
            *folder.glob("labels/phantom_*.png"),
            *folder.glob("trees/phantom_*.png"),
        ]:
            stale.unlink(missing_ok=True)
    with atomic_write(path) as file:
        file.write(json.dumps(provenance, indent=2).encode("utf-8") + b"\n")
    return earlier is None


def _one_or_all(values: Sequence[Any]) -> Any:
    return values[0] if len(set(values)) == 1 else list(values)


def _names(index: int) -> tuple[str, str, str]:
    return tuple(f"{folder}/phantom_{index:05d}.png" for folder in ("images", "labels", "trees"))


def _finished(folder: Path, index: int, phantom: FundusPhantom, labels_only: bool, trees: bool) -> bool:
    image, label, tree = (folder / name for name in _names(index))
    if not label.is_file() or not (labels_only or image.is_file()) or not (tree.is_file() or not trees):
        return False
    try:
        shapes = [read_label_map(label, phantom.label_set).shape]
        if not labels_only:
            shapes.append(read_rgb(image).shape[:2])
        if trees:
            shapes.append(read_trees(tree).shape)
    except DataError:
        return False
    return all(shape == phantom.size for shape in shapes)


def _shown_classes(phantom: FundusPhantom, left_out: Sequence[str]) -> np.ndarray:
    """The class index that stands in the label map for each class index of the phantom."""
    labels = get_label_set(phantom.label_set)
    shown = np.arange(labels.num_classes, dtype=np.uint8)
    for name in left_out:
        if name in ("outside", "retina"):
            raise ConfigError(f"left_out_classes holds {name!r}, without which there is no eye; take it out")
        shown[labels.index(name)] = labels.index("retina")
    return shown


def _write_case(
    folder: Path, phantom: FundusPhantom, index: int, labels_only: bool, shown: np.ndarray, trees: bool
) -> None:
    image_path, label_path, trees_path = (folder / name for name in _names(index))
    if labels_only and not trees:
        label, image = phantom.label_map(index), None
    elif labels_only:
        (label, tree_map), image = phantom.label_map_and_trees(index), None
    else:
        image, label = phantom.pair(index)
        tree_map = phantom.label_map_and_trees(index)[1] if trees else None
    write_label_map(label_path, shown[label], phantom.label_set)
    if trees:
        write_grey(trees_path, tree_map)
    if image is not None:
        write_rgb(image_path, image)


def _case(
    index: int, labels_only: bool, source: str, provenance: dict[str, Any], phantom: FundusPhantom, trees: bool
) -> dict[str, Any]:
    image, label, tree = _names(index)
    case: dict[str, Any] = {} if labels_only else {"image": image}
    case.update(label=label, case_id=f"phantom_{index:05d}", source=source)
    if trees:
        case["trees"] = tree
    if phantom.has_lesions:
        case["grade"] = phantom.grade(index)
    if phantom.field_range != (45.0, 45.0):
        case["field_degrees"] = phantom.field_degrees(index)
    # the amounts are the same for all: they stand once, at the top of the list
    shared = {key: value for key, value in provenance.items() if key != "lesion_amounts"}
    case["provenance"] = {**shared, "index": index}
    return case
