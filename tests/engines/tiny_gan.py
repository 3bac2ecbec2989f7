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
"""Networks of a few hundred weights and trainers around them, shared by the tests of the engines."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from monai_retinasynth.engines import LatentGanTrainer, PairedGanTrainer
from monai_retinasynth.losses import DiscriminatorLoss, FeatureMatchingLoss, GeneratorLoss, R1Penalty

__all__ = [
    "TinyGenerator",
    "TinyPairDiscriminator",
    "TinyScore",
    "label_batches",
    "latent_trainer",
    "pair_batches",
    "paired_trainer",
]


class TinyGenerator(nn.Module):
    """(B, 8) -> class probabilities (B, 3, 8, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 3 * 64)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.layer(latents).reshape(-1, 3, 8, 8).softmax(1)


class TinyScore(nn.Module):
    """(B, C, X, Y) -> (B, 1)."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3, stride=2)
        self.out = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(torch.tanh(self.conv(x)).mean((2, 3)))


class TinyPairDiscriminator(nn.Module):
    """(B, 6, X, Y) -> two scales of [features, logits]."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(6, 4, 3, padding=1)
        self.logits = nn.Conv2d(4, 1, 1)

    def forward(self, x: torch.Tensor) -> list[list[torch.Tensor]]:
        scales = []
        for image in (x, nn.functional.avg_pool2d(x, 2)):
            features = torch.tanh(self.first(image))
            scales.append([features, self.logits(features)])
        return scales


def label_batches(number: int, size: int, side: int = 8, seed: int = 0) -> list[dict[str, Any]]:
    """Batches of one-hot label maps."""
    generator = torch.Generator().manual_seed(seed)
    index = torch.randint(0, 3, (number, size, side, side), generator=generator)
    return [{"label": nn.functional.one_hot(batch, 3).movedim(-1, 1).float()} for batch in index]


def pair_batches(number: int, size: int, side: int = 8, seed: int = 0) -> list[dict[str, Any]]:
    """Batches of label indices and photographs, with the number of each case."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(0, 3, (number, size, 1, side, side), generator=generator, dtype=torch.uint8)
    image = torch.rand(number, size, 3, side, side, generator=generator) * 2 - 1
    return [{"label": label[k], "image": image[k], "case_id": [f"{k}-{i}" for i in range(size)]} for k in range(number)]


def latent_trainer(loader: Any, epochs: int = 1, seed: int = 0, **kwargs: Any) -> LatentGanTrainer:
    """A small WGAN-like training with lazy R1."""
    torch.manual_seed(seed)
    g, d = TinyGenerator(), TinyScore()
    settings = {
        "d_regularizers": [[R1Penalty(1.0), 2]],
        "g_loss_function": GeneratorLoss("non_saturating"),
        "d_loss_function": DiscriminatorLoss("non_saturating"),
        "latent_size": 8,
        **kwargs,
    }
    return LatentGanTrainer(
        device="cpu",
        max_epochs=epochs,
        train_data_loader=loader,
        g_network=g,
        g_optimizer=torch.optim.SGD(g.parameters(), 0.1),
        d_network=d,
        d_optimizer=torch.optim.SGD(d.parameters(), 0.1),
        **settings,
    )


def paired_trainer(loader: Any, epochs: int = 1, seed: int = 0, **kwargs: Any) -> PairedGanTrainer:
    """A small pix2pixHD-like training."""
    torch.manual_seed(seed)
    g, d = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh()), TinyPairDiscriminator()
    losses = {"feature_matching_loss": FeatureMatchingLoss(10.0), "g_extra_losses": {"l1": [nn.L1Loss(), 5]}}
    return PairedGanTrainer(
        device="cpu",
        max_epochs=epochs,
        train_data_loader=loader,
        g_network=g,
        g_optimizer=torch.optim.SGD(g.parameters(), 0.1),
        g_loss_function=GeneratorLoss("lsgan"),
        d_network=d,
        d_optimizer=torch.optim.SGD(d.parameters(), 0.1),
        d_loss_function=DiscriminatorLoss("lsgan"),
        **{**losses, **kwargs},
    )
