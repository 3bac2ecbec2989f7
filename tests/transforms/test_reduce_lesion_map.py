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

import unittest

import numpy as np
import torch
from scipy import ndimage

from monai_retinasynth.transforms import ReduceLesionMapd, reduce_lesion_map
from monai_retinasynth.utils import FUNDUS_LESION, LESION_CLASSES, ConfigError, DataError

OUTSIDE, RETINA, VESSEL, DISC, SOFT, HAEMORRHAGE, HARD, MICRO = range(8)


def count(label_map: np.ndarray, index: int) -> int:
    return ndimage.label(label_map == index, structure=np.ones((3, 3)))[1]


def eye(side: int, seed: int = 0, lesions: int = 60) -> np.ndarray:
    """A round eye with a disc and small lesions at random places, many of them of few pixels."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    label_map = np.where(x**2 + y**2 <= (side / 2) ** 2, RETINA, OUTSIDE).astype(np.uint8)
    label_map[(x - side / 4) ** 2 + y**2 <= (side / 11) ** 2] = DISC
    for index in (SOFT, HAEMORRHAGE, HARD, MICRO):
        for _ in range(lesions):
            row, column = draw.integers(side // 5, side - side // 5, 2)
            height, width = draw.integers(1, max(2, side // 60), 2)
            label_map[row : row + height, column : column + width] = index
    return label_map


class TestReduceLesionMap(unittest.TestCase):
    def test_one_pixel_survives(self):
        label_map = np.full((2848, 2848), RETINA, dtype=np.uint8)
        places = [(1000, 2000), (5, 7), (2847, 2847), (1424, 89)]
        for row, column in places:
            label_map[row, column] = MICRO
        for size in (512, 128):
            reduced = reduce_lesion_map(label_map, size)
            self.assertEqual((reduced.shape, reduced.dtype), ((size, size), np.uint8))
            step = 2848 / size
            expected = sorted((int((row + 0.5) / step), int((column + 0.5) / step)) for row, column in places)
            self.assertEqual(sorted(map(tuple, np.argwhere(reduced == MICRO).tolist())), expected)
            self.assertEqual(np.count_nonzero(reduced == RETINA), size * size - 4)

    def test_no_lesion_is_lost(self):
        for side, size, seed in ((400, 64, 0), (400, 100, 1), (300, 77, 2), (256, 128, 3)):
            label_map = eye(side, seed)
            reduced = reduce_lesion_map(label_map, size)
            step = side / size
            for index in (SOFT, HAEMORRHAGE, HARD, MICRO):
                regions, number = ndimage.label(label_map == index, structure=np.ones((3, 3)))
                self.assertGreater(number, 5)
                for box in ndimage.find_objects(regions):
                    rows, columns = (slice(int(s.start / step), int(np.ceil(s.stop / step))) for s in box)
                    there = reduced[rows, columns]  # a lesion here is a rectangle, parts of which later ones may cover
                    self.assertTrue(np.isin(there, range(index, MICRO + 1)).any(), (side, size, index, box))
            self.assertTrue(set(np.unique(reduced)) == set(np.unique(label_map)))

    def test_separate_lesions_stay_separate(self):
        label_map = np.full((640, 640), RETINA, dtype=np.uint8)
        expected = {}
        for index, first in ((SOFT, 20), (HAEMORRHAGE, 60), (HARD, 100), (MICRO, 140)):
            for k, row in enumerate(range(first, 620, 160)):
                label_map[row : row + 1 + k, 30:600:80] = index  # lines of 1 to 4 pixels, 80 apart
                expected[index] = expected.get(index, 0) + 8
        for size in (320, 128, 64, 33):
            reduced = reduce_lesion_map(label_map, size)
            self.assertEqual({index: count(reduced, index) for index in expected}, expected)

    def test_large_structures_keep_their_area(self):
        side = 700
        y, x = np.mgrid[:side, :side]
        label_map = np.full((side, side), RETINA, dtype=np.uint8)
        for index, (row, column, radius) in {DISC: (200, 500, 90), SOFT: (500, 480, 50), HARD: (300, 200, 60)}.items():
            label_map[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = index
        for size in (256, 128, 101):
            reduced = reduce_lesion_map(label_map, size)
            for index in (DISC, SOFT, HARD):
                share = (reduced == index).mean() / (label_map == index).mean()
                self.assertAlmostEqual(share, 1, delta=0.04)

    def test_rule(self):
        label_map = np.full((4, 8), RETINA, dtype=np.uint8)
        label_map[0:2, 3:5] = HARD  # as much in the left pixel as in the right one: the first gets it
        label_map[3, 0] = MICRO  # both want the last row's left pixel: the microaneurysm lies on top,
        label_map[2:4, 3:5] = SOFT  # so the soft exudate takes its other pixel
        self.assertEqual(reduce_lesion_map(label_map, (2, 2)).tolist()[0], [HARD, RETINA])
        self.assertEqual(reduce_lesion_map(label_map, (2, 2)).tolist()[1], [MICRO, SOFT])
        # half and half: the later class wins, as in the label set's order
        halves = np.repeat([[OUTSIDE, RETINA], [DISC, VESSEL]], 2, axis=1).astype(np.uint8)
        self.assertEqual(reduce_lesion_map(halves, (1, 2)).tolist(), [[DISC, VESSEL]])
        # two lesions with their largest shares in one pixel merge in it, and do not spread to others
        pair = np.full((4, 8), RETINA, dtype=np.uint8)
        pair[0, 0] = pair[3, 3] = MICRO
        self.assertEqual(reduce_lesion_map(pair, (1, 2)).tolist(), [[MICRO, RETINA]])
        # a lesion is lost only under later ones
        pair[0, 0] = HAEMORRHAGE
        self.assertEqual(reduce_lesion_map(pair, (1, 2)).tolist(), [[MICRO, RETINA]])
        # a neighbour's pixel that a corner of it touches is not its own
        corner = np.full((8, 16), RETINA, dtype=np.uint8)
        corner[0:8, 0:7] = HARD
        corner[0, 7:8], corner[1:8, 6:8] = RETINA, RETINA
        corner[4:6, 7:11] = HARD
        self.assertEqual(reduce_lesion_map(corner, (1, 2)).tolist(), [[HARD, HARD]])

    def test_kept_classes(self):
        label_map = np.full((8, 8), RETINA, dtype=np.uint8)
        label_map[0, 0], label_map[7, 7] = VESSEL, MICRO
        self.assertEqual(reduce_lesion_map(label_map, 2).tolist(), [[RETINA, RETINA], [RETINA, MICRO]])
        self.assertEqual(
            reduce_lesion_map(label_map, 2, kept_classes=["vessel"]).tolist(), [[VESSEL, RETINA], [RETINA, RETINA]]
        )
        vessels = np.minimum(label_map, VESSEL)
        self.assertEqual(reduce_lesion_map(vessels, 2, "fundus_vessel").tolist(), [[RETINA, RETINA]] * 2)

    def test_same_and_larger_size(self):
        label_map = eye(32, lesions=3)
        same = reduce_lesion_map(label_map, 32)
        self.assertTrue(np.array_equal(same, label_map) and same is not label_map)
        self.assertTrue(np.array_equal(reduce_lesion_map(label_map, 96), label_map.repeat(3, 0).repeat(3, 1)))
        self.assertEqual(reduce_lesion_map(label_map, (40, 50)).shape, (40, 50))

    def test_refused(self):
        with self.assertRaisesRegex(DataError, "values 0 to 9, label set 'fundus_lesion' has the classes 0 to 7"):
            reduce_lesion_map(np.diag([9, 0]), 1)
        with self.assertRaisesRegex(DataError, "no class 'fovea'"):
            reduce_lesion_map(np.zeros((4, 4)), 2, kept_classes=["fovea"])
        with self.assertRaisesRegex(ValueError, r"shape \(H, W\)"):
            reduce_lesion_map(np.zeros((1, 4, 4)), 2)
        for size in (0, (1, 2, 3), "small", (4, -1)):
            with self.assertRaisesRegex(ConfigError, "two whole numbers"):
                reduce_lesion_map(np.zeros((4, 4)), size)

    def test_dictionary(self):
        picture = eye(96)[:, :80]
        data = {"label": torch.from_numpy(picture.T.copy())[None], "image": 1}
        reduced = ReduceLesionMapd("label", (20, 24))(data)
        self.assertEqual((tuple(reduced["label"].shape), reduced["label"].dtype), ((1, 20, 24), torch.uint8))
        expected = reduce_lesion_map(picture, (24, 20))
        self.assertTrue(np.array_equal(reduced["label"][0].numpy().T, expected))
        self.assertEqual((data["label"].shape[1], reduced["image"]), (80, 1))
        with self.assertRaisesRegex(ValueError, r"shape \(1, X, Y\)"):
            ReduceLesionMapd("label", 4)({"label": torch.zeros(2, 8, 8)})
        self.assertTrue(set(LESION_CLASSES) < set(FUNDUS_LESION.class_names))


if __name__ == "__main__":
    unittest.main()
