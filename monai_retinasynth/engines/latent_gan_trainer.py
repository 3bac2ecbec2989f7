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
"""Trainer for generators that start from a latent vector, optionally growing progressively (Karras et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.optimizer import Optimizer

from ..networks.conditioning import check_conditioning
from ..utils.distributed import process_rank, process_world
from ..utils.errors import ConfigError
from ..utils.seeding import seeded_choices, seeded_latents, with_conditions
from .adversarial_base import TwoPlayerTrainer
from .growth import ProgressiveGrowthSchedule
from .prepare_batch import PrepareLatentBatch

__all__ = ["LatentGanTrainer"]

_TRAINING_STREAM, _CONDITION_STREAM = 1, 2


class LatentGanTrainer(TwoPlayerTrainer):
    """Trains `latents (B, Z) -> samples (B, C, X, Y)` against reals.

    The k-th latent vector drawn in training depends on `(seed, k)` alone and ranks take neighbouring pieces of the
    joint batch, so several processes see what one process with the joint batch would.

    With `growth`, the reals are averaged down to the current resolution and, while a resolution is faded in, mixed with
    the resolution below by the same alpha as the networks (Karras et al. 2018, fig. 2), the generator is called with
    `resolution` and `alpha`, the discriminator with `alpha`, and the loader's samples are regrouped to the schedule's
    batch size. ``engine.state`` tells `resolution`, `alpha` and `phase`.

    Args:
        device: see `TwoPlayerTrainer`, as all arguments that are not named here.
        max_epochs: number of epochs; with `growth`, usually ``growth.max_epochs_for(epoch_length)``.
        train_data_loader: loader of reals.
        g_network: generator.
        g_optimizer: its optimizer.
        g_loss_function: `(fake_logits) -> loss`.
        d_network: discriminator.
        d_optimizer: its optimizer.
        d_loss_function: `(real_logits, fake_logits) -> loss`.
        latent_size: length Z of a latent vector.
        growth: when the resolution grows; None keeps the reals' own resolution.
        reals_transform: callable on the batch of reals on the device, after reduction to the current resolution
            (augmentation, softening of one-hot maps); fakes are never transformed.
        d_prepare_batch: batch -> reals (B, C, X, Y), or a tuple of these and, with `num_conditions`, their classes.
        num_conditions: number K of classes (such as grades) that the samples are conditioned on; 0 for none. The
            generator's input is then the latent vector followed by the one-hot class, (B, Z + K), and the
            discriminator answers (B, 1 + K): its adversarial logit and the logits of the classes. Both players learn
            the classes, the discriminator from reals and fakes (Odena et al. 2017).
        condition_weights: how often each class is drawn for fakes, K numbers; None draws all alike, so that a rare
            class is learnt too.
        class_weight: weight of the cross-entropy of the classes.
        g_update_latents: draw new latents for the generator's step, as the paper does. False makes one generator
            forward serve both steps where `d_train_steps` and `g_train_steps` are 1 (faster).

    Raises:
        ConfigError: When growth is used without `epoch_length`, its batch does not divide among the processes, or
            `condition_weights` are not K numbers from 0 on.
    """

    input_key = "latents"
    generator_needs_data = False

    def __init__(
        self,
        device: torch.device | str,
        max_epochs: int,
        train_data_loader: Iterable,
        g_network: nn.Module,
        g_optimizer: Optimizer,
        g_loss_function: Callable,
        d_network: nn.Module,
        d_optimizer: Optimizer,
        d_loss_function: Callable,
        latent_size: int,
        growth: ProgressiveGrowthSchedule | None = None,
        reals_transform: Callable[[torch.Tensor], torch.Tensor] | None = None,
        d_prepare_batch: Callable | None = None,
        g_update_latents: bool = True,
        num_conditions: int = 0,
        condition_weights: Sequence[float] | None = None,
        class_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        if "prepare_batch" in kwargs:
            raise ConfigError("LatentGanTrainer takes d_prepare_batch, not prepare_batch.")
        weights = [1.0] * num_conditions if condition_weights is None else [float(w) for w in condition_weights]
        if len(weights) != num_conditions or (num_conditions and (min(weights) < 0 or not sum(weights))):
            raise ConfigError(f"condition_weights must be {num_conditions} numbers from 0 on, got {condition_weights}.")
        for network in (g_network, d_network):
            check_conditioning(network, num_conditions)
        self.latent_size = latent_size
        self.num_conditions = num_conditions
        self.condition_weights = [weight / sum(weights) for weight in weights]
        self.class_weight = class_weight
        self.growth = growth
        self.reals_transform = reals_transform
        super().__init__(
            device,
            max_epochs,
            train_data_loader,
            g_network,
            g_optimizer,
            g_loss_function,
            d_network,
            d_optimizer,
            d_loss_function,
            prepare_batch=PrepareLatentBatch() if d_prepare_batch is None else d_prepare_batch,
            share_fakes=not g_update_latents,
            step_batch_size=None if growth is None else self._local_batch_size,
            **kwargs,
        )
        self._batch = 0
        if growth is not None:
            self._begin_iteration()

    def preview(self, network: nn.Module, count: int) -> torch.Tensor:
        """The same few samples every time, from `network` (for example the averaged generator), at today's growth."""
        latents = seeded_latents(range(count), self.latent_size, self.seed)
        if self.num_conditions:
            drawn = [k for k, weight in enumerate(self.condition_weights) if weight]
            latents = with_conditions(latents, [drawn[k % len(drawn)] for k in range(count)], self.num_conditions)
        latents = latents.to(self.state.device)
        with torch.no_grad(), self._precision():
            return self._generate(network, latents).float()

    def _local_batch_size(self) -> int:
        joint, world = self.growth.batch_size(self.state.images_seen), process_world()  # type: ignore[union-attr]
        if joint % world:
            raise ConfigError(f"the schedule's joint batch of {joint} does not divide among {world} processes.")
        return joint // world

    def _begin_iteration(self) -> None:
        if self.growth is not None:
            phase = self.growth.phase(self.state.images_seen)
            self.state.resolution, self.state.alpha, self.state.phase = phase

    def _latents(self, count: int) -> torch.Tensor:
        first = self.state.latents_drawn + process_rank() * count
        self.state.latents_drawn += process_world() * count
        indices = range(first, first + count)
        latents = seeded_latents(indices, self.latent_size, self.seed, _TRAINING_STREAM)
        if self.num_conditions:
            conditions = seeded_choices(indices, self.condition_weights, self.seed, _CONDITION_STREAM)
            latents = with_conditions(latents, conditions, self.num_conditions)
        return latents.to(self.state.device, non_blocking=self.non_blocking)

    def _discriminator_data(self, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
        reals = self._prepared(batch)
        if self.num_conditions:
            reals, conditions = self._with_their_conditions(reals)
            self._real_conditions = conditions
        reals = reals[0] if isinstance(reals, (tuple, list)) else reals
        if self.growth is not None:
            reals = _reduced(reals, self.state.resolution, self.state.alpha)
        if self.reals_transform is not None:
            reals = self.reals_transform(reals)
        self._batch = len(reals)
        return self._latents(len(reals)), self._formatted(reals)

    def _generator_data(self, batch: Any) -> tuple[torch.Tensor, None]:
        return self._latents(self._batch), None

    def _generate(self, network: nn.Module, inputs: torch.Tensor, reals: Any = None) -> torch.Tensor:
        if self.growth is None:
            return self.g_inferer(inputs, network)
        return self.g_inferer(inputs, network, resolution=self.state.resolution, alpha=self.state.alpha)

    def _answer(self, network: nn.Module, shown: torch.Tensor) -> Any:
        if self.growth is None:
            return self.d_inferer(shown, network)
        return self.d_inferer(shown, network, alpha=self.state.alpha)

    def _logits(self, answer: Any) -> Any:
        return answer[:, :1].float() if self.num_conditions else super()._logits(answer)

    def _discriminator_terms(self, real_answer: Any, fake_answer: Any, inputs: torch.Tensor) -> dict:
        if not self.num_conditions:
            return {}
        return {
            "class_real": self._class_loss(real_answer, self._real_conditions),
            "class_fake": self._class_loss(fake_answer, self._conditions_of(inputs)),
        }

    def _generator_terms(self, fakes: torch.Tensor, answer: Any, reals: Any, inputs: torch.Tensor, drawn: Any) -> dict:
        terms = super()._generator_terms(fakes, answer, reals, inputs, drawn)
        if self.num_conditions:
            terms["class"] = self._class_loss(answer, self._conditions_of(inputs))
        return terms

    def _class_loss(self, answer: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
        return self.class_weight * F.cross_entropy(answer[:, 1:].float(), conditions)

    def _conditions_of(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs[:, self.latent_size :].argmax(1)

    def _with_their_conditions(self, prepared: Any) -> tuple[torch.Tensor, torch.Tensor]:
        if not isinstance(prepared, (tuple, list)) or len(prepared) < 2 or prepared[1] is None:
            raise ConfigError(
                "conditional training needs the class of every real: d_prepare_batch returned none. Give every case "
                "a grade, or set num_conditions to 0."
            )
        reals, conditions = prepared[0], prepared[1].long()
        if int(conditions.min()) < 0 or int(conditions.max()) >= self.num_conditions:
            raise ConfigError(
                f"classes of the reals run from {int(conditions.min())} to {int(conditions.max())}, "
                f"num_conditions={self.num_conditions} allows 0 to {self.num_conditions - 1}."
            )
        return reals, conditions


def _reduced(reals: torch.Tensor, resolution: int, alpha: float) -> torch.Tensor:
    """Reals averaged down to `resolution`, crossfaded with the resolution below while alpha < 1."""
    if min(reals.shape[-2:]) < resolution:
        raise ConfigError(f"reals of {tuple(reals.shape[-2:])} px cannot train resolution {resolution}: reduce less.")
    if tuple(reals.shape[-2:]) != (resolution, resolution):
        reals = F.adaptive_avg_pool2d(reals, resolution)
    if alpha < 1.0:
        below = F.interpolate(F.avg_pool2d(reals, 2), scale_factor=2, mode="nearest")
        reals = torch.lerp(below, reals, alpha)
    return reals
