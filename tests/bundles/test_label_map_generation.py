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
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigParser

from monai_retinasynth.data import load_cases
from monai_retinasynth.data.datalist import load_datalist
from monai_retinasynth.utils import CheckpointError, DataError, read_label_map
from tests.bundles.bundle_tester import (
    BUNDLES,
    TWO_PROCESSES,
    BundleTester,
    kill_bundle_when,
    phantom_dataset,
    run_bundle,
    run_bundle_in_process,
    without_device,
)

TINY = {
    "resolution": 16,
    "latent_size": 8,
    "base_channels": 64,
    "max_channels": 8,
    "min_channels": 4,
    "device": "cpu",
}
TRAIN = {**TINY, "fade_images": 16, "stabilise_images": 16, "epoch_length": 2, "picture_interval": 4, "batch_sizes": 4}


class TestLabelMapGeneration(BundleTester, unittest.TestCase):
    bundle = "label_map_generation"
    trace_shape = (2, 512)
    network_overrides = {"base_channels": 512, "max_channels": 16, "min_channels": 4}

    @property
    def check_overrides(self) -> dict:
        return {"dataset_dir": self.dataset, "checkpoint": self.checkpoint(TINY), **TINY}

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.dataset = phantom_dataset(cls.folder / "data")

    def test_train_then_generate(self):
        out = self.folder / "paper"
        # WGAN-GP, the paper's loss, from train.json
        run_bundle_in_process(self.bundle, "train", dataset_dir=self.dataset, output_dir=str(out), **TRAIN)
        self.assertTrue((out / "models" / "model.pt").is_file())
        self.assertTrue(list((out / "tensorboard").glob("events*")))
        self.assertTrue(list((out / "pictures").glob("*.png")))
        generated = {}
        for batch_size in (1, 3):
            made = out / f"generated_{batch_size}"
            run_bundle_in_process(
                self.bundle, "inference", dataset_dir=self.dataset, output_dir=str(made), num_samples=3,
                batch_size=batch_size, amp=False, checkpoint=str(out / "models" / "model.pt"), **TINY,
            )  # fmt: skip
            cases = load_cases(str(made), "all")
            self.assertEqual(len(cases), 3)
            generated[batch_size] = np.stack([read_label_map(c["label"], "fundus_vessel") for c in cases])
        self.assertEqual(generated[1].shape[1:], (64, 64))
        np.testing.assert_array_equal(generated[1], generated[3])
        record = json.loads((made / "datalist.json").read_text())["training"][0]
        self.assertEqual(record["source"], "synthetic")
        self.assertTrue(record["provenance"]["checkpoint"])

    def test_every_recipe_runs_from_any_folder(self):
        recipes = ("phantom", "drive", "chase_db1", "phantom_ridge", "drive_ridge", "chase_db1_ridge_512")
        for recipe in recipes:
            with self.subTest(recipe):
                result = run_bundle(
                    self.bundle, "train", f"recipes/{recipe}", cwd=self.folder, dataset_dir=self.dataset, layout="auto",
                    output_dir=f"out_{recipe}", **TRAIN, **({"warps_per_map": 1} if "ridge" in recipe else {}),
                )  # fmt: skip
                self.assertEqual(result.returncode, 0, result.stderr[-2000:])
                self.assertTrue((self.folder / f"out_{recipe}" / "models" / "model.pt").is_file())

    def test_decoding_of_every_recipe(self):
        folder = BUNDLES / self.bundle
        for names in (
            ["acgan"], ["drive"], ["drive_ridge"], ["phantom_ridge"], ["jsrt"], ["jsrt", "jsrt_joint"],
            ["jsrt", "jsrt_dots"], ["drive", "drive_256", "drive_256_dots"], ["chest_phantom"],
        ):  # fmt: skip
            with self.subTest(names):
                files = [folder / "configs" / "inference.json", *(folder / "recipes" / f"{n}.json" for n in names)]
                parser = ConfigParser()
                parser.read_config([str(file) for file in files])
                parser.update({"size": [64, 48], "class_weights": None, "level": 0.5})
                if "dots" in names[-1]:  # whose label set the data set declares
                    colors = [[0, 0, 0], [255, 0, 0], [0, 255, 0]]
                    parser["label_set"] = {"name": "dots", "class_names": ["none", "dot", "other"], "colors": colors}
                num_fields = parser.get_parsed_content("label_channels")
                made = torch.rand(num_fields + parser.get_parsed_content("image_channels"), 16, 16)
                label = parser.get_parsed_content("decoding")({"pred": made})["pred"]
                self.assertEqual(tuple(label.shape), (1, 64, 48))

    def test_ridges_of_warped_maps_are_drawn_and_repaired(self):
        out = self.folder / "ridge"
        ridge = {"representation": "ridge", "ridge_width": 20.0}
        run_bundle_in_process(
            self.bundle, "train", dataset_dir=self.dataset, output_dir=str(out), warps_per_map=2,
            augment_groups=["blit"], adversarial_loss="non_saturating", drift=0.0, d_regularizers=[], **ridge, **TRAIN,
        )  # fmt: skip
        self.assertTrue(list((out / "pictures").glob("*.png")))
        settings = {
            "dataset_dir": self.dataset, "num_samples": 3, "checkpoint": str(out / "models" / "model.pt"),
            "max_attempts": 3, **ridge, **TINY
        }  # fmt: skip
        run_bundle_in_process(self.bundle, "inference", output_dir=str(out / "made"), **settings)
        cases = load_cases(str(out / "made"), "all")
        self.assertEqual(len(cases), 3)
        for case, record in zip(cases, load_datalist(out / "made")["training"]):
            self.assertLessEqual(set(np.unique(read_label_map(case["label"], "fundus_vessel"))), {0, 1, 2})
            self.assertIn("share_added", record["notes"]["repair"])
            self.assertEqual(record["notes"]["drawn"]["attempts"], 3)
            self.assertEqual(len(record["notes"]["drawn"]["refused"]), 3)
        with self.assertRaises((CheckpointError, RuntimeError)) as caught:
            run_bundle_in_process(
                self.bundle, "inference", output_dir=str(out / "g"), **{**settings, "representation": "probabilities"}
            )
        self.assertIn(
            "trained with representation 'ridge'",
            str(caught.exception.__cause__ or caught.exception),
        )

    def test_data_check(self):
        result = run_bundle(self.bundle, "train", cwd=self.folder, run_id="check_data", dataset_dir=self.dataset)
        self.assertEqual(result.returncode, 0, result.stderr[-2000:])
        self.assertIn("training", result.stdout)
        with self.assertRaises((DataError, RuntimeError)) as caught:
            run_bundle_in_process(self.bundle, "train", run_id="check_data", dataset_dir=str(self.folder / "absent"))
        self.assertIn("absent", str(caught.exception.__cause__ or caught.exception))

    def test_checkpoint_of_another_network(self):
        out = self.folder / "wide"
        run_bundle_in_process(
            self.bundle,
            "train",
            dataset_dir=self.dataset,
            output_dir=str(out),
            **{**TRAIN, "stabilise_images": 4, "fade_images": 4},
        )
        with self.assertRaises((CheckpointError, RuntimeError)) as caught:
            run_bundle_in_process(
                self.bundle, "inference", dataset_dir=self.dataset, output_dir=str(out / "g"), num_samples=1,
                checkpoint=str(out / "models" / "model.pt"), **{**TINY, "max_channels": 16},
            )  # fmt: skip
        self.assertIn("ProgressiveGenerator", str(caught.exception.__cause__ or caught.exception))
        with self.assertRaises((CheckpointError, RuntimeError)) as caught:
            run_bundle_in_process(
                self.bundle, "inference", dataset_dir=self.dataset, output_dir=str(out / "g"), num_samples=1,
                checkpoint=str(out / "models" / "model.pt"), **{**TINY, "label_set": "fundus_disc_vessel"},
            )  # fmt: skip
        self.assertIn(
            "trained with label_set 'fundus_vessel', here it is 'fundus_disc_vessel'",
            str(caught.exception.__cause__ or caught.exception),
        )
        self.assertFalse((out / "g").exists() and list((out / "g").rglob("*.png")))

    def test_generation_shared_out_over_two_processes(self):
        settings = without_device(TINY)
        arguments = {
            "dataset_dir": self.dataset, "num_samples": 5, "batch_size": 2, "checkpoint": self.checkpoint(TINY),
            **settings
        }  # fmt: skip
        pixels = {}
        for name, files, launcher in (
            ("one", ["inference"], None),
            ("two", ["inference", "multi_gpu_inference"], TWO_PROCESSES),
        ):
            result = run_bundle(
                self.bundle, *files, cwd=self.folder, launcher=launcher, output_dir=f"{name}_made", **arguments
            )
            self.assertEqual(result.returncode, 0, result.stderr[-2000:])
            cases = load_cases(str(self.folder / f"{name}_made"), "all")
            pixels[name] = np.stack([read_label_map(c["label"], "fundus_vessel") for c in cases])
        self.assertEqual(len(pixels["two"]), 5)
        np.testing.assert_array_equal(pixels["one"], pixels["two"])

    def test_another_seed_does_not_fill_up_the_folder(self):
        made = self.folder / "seeds"
        arguments = {
            "dataset_dir": self.dataset, "output_dir": str(made), "num_samples": 1, "checkpoint":
            self.checkpoint(TINY), **TINY
        }  # fmt: skip
        run_bundle_in_process(self.bundle, "inference", seed=0, **arguments)
        with self.assertRaises(Exception) as caught:
            run_bundle_in_process(self.bundle, "inference", seed=1, **arguments)
        error = caught.exception
        while error.__cause__ is not None:
            error = error.__cause__
        self.assertIsInstance(error, DataError)
        self.assertIn("another output_dir", str(error))

    def test_killed_in_training_it_ends_with_the_same_weights(self):
        settings = {"dataset_dir": self.dataset, **TRAIN, "fade_images": 80, "stabilise_images": 80}
        whole = run_bundle(self.bundle, "train", cwd=self.folder, output_dir="whole", **settings)
        self.assertEqual(whole.returncode, 0, whole.stderr[-2000:])
        last = self.folder / "killed" / "models" / "last.pt"
        kill_bundle_when(last, self.bundle, "train", cwd=self.folder, output_dir="killed", **settings)
        again = run_bundle(self.bundle, "train", cwd=self.folder, output_dir="killed", **settings)
        self.assertEqual(again.returncode, 0, again.stderr[-2000:])
        weights = [
            torch.load(self.folder / name / "models" / "model.pt", weights_only=True)["model"]
            for name in ("whole", "killed")
        ]
        for name, value in weights[0].items():
            torch.testing.assert_close(weights[1][name], value, rtol=0, atol=0)

    def test_two_processes(self):
        result = run_bundle(
            self.bundle, "train", "multi_gpu_train", cwd=self.folder, launcher=TWO_PROCESSES, dataset_dir=self.dataset,
            output_dir="two", **{**without_device(TRAIN), "fade_images": 8, "stabilise_images": 8},
        )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stderr[-2000:])
        self.assertTrue((self.folder / "two" / "models" / "model.pt").is_file())


if __name__ == "__main__":
    unittest.main()
