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
"""The speed benchmarks run on their smallest cases; no time is asserted."""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import torch
from parameterized import parameterized
from rich.console import Console

from benchmarks import ridge_round_trip, training_speed
from monai_retinasynth.simulation import write_phantom_dataset
from tests.real_data import REPOSITORY

with mock.patch.object(sys, "path", [str(REPOSITORY / "benchmarks"), *sys.path]):  # it imports what lies beside it
    import painting_speed

KEYS = {"seconds_per_iteration", "peak_gib", "samples_per_second"}


class TestRidgeRoundTrip(unittest.TestCase):
    def test_figures(self):
        with tempfile.TemporaryDirectory() as folder:
            write_phantom_dataset(folder, 200, 3, 0, 0, labels_only=True, source="real", progress=False)
            found = ridge_round_trip.round_trips(folder, 96)
        self.assertGreater(found["dice"], 0.7)
        self.assertAlmostEqual(found["pixels_ratio"], 1.0, delta=0.2)
        self.assertLess(found["pieces_after"], found["pieces_before"] + 3)


class TestTrainingSpeed(unittest.TestCase):
    """Both variants of a case run, and the ratio is that of their times."""

    @parameterized.expand(
        [
            ("smoke-pggan", "package"),
            ("smoke-pggan", "reference"),
            ("smoke-pggan-wgan", "package"),
            ("smoke-pggan-wgan", "reference"),
            ("smoke-pix2pixhd", "package"),
            ("smoke-pix2pixhd", "reference"),
            ("smoke-spade", "package"),
            ("smoke-spade", "reference"),
            ("smoke-background", "package"),
            ("smoke-background", "reference"),
            ("smoke-pix2pix", "package"),
            ("smoke-pix2pix", "reference"),
            ("smoke-segmentation", "package"),
            ("smoke-segmentation", "reference"),
        ]
    )
    def test_measures(self, name, variant):
        figures = training_speed.measure(training_speed.CASES[name], variant, 1, 1, torch.device("cpu"))
        self.assertEqual(set(figures), KEYS)
        for key, value in figures.items():
            self.assertGreater(value, 0.0, key)

    def test_every_listed_case_can_be_read_from_its_bundle(self):
        for name, case in training_speed.CASES.items():
            with self.subTest(name):
                parser = training_speed.read_bundle(case, torch.device("cpu"))
                size = "resolution" if case.bundle == "label_map_generation" else "crop_size"
                self.assertIn(parser[size], (case.size, [case.size, case.size]))
                if case.recipe == "pix2pix":
                    self.assertEqual(parser["image_size"], [case.size, case.size])
                self.assertGreaterEqual(len(training_speed.random_samples(case, parser)), case.batch)

    def test_samples_fit_the_condition_of_the_recipe(self):
        case = training_speed.CASES["smoke-pix2pix"]
        parser = training_speed.read_bundle(case, torch.device("cpu"))
        condition, photograph = training_speed.prepared_batch(case, parser, torch.device("cpu"))
        self.assertEqual(tuple(condition.shape), (1, 1, 32, 32))
        self.assertEqual(set(condition.unique().tolist()), {-1.0, 1.0})
        self.assertEqual(tuple(photograph.shape), (1, 3, 32, 32))

    def test_pix2pix_reference_is_the_recipe(self):
        case = training_speed.CASES["smoke-pix2pix"]
        parser = training_speed.read_bundle(case, torch.device("cpu"))
        get = parser.get_parsed_content
        network, discriminator = get("network"), get("discriminator")
        step = training_speed.plain_paired_step(case, parser, network, discriminator, torch.device("cpu"))
        terms = {"d": [], "g": []}
        plain = torch.nn.functional.binary_cross_entropy_with_logits

        def kept(logits, target):
            terms["d" if len(terms["d"]) < 2 else "g"].append(target.mean().item())
            return plain(logits, target)

        with mock.patch.object(training_speed.F, "binary_cross_entropy_with_logits", kept):
            with mock.patch.object(training_speed.F, "l1_loss", wraps=training_speed.F.l1_loss) as mae:
                step()
        self.assertEqual(terms, {"d": [1.0, 0.0], "g": [1.0]})
        self.assertEqual(mae.call_count, 1)

    def test_table_and_json(self):
        def measured(name, variant, arguments):
            seconds = {"package": 2.0, "reference": 5.0}[variant]
            return {"seconds_per_iteration": seconds, "peak_gib": 1.0, "samples_per_second": 1 / seconds}

        arguments = argparse.Namespace(
            cases=["smoke-pggan"], quick=False, device="cpu", warmup=1, iterations=1, threads=1, output=None
        )
        console = Console(file=io.StringIO(), width=160)
        with mock.patch.object(training_speed, "measure_apart", measured):
            results = json.loads(json.dumps(training_speed.run(arguments, console)))
        self.assertEqual(results["cases"]["smoke-pggan"]["training_ratio"], 2.5)
        self.assertEqual(results["cases"]["smoke-pggan"]["generation_ratio"], 2.5)
        self.assertIs(results["cases"]["smoke-pggan"]["with_data_loading"], False)
        self.assertIn("2.50", console.file.getvalue())

    def test_unknown_case_is_named(self):
        arguments = argparse.Namespace(cases=["nothing"], quick=False)
        with self.assertRaisesRegex(SystemExit, "no such case: nothing; there are pix2pixhd-256"):
            training_speed.run(arguments, Console(file=io.StringIO()))


class TestPaintingSpeed(unittest.TestCase):
    """Every painter draws what a case asks for, and backgrounds are written."""

    def test_measures(self):
        with tempfile.TemporaryDirectory() as name:
            for case in ("smoke-background", "smoke-measured", "smoke-gan", "smoke-transplant"):
                with self.subTest(case):
                    painting_speed.prepare(painting_speed.CASES[case], Path(name))
                    figures = painting_speed.measure(painting_speed.CASES[case], Path(name))
                    self.assertEqual(figures["photographs"], painting_speed.CASES[case].photographs)
                    each = figures["seconds"] / figures["photographs"]
                    self.assertAlmostEqual(figures["seconds_per_photograph"], each)
                    for key, value in figures.items():
                        self.assertGreater(value, 0.0, key)
                    self.assertEqual(list(Path(name).glob("tmp*")), [], "what was drawn is left behind")

    def test_unknown_case_is_named(self):
        with self.assertRaisesRegex(SystemExit, "no such case: nothing; there are measured-565x584"):
            painting_speed.run(argparse.Namespace(cases=["nothing"]))


if __name__ == "__main__":
    unittest.main()
