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
"""Organ masks of a case: order, orientation, resizing, the label map in their place, bad files."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from parameterized import parameterized

from monai_retinasynth.simulation import ChestPhantom
from monai_retinasynth.transforms import LoadFundusCased, LoadOrganMasksd, compose_chest_label_map, organ_masks
from monai_retinasynth.utils import CHEST_ORGANS, read_mask, write_grey, write_label_map
from monai_retinasynth.utils.errors import ConfigError, DataError

ORGANS = list(CHEST_ORGANS)
HEIGHT, WIDTH = 48, 64


class TestLoadOrganMasksd(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        radiograph, masks = ChestPhantom(64, seed=1).pair(0)
        self.masks = {organ: masks[organ][:HEIGHT] for organ in ORGANS}  # not square: the axes cannot be confused
        self.masks["left_lung"] = self.masks["left_lung"] | self.masks["heart"]  # goes on under the heart
        write_grey(self.folder / "image.png", radiograph[:HEIGHT])
        write_label_map(self.folder / "label.png", compose_chest_label_map(self.masks), "chest_organ")
        self.case = {
            "image": str(self.folder / "image.png"),
            "label": str(self.folder / "label.png"),
            "masks": {organ: str(self.folder / f"{organ}.png") for organ in reversed(ORGANS)},
            "case_id": "c1",
        }
        for organ, mask in self.masks.items():
            write_grey(self.folder / f"{organ}.png", mask.astype(np.uint8) * 255)

    def load(self, case: dict, size=None) -> dict:
        loaded = LoadFundusCased("chest_organ", image_channels=1, spatial_size=size)(case)
        return LoadOrganMasksd(spatial_size=size)(loaded)

    def test_masks(self):
        loaded = self.load(self.case)
        self.assertEqual((loaded["masks"].shape, loaded["masks"].dtype), ((5, WIDTH, HEIGHT), torch.uint8))
        for number, organ in enumerate(ORGANS):
            self.assertTrue(np.array_equal(loaded["masks"][number].numpy().T != 0, self.masks[organ]), organ)
        # the label map's lung ends at the heart
        lung = torch.from_numpy(organ_masks(loaded["label"][0].numpy())["left_lung"])
        self.assertGreater(int(loaded["masks"][1].sum()), int(lung.sum()))
        self.assertEqual(loaded["case_id"], "c1")
        self.assertIsInstance(self.case["masks"], dict)  # the input is left alone

    def test_without_masks_the_label_map_is_the_truth(self):
        case = {key: value for key, value in self.case.items() if key != "masks"}
        loaded = self.load(case)
        composed = organ_masks(loaded["label"][0].numpy())
        for number, organ in enumerate(ORGANS):
            self.assertTrue(np.array_equal(loaded["masks"][number].numpy() != 0, composed[organ]), organ)
        self.assertEqual(loaded["masks"].dtype, torch.uint8)

    def test_resized_as_the_label_map(self):
        loaded = self.load(self.case, (32, 24))
        self.assertEqual(loaded["masks"].shape, (5, 32, 24))
        for number, organ in enumerate(ORGANS):
            shares = self.masks[organ].reshape(24, 2, 32, 2).mean((1, 3))
            self.assertTrue(np.array_equal(loaded["masks"][number].numpy().T != 0, shares >= 0.5), organ)
        self.assertEqual(self.load(self.case, WIDTH)["masks"].shape, (5, WIDTH, WIDTH))

    def test_empty_mask(self):
        write_grey(self.folder / "heart.png", np.zeros((HEIGHT, WIDTH), np.uint8))
        with self.assertRaisesRegex(DataError, "the mask of heart .*heart.png is empty"):
            self.load(self.case)

    def test_missing_file(self):
        (self.folder / "left_clavicle.png").unlink()
        with self.assertRaisesRegex(DataError, "mask of left_clavicle of case c1: .*not found: .*left_clavicle.png"):
            self.load(self.case)

    def test_missing_organ(self):
        del self.case["masks"]["heart"]
        with self.assertRaisesRegex(DataError, "the case c1 has no mask of heart"):
            self.load(self.case)

    def test_unexpected_values(self):
        write_grey(self.folder / "heart.png", read_mask(self.folder / "heart.png").astype(np.uint8))
        with self.assertRaisesRegex(DataError, "the mask of heart of case c1: unexpected values .*heart.png"):
            self.load(self.case)

    def test_other_size(self):
        write_grey(self.folder / "heart.png", np.full((HEIGHT, WIDTH - 1), 255, np.uint8))
        with self.assertRaisesRegex(DataError, "mask of heart .*heart.png is 63 x 48, the label map of case c1 is"):
            self.load(self.case)

    def test_nothing_left(self):
        thin = np.zeros((HEIGHT, WIDTH), np.uint8)
        thin[7, 5] = 255
        write_grey(self.folder / "left_clavicle.png", thin)
        with self.assertRaisesRegex(DataError, "nothing is left of left_clavicle .* at 16 x 12 pixels"):
            self.load(self.case, (16, 12))

    @parameterized.expand([(0,), ("big",), ((1, 2, 3),)])
    def test_no_size(self, size):
        with self.assertRaisesRegex(ConfigError, "an image size is"):
            LoadOrganMasksd(spatial_size=size)


if __name__ == "__main__":
    unittest.main()
