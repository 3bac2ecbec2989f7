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
"""`python -m tests.engines.resumable_training KIND FOLDER`: a tiny training that goes on where it stopped.

While the file FOLDER/stop_here exists it says so in the middle of an epoch and waits to be killed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Events
from ignite.handlers import EMAHandler
from monai.data import CacheDataset, DataLoader
from monai.engines import SupervisedTrainer
from monai.handlers import LrScheduleHandler
from monai.transforms import Compose, RandFlipd, RandGaussianNoised
from torch import nn

from monai_retinasynth.engines import LatentGanTrainer, PairedGanTrainer, ProgressiveGrowthSchedule
from monai_retinasynth.handlers import EpochSeedHandler, TrainingCheckpoint
from monai_retinasynth.losses import (
    DiscriminatorLoss,
    FeatureMatchingLoss,
    GeneratorLoss,
    R1Penalty,
    WassersteinGradientPenalty,
)
from monai_retinasynth.networks.nets import ProgressiveDiscriminator, ProgressiveGenerator
from tests.engines.tiny_gan import TinyPairDiscriminator, pair_batches

KINDS = ("latent", "paired", "supervised")
STOP_AT = 11  # iteration: the middle of the fourth epoch of three iterations


def _cases(one_hot: bool) -> list[dict[str, torch.Tensor]]:
    batch = pair_batches(1, 10)[0]
    labels = [nn.functional.one_hot(x[0].long(), 3).movedim(-1, 0).float() if one_hot else x for x in batch["label"]]
    return [{"label": label, "image": image} for label, image in zip(labels, batch["image"])]


def _loader(kind: str) -> DataLoader:
    keys = ["label", "image"]
    transform = Compose([RandFlipd(keys, 0.5, 0), RandGaussianNoised("image", 0.5)])
    dataset = CacheDataset(_cases(kind == "latent"), transform, progress=False)
    return DataLoader(dataset, batch_size=4, shuffle=True, num_workers=1 if kind == "supervised" else 0)


def _adam(network: nn.Module) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), 1e-2, betas=(0.5, 0.99))


def _gan(kind: str, handlers: Any, epochs: int) -> tuple[Any, dict[str, Any]]:
    if kind == "latent":
        g = ProgressiveGenerator(8, 3, 8, base_channels=32, max_channels=4, out_activation="softmax")
        d = ProgressiveDiscriminator(3, 8, base_channels=32, max_channels=4)
        growth = ProgressiveGrowthSchedule([4, 8], 16, 12, {4: 6, 8: 2})
        special = {"latent_size": 8, "growth": growth, "d_regularizers": [[WassersteinGradientPenalty(), 2]]}
        trainer_class: Any = LatentGanTrainer
    else:
        g = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Dropout(0.5), nn.Conv2d(4, 3, 1), nn.Tanh())
        d = TinyPairDiscriminator()
        special = {"feature_matching_loss": FeatureMatchingLoss(), "d_regularizers": [[R1Penalty(), 2]]}
        special["d_train_steps"] = 2
        trainer_class = PairedGanTrainer
    ema = EMAHandler(g, momentum=0.1)
    saved = {"g": g, "d": d, "g_optimizer": _adam(g), "d_optimizer": _adam(d), "ema": ema.ema_model}
    trainer = trainer_class(
        device="cpu",
        max_epochs=epochs,
        train_data_loader=_loader(kind),
        g_network=g,
        g_optimizer=saved["g_optimizer"],
        g_loss_function=GeneratorLoss("non_saturating"),
        d_network=d,
        d_optimizer=saved["d_optimizer"],
        d_loss_function=DiscriminatorLoss("non_saturating"),
        epoch_length=3,
        train_handlers=[ema, *handlers(saved, "ema")],
        **special,
    )
    return trainer, saved


def _supervised(handlers: Any, epochs: int) -> SupervisedTrainer:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Conv2d(4, 3, 1))
    optimizer = _adam(network)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=epochs)
    saved = {"network": network, "optimizer": optimizer, "scheduler": scheduler}
    return SupervisedTrainer(
        device="cpu",
        max_epochs=epochs,
        train_data_loader=_loader("supervised"),
        network=network,
        optimizer=optimizer,
        loss_function=lambda pred, label: nn.functional.cross_entropy(pred, label[:, 0].long()),
        # the scheduler steps after the checkpoint handler in this list, and is saved all the same
        train_handlers=[*handlers(saved, "network"), LrScheduleHandler(scheduler, print_lr=False)],
    )


def train(kind: str, folder: str | Path, epochs: int = 6) -> Any:
    """Train to the end, from the beginning or from the last checkpoint in `folder`."""
    torch.set_num_threads(1)
    torch.manual_seed(0)

    def handlers(saved: dict[str, Any], final_key: str) -> list:
        interval = 2 if kind == "latent" else 1
        return [EpochSeedHandler(3), TrainingCheckpoint(folder, saved, kind, interval, final_key=final_key)]

    trainer = _supervised(handlers, epochs) if kind == "supervised" else _gan(kind, handlers, epochs)[0]

    @trainer.on(Events.ITERATION_COMPLETED)
    def _wait_for_the_end(engine: Any) -> None:
        if engine.state.iteration == STOP_AT and (Path(folder) / "stop_here").exists():
            print("waiting", flush=True)
            time.sleep(600)

    trainer.run()
    return trainer


if __name__ == "__main__":
    train(*sys.argv[1:3])
