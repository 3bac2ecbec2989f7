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
"""The bundle semantic_segmentation, from its checks to two processes: tiny networks on pictures of an odd size."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from ignite.engine import Events
from monai.bundle import ConfigWorkflow, ckpt_export, verify_metadata, verify_net_in_out
from parameterized import parameterized

from monai_retinasynth.data import write_datalist
from monai_retinasynth.metrics import SCORE_NAMES, read_segmentation_results
from monai_retinasynth.utils.image_io import read_label_map, write_label_map, write_rgb
from tests.real_data import REPOSITORY, data_root

BUNDLE = REPOSITORY / "bundles" / "semantic_segmentation"
CONFIGS = BUNDLE / "configs"
SIZE = (61, 53)  # height, width: neither is a multiple of what the network needs
TINY = {
    "device": "cpu",
    "channels": [4, 8, 8],
    "strides": [1, 2, 2],
    "crop_size": 32,
    "batch_size": 2,
    "max_iterations": 4,
    "epoch_length": 2,
    "val_count": 1,
}


def write_eyes(folder: Path, counts: dict[str, int], source: str, seed: int) -> None:
    """Round fields of view, each with a few dark lines."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    inside = (y - 30) ** 2 + (x - 26) ** 2 < 24**2
    cases: dict[str, list] = {}
    for section, count in counts.items():
        for number in range(count):
            name = f"{source}_{section}_{number}"
            label = inside.astype(np.uint8)
            for column in rng.integers(8, 45, 3):
                label[:, column : column + 2][inside[:, column : column + 2]] = 2
            rgb = np.full((*SIZE, 3), (200, 110, 60), np.float64) + rng.normal(0, 8, (*SIZE, 3))
            rgb[label == 2] *= 0.5
            rgb[label == 0] = 2
            write_rgb(folder / "images" / f"{name}.png", np.clip(rgb, 0, 255).astype(np.uint8))
            write_label_map(folder / "labels" / f"{name}.png", label, "fundus_vessel")
            case = {"image": f"images/{name}.png", "label": f"labels/{name}.png", "case_id": name, "source": source}
            cases.setdefault(section, []).append(case)
    write_datalist(folder, cases, "fundus_vessel", f"{source} eyes")


def workflow(files: list[str], workflow_type: str = "train", **overrides) -> ConfigWorkflow:
    known = ("device", "channels", "strides") if "inference" in files[0] else TINY
    return ConfigWorkflow(
        [str(BUNDLE / f) for f in files],
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        workflow_type=workflow_type,
        bundle_root=str(BUNDLE),
        **{**{k: TINY[k] for k in known}, **overrides},
    )


def messages(error: BaseException | None) -> str:
    """The message of an error and of those that caused it; a configuration wraps them."""
    return "" if error is None else f"{error}\n{messages(error.__cause__)}"


def run(files: list[str], workflow_type: str = "train", **overrides) -> ConfigWorkflow:
    flow = workflow(files, workflow_type, **overrides)
    flow.initialize()
    flow.run()
    flow.finalize()
    return flow


TRAIN = ["configs/train.json"]
EVALUATE = ["configs/train.json", "configs/evaluate.json"]
INFERENCE = ["configs/inference.json"]


class TestSemanticSegmentationBundle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls._folder.cleanup)
        cls.root = Path(cls._folder.name)
        cls.real, cls.synthetic = str(cls.root / "real"), str(cls.root / "synthetic")
        write_eyes(cls.root / "real", {"training": 3, "validation": 1, "test": 2}, "real", 0)
        write_eyes(cls.root / "synthetic", {"training": 2}, "synthetic", 1)
        run(TRAIN, dataset_dir=cls.real, output_dir=str(cls.root / "trained"))
        cls.model = str(cls.root / "trained" / "models" / "model.pt")

    def test_metadata(self):
        schema = shutil.copy(Path(__file__).with_name("meta_schema_20240725.json"), self.root / "schema.json")
        verify_metadata(meta_file=str(CONFIGS / "metadata.json"), filepath=str(schema))

    @parameterized.expand(["train", "inference"])
    def test_network_matches_metadata(self, config):
        verify_net_in_out(
            net_id="network_def",
            meta_file=str(CONFIGS / "metadata.json"),
            config_file=str(CONFIGS / f"{config}.json"),
            n=4,
            device="cpu",
        )

    @parameterized.expand(
        [("train", TRAIN, "train"), ("evaluate", EVALUATE, "train"), ("inference", INFERENCE, "infer")]
    )
    def test_properties(self, name, files, kind):
        dataset_dir = str(Path(self.real, "images")) if kind == "infer" else self.real
        flow = workflow(files, kind, dataset_dir=dataset_dir, output_dir=str(self.root / f"p_{name}"))
        flow.initialize()
        self.assertEqual(flow.check_properties(), [])

    @parameterized.expand(["drive", "chase_db1", "phantom"])
    def test_recipes_set_known_keys(self, recipe):
        settings = json.loads((BUNDLE / "recipes" / f"{recipe}.json").read_text())
        known = json.loads((CONFIGS / "train.json").read_text())
        self.assertEqual(sorted(set(settings) - set(known)), [])
        multiple = int(np.prod(settings["strides"]))
        self.assertEqual(settings["crop_size"] % multiple, 0)

    def test_default_network_size(self):
        flow = ConfigWorkflow(str(CONFIGS / "train.json"), meta_file=None, logging_file=False)
        flow.initialize()
        count = sum(p.numel() for p in flow.network_def.parameters())
        self.assertTrue(0.5e6 < count < 1.5e6, count)

    def test_training_wrote_what_others_need(self):
        models = Path(self.model).parent
        self.assertTrue((models / "last.pt").is_file())
        self.assertTrue(list((models.parent / "tensorboard").rglob("events*")))
        self.assertIn("model", torch.load(self.model, weights_only=True))

    def test_interrupted_training_ends_with_the_same_weights(self):
        flow = workflow(TRAIN, dataset_dir=self.real, output_dir=str(self.root / "resumed"))
        flow.initialize()

        @flow.trainer.on(Events.EPOCH_STARTED(once=2))  # the first epoch is saved by then
        def _():
            raise KeyboardInterrupt

        with self.assertRaises((KeyboardInterrupt, RuntimeError)):
            flow.run()
        run(TRAIN, dataset_dir=self.real, output_dir=str(self.root / "resumed"))
        ours, theirs = (
            torch.load(path, weights_only=True)["model"]
            for path in (self.model, self.root / "resumed" / "models" / "model.pt")
        )
        for name, value in ours.items():
            self.assertTrue(torch.equal(value, theirs[name]), name)

    def test_regimes(self):
        both = {"dataset_dir": self.real, "synthetic_dir": self.synthetic}
        synthetic = run(TRAIN, **both, train_on="synthetic", output_dir=str(self.root / "s"))
        self.assertEqual(len(synthetic.train_dataset), 2)
        self.assertEqual(len(synthetic.val_dataset), 1)
        flow = workflow(
            TRAIN,
            dataset_dir=self.real,
            train_on="synthetic_then_real",
            pretrained=str(self.root / "s" / "models" / "model.pt"),
            learning_rate=1e-12,
            weight_decay=0.0,
            max_iterations=1,
            epoch_length=1,
            output_dir=str(self.root / "sr"),
        )
        flow.initialize()
        flow.run()
        self.assertEqual(len(flow.train_dataset), 3)
        before = torch.load(self.root / "s" / "models" / "model.pt", weights_only=True)["model"]
        for name, value in flow.network_def.state_dict().items():
            torch.testing.assert_close(value, before[name], msg=f"{name} does not come from the checkpoint")
        mixed = workflow(TRAIN, **both, train_on="mixed", output_dir=str(self.root / "m"))
        mixed.initialize()
        self.assertEqual(len(mixed.train_dataset), 5)

    def test_options_for_other_cameras_resume_exactly(self):
        settings = {
            "dataset_dir": self.real,
            "synthetic_dir": self.synthetic,
            "train_on": "mixed",
            "synthetic_batch_share": 1.0,
            "synthetic_batch_share_end": 0.0,
            "photometric": "strong",
            "warp": True,
            "ignore_above": 1.05,
            "reference_checkpoint": self.model,
        }
        whole = run(TRAIN, output_dir=str(self.root / "whole"), **settings)
        batch = next(iter(whole.parser.get_parsed_content("train::dataloader")))
        self.assertEqual([tuple(batch[key].shape) for key in ("image", "label")], [(2, 3, 32, 32), (2, 1, 32, 32)])
        self.assertTrue(0.0 <= batch["image"].min().item() < batch["image"].max().item() <= 1.0)
        # in the real photographs nothing is left out, in the synthetic ones (behind them) something is
        highest = [int(case["label"].max()) for case in whole.train_dataset]
        self.assertEqual(highest[:3], [2, 2, 2])
        self.assertIn(3, highest[3:])
        flow = workflow(TRAIN, output_dir=str(self.root / "stopped"), **settings)
        flow.initialize()

        @flow.trainer.on(Events.EPOCH_STARTED(once=2))  # the first epoch is saved by then
        def _():
            raise KeyboardInterrupt

        with self.assertRaises((KeyboardInterrupt, RuntimeError)):
            flow.run()
        with self.assertRaises(Exception) as caught:
            run(TRAIN, output_dir=str(self.root / "stopped"), **{**settings, "warp": False})
        self.assertIn("warp", messages(caught.exception))
        run(TRAIN, output_dir=str(self.root / "stopped"), **settings)
        ours, theirs = (
            torch.load(self.root / name / "models" / "model.pt", weights_only=True)["model"]
            for name in ("whole", "stopped")
        )
        for name, value in ours.items():
            self.assertTrue(torch.equal(value, theirs[name]), name)

    def test_warped_label_maps_keep_their_classes(self):
        flow = workflow(TRAIN, dataset_dir=self.real, warp=True, output_dir=str(self.root / "w"))
        flow.initialize()
        for case in flow.train_dataset:
            self.assertLessEqual(set(case["label"].unique().tolist()), {0, 1, 2})
            # dark pixels are vessels or outside, also after the warp
            dark = case["image"].mean(0) < 0.3
            self.assertGreater((case["label"][0][dark] != 1).float().mean().item(), 0.7)

    @parameterized.expand(
        [
            ("typo", {"train_on": "fake"}, "choose one of"),
            ("synthetic", {"train_on": "synthetic"}, "--synthetic_dir"),
            ("pretrained", {"train_on": "synthetic_then_real"}, "--pretrained"),
            ("missing", {"dataset_dir": "/nowhere"}, "/nowhere"),
            ("photometric", {"photometric": "mild"}, "choose one of none, strong"),
            ("mixing", {"batch_mixing": "half"}, "--train_on mixed"),
            ("reference", {"ignore_above": 1.25}, "--reference_checkpoint"),
            ("none_synthetic", {"ignore_above": 1.25, "reference_checkpoint": "model"}, "none of the training cases"),
        ]
    )
    def test_wrong_settings_are_named(self, name, overrides, message):
        settings = {"dataset_dir": self.real, "output_dir": str(self.root / f"e_{name}"), **overrides}
        if "reference_checkpoint" in settings:
            settings["reference_checkpoint"] = self.model
        with self.assertRaises(Exception) as caught:
            run(TRAIN, **settings)
        self.assertIn(message, messages(caught.exception))
        self.assertFalse((self.root / f"e_{name}" / "models").exists())

    def test_evaluation(self):
        output = self.root / "evaluation"
        flow = run(
            EVALUATE, dataset_dir=self.real, checkpoint=self.model, output_dir=str(output), save_predictions=True
        )
        report = read_segmentation_results(output / "segmentation.json")["REAL"]
        self.assertEqual(report["images"], 2)
        self.assertEqual(report["threshold_from"], "validation")
        self.assertEqual(report["threshold"], flow.parser.get_parsed_content("threshold_report").best_threshold())
        self.assertEqual(sorted(report["fov"]), sorted(SCORE_NAMES))
        self.assertEqual([c["case_id"] for c in report["per_case"]], ["real_test_0", "real_test_1"])
        self.assertTrue((output / "segmentation.csv").is_file())
        self.assertEqual(read_label_map(output / "predictions" / "real_test_0.png", "fundus_vessel").shape, SIZE)

    def test_threshold_never_from_test(self):
        output = str(self.root / "refused")
        with self.assertRaises(Exception) as caught:
            run(EVALUATE, dataset_dir=self.real, checkpoint=self.model, output_dir=output, threshold_section="test")
        self.assertIn("must not be chosen on the test section", messages(caught.exception))
        self.assertFalse(Path(output, "segmentation.json").exists())

    def test_inference_from_another_folder_and_export(self):
        photographs = self.root / "photographs"
        photographs.mkdir()
        for number, size in enumerate([(40, 30), (33, 57)]):
            write_rgb(photographs / f"p{number}.png", np.full((*size, 3), 90, np.uint8))
        before = os.getcwd()
        os.chdir(photographs)
        self.addCleanup(os.chdir, before)
        run(INFERENCE, "infer", dataset_dir=".", checkpoint=self.model, output_dir=str(self.root / "predictions"))
        self.assertEqual(read_label_map(self.root / "predictions" / "p0.png", "fundus_vessel").shape, (40, 30))
        self.assertEqual(read_label_map(self.root / "predictions" / "p1.png", "fundus_vessel").shape, (33, 57))
        self.assertTrue((self.root / "predictions" / "p1_vessel.png").is_file())
        ckpt_export(
            "network_def",
            filepath=str(self.root / "model.ts"),
            ckpt_file=self.model,
            key_in_ckpt="model",
            meta_file=str(CONFIGS / "metadata.json"),
            config_file=str(CONFIGS / "inference.json"),
            channels=TINY["channels"],
            strides=TINY["strides"],
        )
        exported = torch.jit.load(str(self.root / "model.ts"))
        self.assertEqual(exported(torch.rand(1, 3, 16, 24)).shape, (1, 3, 16, 24))

    def test_check_data_on_the_command_line(self):
        result = self._command(["-m", "monai.bundle", "run", "check_data"], TRAIN, dataset_dir=self.real)
        self.assertIn("no problem found", result.stdout)

    def test_two_processes_equal_one_with_the_joint_batch(self):
        # each process sees all three cases, uncropped and unaugmented; one process sees each of them twice
        settings = {"dataset_dir": self.real, "augment": False, "crop_size": 64, "amp": False, "max_iterations": 2}
        joint = run(TRAIN, batch_size=6, output_dir=str(self.root / "joint"), **settings)
        launch = ["-m", "torch.distributed.run", "--standalone", "--nnodes=1", "--nproc_per_node=2"]
        self._command(
            [*launch, "-m", "monai.bundle", "run"],
            [*TRAIN, "configs/multi_gpu_train.json"],
            batch_size=3,
            output_dir=str(self.root / "ddp"),
            **settings,
        )
        weights = torch.load(self.root / "ddp" / "models" / "model.pt", weights_only=True)["model"]
        image = torch.rand(1, 3, 32, 32)
        before = joint.network_def(image)
        # biases in front of an instance norm have no gradient but rounding errors, which AdamW enlarges and the norm
        # takes away again: compare what the networks say
        joint.network_def.load_state_dict(weights)
        torch.testing.assert_close(joint.network_def(image), before, rtol=1e-3, atol=1e-3)

    def _command(self, launch: list[str], files: list[str], **overrides) -> subprocess.CompletedProcess:
        settings = {**TINY, "bundle_root": str(BUNDLE), **overrides}
        if any("multi_gpu" in f for f in files):
            settings.pop("device")
        arguments = [a for k, v in settings.items() for a in (f"--{k}", str(v))]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        result = subprocess.run(
            [sys.executable, *launch, "--config_file", str([str(BUNDLE / f) for f in files]), *arguments],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.assertEqual(result.returncode, 0, result.stderr[-3000:])
        return result


class TestOnDrive(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.drive = data_root("DRIVE")

    def test_few_iterations(self):
        with tempfile.TemporaryDirectory() as folder:
            settings = {"dataset_dir": str(self.drive), "output_dir": folder, "num_cases": 2, "val_interval": 5}
            files = ["recipes/drive.json"]
            run([*TRAIN, *files], run_id="quick", quick=["$@train::trainer.run()"], **settings)
            flow = workflow([*EVALUATE, *files], test_section="validation", **settings)
            flow.initialize()
            flow.run()
            report = read_segmentation_results(Path(folder, "segmentation.json"))["REAL"]
            self.assertEqual(report["images"], 1)
            self.assertGreater(report["whole"]["auc"], 0.2)


if __name__ == "__main__":
    unittest.main()
