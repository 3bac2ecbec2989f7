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
"""Radiographs of label maps and label maps of dot maps: the two translators of the three-stage method, on phantoms."""

from __future__ import annotations

import shutil
import tempfile
import unittest
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from parameterized import parameterized
from PIL import Image

from monai_retinasynth.data import (
    load_cases,
    load_datalist,
    write_datalist,
    write_dot_dataset,
)
from monai_retinasynth.simulation import write_chest_phantom_dataset
from monai_retinasynth.transforms import dot_label_set
from monai_retinasynth.utils import CHEST_ORGANS, read_label_map, write_label_map
from monai_retinasynth.utils.errors import CheckpointError, DataError
from tests.bundles.bundle_tester import (
    TWO_PROCESSES,
    phantom_dataset,
    run_bundle,
    run_bundle_in_process,
    without_device,
)

BUNDLE = "label_to_image_translation"
DOTS_TRAIN = ("train", "dots_to_label_map", "recipes/chest_phantom_dots")
DOTS_INFER = ("inference", "dots_to_label_map_inference", "recipes/chest_phantom_dots")
NETWORK = {"device": "cpu", "channels": 4, "max_channels": 8}
TRAIN = {**NETWORK, "d_channels": 4, "d_max_channels": 8, "d_num_layers": 2, "train_images": 12}
DOTS = {"merge": {organ: list(classes) for organ, classes in CHEST_ORGANS.items()}, "radius": 2}


def model_of(output_dir: Path) -> str:
    return str(output_dir / "models" / "model.pt")


class ChestTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.dataset = cls.folder / "data"
        write_chest_phantom_dataset(cls.dataset, 64, num_training=4, num_validation=1, num_test=2, progress=False)
        cls.dots, cls.test_dots = cls.folder / "dots", cls.folder / "test_dots"
        write_dot_dataset(cls.dataset, cls.dots, "chest_organ", DOTS, progress=False)
        write_dot_dataset(cls.dataset, cls.test_dots, "chest_organ", DOTS, section="test", progress=False)

    @contextmanager
    def refused(self, kind: type[Exception], pattern: str):
        """MONAI wraps what happens inside a bundle; what matters is its cause."""
        with self.assertRaises((RuntimeError, kind)) as caught:
            yield
        cause = caught.exception
        while cause is not None and not isinstance(cause, kind):
            cause = cause.__cause__ or cause.__context__
        self.assertRegex(str(cause), pattern)

    def trained(self, *names: str, dataset: Path, **overrides) -> Path:
        out = Path(tempfile.mkdtemp(dir=self.folder))
        settings = {**TRAIN, "dataset_dir": str(dataset), "output_dir": str(out), **overrides}
        workflow = run_bundle_in_process(BUNDLE, *names, **settings)
        trainer = workflow.parser.get_parsed_content("train::trainer")
        self.assertEqual(trainer.state.images_seen, 12)  # train_images, whatever the batch size
        self.assertEqual(trainer.state.iteration, trainer.state.max_epochs * trainer.state.epoch_length)
        self.assertTrue(list((out / "pictures").glob("*.png")))
        return out

    def drawn(self, *names: str, model: Path, source: Path, **overrides) -> Path:
        out = Path(tempfile.mkdtemp(dir=self.folder))
        settings = {**NETWORK, "label_maps_dir": str(source), "output_dir": str(out), "checkpoint": model_of(model)}
        run_bundle_in_process(BUNDLE, *names, **{**settings, **overrides})
        return out


class TestRadiographs(ChestTest):
    def test_train_and_draw_grey_pictures(self):
        trained = self.trained("train", "recipes/chest_phantom", dataset=self.dataset)
        made = self.drawn("inference", "recipes/chest_phantom", model=trained, source=self.dataset)
        cases = load_cases(made, "training")
        self.assertEqual(len(cases), 7)
        for case, source in zip(cases, load_cases(self.dataset, "all"), strict=True):
            with Image.open(case["image"]) as picture:
                self.assertEqual((picture.mode, picture.size), ("L", (64, 64)))
            expected = read_label_map(source["label"], "chest_organ")
            np.testing.assert_array_equal(read_label_map(case["label"], "chest_organ"), expected)
        first = Path(cases[0]["image"])
        first.unlink()  # a case without its picture is made again, the same
        before = {case["image"]: Path(case["image"]).read_bytes() for case in cases[1:]}
        settings = {**NETWORK, "label_maps_dir": str(self.dataset), "output_dir": str(made)}
        run_bundle_in_process(BUNDLE, "inference", "recipes/chest_phantom", checkpoint=model_of(trained), **settings)
        self.assertTrue(first.is_file())
        self.assertEqual(before, {case["image"]: Path(case["image"]).read_bytes() for case in cases[1:]})

    def test_jsrt_recipe_and_comparison_with_the_radiographs(self):
        recipe = ("recipes/jsrt",)
        trained = self.trained("train", *recipe, dataset=self.dataset)
        settings = {**TRAIN, "dataset_dir": str(self.dataset), "output_dir": str(trained)}
        run_bundle_in_process(BUNDLE, "train", "evaluate", *recipe, **settings)
        self.assertTrue((trained / "fidelity.json").is_file() and (trained / "fidelity.png").is_file())

    def test_budget_counts_pictures(self):
        # 3 iterations of batches of 4, in one epoch of 3 or three of 1
        for epoch_length, epochs in ((20, 1), (1, 3)):
            settings = {"batch_size": 4, "epoch_length": epoch_length}
            out = self.trained("train", "recipes/chest_phantom", dataset=self.dataset, **settings)
            state = torch.load(out / "models" / "last.pt", weights_only=True)["trainer"]
            self.assertEqual((state["epoch"], state["iteration"]), (epochs, 3))


class TestDotsToLabelMap(ChestTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.model = cls.trained(cls("run_all"), *DOTS_TRAIN, dataset=cls.dots)

    def run_all(self):
        """Name that unittest needs for the instance that trains."""

    def label_maps(self, folder: Path) -> list[np.ndarray]:
        return [read_label_map(case["label"], "chest_organ") for case in load_cases(folder, "training")]

    def test_two_processes(self):
        names = (*DOTS_TRAIN[:2], "multi_gpu_train", DOTS_TRAIN[2])
        settings = without_device({**TRAIN, "dataset_dir": str(self.dots)})
        result = run_bundle(BUNDLE, *names, cwd=self.folder, launcher=TWO_PROCESSES, output_dir="two", **settings)
        self.assertEqual(result.returncode, 0, result.stderr[-2000:])
        state = torch.load(self.folder / "two" / "models" / "last.pt", weights_only=True)["trainer"]
        # 12 pictures are two joint batches of 8, but each process has no more than two of the four cases
        self.assertEqual((state["iteration"], state["images_seen"]), (2, 8))

    def test_label_maps_of_the_target_set(self):
        made = self.drawn(*DOTS_INFER, model=self.model, source=self.test_dots)
        content = load_datalist(made)
        self.assertEqual(content["label_set"]["name"], "chest_organ")
        self.assertEqual(content["provenance"]["empty_dot_maps"], 0)
        self.assertEqual(content["provenance"]["training_data"][0]["name"], "dots of chest_organ")
        self.assertNotIn("image", content["training"][0])
        maps = self.label_maps(made)
        self.assertEqual([m.shape for m in maps], [(64, 64)] * 2)

    def test_the_same_whatever_the_batch_size(self):
        one = self.label_maps(self.drawn(*DOTS_INFER, model=self.model, source=self.test_dots))
        two = self.drawn(*DOTS_INFER, model=self.model, source=self.test_dots, seed=5, **{"dataloader::batch_size": 2})
        for first, second in zip(one, self.label_maps(two), strict=True):
            np.testing.assert_array_equal(first, second)

    def test_jsrt_recipe(self):
        names = ("train", "dots_to_label_map", "recipes/jsrt_dots")
        self.assertTrue(Path(model_of(self.trained(*names, dataset=self.dots))).is_file())

    def test_noise_gives_several_label_maps_of_one_dot_map(self):
        networks = {
            "network_def": {
                "_target_": "monai_retinasynth.networks.nets.Pix2PixHDGenerator",
                "in_channels": "@condition_channels",
                "out_channels": "@out_channels",
                "out_activation": "@out_activation",
                "noise_channels": "@noise_channels",
                "channels": 4,
                "max_channels": 8,
                "num_downs": 3,
                "num_res_blocks": 1,
            },
            "noise_channels": 8,
        }
        model = self.trained(*DOTS_TRAIN, dataset=self.dots, **networks)
        settings = {"photographs_per_map": 2, **networks}
        made = self.drawn(*DOTS_INFER, model=model, source=self.test_dots, **settings)
        maps = self.label_maps(made)
        self.assertEqual(len(maps), 4)
        self.assertTrue(any((maps[k] != maps[k + 1]).any() for k in (0, 2)))
        again = self.label_maps(self.drawn(*DOTS_INFER, model=model, source=self.test_dots, **settings))
        for first, second in zip(maps, again, strict=True):
            np.testing.assert_array_equal(first, second)
        other = self.label_maps(self.drawn(*DOTS_INFER, model=model, source=self.test_dots, seed=1, **settings))
        self.assertTrue(any((a != b).any() for a, b in zip(maps, other, strict=True)))

    def test_checkpoint_of_another_network(self):
        radiographs = self.trained("train", "recipes/chest_phantom", dataset=self.dataset)
        with self.refused(CheckpointError, "for 'label_to_image_translation', not for 'dots_to_label_map'"):
            self.drawn(*DOTS_INFER, model=radiographs, source=self.test_dots)
        with self.refused(CheckpointError, "for 'dots_to_label_map', not for 'label_to_image_translation'"):
            self.drawn("inference", "recipes/chest_phantom", model=self.model, source=self.dataset)
        with self.refused(CheckpointError, "trained with label_set .*chest_organ_dots"):
            self.drawn(*DOTS_INFER, model=self.model, source=self.dataset)

    def test_dot_map_without_dots(self):
        labels = dot_label_set("chest_organ", merge=DOTS["merge"])
        folder = self.folder / "empty"
        cases = []
        for number, case in enumerate(load_cases(self.test_dots, "training", val_count=0)):
            dot_map = read_label_map(case["label"], labels) if number else np.zeros((64, 64), np.uint8)
            write_label_map(folder / f"labels/{number}.png", dot_map, labels)
            cases.append({"label": f"labels/{number}.png", "case_id": str(number), "source": "synthetic"})
        write_datalist(folder, {"training": cases}, labels, "dot maps")
        with self.refused(DataError, r"1 of 2 dot maps have no dot.*empty/labels/0\.png.*empty_dot_maps"):
            self.drawn(*DOTS_INFER, model=self.model, source=folder)
        with self.refused(DataError, "1 of 2 dot maps have no dot"):
            self.trained(*DOTS_TRAIN, dataset=folder)
        made = self.drawn(*DOTS_INFER, model=self.model, source=folder, empty_dot_maps="keep")
        self.assertEqual(load_datalist(made)["provenance"]["empty_dot_maps"], 1)
        self.assertEqual(len(self.label_maps(made)), 2)


class TestRetina(unittest.TestCase):
    @parameterized.expand([("drive_256", "drive_256_dots")])
    def test_both_recipes(self, photographs, dots):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            dataset = phantom_dataset(folder / "data", size=128)
            write_dot_dataset(dataset, folder / "dots", "fundus_vessel", {"spacing": 8, "radius": 1}, progress=False)
            settings = {**TRAIN, "output_dir": str(folder / "photographs"), "dataset_dir": dataset}
            run_bundle_in_process(BUNDLE, "train", f"recipes/{photographs}", **settings)
            settings = {**TRAIN, "output_dir": str(folder / "maps"), "dataset_dir": str(folder / "dots")}
            run_bundle_in_process(BUNDLE, "train", "dots_to_label_map", f"recipes/{dots}", **settings)
            inference = {**NETWORK, "dataset_dir": dataset, "label_maps_dir": str(folder / "dots")}
            inference |= {"output_dir": str(folder / "drawn"), "checkpoint": model_of(folder / "maps")}
            names = ("inference", "dots_to_label_map_inference", f"recipes/{dots}")
            run_bundle_in_process(BUNDLE, *names, **inference)
            self.assertEqual(len(load_cases(folder / "drawn", "training")), 4)
            self.assertEqual(load_datalist(folder / "drawn")["label_set"]["name"], "fundus_vessel")
            inference |= {"label_maps_dir": str(folder / "drawn"), "output_dir": str(folder / "eyes")}
            inference["checkpoint"] = model_of(folder / "photographs")
            run_bundle_in_process(BUNDLE, "inference", f"recipes/{photographs}", **inference)
            with Image.open(load_cases(folder / "eyes", "training")[0]["image"]) as picture:
                self.assertEqual((picture.mode, picture.size), ("RGB", (128, 128)))


if __name__ == "__main__":
    unittest.main()
