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
"""Parameters and operations of tiny bundles, and of networks whose operations can be counted by hand."""

from __future__ import annotations

import json
import shutil
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import torch
from monai.bundle import ConfigWorkflow
from parameterized import parameterized
from torch import nn

from monai_retinasynth.utils.errors import ConfigError
from monai_retinasynth.workflows import (
    BundleStage,
    FunctionStage,
    generation_cost,
    generation_trainings,
    measure_generation_cost,
)
from monai_retinasynth.workflows.training_cost import FlopCount, measure_training_cost
from tests.bundles.bundle_tester import config_files, phantom_dataset
from tests.bundles.test_label_map_generation import TRAIN

LABEL_MAPS = config_files("label_map_generation", "train")
PHOTOGRAPHS = config_files("label_to_image_translation", "train")
TINY_TRANSLATOR = {
    "channels": 4,
    "max_channels": 8,
    "num_downs": 2,
    "num_res_blocks": 1,
    "d_channels": 4,
    "d_num_layers": 2,
    "d_num_scales": 1,
    "crop_size": [32, 32],
    "batch_size": 2,
    "device": "cpu",
}


def r1(interval: int) -> dict:
    """The non-saturating loss with R1 at every so many steps."""
    penalty = {"_target_": "monai_retinasynth.losses.R1Penalty", "gamma": 1.0}
    return {**TRAIN, "adversarial_loss": "non_saturating", "drift": 0.0, "d_regularizers": [[penalty, interval]]}


class TestFlopCount(unittest.TestCase):
    def count(self, function) -> int:
        with FlopCount() as counter:
            function()
        return counter.total

    def test_convolution(self):
        network, image = nn.Conv2d(3, 5, 3, padding=1), torch.ones(2, 3, 8, 7)
        once = 2 * (2 * 8 * 7) * 5 * (3 * 3 * 3)
        self.assertEqual(self.count(lambda: network(image)), once)
        # forward, and the gradient of the weights
        self.assertEqual(self.count(lambda: network(image).sum().backward()), 2 * once)
        # and that of the image
        self.assertEqual(self.count(lambda: network(image.requires_grad_()).sum().backward()), 3 * once)

    def test_matrix_product_and_gradient_within(self):
        network, inputs = nn.Linear(4, 6), torch.ones(3, 4, requires_grad=True)
        self.assertEqual(self.count(lambda: network(inputs)), 2 * 3 * 4 * 6)
        self.assertEqual(self.count(lambda: torch.autograd.grad(network(inputs).sum(), inputs)), 2 * 2 * 3 * 4 * 6)
        self.assertEqual(self.count(lambda: inputs + inputs), 0)


class TestTrainingCost(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.data = {"dataset_dir": phantom_dataset(cls.folder / "data"), "amp": False}

    def networks(self, files, overrides) -> tuple[nn.Module, nn.Module]:
        workflow = ConfigWorkflow(config_file=files, workflow_type=None, **overrides)
        workflow.initialize()
        return tuple(workflow.parser.get_parsed_content(f"{name}_def") for name in ("network", "discriminator"))

    def check_parameters(self, cost, networks) -> None:
        for key, network in zip(("parameters", "discriminator_parameters"), networks):
            self.assertEqual(cost[key], sum(p.numel() for p in network.parameters()))

    def test_label_map_generation(self):
        overrides = {**TRAIN, **self.data}
        cost = measure_training_cost(LABEL_MAPS, overrides, 2)
        networks = self.networks(LABEL_MAPS, overrides)
        self.check_parameters(cost, networks)
        # the last resolution, though the training begins with the first
        self.assertEqual((cost["training_size"], cost["case_size"], cost["batch_size"]), ([16, 16], [16, 16], 4))
        with FlopCount() as one:
            networks[0](torch.randn(1, 8))
        self.assertEqual(cost["flops_per_case"], one.total)
        self.assertGreater(cost["training_flops_per_image"], 3 * one.total)
        self.assertGreater(cost["seconds_per_image"], 0.0)
        self.assertGreaterEqual(cost["peak_memory_gib"], cost["memory_before_gib"])

    def test_lazy_penalty_counts_in_part(self):
        flops = {}
        for interval in (1, 2, 8):
            cost = measure_training_cost(LABEL_MAPS, {**r1(interval), **self.data}, 2)
            flops[interval] = cost["training_flops_per_image"]
        penalty = 2 * (flops[1] - flops[2])
        self.assertGreater(penalty, 0)
        self.assertAlmostEqual(flops[8], flops[1] - penalty * 7 / 8, delta=2)

    def test_translation_of_crops(self):
        overrides = {**TINY_TRANSLATOR, **self.data}
        cost = measure_training_cost(PHOTOGRAPHS, overrides, 2)
        networks = self.networks(PHOTOGRAPHS, overrides)
        self.check_parameters(cost, networks)
        self.assertEqual((cost["training_size"], cost["case_size"], cost["batch_size"]), ([32, 32], [64, 64], 2))
        with FlopCount() as one:
            networks[0](torch.randn(1, 5, 64, 64))
        self.assertEqual(cost["flops_per_case"], one.total)

    def test_in_a_process_of_its_own(self):
        overrides = {**TRAIN, **self.data}
        ways = {"single": [{"name": "single_training", "config_files": [*LABEL_MAPS, None], "overrides": overrides}]}
        cost = measure_generation_cost(self.folder / "cost", ways, 2)
        self.assertEqual(json.loads((self.folder / "cost" / "cost.json").read_text()), cost)
        single = cost["ways"]["single"]
        here = measure_training_cost(LABEL_MAPS, overrides, 2)
        for key in ("parameters", "flops_per_case"):
            self.assertEqual(single[key], here[key])
        training = single["training_flops_per_image"]["single_training"]
        self.assertEqual(training, here["training_flops_per_image"])
        self.assertEqual(set(cost["machine"]), {"cpus", "threads", "torch", "device"})


class TestGenerationCost(unittest.TestCase):
    def test_sums(self):
        def measured(entry, iterations):
            size = {"a": 1, "b": 10}[entry["name"]]
            return {
                "parameters": size,
                "discriminator_parameters": 100 * size,
                "flops_per_case": 3 * size,
                "training_flops_per_image": 5 * size,
                "seconds_per_image": 0.5 * size,
                "peak_memory_gib": 2.0 / size,
                "threads": 1,
                "device": "cpu",
            }

        entries = [{"name": name, "config_files": ["train.json"]} for name in "ab"]
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(generation_cost, "_measure_apart", measured):
            cost = measure_generation_cost(folder, {"two": entries})
        two = cost["ways"]["two"]
        self.assertEqual((two["parameters"], two["trained_parameters"], two["flops_per_case"]), (11, 1111, 33))
        self.assertEqual((two["peak_memory_gib"], two["seconds_per_image"]), (2.0, {"a": 0.5, "b": 5.0}))
        self.assertEqual(two["stages"]["b"]["discriminator_parameters"], 1000)

    @parameterized.expand(
        [
            ("no_way", {}, 4, "one way or more"),
            ("no_training", {"two": []}, 4, "one training or more"),
            ("key", {"two": [{"name": "a", "config_files": ["t"], "recipe": "b"}]}, 4, "it takes config_files, name"),
            ("twice", {"two": [{"name": "a", "config_files": ["t"]}] * 2}, 4, "the same name"),
            ("once", {"two": [{"name": "a", "config_files": ["t"]}]}, 1, "2 or more"),
            (
                "no_json",
                {"two": [{"name": "a", "config_files": ["t"], "overrides": {"loss": print}}]},
                4,
                "training a: its overrides are no plain values",
            ),
        ]
    )
    def test_refusals(self, _, ways, iterations, message):
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(ConfigError, message):
            measure_generation_cost(folder, ways, iterations)

    def test_a_process_that_fails_is_named(self):
        done = mock.Mock(returncode=1, stderr="Traceback\nDataError: data set folder x does not exist", stdout="")
        entry = {"name": "two_translation_training", "config_files": ["t"]}
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(generation_cost.subprocess, "run") as run:
            run.return_value = done
            with self.assertRaisesRegex(ConfigError, "two_translation_training cannot be measured.*folder x does not"):
                measure_generation_cost(folder, {"two": [entry]})

    def test_trainings_of_a_comparison(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "train.json")
            file.write_text("{}")
            names = (
                "two_label_map_training_100pct_seed0",
                "two_label_maps_100pct_seed0",
                "two_translation_training_100pct_seed0",
                "two_translation_training_10pct_seed0",
                "single_training_100pct_seed0",
                "segmentation_unet_real_100pct_seed0",
            )
            stages = [BundleStage(name, [str(file)], {"seed": 0}) for name in names]
            stages.append(FunctionStage("three_dots_100pct_seed0", print))
            found = generation_trainings(stages, ("single", "two"), "100pct_seed0")
            self.assertEqual([t["name"] for t in found["two"]], ["two_label_map_training", "two_translation_training"])
            training = {"name": "single_training", "config_files": [str(file)], "overrides": {"seed": 0}}
            self.assertEqual(found["single"], [training])
            with self.assertRaisesRegex(ConfigError, "no stage three_..._training_100pct_seed0"):
                generation_trainings(stages, ("three",), "100pct_seed0")


if __name__ == "__main__":
    unittest.main()
