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

import dataclasses
import unittest

import numpy as np
from parameterized import parameterized
from skimage.measure import label as connected_parts

from monai_retinasynth.simulation import ChestPhantom, paint_radiograph
from monai_retinasynth.simulation.polygon_coverage import fill_polygons
from monai_retinasynth.transforms import organ_masks
from monai_retinasynth.utils import CHEST_ORGANS, ConfigError

# what the organ masks of the 247 JSRT radiographs measure: mean share of the picture and spread
AREAS = {
    "right_lung": (0.168, 0.030),
    "left_lung": (0.137, 0.027),
    "heart": (0.091, 0.014),
    "right_clavicle": (0.0096, 0.0019),
    "left_clavicle": (0.0096, 0.0018),
}


def centre(mask):
    y, x = np.nonzero(mask)
    return x.mean() / mask.shape[1], y.mean() / mask.shape[0]


class TestChestPhantom(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.masks = [ChestPhantom(96, 5).masks(index) for index in range(16)]

    def test_organs_lie_where_they_belong(self):
        for masks in self.masks:
            self.assertEqual(list(masks), list(CHEST_ORGANS))
            at = {organ: centre(mask) for organ, mask in masks.items()}
            self.assertLess(at["right_lung"][0], 0.4)  # the patient's right is the picture's left
            self.assertGreater(at["left_lung"][0], 0.6)
            self.assertGreater(at["heart"][0], 0.5)
            self.assertGreater(masks["right_lung"].sum(), masks["left_lung"].sum())  # the heart takes its room
            for side in ("right", "left"):
                x, y = at[f"{side}_clavicle"]
                self.assertLess(y, at[f"{side}_lung"][1] - 0.1)  # upright, at the top of the lung
                self.assertLess(abs(x - at[f"{side}_lung"][0]), 0.2)
                overlap = masks[f"{side}_clavicle"] & masks[f"{side}_lung"]
                self.assertGreater(overlap.sum(), 0.3 * masks[f"{side}_clavicle"].sum())
            self.assertFalse((masks["heart"] & (masks["right_lung"] | masks["left_lung"])).any())
            self.assertFalse((masks["right_lung"] & masks["left_lung"]).any())

    def test_organs_are_in_one_part_inside_the_body(self):
        for index, masks in enumerate(self.masks):
            body = fill_polygons([ChestPhantom(96, 5).geometry(index).body], 96) > 0.5
            for organ, mask in masks.items():
                self.assertEqual(connected_parts(mask).max(), 1, (index, organ))
                self.assertGreater((mask & body).sum(), 0.995 * mask.sum(), (index, organ))

    def test_areas_are_those_of_jsrt(self):
        for organ, (mean, spread) in AREAS.items():
            areas = np.array([masks[organ].mean() for masks in self.masks])
            self.assertLess(abs(areas.mean() - mean), 0.8 * spread, organ)
            self.assertLess(np.abs(areas - mean).max(), 4.0 * spread, organ)
            self.assertGreater(areas.std(), 0.3 * spread, organ)

    def test_label_map_gives_the_masks_back(self):
        label_map = ChestPhantom(96, 5).label_map(3)
        for organ, mask in organ_masks(label_map).items():
            np.testing.assert_array_equal(mask, self.masks[3][organ])

    def test_every_organ_is_there_in_the_smallest_picture(self):
        for index in range(8):
            self.assertTrue(all(mask.any() for mask in ChestPhantom(32, 1).masks(index).values()), index)

    def test_case_hangs_on_seed_and_number(self):
        image, masks = ChestPhantom(48, 2).pair(1)
        self.assertEqual((image.dtype, image.shape), (np.uint8, (48, 48)))
        np.testing.assert_array_equal(ChestPhantom(48, 2).pair(1)[0], image)
        for other in (ChestPhantom(48, 2).pair(0), ChestPhantom(48, -2).pair(1)):
            self.assertFalse(np.array_equal(other[0], image))
            self.assertFalse(np.array_equal(other[1]["heart"], masks["heart"]))

    def test_looks_the_same_at_every_size(self):
        small, large = (ChestPhantom(size, 4).pair(2) for size in (64, 128))
        reduced = large[0].reshape(64, 2, 64, 2).mean(axis=(1, 3))
        self.assertLess(np.abs(reduced - small[0]).mean(), 3.0)
        for organ, mask in small[1].items():
            self.assertLess(abs(mask.mean() - large[1][organ].mean()), 0.004, organ)

    def test_grey_levels(self):
        # means of the 247 radiographs: lung 170, heart 225, clavicle over lung 184
        levels = []
        for index in range(5):
            image, masks = ChestPhantom(64, 7).pair(index)
            clavicles = masks["right_clavicle"] | masks["left_clavicle"]
            lungs = masks["right_lung"] | masks["left_lung"]
            bone, apex = clavicles & lungs, np.roll(clavicles, 7, axis=0) & lungs & ~clavicles
            levels.append([image[part].mean() for part in (lungs & ~clavicles, masks["heart"], bone, apex)])
            self.assertGreater(image[masks["heart"]].mean(), image[lungs].mean() + 20.0)
        lung, heart, bone, apex = np.mean(levels, axis=0)
        self.assertLess(abs(lung - 170.0), 20.0)
        self.assertLess(abs(heart - 225.0), 15.0)
        self.assertGreater(bone, apex + 10.0)  # a clavicle is brighter than the lung below it

    def test_bones_show(self):
        phantom = ChestPhantom(128, 0)
        geometry, masks = phantom.geometry(0), phantom.masks(0)

        def paint(**without):
            shapes = dataclasses.replace(geometry, **without)
            return paint_radiograph(shapes, masks, np.random.default_rng(1)).astype(float)

        whole, lungs = paint(), masks["right_lung"] | masks["left_lung"]
        for name in ("posterior_ribs", "anterior_ribs"):
            ribs = fill_polygons(getattr(geometry, name)[::2], 128)
            gain = whole - paint(**{name: ()})
            self.assertGreater(gain[(ribs > 0.9) & lungs].mean(), 5.0, name)
            self.assertLess(np.abs(gain[(ribs == 0.0) & lungs]).mean(), 2.5, name)
            rows = np.flatnonzero(((ribs > 0.5) & lungs).any(axis=1)) / 128
            self.assertGreater(rows.max() - rows.min(), 0.4)  # all along the lungs

    @parameterized.expand([(31,), (64.0,), ((64, 64),), (True,), ("64",)])
    def test_bad_size(self, size):
        with self.assertRaisesRegex(ConfigError, "one edge, 32 px or more"):
            ChestPhantom(size)


if __name__ == "__main__":
    unittest.main()
