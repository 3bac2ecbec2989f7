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

import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

from monai_retinasynth.data import load_cases
from monai_retinasynth.utils import read_label_map, read_rgb
from tests.bundles.bundle_tester import (
    TWO_PROCESSES,
    BundleTester,
    kill_bundle_when,
    phantom_dataset,
    run_bundle,
    run_bundle_in_process,
    without_device,
)

TINY = {"channels": 4, "max_channels": 8, "num_downs": 2, "num_res_blocks": 1, "device": "cpu"}
TRAIN = {
    **TINY,
    "d_channels": 4,
    "d_max_channels": 8,
    "d_num_layers": 2,
    "d_num_scales": 2,
    "crop_size": [48, 48],
    "epoch_length": 2,
    "max_epochs": 2,
    "picture_interval": 2,
}


class TestLabelToImageTranslation(BundleTester, unittest.TestCase):
    bundle = "label_to_image_translation"
    trace_shape = (1, 5, 64, 64)
    network_overrides = {"channels": 4, "max_channels": 16, "num_res_blocks": 1}

    @property
    def check_overrides(self) -> dict:
        return {
            "dataset_dir": self.dataset,
            "label_maps_dir": self.dataset,
            "checkpoint": self.checkpoint(TINY),
            **TINY,
        }

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.dataset = phantom_dataset(cls.folder / "data", size=66)

    def test_train_then_translate_a_bare_folder_of_label_maps(self):
        out = self.folder / "out"
        run_bundle_in_process(self.bundle, "train", dataset_dir=self.dataset, output_dir=str(out), **TRAIN)
        self.assertTrue((out / "models" / "model.pt").is_file())
        self.assertTrue(list((out / "pictures").glob("*.png")))
        bare = self.folder / "bare"
        bare.mkdir()
        for case in load_cases(self.dataset, "test"):
            shutil.copy(case["label"], bare)
        made = out / "generated"
        inference = {
            "dataset_dir": self.dataset,
            "label_maps_dir": str(bare),
            "output_dir": str(made),
            "checkpoint": str(out / "models" / "model.pt"),
            **TINY,
        }
        run_bundle_in_process(self.bundle, "inference", **inference)
        cases = load_cases(str(made), "training")
        self.assertEqual(len(cases), 2)
        for case, source in zip(cases, sorted(bare.glob("*.png"))):
            # 66 px are no multiple of the network's 4: padded and cropped back
            self.assertEqual(read_rgb(case["image"]).shape, (66, 66, 3))
            np.testing.assert_array_equal(
                read_label_map(case["label"], "fundus_vessel"), read_label_map(source, "fundus_vessel")
            )
        # what is there is not made again: a second run finds nothing to do and leaves the set whole
        first = Path(cases[0]["image"])
        stamp = first.stat().st_mtime_ns
        Path(cases[1]["image"]).unlink()
        run_bundle_in_process(self.bundle, "inference", **inference)
        run_bundle_in_process(self.bundle, "inference", **inference)
        self.assertEqual(first.stat().st_mtime_ns, stamp)
        self.assertEqual(len(load_cases(str(made), "training")), 2)

    def test_without_coordinates_and_colour_but_with_enhancer(self):
        out = self.folder / "plain"
        overrides = {
            **TRAIN,
            "use_coordinates": False,
            "normalise_colour": False,
            "num_enhancers": 1,
            "upsample": "transposed",
        }
        run_bundle_in_process(self.bundle, "train", dataset_dir=self.dataset, output_dir=str(out), **overrides)
        self.assertTrue((out / "models" / "model.pt").is_file())

    def test_every_recipe_runs_from_any_folder(self):
        for recipe in ("phantom", "drive", "chase_db1", "pix2pixhd_paper"):
            with self.subTest(recipe):
                result = run_bundle(
                    self.bundle, "train", f"recipes/{recipe}", cwd=self.folder, dataset_dir=self.dataset, layout="auto",
                    output_dir=f"out_{recipe}", **TRAIN,
                )  # fmt: skip
                self.assertEqual(result.returncode, 0, result.stderr[-2000:])
                self.assertTrue((self.folder / f"out_{recipe}" / "models" / "model.pt").is_file())

    def test_killed_in_training_it_ends_with_the_same_weights(self):
        settings = {"dataset_dir": self.dataset, **TRAIN, "max_epochs": 12}
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
            output_dir="two", **without_device(TRAIN),
        )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stderr[-2000:])
        self.assertTrue((self.folder / "two" / "models" / "model.pt").is_file())


if __name__ == "__main__":
    unittest.main()
