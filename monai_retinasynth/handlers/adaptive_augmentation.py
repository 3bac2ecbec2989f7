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
"""Adapts how often a discriminator's pictures are changed to how much it overfits (Karras et al. 2020, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents, Workflow

from ..transforms.discriminator_augmentation import DiscriminatorAugmentation
from ..utils.distributed import process_world
from ..utils.errors import ConfigError

__all__ = ["AdaptiveAugmentationHandler"]

_P_KEY, _SIGN_KEY = "augment_p", "augment_rt"


class AdaptiveAugmentationHandler:
    """Raises the probability p of the changes while the discriminator is too sure of the reals, else lowers it.

    r_t, the mean of sign(D(real)) over the last `interval` iterations and all processes, is 0 for a discriminator that
    knows nothing and 1 for one that knows the training set by heart. After each interval, p goes one step towards where
    r_t is `target`: up or down by `images / speed_images`, where `images` were seen meanwhile.

    The output of each iteration gets ``augment_p`` and, from the first comparison on, ``augment_rt`` (0-dim tensors),
    which `TensorBoardLosses` writes. With MONAI's engines that happens before ITERATION_COMPLETED, so the place among
    the handlers does not matter; on a plain ignite engine attach it before those that read the output.

    Put it into the ``save_dict`` of `TrainingCheckpoint`: its state holds p too, so resumed trainings go on exactly.

    Args:
        augmentation: what is adapted: an object with a number `p`.
        target: r_t to hold; None leaves p as the augmentation was made.
        speed_images: reals in which p can go from 0 to 1. The paper's 500 000 suit trainings on millions of images;
            a tenth to a third of the training's reals suit short ones.
        interval: iterations between two adjustments.
        max_p: upper limit of p; above 0.8 changes may leak into what the generator makes.
        sign_key: key of the output with the mean of sign(D(real)) in the iteration.

    Raises:
        ConfigError: When the settings cannot work.
    """

    def __init__(
        self,
        augmentation: DiscriminatorAugmentation,
        target: float | None = 0.6,
        speed_images: float = 500_000,
        interval: int = 4,
        max_p: float = 0.8,
        sign_key: str = "d_real_sign",
    ) -> None:
        if target is not None and not -1 < target < 1:
            raise ConfigError(f"target must lie between -1 and 1, or be None for a fixed p, got {target}.")
        if speed_images <= 0:
            raise ConfigError(f"speed_images must be positive, got {speed_images}.")
        if interval < 1:
            raise ConfigError(f"interval must be at least 1 iteration, got {interval}.")
        if not 0 < max_p <= 1:
            raise ConfigError(f"max_p must lie in 0..1 and not be 0, got {max_p}.")
        if target is not None and augmentation.p > max_p:
            raise ConfigError(f"the augmentation begins with p = {augmentation.p}, above max_p = {max_p}.")
        self.augmentation = augmentation
        self.target = target
        self.speed_images = speed_images
        self.interval = interval
        self.max_p = max_p
        self.sign_key = sign_key
        self.rt: float | None = None  # of the latest whole interval
        self._sum: Any = 0.0
        self._count = 0
        self._images: int | None = None  # seen at the latest adjustment

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        after = IterationEvents.MODEL_COMPLETED if isinstance(engine, Workflow) else Events.ITERATION_COMPLETED
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(after, self)
        # checkpoints are written by one process and read by all
        engine.add_event_handler(Events.EPOCH_COMPLETED, lambda _: self._share())

    def __call__(self, engine: Engine) -> None:
        """Take in an iteration, and adjust p after the interval's last.

        Raises:
            ConfigError: When the output lacks `sign_key`.
        """
        output = engine.state.output
        if not isinstance(output, dict) or (self.target is not None and self.sign_key not in output):
            found = sorted(map(str, output)) if isinstance(output, dict) else type(output).__name__
            raise ConfigError(
                f"the trainer's output has no {self.sign_key!r} (found: {found}), from which p is adapted: give the "
                "trainer the augmentation and leave decollate off, choose a loss whose scores have a boundary (not "
                "wgan), name another sign_key, or set target to None for a fixed p."
            )
        if self.sign_key in output:
            self._sum = self._sum + torch.as_tensor(output[self.sign_key]).detach().float()
            self._count += 1
        if self._count == self.interval:
            self._share()
            self.rt = float(self._sum) / self._count  # waits for the device, hence only now and then
            self._sum, self._count = 0.0, 0
            if self.target is not None:
                self._adjust(engine)
        output[_P_KEY] = torch.tensor(self.augmentation.p)
        if self.rt is not None:
            output[_SIGN_KEY] = torch.tensor(self.rt)

    def state_dict(self) -> dict[str, float | int | None]:
        """p, and what has been summed up since the latest adjustment."""
        return {
            "p": self.augmentation.p,
            "rt": self.rt,
            "sum": float(self._sum),
            "count": self._count,
            "images": self._images,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`'s answer."""
        self.augmentation.p = state["p"]
        self.rt, self._count, self._images = state["rt"], state["count"], state["images"]
        self._sum = torch.tensor(state["sum"])

    def _start(self, engine: Engine) -> None:
        if self.target is not None and not hasattr(engine.state, "images_seen"):
            raise ConfigError(
                "the engine's state has no images_seen, by which p is adapted: use one of this package's GAN trainers."
            )
        if self._images is None:
            self._images = getattr(engine.state, "images_seen", 0)

    def _adjust(self, engine: Engine) -> None:
        images = engine.state.images_seen
        step = (images - (self._images or 0)) / self.speed_images
        self._images = images
        difference = self.rt - self.target  # type: ignore[operator]
        p = self.augmentation.p + (step if difference > 0 else -step if difference < 0 else 0.0)
        self.augmentation.p = min(max(p, 0.0), self.max_p)

    def _share(self) -> None:
        """Replace the sum by its mean over the processes; a second time this changes nothing."""
        if isinstance(self._sum, torch.Tensor) and process_world() > 1:
            self._sum = idist.all_reduce(self._sum.clone(), "SUM") / process_world()
