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
"""The bundle grade_classification, from its checks to two processes, on a few tiny eyes."""

from __future__ import annotations

import copy
import csv
import json
import math
import os
import tempfile
import unittest
from pathlib import Path

import torch
from ignite.engine import Events
from monai.bundle import ConfigWorkflow
from parameterized import parameterized

from monai_retinasynth.metrics import read_grading_results
from monai_retinasynth.utils.image_io import write_rgb
from tests.bundles.bundle_tester import (
    BUNDLES,
    TWO_PROCESSES,
    BundleTester,
    config_files,
    run_bundle,
    run_bundle_in_process,
    without_device,
)
from tests.data.grading_layout import graded_eye, make_graded_set, make_grading_list, make_idrid_grading

BUNDLE = "grade_classification"
TINY = {
    "device": "cpu",
    "image_size": 32,
    "batch_size": 2,
    "max_iterations": 4,
    "epoch_length": 2,
    "val_count": 2,
    "rotation": 10,
    "bootstrap_samples": 20,
}


def workflow(*names: str, kind: str = "train", **overrides) -> ConfigWorkflow:
    flow = ConfigWorkflow(
        config_files(BUNDLE, *names),
        meta_file=str(BUNDLES / BUNDLE / "configs" / "metadata.json"),
        logging_file=False,
        workflow_type=kind,
        **{**TINY, **overrides},
    )
    flow.initialize()
    return flow


def messages(error: BaseException | None) -> str:
    """The message of an error and of those that caused it; a configuration wraps them."""
    return "" if error is None else f"{error}\n{messages(error.__cause__)}"


class TestGradeClassificationBundle(BundleTester, unittest.TestCase):
    bundle = BUNDLE
    trace_shape = (1, 3, 32, 32)

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.real = str(make_grading_list(cls.folder / "real", training=[0, 1, 2, 3, 4, 0, 2], test=[0, 2, 4]))
        cls.synthetic = str(make_graded_set(cls.folder / "synthetic", [1, 3, 4, 4]))
        run_bundle_in_process(BUNDLE, "train", **TINY, dataset_dir=cls.real, output_dir=str(cls.folder / "trained"))
        cls.model = str(cls.folder / "trained" / "models" / "model.pt")

    def test_properties(self):
        for names, kind in ((("train",), "train"), (("train", "evaluate"), "train"), (("inference",), "infer")):
            dataset_dir = f"{self.real}/images" if kind == "infer" else self.real
            flow = workflow(*names, kind=kind, dataset_dir=dataset_dir, output_dir=str(self.folder / "p"))
            self.assertEqual(flow.check_properties(), [], names)

    @parameterized.expand(["idrid", "phantom"])
    def test_recipes_set_known_keys(self, recipe):
        settings = json.loads((BUNDLES / BUNDLE / "recipes" / f"{recipe}.json").read_text())
        known = json.loads((BUNDLES / BUNDLE / "configs" / "train.json").read_text())
        self.assertEqual(sorted(set(settings) - set(known)), [])
        self.assertEqual(settings["max_iterations"] % settings["epoch_length"], 0)

    def test_training_wrote_what_others_need(self):
        models = Path(self.model).parent
        self.assertTrue((models / "last.pt").is_file())
        self.assertTrue(list((models.parent / "tensorboard").rglob("events*")))
        self.assertIn("model", torch.load(self.model, weights_only=True))

    def test_validation_metrics(self):
        flow = workflow("train", dataset_dir=self.real, output_dir=str(self.folder / "metrics"))
        flow.evaluator.run()
        metrics = flow.evaluator.state.metrics
        self.assertEqual(flow.evaluator.state.key_metric_name, "val_accuracy")
        self.assertIn(metrics["val_accuracy"], (0.0, 0.5, 1.0))
        self.assertLessEqual(metrics["val_quadratic_kappa"], 1.0)
        self.assertEqual(len(flow.val_dataset), 2)

    def test_the_random_transforms_are_not_cached(self):
        flow = workflow("train", dataset_dir=self.real, output_dir=str(self.folder / "cache"))
        first, again = flow.train_dataset[0]["image"], flow.train_dataset[0]["image"]
        self.assertFalse(torch.equal(first, again))
        self.assertLessEqual(float(first.max()), 1.3)
        cached = flow.train_dataset._cache[0]["image"]
        self.assertEqual(cached.shape, (3, 32, 32))
        plain = workflow("train", dataset_dir=self.real, output_dir=str(self.folder / "cache"), augment=False)
        torch.testing.assert_close(plain.train_dataset[0]["image"], cached)

    def test_interrupted_training_ends_with_the_same_weights(self):
        flow = workflow("train", dataset_dir=self.real, output_dir=str(self.folder / "resumed"))

        @flow.trainer.on(Events.EPOCH_COMPLETED(once=1))
        def _():
            raise KeyboardInterrupt

        with self.assertRaises((KeyboardInterrupt, RuntimeError)):
            flow.run()
        run_bundle_in_process(BUNDLE, "train", **TINY, dataset_dir=self.real, output_dir=str(self.folder / "resumed"))
        ours, theirs = (
            torch.load(path, weights_only=True)["model"]
            for path in (self.model, self.folder / "resumed" / "models" / "model.pt")
        )
        for name, value in ours.items():
            self.assertTrue(torch.equal(value, theirs[name]), name)

    def test_regimes(self):
        both = {"dataset_dir": self.real, "synthetic_dir": self.synthetic, "output_dir": str(self.folder / "regimes")}
        synthetic = workflow("train", **both, train_on="synthetic")
        self.assertEqual(sorted(synthetic.train_dataset.grades), [1, 3, 4, 4])
        self.assertEqual({case["source"] for case in synthetic.val_dataset.data}, {"real"})
        mixed = workflow("train", **both, train_on="mixed", synthetic_grades=[3, 4], num_synthetic=2)
        self.assertEqual(mixed.train_dataset.grades[-2:], [3, 4])
        self.assertEqual(len(mixed.train_dataset), 7)
        self.assertEqual(len(workflow("train", **both, train_on="real", synthetic_grades=[3]).train_dataset), 5)

    def test_fine_tuning_begins_with_the_given_weights(self):
        flow = workflow(
            "train",
            dataset_dir=self.real,
            train_on="synthetic_then_real",
            pretrained=self.model,
            learning_rate=1e-12,
            weight_decay=0.0,
            max_iterations=1,
            epoch_length=1,
            output_dir=str(self.folder / "tuned"),
        )
        flow.run()
        before = torch.load(self.model, weights_only=True)["model"]
        for name, value in flow.network_def.named_parameters():
            torch.testing.assert_close(value, before[name], msg=f"{name} does not come from the checkpoint")

    def test_the_other_network_is_trained(self):
        flow = workflow(
            "train",
            dataset_dir=self.real,
            network_name="EfficientNet-B0",
            output_dir=str(self.folder / "efficient"),
        )
        before = copy.deepcopy(flow.network_def.state_dict())
        losses = []
        flow.trainer.add_event_handler(
            Events.ITERATION_COMPLETED, lambda engine: losses.append(engine.state.output["loss"].item())
        )
        flow.run()
        self.assertEqual(type(flow.network_def).__name__, "EfficientNetBN")
        self.assertTrue(losses and all(map(math.isfinite, losses)), losses)
        for name, value in flow.network_def.named_parameters():
            self.assertFalse(torch.equal(value, before[name]), name)

    @parameterized.expand(
        [
            ("typo", {"train_on": "fake"}, "choose one of"),
            ("synthetic", {"train_on": "mixed"}, "--synthetic_dir"),
            ("network", {"network_name": "ResNet7"}, "DenseNet121 or EfficientNet-B0"),
            ("missing", {"dataset_dir": "/nowhere"}, "/nowhere"),
        ]
    )
    def test_wrong_settings_are_named(self, name, overrides, message):
        settings = {**TINY, "dataset_dir": self.real, "output_dir": str(self.folder / f"e_{name}"), **overrides}
        with self.assertRaises(Exception) as caught:
            run_bundle_in_process(BUNDLE, "train", **settings)
        self.assertIn(message, messages(caught.exception))
        self.assertFalse((self.folder / f"e_{name}" / "models").exists())

    def test_a_grade_without_synthetic_photographs_is_named(self):
        settings = {**TINY, "train_on": "mixed", "synthetic_dir": self.synthetic, "synthetic_grades": [2]}
        with self.assertRaises(Exception) as caught:
            run_bundle_in_process(BUNDLE, "train", **settings, dataset_dir=self.real, output_dir=str(self.folder / "g"))
        self.assertIn(f"no synthetic photograph of grade 2 (moderate) in {self.synthetic}", messages(caught.exception))

    def test_evaluation(self):
        output = self.folder / "evaluation"
        settings = {"dataset_dir": self.real, "checkpoint": self.model, "output_dir": str(output)}
        run_bundle_in_process(BUNDLE, "train", "evaluate", **TINY, **settings)
        report = read_grading_results(output / "grading.json")["REAL"]
        self.assertEqual((report["images"], report["section"]), (3, "test"))
        self.assertEqual([case["case_id"] for case in report["per_case"]], ["test_0", "test_1", "test_2"])
        self.assertEqual([case["grade"] for case in report["per_case"]], [0, 2, 4])
        self.assertTrue((output / "grading.csv").is_file())

    def test_checkpoint_of_another_network_is_refused(self):
        settings = {"dataset_dir": self.real, "checkpoint": self.model, "output_dir": str(self.folder / "other")}
        with self.assertRaises(Exception) as caught:
            run_bundle_in_process(BUNDLE, "train", "evaluate", **TINY, **settings, network_name="EfficientNet-B0")
        self.assertIn("holds another network (DenseNet121)", messages(caught.exception))

    def test_inference_from_another_folder(self):
        photographs = self.folder / "photographs"
        for number, (width, height) in enumerate([(60, 40), (44, 57)]):
            write_rgb(photographs / f"p{number}.png", graded_eye(number, width=width, height=height))
        before = os.getcwd()
        os.chdir(photographs)
        self.addCleanup(os.chdir, before)
        settings = {"dataset_dir": ".", "checkpoint": self.model, "output_dir": str(self.folder / "predictions")}
        run_bundle_in_process(BUNDLE, "inference", **settings, device="cpu", image_size=32)
        rows = list(csv.DictReader((self.folder / "predictions" / "grades.csv").read_text().splitlines()))
        self.assertEqual([row["case_id"] for row in rows], ["p0", "p1"])
        self.assertAlmostEqual(sum(float(rows[0][f"probability_{g}"]) for g in range(5)), 1, places=4)

    def test_prepared_idrid_trains_on_the_command_line(self):
        idrid, dataset_dir = make_idrid_grading(self.folder / "IDRiD"), str(self.folder / "prepared")
        common = {"cwd": self.folder, "dataset_dir": dataset_dir}
        result = run_bundle(
            BUNDLE,
            "train",
            **common,
            run_id="prepare_data",
            idrid_dir=str(idrid),
            prepared_size=32,
            exclude=["IDRiD_002"],
        )
        self.assertEqual(result.returncode, 0, result.stderr[-3000:])
        result = run_bundle(BUNDLE, "train", **common, **TINY, run_id="check_data")
        self.assertIn("3 photographs to train on, 2 to validate on", result.stdout, result.stderr[-3000:])

    def test_two_processes(self):
        output = self.folder / "two"
        result = run_bundle(
            BUNDLE,
            "train",
            "multi_gpu_train",
            launcher=TWO_PROCESSES,
            cwd=self.folder,
            **without_device({**TINY, "max_iterations": 2}),
            dataset_dir=self.real,
            output_dir=str(output),
        )
        self.assertEqual(result.returncode, 0, result.stderr[-3000:])
        weights = torch.load(output / "models" / "model.pt", weights_only=True)["model"]
        before = torch.load(self.model, weights_only=True)["model"]
        self.assertEqual(set(weights), set(before))


if __name__ == "__main__":
    unittest.main()
