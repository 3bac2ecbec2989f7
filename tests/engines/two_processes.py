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
"""What a process of a data-parallel run does in `test_data_parallel`; alone it has the joint batch."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from ignite.engine import Events
from ignite.handlers import EMAHandler
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator
from monai.transforms import AsDiscreted, Compose
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from monai_retinasynth.data.seeded_latents_dataset import SeededLatentDataset
from monai_retinasynth.data.synthetic_set_writer import SyntheticSetWriter
from monai_retinasynth.engines import LatentGanTrainer, PairedGanTrainer, ProgressiveGrowthSchedule
from monai_retinasynth.handlers import (
    EpochSeedHandler,
    ImageGridHandler,
    SyntheticSetSaver,
    TensorBoardLosses,
    TrainingCheckpoint,
    TrainingProgressBar,
)
from monai_retinasynth.losses import (
    DiscriminatorLoss,
    FeatureMatchingLoss,
    GeneratorLoss,
    R1Penalty,
    WassersteinGradientPenalty,
)
from monai_retinasynth.networks.nets import (
    Pix2PixHDGenerator,
    PooledMultiscaleDiscriminator,
    ProgressiveDiscriminator,
    ProgressiveGenerator,
)
from monai_retinasynth.utils.distributed import process_rank, process_world
from tests.engines.tiny_gan import label_batches, pair_batches

__all__ = ["TRAININGS", "generate", "process", "train"]

TRAININGS = ("growing_r1", "growing_gp", "paired", "paired_many_steps")


def _piece(batches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """This process's neighbouring piece of each joint batch."""
    size = len(batches[0]["label"]) // process_world()
    first = process_rank() * size
    return [{key: value[first : first + size] for key, value in batch.items()} for batch in batches]


def _parallel(network: nn.Module, find_unused: bool) -> nn.Module:
    if not dist.is_initialized():
        return network
    return DistributedDataParallel(network, broadcast_buffers=False, find_unused_parameters=find_unused)


def train(name: str, folder: Path) -> dict[str, Any]:
    """A few iterations; losses of each, and the final weights."""
    torch.manual_seed(0)
    if name.startswith("growing"):
        g: nn.Module = ProgressiveGenerator(8, 3, 8, base_channels=64, max_channels=8, out_activation="softmax")
        d: nn.Module = ProgressiveDiscriminator(3, 8, base_channels=64, max_channels=8)
        growth = ProgressiveGrowthSchedule([4, 8], 16, 16, 8)
        penalty = [R1Penalty(), 2] if name == "growing_r1" else WassersteinGradientPenalty()
        special = {"latent_size": 8, "growth": growth, "d_regularizers": [penalty]}
        batches, trainer_class, kind = label_batches(3, 8), LatentGanTrainer, "non_saturating"
    else:
        g = Pix2PixHDGenerator(3, 3, channels=4, num_downs=2, num_res_blocks=1)
        d = PooledMultiscaleDiscriminator(6, channels=4, num_layers=2, num_scales=2)
        special = {"feature_matching_loss": FeatureMatchingLoss(), "d_regularizers": [[R1Penalty(), 2]]}
        if name == "paired_many_steps":
            # without the absolute differences of feature matching, whose sign flips on a rounding error
            special = {"d_train_steps": 2, "g_train_steps": 2}
        batches, trainer_class, kind = pair_batches(8, 4, side=32), PairedGanTrainer, "lsgan"
    g, d = (_parallel(network, name.startswith("growing")) for network in (g, d))
    ema = EMAHandler(g, momentum=0.1)
    saved = {"g": g, "d": d, "ema": ema.ema_model}
    handlers = [
        ema,
        EpochSeedHandler(0),
        TrainingProgressBar(log_seconds=0.0),
        TensorBoardLosses(log_dir=folder / "tb", interval=1),
        ImageGridHandler("fundus_vessel", interval=3, save_dir=folder / "pictures", network=ema.ema_model),
        TrainingCheckpoint(folder / "models", saved, "test", final_key="ema"),
    ]
    trainer = trainer_class(
        device="cpu",
        max_epochs=2,
        train_data_loader=_piece(batches),
        g_network=g,
        g_optimizer=torch.optim.SGD(g.parameters(), 0.002),
        g_loss_function=GeneratorLoss(kind),
        d_network=d,
        d_optimizer=torch.optim.SGD(d.parameters(), 0.002),
        d_loss_function=DiscriminatorLoss(kind),
        epoch_length=3,
        train_handlers=handlers,
        **special,
    )
    losses: list[torch.Tensor] = []

    @trainer.on(Events.ITERATION_COMPLETED)
    def _note(engine: Any) -> None:
        losses.append(torch.stack([engine.state.output[key] for key in ("g_loss", "d_loss")]))

    printed = io.StringIO()
    with contextlib.redirect_stderr(printed):
        trainer.run()
    joint = torch.stack(losses)
    if dist.is_initialized():
        dist.all_reduce(joint)
        joint /= process_world()
    weights = {"g": _weights(g), "d": _weights(d), "ema": _weights(ema.ema_model)}
    counters = {"images_seen": trainer.state.images_seen, "latents_drawn": trainer.state.latents_drawn}
    return {"losses": joint, "weights": weights, "printed": printed.getvalue(), "counters": counters}


def _weights(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name.removeprefix("module."): value.clone() for name, value in network.state_dict().items()}


def generate(folder: Path, samples: int = 7, batch_size: int = 2) -> None:
    """A synthetic set of label maps from a fixed generator, shared by the processes; what is there is kept."""
    torch.manual_seed(1)
    network = ProgressiveGenerator(8, 3, 8, base_channels=64, max_channels=8, out_activation="softmax").eval()
    writer = SyntheticSetWriter(folder, "fundus_vessel", "test", {"seed": 5}, image_required=False)
    dataset = SeededLatentDataset(samples, 8, seed=5, skip=writer.exists)
    evaluator = SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(dataset, batch_size=batch_size),
        network=network,
        postprocessing=Compose([AsDiscreted("pred", argmax=True, dtype=torch.uint8)]),
        val_handlers=[SyntheticSetSaver(writer, indices=range(samples))],
    )
    evaluator.run()


def process(rank: int, world: int, folder: str) -> None:
    """Everything, as one of `world` gloo processes; results go to files."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=world)
    try:
        for name in TRAININGS:
            torch.save(train(name, Path(folder) / name), Path(folder) / f"{name}_{rank}.pt")
            dist.barrier()
        generate(Path(folder) / "generated")
    finally:
        dist.destroy_process_group()
