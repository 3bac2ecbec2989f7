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
"""The translation bundle with backgrounds: training on own ones, generation on a folder of them by every translator."""

from __future__ import annotations

import json
import shutil
import tempfile
import unittest
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from parameterized import parameterized

from monai_retinasynth.data import BackgroundLibrary, load_cases, load_datalist, write_background_dataset
from monai_retinasynth.simulation import measure_vessel_appearance
from monai_retinasynth.transforms import FitBackgroundd, VesselGeometryd
from monai_retinasynth.utils import (
    CheckpointError,
    ConfigError,
    DataError,
    from_picture,
    read_label_map,
    read_rgb,
)
from tests.bundles.bundle_tester import phantom_dataset, run_bundle_in_process

BUNDLE = "label_to_image_translation"
TINY = {"device": "cpu", "channels": 4, "max_channels": 8, "num_downs": 2, "num_res_blocks": 1}
TRAIN = {
    **TINY,
    "background": "own",
    "d_channels": 4,
    "d_max_channels": 8,
    "d_num_layers": 2,
    "d_num_scales": 2,
    "crop_size": [48, 48],
    "epoch_length": 2,
    "max_epochs": 1,
    "picture_interval": 2,
    "layout": "auto",
}
SPADE = {"label_set": "fundus_vessel", "num_ups": 2, "hidden_channels": 4, "style_size": 4, "encoder_channels": 4}
PIX2PIX = {"num_downs": 3, "d_num_scales": 1, "image_size": None}
SIZE = 160


class TestBackgroundTranslation(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.dataset = phantom_dataset(cls.folder / "data", size=SIZE)
        cls.backgrounds = str(cls.folder / "backgrounds")
        write_background_dataset(cls.dataset, cls.backgrounds, progress=False)
        # label maps alone, as a generator of them would leave them
        cls.maps = str(cls.folder / "maps")
        Path(cls.maps).mkdir()
        for case in load_cases(cls.dataset, "test"):
            shutil.copy(case["label"], cls.maps)

    def train(self, name: str, *recipe: str, **overrides):
        settings = {"dataset_dir": self.dataset, "output_dir": str(self.folder / name), **TRAIN, **overrides}
        return run_bundle_in_process(BUNDLE, "train", *recipe, **settings)

    def generate(self, name: str, *recipe: str, **overrides) -> list[dict]:
        settings = {
            "dataset_dir": self.dataset,
            "layout": "auto",
            "label_maps_dir": self.maps,
            "output_dir": str(self.folder / name),
            "background": self.backgrounds,
            **TINY,
            **overrides,
        }
        run_bundle_in_process(BUNDLE, "inference", *recipe, **settings)
        return load_cases(settings["output_dir"], "training")

    @contextmanager
    def refused(self, kind: type[Exception], pattern: str):
        """MONAI wraps what happens inside a bundle; what matters is its cause."""
        with self.assertRaises(Exception) as caught:
            yield
        cause = caught.exception
        while cause is not None and not isinstance(cause, kind):
            cause = cause.__cause__
        self.assertRegex(str(cause), pattern)

    def check_backgrounds(self, cases: list[dict], seed: int = 0) -> None:
        """Outside the band around vessels every photograph is the fitted background, and not inside."""
        fit = FitBackgroundd(library=BackgroundLibrary(self.backgrounds, classes=["vessel"]), seed=seed)
        self.assertEqual(len(cases), 2)
        records = load_datalist(Path(cases[0]["label"]).parents[1])["training"]
        for index, case in enumerate(cases):
            label = from_picture(read_label_map(case["label"], "fundus_vessel"))
            fitted = VesselGeometryd()(fit({"label": label, "index": index}))
            self.assertEqual(records[index]["notes"], {"background_id": fitted["background_id"]})
            image = from_picture(read_rgb(case["image"]))
            far = fitted["geometry"][-1] == 0
            self.assertTrue(torch.equal(image[:, far], fitted["background"][:, far]))
            changed = (image.int() - fitted["background"].int()).abs().amax(0)
            self.assertGreater((changed[label[0] == 2] > 0).float().mean().item(), 0.5)

    @parameterized.expand(
        [
            ("pix2pixhd", ("recipes/phantom_background",), {}, {}),
            ("rotated", (), {"rotation_degrees": 10, "gain": 0.2}, {}),
            ("spade", ("recipes/spade",), {**SPADE, "image_size": None}, {"image_size": None}),
            ("unet", ("recipes/pix2pix",), PIX2PIX, {"num_downs": 3, "image_size": None}),
        ]
    )
    def test_train_and_generate(self, name, recipe, settings, generation):
        workflow = self.train(name, *recipe, **settings)
        output = workflow.parser.get_parsed_content("train::trainer").state.output
        background, band = output["condition"][:, -3:], output["condition"][:, -4:-3]
        for what in ("fakes", "reals"):
            self.assertEqual(((output[what] - background) * (band == 0)).abs().max().item(), 0.0)
            self.assertGreater((output[what] - background).abs().max().item(), 0.01)
        self.assertTrue(list((self.folder / name / "pictures").glob("*.png")))
        shape = {k: v for k, v in settings.items() if k in {*SPADE, *generation}}
        cases = self.generate(
            f"{name}_made", *recipe, checkpoint=str(self.folder / name / "models" / "model.pt"), **shape
        )
        self.check_backgrounds(cases)
        provenance = json.loads((self.folder / f"{name}_made" / "provenance.json").read_text())
        self.assertEqual(provenance["translator"], "gan")
        self.assertEqual(provenance["backgrounds"]["case_ids"], [f"phantom_{n:05d}" for n in range(4)])
        self.assertEqual(provenance["training_data"][0]["name"], "fundus phantom")

    def test_measured_without_a_checkpoint(self):
        cases = self.generate("measured", translator="measured", seed=3)
        self.check_backgrounds(cases, seed=3)
        provenance = json.loads((self.folder / "measured" / "provenance.json").read_text())
        self.assertIsNone(provenance["checkpoint"])
        self.assertRegex(provenance["appearance"], "^[0-9a-f]{16}$")
        # the same pixels whatever the batch size and the number of workers, and vessels are dark
        again = self.generate(
            "measured_again", translator="measured", seed=3, generation_batch_size=2, num_workers=1
        )
        for one, other in zip(cases, again, strict=True):
            np.testing.assert_array_equal(read_rgb(one["image"]), read_rgb(other["image"]))
            label, image = read_label_map(one["label"], "fundus_vessel"), read_rgb(one["image"])[..., 1]
            self.assertLess(image[label == 2].mean(), image[label == 1].mean())

    def test_transplant(self):
        cases = self.generate("transplanted", translator="transplant", label_maps_dir="", photographs_per_map=2)
        self.assertEqual(len(cases), 8)
        real = {read_label_map(c["label"], "fundus_vessel").tobytes() for c in load_cases(self.dataset, "training")}
        for case in cases:
            label, image = read_label_map(case["label"], "fundus_vessel"), read_rgb(case["image"])
            self.assertNotIn(label.tobytes(), real)  # warped
            self.assertLess(image[..., 1][label == 2].mean(), image[..., 1][label == 1].mean())
            self.assertFalse(image[label == 0].any())
        # as many as there are label maps, without them
        self.assertEqual(len(self.generate("as_many", translator="transplant")), 2)

    def test_appearance_from_a_file(self):
        path = self.folder / "appearance.json"
        measure_vessel_appearance(self.dataset).save(path)
        made = self.generate("measured_here", translator="measured")
        other = self.generate("measured_elsewhere", translator="measured", appearance=str(path), dataset_dir="")
        for one, two in zip(made, other, strict=True):
            np.testing.assert_allclose(read_rgb(one["image"]), read_rgb(two["image"]).astype(float), atol=1)

    def test_fidelity_on_own_backgrounds(self):
        settings = {"dataset_dir": self.dataset, "output_dir": str(self.folder / "evaluated"), **TRAIN}
        run_bundle_in_process(BUNDLE, "train", **settings)
        run_bundle_in_process(BUNDLE, "train", "evaluate", **settings)
        rows = json.loads((self.folder / "evaluated" / "fidelity.json").read_text())["rows"]
        self.assertLessEqual({"generated", "background", "mean_photograph"}, set(rows))
        for row in rows.values():
            self.assertEqual(row["num_images"], 2)
            self.assertGreater(row["psnr_structures"], 0)
        # of the background nearly all is right, but not the places of the vessels
        self.assertLess(rows["background"]["psnr_structures"], rows["background"]["psnr"] - 5)

    @parameterized.expand(
        [
            ("own for new maps", {"background": "own"}, ConfigError, "no eye of its own: give a folder"),
            ("no folder", {"background": "nowhere"}, ConfigError, "no folder of backgrounds at nowhere"),
            ("none", {"background": "none", "translator": "measured"}, ConfigError, "give a folder of them"),
            ("unknown", {"translator": "painter"}, ConfigError, "one of gan, measured, transplant, not 'painter'"),
            ("colour", {"normalise_colour": True}, ConfigError, "set it to False"),
            ("class", {"structure_class": "disc"}, ConfigError, "structure_class is 'disc'.*'vessel'"),
            ("checkpoint", {"checkpoint": "nothing.pt"}, CheckpointError, "no checkpoint at nothing.pt"),
        ]
    )
    def test_refused(self, name, settings, kind, pattern):
        with self.refused(kind, pattern):
            self.generate(f"refused_{name}", **settings)
        self.assertFalse((self.folder / f"refused_{name}").exists())

    def test_training_takes_own_backgrounds_only(self):
        with self.refused(ConfigError, "set --background own"):
            self.train("folder", background=self.backgrounds)
        with self.refused(ConfigError, "needs no training"):
            self.train("measured", translator="measured")
        with self.refused(ConfigError, "augmentation knows no backgrounds"):
            self.train("augmented", augment_groups=["pixel_blitting"])

    def test_folder_that_holds_no_backgrounds(self):
        for name in (self.dataset, self.maps):
            with self.refused(DataError, "write_background_dataset"):
                self.generate("no_backgrounds", background=name, translator="measured")

    def test_grey_backgrounds(self):
        grey = str(self.folder / "grey")
        write_background_dataset(self.dataset, grey, image_channels=1, progress=False)
        with self.refused(DataError, "grey|channel"):
            self.generate("from_grey", background=grey, translator="measured")

    def test_held_out_eyes_among_the_backgrounds(self):
        held_out = str(self.folder / "held_out")
        write_background_dataset(self.dataset, held_out, section="test", progress=False)
        with self.refused(DataError, "test"):
            self.generate("leak", background=held_out, translator="measured")
        self.assertFalse((self.folder / "leak" / "images").exists())


if __name__ == "__main__":
    unittest.main()
