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
"""Photographs of label maps by what the pix2pix recipe trains: the condition of training, and the eye's colour."""

from __future__ import annotations

import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigParser
from parameterized import parameterized
from PIL import Image

from monai_retinasynth.data import load_cases, training_colours
from monai_retinasynth.transforms import FieldOfViewColour, LoadFundusCased
from monai_retinasynth.utils import from_picture, read_label_map, read_rgb, save_checkpoint
from monai_retinasynth.utils.errors import DataError
from tests.bundles.bundle_tester import config_files, phantom_dataset, run_bundle_in_process

BUNDLE = "label_to_image_translation"
SIZE = [32, 48]
TINY = {"device": "cpu", "image_size": SIZE, "channels": 4, "max_channels": 8, "num_downs": 3}
TRAIN = {**TINY, "crop_size": SIZE, "d_channels": 4, "d_num_layers": 2, "epoch_length": 2, "max_epochs": 1}


def parsed(*names: str, **overrides) -> ConfigParser:
    """The bundle's configuration from some of its files."""
    parser = ConfigParser()
    parser.read_config(config_files(BUNDLE, *names))
    parser.update(overrides)
    return parser


class TestPix2PixInference(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.phantoms = phantom_dataset(cls.folder / "phantoms", size=66)
        # the same eyes as pairs of photograph and vessel mask
        cls.pairs = str(cls.folder / "pairs")
        for section, part in (("training", "train"), ("test", "test")):
            for kind in ("image", "mask"):
                Path(cls.pairs, part, kind).mkdir(parents=True)
            for number, case in enumerate(load_cases(cls.phantoms, section, val_count=0)):
                shutil.copy(case["image"], Path(cls.pairs, part, "image", f"{number:02d}.png"))
                vessel = read_label_map(case["label"], "fundus_vessel") == 2
                mask = Image.fromarray(vessel.astype(np.uint8) * 255)
                mask.save(Path(cls.pairs, part, "mask", f"{number:02d}.png"))

    def inference(self, **overrides) -> dict:
        return {
            "dataset_dir": self.pairs,
            "label_maps_dir": self.pairs,
            "label_maps_section": "test",
            "checkpoint": str(self.folder / "model.pt"),
            "output_dir": str(self.folder / "generated"),
            **TINY,
            **overrides,
        }

    def untrained(self, **overrides) -> str:
        """A checkpoint of a network whose normalised photographs are 0 all over."""
        network = parsed("inference", "recipes/pix2pix", **TINY, **overrides).get_parsed_content("network_def")
        torch.nn.init.zeros_(network.head.weight)
        path = str(self.folder / "untrained.pt")
        save_checkpoint(path, {"model": network.state_dict()}, kind=BUNDLE, network=network)
        return path

    def test_train_then_translate_pairs(self):
        out = self.folder / "out"
        run_bundle_in_process(BUNDLE, "train", "recipes/pix2pix", dataset_dir=self.pairs, output_dir=str(out), **TRAIN)
        made = self.folder / "made"
        settings = self.inference(checkpoint=str(out / "models" / "model.pt"), output_dir=str(made))
        run_bundle_in_process(BUNDLE, "inference", "recipes/pix2pix", **settings)
        cases = load_cases(str(made), "training")
        self.assertEqual(len(cases), 2)
        for case, source in zip(cases, load_cases(self.pairs, "test"), strict=True):
            self.assertEqual(read_rgb(case["image"]).shape, (48, 32, 3))
            expected = LoadFundusCased(spatial_size=SIZE)(source)["label"]
            self.assertTrue(torch.equal(from_picture(read_label_map(case["label"], "fundus_vessel")), expected))
        # one that was made with other settings does not pass for this one
        with self.assertRaises(RuntimeError) as caught:
            run_bundle_in_process(BUNDLE, "inference", "recipes/pix2pix", **{**settings, "image_size": [64, 64]})
        self.assertIn("holds samples made from", str(caught.exception.__cause__ or caught.exception))

    @parameterized.expand([("vessel", False), ("vessel", True), (None, True)])
    def test_condition_is_that_of_training(self, mask_class, use_coordinates):
        settings = {**TINY, "dataset_dir": self.pairs, "mask_class": mask_class, "use_coordinates": use_coordinates}
        training = parsed("train", "recipes/pix2pix", **{**settings, **TRAIN})
        section = {"label_maps_dir": self.pairs, "label_maps_section": "all", "checkpoint": self.untrained()}
        inference = parsed("inference", "recipes/pix2pix", **settings, **section, output_dir=str(self.folder / "no"))
        self.assertEqual(
            training.get_parsed_content("condition_channels"), inference.get_parsed_content("condition_channels")
        )
        theirs, ours = training.get_parsed_content("train::dataset"), inference.get_parsed_content("dataset")
        prepare = training.get_parsed_content("prepare_batch"), inference.get_parsed_content("prepare_batch")
        self.assertEqual((len(theirs), len(ours)), (4, 6))
        for index in range(len(theirs)):
            seen, given = theirs[index], ours[index]
            expected, target = prepare[0]({k: v[None] for k, v in seen.items()}, "cpu")
            found, nothing = prepare[1]({k: v[None] for k, v in given.items() if k != "index"}, "cpu")
            self.assertIsNotNone(target)
            self.assertIsNone(nothing)
            self.assertEqual(found.shape[1], (1 if mask_class else 3) + 2 * use_coordinates)
            torch.testing.assert_close(found, expected, rtol=0, atol=0)

    def test_colour(self):
        network = {"normalise_colour": True}
        checkpoint = self.untrained(**network)
        training = torch.tensor(training_colours(self.pairs, val_count=0, spatial_size=SIZE))
        eyes = [LoadFundusCased(spatial_size=SIZE)(case) for case in load_cases(self.pairs, "test")]
        given = {}
        for colour in ("sampled", "mean", "own"):
            made = self.folder / f"colour {colour}"
            settings = self.inference(checkpoint=checkpoint, output_dir=str(made), colour=colour, amp=False, **network)
            run_bundle_in_process(BUNDLE, "inference", "recipes/pix2pix", **settings)
            given[colour] = []
            for case, eye in zip(load_cases(str(made), "training"), eyes, strict=True):
                image = from_picture(read_rgb(case["image"]))
                outside = eye["label"][0] == 0
                # black outside the field of view, not outside the vessels, though the condition knows only these
                self.assertFalse(image[:, outside].any())
                inside = image[:, ~outside].float() / 127.5 - 1
                self.assertLess(inside.std(1).max().item(), 1e-5)
                given[colour].append(inside.mean(1))
        own = [FieldOfViewColour()(eye["image"], eye["label"])[:3] for eye in eyes]
        for found, expected in zip(given["own"], own, strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=0.005)
        for found in given["mean"]:
            torch.testing.assert_close(found, training.mean(0)[:3], rtol=0, atol=0.005)
        low, high = training.min(0).values[:3] - 0.005, training.max(0).values[:3] + 0.005
        for found in given["sampled"]:
            self.assertTrue(((found >= low) & (found <= high)).all())
        self.assertGreater((given["sampled"][0] - given["sampled"][1]).abs().max().item(), 0.005)

    def test_own_colour_needs_photographs(self):
        bare = self.folder / "bare"
        bare.mkdir()
        for case in load_cases(self.phantoms, "test"):
            shutil.copy(case["label"], bare)
        network = {"normalise_colour": True}
        settings = self.inference(checkpoint=self.untrained(**network), label_maps_dir=str(bare), **network)
        settings |= {"label_maps_section": "all", "output_dir": str(self.folder / "none")}
        with self.assertRaises(RuntimeError) as caught:
            run_bundle_in_process(BUNDLE, "inference", "recipes/pix2pix", colour="own", **settings)
        cause = caught.exception
        while cause is not None and not isinstance(cause, DataError):
            cause = cause.__cause__
        self.assertRegex(str(cause), "come without photographs.*sampled or mean")
        run_bundle_in_process(BUNDLE, "inference", "recipes/pix2pix", colour="mean", **settings)
        self.assertEqual(len(load_cases(settings["output_dir"], "training")), 2)


if __name__ == "__main__":
    unittest.main()
