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
"""Checkpoints that say what they are: written whole or not at all, and refused with a reason when they do not fit."""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .._version import __version__
from .atomic_file import atomic_write
from .errors import CheckpointError
from .file_digest import file_digest

__all__ = [
    "INFO_KEY",
    "check_state_fits",
    "checkpoint_digest",
    "load_checkpoint",
    "load_network_weights",
    "network_fingerprint",
    "plain_network",
    "recorded_setting",
    "save_checkpoint",
]

INFO_KEY = "checkpoint_info"
_logger = logging.getLogger(__name__)
_FORMAT = "monai_retinasynth checkpoint"
_FORMAT_VERSION = 1


def plain_network(network: nn.Module) -> nn.Module:
    """The network itself, taken out of its data-parallel wrapper if it has one."""
    return network.module if isinstance(network, nn.parallel.DistributedDataParallel) else network


def network_fingerprint(network: nn.Module) -> dict[str, str]:
    """Class name and a digest of the sorted names and shapes of everything in the network's state dict."""
    network = plain_network(network)
    lines = sorted(f"{name} {tuple(value.shape)}" for name, value in network.state_dict().items())
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    return {"class": type(network).__name__, "digest": digest}


def save_checkpoint(
    path: str | os.PathLike, payload: Mapping[str, Any], kind: str, network: nn.Module | None = None
) -> None:
    """Write `payload` with a description of itself; the file appears whole under its name, or not at all.

    Args:
        path: file to write; missing folders are made.
        payload: state dicts and plain values (what `torch.load(weights_only=True)` can read back).
        kind: what the checkpoint is for, for example ``"label_map_generation"``; compared on loading.
        network: the network whose weights the checkpoint is about; its fingerprint is stored.

    Raises:
        CheckpointError: When the file cannot be written (full disk, no permission); nothing is left behind.
        ValueError: When `payload` uses the reserved key.
    """
    if INFO_KEY in payload:
        raise ValueError(f"the key {INFO_KEY!r} is reserved; rename it in the payload.")
    path = Path(path)
    info: dict[str, Any] = {
        "format": _FORMAT,
        "format_version": _FORMAT_VERSION,
        "package_version": __version__,
        "kind": kind,
    }
    if network is not None:
        info["network"] = network_fingerprint(network)
    try:
        with atomic_write(path, CheckpointError) as file:
            torch.save({INFO_KEY: info, **payload}, file)
    except CheckpointError:
        raise
    except RuntimeError as error:  # torch's own writer wraps what the system says
        raise CheckpointError(
            f"cannot write the checkpoint {path}: {error}. Free some space or choose another output folder; "
            "an earlier checkpoint of that name is untouched."
        ) from error


def _major_minor(version: str) -> list[str]:
    return version.split("+")[0].split(".")[:2]


def load_checkpoint(
    path: str | os.PathLike,
    kind: str | None = None,
    map_location: str | torch.device = "cpu",
    allow_other_version: bool = False,
) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote, without running any code from the file.

    Args:
        path: the checkpoint.
        kind: refuse a checkpoint made for something else (None: any kind).
        map_location: where the tensors go.
        allow_other_version: read a checkpoint although another major.minor version of this package wrote it.

    Returns:
        the payload, with the description under the key ``"checkpoint_info"``.

    Raises:
        CheckpointError: When the file is missing, truncated, foreign, of another kind or of another version.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}: train the network first, or give the path of its model.pt.")
    try:
        with zipfile.ZipFile(path) as archive:  # torch.load does not look at the checksums
            if (damaged := archive.testzip()) is not None:
                raise zipfile.BadZipFile(f"wrong checksum of {damaged}")
        content = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # a dozen kinds, by where the file is cut
        raise CheckpointError(
            f"cannot read the checkpoint {path}: it is truncated, damaged, or not a checkpoint "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no detail'}). "
            "Remove it and train again, or restore it from a copy."
        ) from error
    info = content.get(INFO_KEY) if isinstance(content, dict) else None
    if not isinstance(info, dict) or info.get("format") != _FORMAT:
        raise CheckpointError(
            f"{path} was not written by monai_retinasynth: it carries no description of itself. "
            "Give a checkpoint that this package's training wrote."
        )
    if info["format_version"] > _FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has checkpoint format {info['format_version']}, this package reads up to {_FORMAT_VERSION}: "
            f"install monai_retinasynth {info['package_version']} or newer."
        )
    written_by = info["package_version"]
    if not allow_other_version and _major_minor(written_by) != _major_minor(__version__):
        raise CheckpointError(
            f"{path} was written by monai_retinasynth {written_by}, this is {__version__}: install "
            f"monai_retinasynth=={written_by}, train again, or pass allow_other_version=True at your own risk."
        )
    if kind is not None and info["kind"] != kind:
        raise CheckpointError(
            f"{path} is a checkpoint for {info['kind']!r}, not for {kind!r}: check the path you gave."
        )
    return content


def check_state_fits(
    network: nn.Module, state: Mapping[str, torch.Tensor], where: str, written_for: str | None = None
) -> None:
    """Compare a state dict with a network before anything is loaded.

    Args:
        network: the network to load into.
        state: the state dict.
        where: how an error names the checkpoint.
        written_for: class name of the network that wrote it, for the error message.

    Raises:
        CheckpointError: naming both classes and the first few parameters that differ.
    """
    own = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    theirs = {name: tuple(value.shape) for name, value in state.items()}
    if own == theirs:
        return
    differences = [
        f"{name}: {theirs.get(name, 'absent')} in the checkpoint, {own.get(name, 'absent')} in the network"
        for name in [*own, *(name for name in theirs if name not in own)]
        if own.get(name) != theirs.get(name)
    ]
    shown = "; ".join(differences[:4]) + (f"; and {len(differences) - 4} more" if len(differences) > 4 else "")
    raise CheckpointError(
        f"{where} holds another network ({written_for or 'class not recorded'}) than the one configured "
        f"({type(network).__name__}): {shown}. Use the settings the checkpoint was trained with, or remove it."
    )


def checkpoint_digest(path: str | os.PathLike) -> str:
    """First 16 hexadecimal digits of the SHA-256 of a checkpoint file, for the provenance of what it generates.

    Raises:
        CheckpointError: When the file is missing.
    """
    if not os.path.isfile(path):
        raise CheckpointError(f"checkpoint not found: {path}; train first, or give its path with --checkpoint")
    return file_digest(path)[:16]


def recorded_setting(path: str | os.PathLike, name: str) -> Any:
    """A setting that a checkpoint records of its training (`final_settings` of `TrainingCheckpoint`), or None.

    Raises:
        CheckpointError: When the checkpoint cannot be read.
    """
    return load_checkpoint(path).get("settings", {}).get(name)


def load_network_weights(
    network: nn.Module,
    path: str | os.PathLike,
    key: str = "model",
    kind: str | None = None,
    allow_other_version: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Load the weights under `key` of a checkpoint into a network, in place.

    Args:
        network: the network, on any device, data-parallel or not.
        path: the checkpoint.
        key: which of the checkpoint's state dicts.
        kind: see `load_checkpoint`.
        allow_other_version: see `load_checkpoint`.
        settings: what the checkpoint must have been trained with, by name, such as ``{"label_set": "fundus_lesion"}``;
            compared with those that it records.

    Raises:
        CheckpointError: When the checkpoint cannot be read, was trained with another setting, or holds another network.
    """
    content = load_checkpoint(path, kind=kind, allow_other_version=allow_other_version)
    if key not in content:
        names = ", ".join(sorted(name for name in content if name != INFO_KEY))
        raise CheckpointError(f"{path} has no weights under {key!r}; it has: {names}.")
    recorded = content.get("settings", {})
    for name, value in (settings or {}).items():
        if name not in recorded and value is not None:
            _logger.warning("%s does not say what %s it was trained with; taken for %r", path, name, value)
        if recorded.get(name, value) != value:
            raise CheckpointError(
                f"{path} was trained with {name} {recorded[name]!r}, here it is {value!r}: give --{name} "
                f"{recorded[name]}, or a checkpoint that was trained with {value!r}."
            )
    plain = plain_network(network)
    written_for = content[INFO_KEY].get("network", {}).get("class")
    check_state_fits(plain, content[key], str(path), written_for)
    plain.load_state_dict(content[key])
