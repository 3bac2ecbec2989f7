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
"""Trainer for paired translation, label map -> photograph (pix2pix, Isola 2017; pix2pixHD, Wang et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from ..losses.kl_divergence import kl_divergence_loss
from ..utils.checkpoint import plain_network
from ..utils.errors import ConfigError
from .adversarial_base import TwoPlayerTrainer
from .prepare_batch import PrepareTranslationBatch

__all__ = ["PairedGanTrainer"]


class PairedGanTrainer(TwoPlayerTrainer):
    """Trains `condition (B, C, X, Y) -> photograph (B, 3, X, Y)`; the discriminator sees both, concatenated.

    With one discriminator and one generator step an iteration, both share the batch and the generator's forward; with
    any other numbers every step has a batch of its own.

    Args:
        device: see `TwoPlayerTrainer`, as all arguments that are not named here.
        max_epochs: number of epochs.
        train_data_loader: loader of pairs.
        g_network: generator.
        g_optimizer: its optimizer.
        g_loss_function: `(fake_logits) -> loss`.
        d_network: discriminator of `cat[condition, photograph]`.
        d_optimizer: its optimizer.
        d_loss_function: `(real_logits, fake_logits) -> loss`.
        prepare_batch: batch -> `(condition, target)`, default `PrepareTranslationBatch()`.
        feature_matching_loss: `(fake_features, real_features) -> weighted loss` on the discriminator's whole answers.
        g_extra_losses: more terms by name, `(fakes, targets) -> loss`, each alone or as `[callable, weight]`
            (for example ``{"l1": [L1Loss(), 100]}``, or a perceptual loss). A loss with a true attribute
            `takes_condition` (`BandedL1Loss`) is called with the condition as third argument.
        kl_weight: weight of the Kullback-Leibler divergence of the styles that the generator's encoder finds in the
            photographs (`SpatiallyAdaptiveGenerator` with an encoder; 0.05 in Park et al. 2019). None for a generator
            without one.
    """

    input_key = "condition"

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
        prepare_batch: Callable | None = None,
        feature_matching_loss: Callable | None = None,
        g_extra_losses: dict[str, Any] | None = None,
        kl_weight: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.kl_weight = kl_weight
        self.feature_matching_loss = feature_matching_loss
        self.g_extra_losses = {name: _weighted(name, item) for name, item in (g_extra_losses or {}).items()}
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
            prepare_batch=PrepareTranslationBatch() if prepare_batch is None else prepare_batch,
            share_fakes=True,
            **kwargs,
        )

    def preview(self, network: nn.Module, count: int) -> torch.Tensor:
        """Photographs of the latest batch's conditions by `network` (for example the averaged generator)."""
        condition = self.state.output[self.input_key][:count]
        with torch.no_grad(), self._precision():
            return self._generate(network, condition).float()

    def _discriminator_data(self, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
        condition, target = self._prepared(batch)[:2]
        if target is None:
            raise ConfigError("a batch holds no photograph: paired training needs the image of every label map.")
        return self._formatted(condition), self._formatted(target)

    _generator_data = _discriminator_data

    def _generate(self, network: nn.Module, inputs: torch.Tensor, reals: torch.Tensor | None = None) -> torch.Tensor:
        if self.kl_weight is None or reals is None:
            return self.g_inferer(inputs, network)
        fakes, *self._style = self.g_inferer(inputs, network, photograph=reals)
        return fakes

    def _judged(self, images: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        return torch.cat([inputs, images], dim=1)

    def _generator_terms(
        self, fakes: torch.Tensor, answer: Any, reals: torch.Tensor, inputs: torch.Tensor, drawn: Any
    ) -> dict:
        terms = super()._generator_terms(fakes, answer, reals, inputs, drawn)
        if self.feature_matching_loss is not None:
            # features of the reals by the discriminator as it now is, and turned and moved as those of the fakes are
            with torch.no_grad():
                real_answer = self._judge(plain_network(self.d_network), reals, inputs, drawn)
            terms["feature_matching"] = self.feature_matching_loss(answer, real_answer)
        if self.kl_weight is not None:
            terms["kl"] = self.kl_weight * kl_divergence_loss(*self._style)
        for name, (loss, weight) in self.g_extra_losses.items():
            given = (fakes, reals, inputs) if getattr(loss, "takes_condition", False) else (fakes, reals)
            terms[name] = loss(*given) * weight
        return terms


def _weighted(name: str, item: Any) -> tuple[Callable, float]:
    loss, weight = item if isinstance(item, (tuple, list)) else (item, 1.0)
    if not callable(loss):
        raise ConfigError(f"g_extra_losses[{name!r}] is a callable or [callable, weight], got {item!r}.")
    return loss, float(weight)
