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
"""Which data a segmentation network is trained on: REAL, SYNTH, SYNTH then REAL, or both mixed, by one key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from monai_retinasynth.utils.errors import ConfigError

__all__ = ["SEGMENTATION_REGIMES", "SegmentationSource", "select_segmentation_source"]

SEGMENTATION_REGIMES = {
    "real": "REAL",
    "synthetic": "SYNTH",
    "synthetic_then_real": "SYNTH then REAL",
    "mixed": "REAL and SYNTH",
}

DatasetDir = str | PathLike | Sequence[Any]


@dataclass(frozen=True)
class SegmentationSource:
    """
    Args:
        name: name of the regime in tables.
        dataset_dir: folder or folders, as `load_cases` takes them, whose training section is trained on.
        pretrained: checkpoint to start from, or None to start from random weights.
    """

    name: str
    dataset_dir: Any
    pretrained: str | None


def select_segmentation_source(
    train_on: str,
    dataset_dir: DatasetDir | None,
    synthetic_dir: DatasetDir | None = None,
    pretrained: str | PathLike | None = None,
) -> SegmentationSource:
    """
    Turn the key `train_on` into folders and a starting point. Validation and test data are always real and not chosen
    here.

    Args:
        train_on: "real", "synthetic", "synthetic_then_real" (starts from the checkpoint of a synthetic run and goes on
            with real data), or "mixed" (the union of both).
        dataset_dir: folder(s) of the real data set.
        synthetic_dir: folder(s) of the synthetic data set.
        pretrained: checkpoint; needed by "synthetic_then_real", welcome with the others.

    Raises:
        ConfigError: unknown `train_on`, or a folder or checkpoint that it needs is not given.
    """
    if train_on not in SEGMENTATION_REGIMES:
        raise ConfigError(f"train_on is {train_on!r}; choose one of {', '.join(SEGMENTATION_REGIMES)}")
    if not dataset_dir:
        raise ConfigError("dataset_dir is not set: give the folder of the real data set, e.g. --dataset_dir data/DRIVE")
    if train_on in ("synthetic", "mixed") and not synthetic_dir:
        raise ConfigError(f"train_on={train_on!r} needs --synthetic_dir, the folder of a synthetic data set")
    if train_on == "synthetic_then_real" and not pretrained:
        raise ConfigError(
            "train_on='synthetic_then_real' goes on from a network trained on synthetic data: train one with "
            "--train_on synthetic first and give its checkpoint, --pretrained <output_dir>/models/model.pt"
        )
    # validation is real, so nothing of a synthetic set is held out; its layout is its own
    synthetic = [
        {"layout": "auto", "val_count": 0, **(folder if isinstance(folder, Mapping) else {"dataset_dir": folder})}
        for folder in _as_list(synthetic_dir)
    ]
    sources: Mapping[str, Any] = {
        "real": dataset_dir,
        "synthetic": synthetic,
        "synthetic_then_real": dataset_dir,
        "mixed": [*_as_list(dataset_dir), *synthetic],
    }
    return SegmentationSource(
        SEGMENTATION_REGIMES[train_on], sources[train_on], None if not pretrained else str(pretrained)
    )


def _as_list(folders: DatasetDir | None) -> list[Any]:
    if folders is None:
        return []
    return [folders] if isinstance(folders, (str, PathLike, Mapping)) else list(folders)
