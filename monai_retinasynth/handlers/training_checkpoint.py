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
"""Saves all that training needs to go on, and goes on from it when the same command is run again."""

from __future__ import annotations

import io
import logging
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import nn

from ..utils.checkpoint import INFO_KEY, check_state_fits, load_checkpoint, plain_network, save_checkpoint
from ..utils.distributed import process_rank, wait_for_all
from ..utils.errors import CheckpointError, ConfigError, DivergenceError
from .iteration_output import scalar_values

__all__ = ["TrainingCheckpoint"]

_TRAINER_KEY = "trainer"
_STATE_KEYS = ("best_metric", "best_metric_epoch")
_logger = logging.getLogger(__name__)


class TrainingCheckpoint:
    """Checkpoints at the borders of epochs, for any ignite trainer, MONAI's `SupervisedTrainer` included.

    With `EpochSeedHandler` beside it, training that was killed and started again ends with the weights of an
    uninterrupted one, bit for bit on a CPU. Rank 0 writes, every rank reads.

    Args:
        save_dir: folder of the checkpoints.
        save_dict: what to save by name: networks (data-parallel ones are unwrapped), optimizers, schedulers, anything
            with `state_dict` and `load_state_dict`. Name the averaged generator, both networks and both optimizers.
            None entries are left out.
        kind: what the checkpoint is for; a checkpoint of another kind is refused.
        interval: epochs between two saves; the last epoch is always saved.
        resume: go on from `filename` when it is there; False begins anew and overwrites it.
        filename: the checkpoint to go on from.
        final_filename: small checkpoint for inference, written at the end and beside each save; None for none.
        final_key: the name in `save_dict` whose state `final_filename` holds under ``"model"``.
        trainer_state: save and restore the trainer's counters and best metric too.
        settings: plain values that must not change between the runs (sizes, learning rates, ...); a change is reported.
        final_settings: names in `settings` that `final_filename` holds too, for `load_network_weights` to compare: what
            the network's shapes do not tell, such as the label set.

    Raises:
        ConfigError: When `final_key` is not in `save_dict`, an item has no state, or `final_settings` are not among
            the settings.
    """

    def __init__(
        self,
        save_dir: str | os.PathLike,
        save_dict: Mapping[str, Any],
        kind: str,
        interval: int = 1,
        resume: bool = True,
        filename: str = "last.pt",
        final_filename: str | None = "model.pt",
        final_key: str | None = None,
        trainer_state: bool = True,
        settings: Mapping[str, Any] | None = None,
        final_settings: Sequence[str] = (),
    ) -> None:
        self.save_dict = {
            name: plain_network(item) if isinstance(item, nn.Module) else item
            for name, item in save_dict.items()
            if item is not None
        }
        for name, item in self.save_dict.items():
            if not (hasattr(item, "state_dict") and hasattr(item, "load_state_dict")):
                raise ConfigError(f"save_dict[{name!r}] is a {type(item).__name__}, which has no state to save.")
            if name in (_TRAINER_KEY, INFO_KEY, "settings"):
                raise ConfigError(f"the name {name!r} in save_dict is reserved; choose another.")
        networks = [name for name, item in self.save_dict.items() if isinstance(item, nn.Module)]
        if final_filename is not None and final_key is None and len(networks) == 1:
            final_key = networks[0]
        if final_filename is not None and final_key not in networks:
            raise ConfigError(f"final_key must name one of the networks in save_dict ({networks}), got {final_key!r}.")
        if interval < 1:
            raise ConfigError(f"interval must be at least 1 epoch, got {interval}.")
        self.save_dir = Path(save_dir)
        self.path = self.save_dir / filename
        self.final_path = None if final_filename is None else self.save_dir / final_filename
        self.final_key = final_key
        self.kind = kind
        self.interval = interval
        self.resume = resume
        self.trainer_state = trainer_state
        self.settings = None if settings is None else dict(settings)
        if unknown := sorted(set(final_settings) - set(self.settings or {})):
            raise ConfigError(f"final_settings names {', '.join(unknown)}, which settings does not hold.")
        self.final_settings = {name: self.settings[name] for name in final_settings}
        self._saved_epoch: int | None = None

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        engine.add_event_handler(Events.STARTED, self.load)
        engine.add_event_handler(Events.STARTED, self._attach_last)

    def _attach_last(self, engine: Engine) -> None:
        # behind every handler of the configuration, so that a scheduler's step at an epoch's end is saved as done
        if not engine.has_event_handler(self.save, Events.EPOCH_COMPLETED):
            engine.add_event_handler(Events.EPOCH_COMPLETED(every=self.interval), self.save)
            engine.add_event_handler(Events.COMPLETED, self.finish)

    def load(self, engine: Engine) -> None:
        """Restore everything from `filename` when it is there.

        Raises:
            CheckpointError: When it cannot be used for this training; nothing is changed then.
        """
        if not self.resume or not self.path.is_file():
            _logger.info("training starts from the beginning; checkpoints go to %s", self.path)
            return
        content = load_checkpoint(self.path, kind=self.kind, map_location=engine.state.device)
        self._check(engine, content)
        for name, item in self.save_dict.items():
            item.load_state_dict(content[name])
        if self.trainer_state:
            for key, value in content[_TRAINER_KEY].items():
                setattr(engine.state, key, value)
        # the two files are not written in one step: a run that ended between them left an older final file behind
        self._saved_epoch = engine.state.epoch if engine.state.epoch < (engine.state.max_epochs or 0) else -1
        _logger.info("going on after epoch %d of %d from %s", engine.state.epoch, engine.state.max_epochs, self.path)

    def save(self, engine: Engine) -> None:
        """Write the checkpoints (rank 0).

        Raises:
            CheckpointError: When a loss is not finite (the last good checkpoint stays), or the disk is full.
        """
        self._check_finite(engine)
        if process_rank() == 0:
            states = {name: item.state_dict() for name, item in self.save_dict.items()}
            payload: dict[str, Any] = dict(states)
            if self.trainer_state:
                payload[_TRAINER_KEY] = _trainer_state(engine)
            if self.settings is not None:
                payload["settings"] = self.settings
            network = None if self.final_key is None else self.save_dict[self.final_key]
            if self._saved_epoch is None:
                _make_sure_it_can_be_read(payload)
            save_checkpoint(self.path, payload, self.kind, network)
            if self.final_path is not None:
                final: dict[str, Any] = {"model": states[self.final_key]}
                if self.final_settings:
                    final["settings"] = self.final_settings
                save_checkpoint(self.final_path, final, self.kind, network)
        self._saved_epoch = engine.state.epoch

    def finish(self, engine: Engine) -> None:
        """Write what the last epochs left unsaved; every rank waits until the files are there."""
        if self._saved_epoch != engine.state.epoch or not self._files_are_there():
            self.save(engine)
        wait_for_all()

    def _files_are_there(self) -> bool:
        return self.path.is_file() and (self.final_path is None or self.final_path.is_file())

    def _check_finite(self, engine: Engine) -> None:
        broken = [name for name, value in scalar_values(engine.state.output).items() if not math.isfinite(value)]
        if broken:
            raise DivergenceError(
                f"training has diverged: {', '.join(broken)} not finite at iteration {engine.state.iteration}. "
                f"Nothing was saved over {self.path}; lower the learning rate, or train without mixed precision."
            )

    def _check(self, engine: Engine, content: dict[str, Any]) -> None:
        wanted = [*self.save_dict, *([_TRAINER_KEY] if self.trainer_state else [])]
        missing = [name for name in wanted if name not in content]
        if missing:
            raise CheckpointError(
                f"{self.path} lacks {missing}: it was written with other settings. Go back to those, or remove it "
                "to train from the beginning."
            )
        for name, item in self.save_dict.items():
            if isinstance(item, nn.Module):
                recorded = content[INFO_KEY].get("network", {}).get("class") if name == self.final_key else None
                check_state_fits(item, content[name], f"{self.path} ({name})", recorded)
        before = content[_TRAINER_KEY]["epoch_length"] if self.trainer_state else engine.state.epoch_length
        if engine.state.epoch_length not in (None, before):
            raise CheckpointError(
                f"{self.path} was written with epochs of {before} iterations, now they have "
                f"{engine.state.epoch_length}: an exact resume is not possible. Set the old length, or remove the file "
                "to train from the beginning."
            )
        self._check_settings(content.get("settings"))

    def _check_settings(self, before: dict[str, Any] | None) -> None:
        if self.settings is None or before is None:
            return
        names = sorted(set(before) | set(self.settings))
        changed = [
            f"{name}: {before.get(name, 'absent')} -> {self.settings.get(name, 'absent')}"
            for name in names
            if before.get(name) != self.settings.get(name)  # what an earlier version did not have is None
        ]
        if not changed:
            return
        raise CheckpointError(
            f"the settings changed since {self.path} was written ({'; '.join(changed)}). Go back to the old ones, "
            "or remove the file to train from the beginning."
        )


def _trainer_state(engine: Engine) -> dict[str, Any]:
    state = engine.state
    keys = ["epoch", "iteration", "epoch_length", *_STATE_KEYS, *engine.state_dict_user_keys]
    values = {key: getattr(state, key) for key in keys if hasattr(state, key)}
    # numpy scalars (metrics) cannot be read back safely
    return {key: value.item() if hasattr(value, "item") else value for key, value in values.items()}


def _make_sure_it_can_be_read(payload: dict[str, Any]) -> None:
    """Find out at the first save, not at the resume, that a state holds objects which are refused on reading."""
    plain = {k: v for k, v in payload.items() if not _is_weights(v)}
    buffer = io.BytesIO()
    torch.save(plain, buffer)
    buffer.seek(0)
    try:
        torch.load(buffer, weights_only=True)
    except Exception as error:
        raise ConfigError(f"an item of save_dict has a state that cannot be read back safely: {error}") from error


def _is_weights(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(item, torch.Tensor) for item in value.values())
