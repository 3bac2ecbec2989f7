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

from monai_retinasynth.data.cases import load_cases
from monai_retinasynth.utils.errors import ConfigError

__all__ = [
    "BATCH_MIXINGS",
    "PHOTOMETRICS",
    "SEGMENTATION_REGIMES",
    "SegmentationSource",
    "count_for_share",
    "is_strong_photometric",
    "segmentation_run_name",
    "select_segmentation_source",
]

SEGMENTATION_REGIMES = {
    "real": "REAL",
    "synthetic": "SYNTH",
    "synthetic_then_real": "SYNTH then REAL",
    "mixed": "REAL and SYNTH",
}

BATCH_MIXINGS = ("union", "half")
PHOTOMETRICS = ("none", "strong")

DatasetDir = str | PathLike | Sequence[Any]


@dataclass(frozen=True)
class SegmentationSource:
    """
    Args:
        name: name of the regime in tables.
        dataset_dir: folder or folders, as `load_cases` takes them, whose training section is trained on.
        pretrained: checkpoint to start from, or None to start from random weights.
        num_cases: take the first so many cases of `dataset_dir` only, or None for all.
        num_real: how many of the cases are real, the first ones; None where it is not needed.
        batch_share: share of synthetic cases in a batch at the beginning and at the end of the training, or None where
            each case is equally likely to be drawn.
    """

    name: str
    dataset_dir: Any
    pretrained: str | None
    num_cases: int | None = None
    num_real: int | None = None
    batch_share: tuple[float, float] | None = None


def segmentation_run_name(train_on: str, synthetic_share: float | None = None) -> str:
    """Name of a regime in tables, such as "SYNTH then REAL", or "REAL, 25 % SYNTH" for a share of synthetic images."""
    if synthetic_share is not None:
        return f"REAL, {100 * synthetic_share:g} % SYNTH"
    return SEGMENTATION_REGIMES[train_on]


def is_strong_photometric(photometric: str) -> bool:
    """
    Whether the key `photometric` asks for randomised cameras.

    Raises:
        ConfigError: when it is none of `PHOTOMETRICS`.
    """
    if photometric not in PHOTOMETRICS:
        raise ConfigError(f"photometric is {photometric!r}; choose one of {', '.join(PHOTOMETRICS)}")
    return photometric == "strong"


def count_for_share(num_real: int, synthetic_share: float) -> int:
    """
    Number of synthetic images that, added to `num_real` real ones, make up a share of all: real * share / (1 - share),
    rounded, at least 1 for a share above 0.

    Raises:
        ConfigError: when the share is not in [0, 1).
    """
    if isinstance(synthetic_share, str) or not 0 <= synthetic_share < 1:
        raise ConfigError(
            f"synthetic_share is {synthetic_share!r}; give the share of the training images that are synthetic, 0 or "
            "more and below 1 (for synthetic images only, --train_on synthetic)"
        )
    return max(1, round(num_real * synthetic_share / (1 - synthetic_share))) if synthetic_share else 0


def select_segmentation_source(
    train_on: str,
    dataset_dir: DatasetDir | None,
    synthetic_dir: DatasetDir | None = None,
    pretrained: str | PathLike | None = None,
    num_synthetic: int | None = None,
    synthetic_share: float | None = None,
    layout: str = "auto",
    num_cases: int | None = None,
    val_count: int = 2,
    split: str | None = None,
    batch_mixing: str = "union",
    synthetic_batch_share: float | None = None,
    synthetic_batch_share_end: float | None = None,
) -> SegmentationSource:
    """
    Turn the key `train_on` into folders and a starting point. Validation and test data are always real and not chosen
    here.

    Args:
        train_on: "real", "synthetic", "synthetic_then_real" (starts from the checkpoint of a synthetic run and goes on
            with real data), or "mixed" (the union of both).
        dataset_dir: folder(s) of the real data set.
        synthetic_dir: folder(s) of the synthetic data set; not needed for a share of 0.
        pretrained: checkpoint; needed by "synthetic_then_real", welcome with the others.
        num_synthetic: take the first so many synthetic cases, in the order of their data lists; None for all.
        synthetic_share: for "mixed": share of the training images that are synthetic; all real images (the first
            `num_cases`) are taken, and as many of the first synthetic ones as `count_for_share` says.
        layout: layout of the real data set, see `load_cases`.
        num_cases: take the first so many cases only; of the real ones where `num_synthetic` or `synthetic_share` counts
            the synthetic ones or a batch has a share of them, else of the union.
        val_count: number of real training cases held out for validation.
        split: named split of CHASE_DB1, None for its default.
        batch_mixing: for "mixed": "union" draws from all cases alike, "half" fills half of each batch with synthetic
            cases, however many there are.
        synthetic_batch_share: for "mixed": another share of synthetic cases in each batch than half, 0 to 1.
        synthetic_batch_share_end: the share that a batch has at the end of the training, reached in a straight line.

    Raises:
        ConfigError: unknown `train_on` or `batch_mixing`, or a folder or checkpoint that it needs is not given, or a
            share that is none, or more synthetic cases than there are.
        DataError: when cases are to be counted and a folder cannot be read.
    """
    if train_on not in SEGMENTATION_REGIMES:
        raise ConfigError(f"train_on is {train_on!r}; choose one of {', '.join(SEGMENTATION_REGIMES)}")
    if not dataset_dir:
        raise ConfigError("dataset_dir is not set: give the folder of the real data set, e.g. --dataset_dir data/DRIVE")
    _check_counts(train_on, num_synthetic, synthetic_share)
    if train_on in ("synthetic", "mixed") and not synthetic_dir and synthetic_share != 0:
        raise ConfigError(f"train_on={train_on!r} needs --synthetic_dir, the folder of a synthetic data set")
    if train_on == "synthetic_then_real" and not pretrained:
        raise ConfigError(
            "train_on='synthetic_then_real' goes on from a network trained on synthetic data: train one with "
            "--train_on synthetic first and give its checkpoint, --pretrained <output_dir>/models/model.pt"
        )
    batch_share = _batch_share(train_on, batch_mixing, synthetic_batch_share, synthetic_batch_share_end)
    real = _as_list(dataset_dir)
    # validation is real, so nothing of a synthetic set is held out; its layout is its own
    synthetic = [
        {"layout": "auto", "val_count": 0, **(folder if isinstance(folder, Mapping) else {"dataset_dir": folder})}
        for folder in _as_list(synthetic_dir)
    ]
    if num_synthetic is not None or synthetic_share is not None:
        why = f"num_synthetic is {num_synthetic}"
        if synthetic_share is not None:
            num_real = len(load_cases(dataset_dir, "training", layout, num_cases, val_count, split))
            num_synthetic = count_for_share(num_real, synthetic_share)
            why = f"synthetic_share {synthetic_share} beside {num_real} real training images needs {num_synthetic}"
        synthetic, held = _first_cases(synthetic, num_synthetic or 0, {})
        if held < (num_synthetic or 0):
            raise ConfigError(
                f"too few synthetic images: {why}, {synthetic_dir} holds {held}; generate more, or lower the number"
            )
    counted = num_synthetic is not None or batch_share is not None
    if counted and num_cases is not None and train_on == "mixed":
        real, held = _first_cases(real, num_cases, {"layout": layout, "val_count": val_count, "split": split})
        if held < num_cases:
            raise ConfigError(f"too few real images: num_cases is {num_cases}, {dataset_dir} holds {held}")
        num_cases = None
    num_real = None
    if batch_share is not None:
        num_real = len(load_cases(real, "training", layout, None, val_count, split))
    sources: Mapping[str, Any] = {
        "real": dataset_dir,
        "synthetic": synthetic,
        "synthetic_then_real": dataset_dir,
        "mixed": [*real, *synthetic],
    }
    name = segmentation_run_name(train_on, synthetic_share)
    start = None if not pretrained else str(pretrained)
    return SegmentationSource(name, sources[train_on], start, num_cases, num_real, batch_share)


def _batch_share(
    train_on: str, mixing: str, share: float | None, share_end: float | None
) -> tuple[float, float] | None:
    """Shares of synthetic cases in the first and last batch, or None for the union of all cases."""
    if mixing not in BATCH_MIXINGS:
        raise ConfigError(f"batch_mixing is {mixing!r}; choose one of {', '.join(BATCH_MIXINGS)}")
    if share is None and share_end is not None and mixing == "union":
        raise ConfigError(
            "synthetic_batch_share_end is where the share of synthetic cases in a batch ends; say where it begins, "
            "--synthetic_batch_share 0.5"
        )
    if share is None and mixing == "union":
        return None
    shares = (0.5 if share is None else share, share_end)
    for value in shares:
        if value is not None and (isinstance(value, (str, bool)) or not 0 <= value <= 1):
            raise ConfigError(f"the share of synthetic cases in a batch is a number from 0 to 1, got {value!r}")
    if train_on != "mixed":
        raise ConfigError(f"batch_mixing and synthetic_batch_share are for --train_on mixed, train_on is {train_on!r}")
    return shares[0], shares[0] if share_end is None else share_end


def _check_counts(train_on: str, num_synthetic: int | None, synthetic_share: float | None) -> None:
    if num_synthetic is not None and synthetic_share is not None:
        raise ConfigError(
            f"num_synthetic ({num_synthetic}) and synthetic_share ({synthetic_share}) both say how many synthetic "
            "images are taken; give one of them"
        )
    if synthetic_share is not None:
        count_for_share(1, synthetic_share)
        if train_on != "mixed":
            raise ConfigError(f"synthetic_share is for --train_on mixed, train_on is {train_on!r}")
    if num_synthetic is not None:
        if train_on not in ("mixed", "synthetic"):
            raise ConfigError(f"num_synthetic is for --train_on mixed or synthetic, train_on is {train_on!r}")
        if not isinstance(num_synthetic, int) or num_synthetic < 1:
            raise ConfigError(f"num_synthetic is a whole number from 1 on, got {num_synthetic!r}")


def _first_cases(folders: Sequence[Any], count: int, settings: Mapping[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """Folders cut to the first `count` training cases of all of them, and how many (at most `count`) there are."""
    taken: list[dict[str, Any]] = []
    found = 0
    for folder in folders:
        if found == count:
            break
        own = {**settings, **(folder if isinstance(folder, Mapping) else {"dataset_dir": folder})}
        cases = min(len(load_cases(own, "training")), count - found)
        found += cases
        taken.append({**own, "num_cases": cases})
    return taken, found


def _as_list(folders: DatasetDir | None) -> list[Any]:
    if folders is None:
        return []
    return [folders] if isinstance(folders, (str, PathLike, Mapping)) else list(folders)
