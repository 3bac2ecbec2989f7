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
from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path

import torch
from monai.bundle import ConfigParser
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.engines.tiny_gan import label_batches

CONFIG = """
{
    "folder": "",
    "batches": [],
    "epoch_length": 3,
    "seed": 5,
    "growth": {
        "_target_": "monai_retinasynth.engines.ProgressiveGrowthSchedule",
        "resolutions": [4, 8],
        "fade_images": 8,
        "stabilise_images": 8,
        "batch_sizes": {"4": 4, "8": 2}
    },
    "g_network": {
        "_target_": "monai_retinasynth.networks.nets.ProgressiveGenerator",
        "latent_size": 8, "out_channels": 3, "resolution": 8, "base_channels": 32, "out_activation": "softmax"
    },
    "d_network": {
        "_target_": "monai_retinasynth.networks.nets.ProgressiveDiscriminator",
        "in_channels": 3, "resolution": 8, "base_channels": 32
    },
    "g_optimizer": {"_target_": "torch.optim.Adam", "params": "$@g_network.parameters()", "betas": [0.0, 0.99]},
    "d_optimizer": {"_target_": "torch.optim.Adam", "params": "$@d_network.parameters()", "betas": [0.0, 0.99]},
    "train": {
        "handlers": [
            {"_target_": "ignite.handlers.EMAHandler", "model": "@g_network", "momentum": 0.1},
            {"_target_": "monai_retinasynth.handlers.EpochSeedHandler", "seed": "@seed"},
            {
                "_target_": "monai_retinasynth.handlers.TrainingCheckpoint",
                "save_dir": "$@folder + '/models'",
                "save_dict": {
                    "g_network": "@g_network",
                    "d_network": "@d_network",
                    "g_optimizer": "@g_optimizer",
                    "d_optimizer": "@d_optimizer",
                    "ema": "$@train::handlers::0.ema_model"
                },
                "kind": "label_map_generation",
                "final_key": "ema"
            },
            {
                "_target_": "monai_retinasynth.handlers.TensorBoardLosses",
                "log_dir": "$@folder + '/tensorboard'",
                "interval": 1
            },
            {
                "_target_": "monai_retinasynth.handlers.ImageGridHandler",
                "label_set": "fundus_vessel",
                "log_dir": "$@folder + '/tensorboard'",
                "network": "$@train::handlers::0.ema_model",
                "interval": 5
            },
            {"_target_": "monai_retinasynth.handlers.TrainingProgressBar", "losses": ["g_loss", "d_loss"]}
        ],
        "trainer": {
            "_target_": "monai_retinasynth.engines.LatentGanTrainer",
            "device": "cpu",
            "max_epochs": "$@growth.max_epochs_for(@epoch_length)",
            "train_data_loader": "@batches",
            "epoch_length": "@epoch_length",
            "g_network": "@g_network",
            "g_optimizer": "@g_optimizer",
            "g_loss_function": {"_target_": "monai_retinasynth.losses.GeneratorLoss", "kind": "non_saturating"},
            "d_network": "@d_network",
            "d_optimizer": "@d_optimizer",
            "d_loss_function": {"_target_": "monai_retinasynth.losses.DiscriminatorLoss", "kind": "non_saturating"},
            "d_regularizers": [[{"_target_": "monai_retinasynth.losses.R1Penalty", "gamma": 10.0}, 4]],
            "latent_size": 8,
            "growth": "@growth",
            "amp": true,
            "seed": "@seed",
            "train_handlers": "@train::handlers"
        }
    }
}
"""


class TestTrainerFromConfiguration(unittest.TestCase):
    def test_runs_resumes_and_leaves_a_readable_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(2):  # the second time everything is done already
                parser = ConfigParser(json.loads(CONFIG))
                parser["folder"] = folder
                parser["batches"] = label_batches(3, 4)
                trainer = parser.get_parsed_content("train::trainer")
                trainer.run()
                self.assertEqual(trainer.state.epoch, 4)
                self.assertEqual(trainer.state.images_seen, 28)
            saved = torch.load(Path(folder) / "models" / "model.pt", weights_only=True)
            averaged = parser.get_parsed_content("train::handlers::0").ema_model.state_dict()
            for name, value in averaged.items():
                self.assertTrue(torch.equal(saved["model"][name], value), name)
            events = EventAccumulator(str(Path(folder) / "tensorboard")).Reload()
            self.assertEqual([event.step for event in events.Images("samples")], [5, 10])
            self.assertEqual([event.value for event in events.Scalars("training/resolution")], [4] * 2 + [8] * 10)


if __name__ == "__main__":
    unittest.main()
