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
"""Adversarial losses, one callable for each side of the game.

For logits D(x) of reals x and D(G) of fakes, E the mean:

============== ================================================= ======================== ========================
kind           discriminator                                     generator                paper
============== ================================================= ======================== ========================
lsgan          1/2 (E[(D(x) - 1)^2] + E[D(G)^2])                 E[(D(G) - 1)^2]          Mao et al. 2017
hinge          E[max(0, 1 - D(x))] + E[max(0, 1 + D(G))]         -E[D(G)]                 Lim and Ye 2017
wgan           E[D(G)] - E[D(x)]                                 -E[D(G)]                 Arjovsky et al. 2017
bce            1/2 (E[softplus(-D(x))] + E[softplus(D(G))])      E[softplus(-D(G))]       Isola et al. 2017
non_saturating E[softplus(-D(x))] + E[softplus(D(G))]            E[softplus(-D(G))]       Goodfellow et al. 2014
============== ================================================= ======================== ========================
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["ADVERSARIAL_KINDS", "DiscriminatorLoss", "GeneratorLoss", "Logits", "logits_by_scale"]

#: kinds of adversarial loss
ADVERSARIAL_KINDS = ("lsgan", "hinge", "wgan", "bce", "non_saturating")

#: what a discriminator may return: logits, logits of each scale, or features of each scale with the logits last
Logits = torch.Tensor | Sequence[torch.Tensor] | Sequence[Sequence[torch.Tensor]]


def logits_by_scale(output: Logits) -> list[torch.Tensor]:
    """The float32 logits in the output of a discriminator, one tensor a scale.

    Args:
        output: logits, a list of logits (one a scale), or a list (scales) of lists of features whose last is the
            logits.

    Raises:
        ValueError: when a flat list holds anything but one-channel logits, such as the features of a single
            discriminator.
    """
    if isinstance(output, torch.Tensor):
        return [output.float()]
    logits = [scale if isinstance(scale, torch.Tensor) else scale[-1] for scale in output]
    if not logits:
        raise ValueError("the discriminator returned an empty list instead of logits")
    for item in logits:
        if item.dim() > 1 and item.shape[1] != 1:
            raise ValueError(
                f"logits must have one channel, not {item.shape[1]}; give the features of a discriminator with one"
                " scale as [features], or its last feature alone"
            )
    return [item.float() for item in logits]


def _check_kind(kind: str) -> str:
    if kind not in ADVERSARIAL_KINDS:
        raise ValueError(f"kind must be one of {', '.join(ADVERSARIAL_KINDS)}, not {kind!r}")
    return kind


class DiscriminatorLoss(nn.Module):
    """The discriminator's loss of the table above, averaged over scales.

    Args:
        kind: "lsgan", "hinge", "wgan", "bce" or "non_saturating".
        drift: weight of E[D(x)^2], which keeps the scores of a Wasserstein critic near zero (0.001 in Karras et al.
            2018).
    """

    def __init__(self, kind: str = "lsgan", drift: float = 0.0) -> None:
        super().__init__()
        self.kind = _check_kind(kind)
        self.drift = drift

    @property
    def boundary(self) -> float | None:
        """The logit of a discriminator that cannot tell reals from fakes; None for "wgan", whose scores have none."""
        return {"wgan": None, "lsgan": 0.5}.get(self.kind, 0.0)

    def forward(self, real_logits: Logits, fake_logits: Logits) -> torch.Tensor:
        """A scalar from what the discriminator returned for reals and for fakes (see `logits_by_scale`)."""
        real, fake = self.sides(real_logits, fake_logits)
        return real + fake

    def sides(self, real_logits: Logits, fake_logits: Logits) -> tuple[torch.Tensor, torch.Tensor]:
        """The two summands of the loss, that of the reals and that of the fakes, to be watched one by one."""
        reals, fakes = logits_by_scale(real_logits), logits_by_scale(fake_logits)
        if len(reals) != len(fakes):
            raise ValueError(f"{len(reals)} scales of real logits but {len(fakes)} of fake logits")
        real = torch.stack([self._of_reals(logits) for logits in reals]).mean()
        return real, torch.stack([self._of_fakes(logits) for logits in fakes]).mean()

    def _of_reals(self, logits: torch.Tensor) -> torch.Tensor:
        if self.kind == "lsgan":
            loss = 0.5 * (logits - 1.0).square().mean()
        elif self.kind == "hinge":
            loss = F.relu(1.0 - logits).mean()
        elif self.kind == "wgan":
            loss = -logits.mean()
        else:
            loss = F.softplus(-logits).mean() * (0.5 if self.kind == "bce" else 1.0)
        return loss + self.drift * logits.square().mean() if self.drift else loss

    def _of_fakes(self, logits: torch.Tensor) -> torch.Tensor:
        if self.kind == "lsgan":
            return 0.5 * logits.square().mean()
        if self.kind == "hinge":
            return F.relu(1.0 + logits).mean()
        if self.kind == "wgan":
            return logits.mean()
        return F.softplus(logits).mean() * (0.5 if self.kind == "bce" else 1.0)


class GeneratorLoss(nn.Module):
    """The generator's loss of the table above, averaged over scales.

    Args:
        kind: "lsgan", "hinge", "wgan", "bce" or "non_saturating".
    """

    def __init__(self, kind: str = "lsgan") -> None:
        super().__init__()
        self.kind = _check_kind(kind)

    def forward(self, fake_logits: Logits) -> torch.Tensor:
        """A scalar from what the discriminator returned for fakes (see `logits_by_scale`)."""
        return torch.stack([self._of_scale(fake) for fake in logits_by_scale(fake_logits)]).mean()

    def _of_scale(self, fake: torch.Tensor) -> torch.Tensor:
        if self.kind == "lsgan":
            return (fake - 1.0).square().mean()
        if self.kind in ("hinge", "wgan"):
            return -fake.mean()
        return F.softplus(-fake).mean()
