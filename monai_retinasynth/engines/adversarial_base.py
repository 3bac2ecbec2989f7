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
"""The training step that both GAN trainers share: discriminator steps, lazy regularisation, generator steps."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from ignite.engine import Engine, EventEnum
from monai.engines import IterationEvents, Trainer, default_metric_cmp_fn
from monai.inferers import Inferer, SimpleInferer
from monai.utils import GanKeys
from monai.utils.enums import CommonKeys
from torch import nn
from torch.optim.optimizer import Optimizer

from ..losses.adversarial import logits_by_scale
from ..utils.checkpoint import plain_network
from ..utils.distributed import process_world
from ..utils.errors import ConfigError
from .step_batches import StepBatches

__all__ = ["GanIterationEvents", "TwoPlayerTrainer", "logits_of"]


class GanIterationEvents(EventEnum):
    """Fired after the optimizer step of each discriminator and each generator step."""

    DISCRIMINATOR_COMPLETED = "discriminator_completed"
    GENERATOR_COMPLETED = "generator_completed"


class TwoPlayerTrainer(Trainer):
    """Base of the GAN trainers; a subclass says what is generated, how it is judged, and what the generator is told.

    One iteration is `d_train_steps` discriminator steps and then `g_train_steps` generator steps, each on a batch of
    its own. Where both are 1 and the subclass allows it, one generator forward serves both steps. The discriminator is
    frozen in the generator's step (and used without its data-parallel wrapper there, as it has no gradients to reduce).

    Output of an iteration, all detached tensors on the device: ``reals``, ``fakes``, the generator's input (``latents``
    or ``condition``), ``d_loss`` and ``g_loss`` (what the two optimizers minimised, averaged over the steps of the
    iteration), ``loss`` (their sum), and every term by name: ``d_adversarial`` and, where `d_loss_function` has
    ``sides()``, its two summands ``d_real`` and ``d_fake``; ``d_<regulariser>`` (its latest value without the
    interval's factor); ``g_adversarial``, ``g_<term>``; with `augment` also ``d_real_sign``, the mean sign of D(real)
    less the `boundary` of the loss (not for "wgan", whose scores have none).

    Counters in ``engine.state``, part of ``state_dict()``: ``images_seen`` (real images shown to the discriminator by
    all processes), ``d_steps``, ``latents_drawn``.

    Args:
        device: where to train.
        max_epochs: number of epochs.
        train_data_loader: data loader, regrouped by `StepBatches` as the steps need it, or a `StepBatches`.
        g_network: generator, plain or data-parallel.
        g_optimizer: its optimizer.
        g_loss_function: `(fake_logits) -> loss`.
        d_network: discriminator; returns logits, a list of logits (scales), or a list of feature lists, logits last.
        d_optimizer: its optimizer.
        d_loss_function: `(real_logits, fake_logits) -> loss`.
        epoch_length: iterations in an epoch, default one pass of the data.
        g_inferer: how the generator is called, default `SimpleInferer`.
        d_inferer: how the discriminator is called, default `SimpleInferer`.
        d_train_steps: discriminator steps in an iteration.
        g_train_steps: generator steps in an iteration.
        d_regularizers: `(discriminator, reals, fakes) -> weighted penalty` callables, each alone or with an interval
            `(callable, k)`: then computed at every k-th discriminator step and multiplied by k (lazy regularisation,
            Karras et al. 2020). Computed in float32; the discriminator they get returns float32 logits, or a list of
            them (one a scale).
        non_blocking: asynchronous copies to the device.
        prepare_batch: batch -> what the subclass needs.
        iteration_update: replaces the whole training step.
        postprocessing: transforms of batch and output after MODEL_COMPLETED.
        key_train_metric: see MONAI's `SupervisedTrainer`.
        additional_metrics: see there.
        metric_cmp_fn: see there.
        train_handlers: handlers to attach.
        amp: autocast on whatever device is used; parameters, penalties and losses stay float32.
        amp_dtype: ``"bfloat16"``; float16 would need loss scaling, which gradient penalties do not survive.
        channels_last: memory format of networks and images; "images" leaves the weights as they are, with which fused
            Adam takes a third of the time and products on small maps need no copy.
        decollate: turn batch and output into lists of samples after MODEL_COMPLETED.
        optim_set_to_none: see `torch.optim.Optimizer.zero_grad`; gradients are then given back right after each step
            (handlers read them at BACKWARD_COMPLETED).
        to_kwargs: more arguments for `prepare_batch`.
        seed: seed of everything this trainer draws itself.
        augment: applied to all that the discriminator sees, reals and fakes (`DiscriminatorAugmentation`; Karras et al.
            2020); its `p` is moved by `AdaptiveAugmentationHandler`.

    Raises:
        ConfigError: When the settings cannot work together.
    """

    #: key of the generator's input in the output
    input_key = "inputs"

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
        epoch_length: int | None = None,
        g_inferer: Inferer | None = None,
        d_inferer: Inferer | None = None,
        d_train_steps: int = 1,
        g_train_steps: int = 1,
        d_regularizers: Sequence = (),
        non_blocking: bool = False,
        prepare_batch: Callable = lambda batch, device, non_blocking: batch,
        iteration_update: Callable[[Engine, Any], Any] | None = None,
        postprocessing: Callable | None = None,
        key_train_metric: dict | None = None,
        additional_metrics: dict | None = None,
        metric_cmp_fn: Callable = default_metric_cmp_fn,
        train_handlers: Sequence | None = None,
        amp: bool = False,
        amp_dtype: str | torch.dtype = "bfloat16",
        channels_last: bool | str = False,
        decollate: bool = False,
        optim_set_to_none: bool = True,
        to_kwargs: dict | None = None,
        seed: int = 0,
        augment: Any = None,
        share_fakes: bool = False,
        step_batch_size: Callable[[], int] | None = None,
    ) -> None:
        if d_train_steps < 1 or g_train_steps < 1:
            raise ConfigError(
                f"d_train_steps and g_train_steps must be at least 1, got {d_train_steps} and {g_train_steps}."
            )
        if amp and str(amp_dtype).removeprefix("torch.") != "bfloat16":
            raise ConfigError(f"amp_dtype must be 'bfloat16', got {amp_dtype!r}: float16 needs loss scaling.")
        self.share_fakes = share_fakes and d_train_steps == g_train_steps == 1
        if not isinstance(train_data_loader, StepBatches):
            own = 0 if self.share_fakes or not self.generator_needs_data else g_train_steps
            train_data_loader = StepBatches(train_data_loader, d_train_steps, own, step_batch_size)
        super().__init__(
            device=device,
            max_epochs=max_epochs,
            data_loader=train_data_loader,
            epoch_length=epoch_length,
            non_blocking=non_blocking,
            prepare_batch=prepare_batch,
            iteration_update=iteration_update,
            postprocessing=postprocessing,
            key_metric=key_train_metric,
            additional_metrics=additional_metrics,
            metric_cmp_fn=metric_cmp_fn,
            handlers=train_handlers,
            amp=False,  # MONAI's own is CUDA only, with a gradient scaler
            event_names=[GanIterationEvents],
            decollate=decollate,
            to_kwargs=to_kwargs,
        )
        if self.state.epoch_length is None:
            raise ConfigError("epoch_length is needed: batches are regrouped, so a pass of the loader is no epoch.")
        self.g_network, self.g_optimizer, self.g_loss_function = g_network, g_optimizer, g_loss_function
        self.d_network, self.d_optimizer, self.d_loss_function = d_network, d_optimizer, d_loss_function
        self.g_inferer = SimpleInferer() if g_inferer is None else g_inferer
        self.d_inferer = SimpleInferer() if d_inferer is None else d_inferer
        self.g_train_steps = g_train_steps
        self.d_regularizers = [_with_interval(item) for item in d_regularizers]
        self.autocast = amp
        self.channels_last = channels_last
        self.optim_set_to_none = optim_set_to_none
        self.seed = seed
        self.augment = augment
        if channels_last is True:
            g_network.to(memory_format=torch.channels_last)
            d_network.to(memory_format=torch.channels_last)
        self.state.images_seen = self.state.d_steps = self.state.latents_drawn = 0
        self._state_dict_user_keys.extend(["images_seen", "d_steps", "latents_drawn"])
        self._penalties: dict[str, torch.Tensor] = {}
        self._sides: list[dict[str, torch.Tensor]] = []
        self._real_signs: list[torch.Tensor] = []

    # what a subclass says

    #: whether a generator step needs a batch of data
    generator_needs_data = True

    def _begin_iteration(self) -> None:
        """Before the first step of an iteration."""

    @abstractmethod
    def _discriminator_data(self, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Generator input and reals for a discriminator step."""

    @abstractmethod
    def _generator_data(self, batch: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Generator input and, where they are paired with it, reals for a generator step."""

    @abstractmethod
    def _generate(self, network: nn.Module, inputs: torch.Tensor, reals: Any = None) -> torch.Tensor:
        """Fakes; `reals` are those of the same batch, in training."""

    def _judged(self, images: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """What the discriminator is shown of images (and of the input they were made from)."""
        return images

    def _judge(self, network: nn.Module, images: torch.Tensor, inputs: torch.Tensor, drawn: Any = None) -> Any:
        """The discriminator's whole answer to images (with the input they were made from), augmented by new random
        transformations, or by those `drawn` before."""
        shown = self._judged(images, inputs)
        if self.augment is not None:
            shown = self._formatted(self.augment(shown, drawn))
        return self._answer(network, shown)

    def _answer(self, network: nn.Module, shown: torch.Tensor) -> Any:
        return self.d_inferer(shown, network)

    def _logits(self, answer: Any) -> Any:
        """The adversarial logits in a discriminator's answer."""
        return logits_of(answer)

    def _discriminator_terms(self, real_answer: Any, fake_answer: Any, inputs: torch.Tensor) -> dict:
        """More terms of the discriminator's loss by name."""
        return {}

    def _generator_terms(self, fakes: torch.Tensor, answer: Any, reals: Any, inputs: torch.Tensor, drawn: Any) -> dict:
        """Terms of the generator's loss by name; `drawn` is how the fakes in `answer` were augmented."""
        return {"adversarial": self.g_loss_function(self._logits(answer)).mean()}

    # the training step

    def _iteration(self, engine: Any, batchdata: dict[str, list]) -> dict[str, torch.Tensor]:
        self._begin_iteration()
        self.g_network.train()
        self.d_network.train()
        output = self.state.output = {}
        d_terms: list[dict] = []
        g_terms: list[dict] = []

        for batch in batchdata["d"]:
            self.fire_event(IterationEvents.INNER_ITERATION_STARTED)
            inputs, reals = self._discriminator_data(batch)
            with torch.set_grad_enabled(self.share_fakes), self._precision():
                fakes = self._generate(self.g_network, inputs, reals)
            output.update({GanKeys.REALS: reals, GanKeys.FAKES: fakes.detach(), self.input_key: inputs})
            d_terms.append(self._discriminator_step(inputs, reals, fakes.detach().float()))
            self.fire_event(GanIterationEvents.DISCRIMINATOR_COMPLETED)
            self.fire_event(IterationEvents.INNER_ITERATION_COMPLETED)

        for batch in batchdata["g"] or [None] * self.g_train_steps:
            self.fire_event(IterationEvents.INNER_ITERATION_STARTED)
            if not self.share_fakes:
                inputs, paired = self._generator_data(batch)
                reals = reals if paired is None else paired
                with self._precision():
                    fakes = self._generate(self.g_network, inputs, paired)
            output.update({GanKeys.REALS: reals, GanKeys.FAKES: fakes.detach(), self.input_key: inputs})
            g_terms.append(self._generator_step(inputs, reals, fakes.float()))
            self.fire_event(GanIterationEvents.GENERATOR_COMPLETED)
            self.fire_event(IterationEvents.INNER_ITERATION_COMPLETED)

        self._summarise(d_terms, g_terms)
        # handlers, decollation and postprocessing meet an ordinary batch
        self.state.batch = (batchdata["g"] or batchdata["d"])[-1]
        self.fire_event(IterationEvents.MODEL_COMPLETED)
        return self.state.output

    def _discriminator_step(self, inputs: torch.Tensor, reals: torch.Tensor, fakes: torch.Tensor) -> dict:
        self.d_optimizer.zero_grad(set_to_none=self.optim_set_to_none)
        with self._precision():
            real_answer = self._judge(self.d_network, reals, inputs)
            fake_answer = self._judge(self.d_network, fakes, inputs)
        logits = self._logits(real_answer), self._logits(fake_answer)
        boundary = getattr(self.d_loss_function, "boundary", 0.0)
        if self.augment is not None and boundary is not None:
            signs = [(scale.detach() - boundary).sign().mean() for scale in logits_by_scale(logits[0])]
            self._real_signs.append(torch.stack(signs).mean())
        if hasattr(self.d_loss_function, "sides"):
            of_reals, of_fakes = self.d_loss_function.sides(*logits)
            self._sides.append({"real": of_reals.detach(), "fake": of_fakes.detach()})
            terms = {"adversarial": of_reals + of_fakes}
        else:
            terms = {"adversarial": self.d_loss_function(*logits).mean()}
        terms |= self._discriminator_terms(real_answer, fake_answer, inputs)
        terms |= self._regularise(inputs, reals, fakes)
        # one backward for loss and penalties: a data-parallel network reduces each gradient once
        torch.stack(list(terms.values())).sum().backward()
        self.d_optimizer.step()
        self._release(self.d_optimizer)
        self.state.d_steps += 1
        self.state.images_seen += len(reals) * process_world()
        return {name: term.detach() for name, term in terms.items()}

    def _regularise(self, inputs: torch.Tensor, reals: torch.Tensor, fakes: torch.Tensor) -> dict:
        def discriminator(images: torch.Tensor) -> Any:
            return self._logits(self._judge(self.d_network, images, inputs))

        terms = {}
        for name, penalty, interval in self.d_regularizers:
            if self.state.d_steps % interval == 0:
                with torch.autocast(reals.device.type, enabled=False):
                    value = penalty(discriminator, reals, fakes)
                self._penalties[name] = value.detach()
                terms[name] = value * interval
        return terms

    def _generator_step(self, inputs: torch.Tensor, reals: Any, fakes: torch.Tensor) -> dict:
        self.g_optimizer.zero_grad(set_to_none=self.optim_set_to_none)
        drawn = None if self.augment is None else self.augment.draw(self._judged(fakes, inputs))
        with _frozen(plain_network(self.d_network)) as judge:
            with self._precision():
                answer = self._judge(judge, fakes, inputs, drawn)
                self.fire_event(IterationEvents.FORWARD_COMPLETED)
                terms = self._generator_terms(fakes, answer, reals, inputs, drawn)
            total = torch.stack([term.float() for term in terms.values()]).sum()
            self.state.output[GanKeys.GLOSS] = self.state.output[CommonKeys.LOSS] = total.detach()
            self.fire_event(IterationEvents.LOSS_COMPLETED)
            total.backward()
        self.fire_event(IterationEvents.BACKWARD_COMPLETED)
        self.g_optimizer.step()
        self._release(self.g_optimizer)
        return {name: term.detach() for name, term in terms.items()}

    # helpers

    def _release(self, optimizer: Optimizer) -> None:
        """Gradients would otherwise lie beside the activations of the other player's step."""
        if self.optim_set_to_none:
            optimizer.zero_grad(set_to_none=True)

    def _precision(self) -> torch.autocast:
        """A new context each time, so that the casts it caches never outlive an optimizer step."""
        return torch.autocast(self.state.device.type, dtype=torch.bfloat16, enabled=self.autocast)

    def _formatted(self, images: torch.Tensor) -> torch.Tensor:
        return images.contiguous(memory_format=torch.channels_last) if self.channels_last else images

    def _prepared(self, batch: Any) -> Any:
        return self.prepare_batch(batch, self.state.device, self.non_blocking, **self.to_kwargs)

    def _summarise(self, d_terms: list[dict], g_terms: list[dict]) -> None:
        d_loss = torch.stack([term for terms in d_terms for term in terms.values()]).sum() / len(d_terms)
        g_loss = torch.stack([term for terms in g_terms for term in terms.values()]).sum() / len(g_terms)
        named = {"d_adversarial": torch.stack([terms["adversarial"] for terms in d_terms]).mean()}
        for name in self._sides[0] if self._sides else ():
            named[f"d_{name}"] = torch.stack([sides[name] for sides in self._sides]).mean()
        self._sides.clear()
        if self._real_signs:
            named["d_real_sign"] = torch.stack(self._real_signs).mean()
            self._real_signs.clear()
        for name in d_terms[0]:
            if name != "adversarial" and name not in self._penalties:
                named[f"d_{name}"] = torch.stack([terms[name] for terms in d_terms]).mean()
        named |= {f"d_{name}": value for name, value in self._penalties.items()}
        named |= {f"g_{name}": torch.stack([terms[name] for terms in g_terms]).mean() for name in g_terms[0]}
        self.state.output.update(
            {GanKeys.DLOSS: d_loss, GanKeys.GLOSS: g_loss, CommonKeys.LOSS: d_loss + g_loss, **named}
        )


def logits_of(answer: Any) -> Any:
    """The logits in a discriminator's answer, in float32: a tensor, or a list with those of each scale."""
    return answer.float() if isinstance(answer, torch.Tensor) else logits_by_scale(answer)


@contextmanager
def _frozen(network: nn.Module) -> Iterator[nn.Module]:
    """The network with gradients flowing through it but not into it."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield network
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def _with_interval(item: Any) -> tuple[str, Callable, int]:
    penalty, interval = item if isinstance(item, (tuple, list)) else (item, 1)
    if not callable(penalty) or int(interval) < 1:
        raise ConfigError(f"a discriminator regulariser is a callable or [callable, interval >= 1], got {item!r}.")
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", getattr(penalty, "__name__", type(penalty).__name__))
    return words.lower(), penalty, int(interval)
