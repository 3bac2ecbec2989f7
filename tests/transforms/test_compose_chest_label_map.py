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
from parameterized import parameterized

from monai_retinasynth.transforms import compose_chest_label_map, organ_masks
from monai_retinasynth.utils import CHEST_ORGAN, CHEST_ORGANS, DataError, open_image
from tests.real_data import data_root


def chest(width: int = 12) -> dict[str, np.ndarray]:
    """Rectangles, no symmetry: clavicles half over the lungs, and a heart that runs one column into the left lung."""
    masks = {organ: np.zeros((10, width), dtype=bool) for organ in CHEST_ORGANS}
    masks["right_lung"][1:8, 1:4] = True
    masks["left_lung"][1:9, 7:11] = True
    masks["heart"][5:8, 5:8] = True
    masks["right_clavicle"][2, 0:3] = True
    masks["left_clavicle"][1:3, 8:12] = True
    return masks


class TestComposeChestLabelMap(unittest.TestCase):
    def test_priorities(self):
        label_map = compose_chest_label_map(chest())
        self.assertEqual(label_map.dtype, np.uint8)
        expected = np.zeros((10, 12), dtype=int)
        expected[1:8, 1:4] = 1
        expected[1:9, 7:11] = 2
        expected[5:8, 5:8] = 3
        expected[2, 0], expected[2, 1:3] = 4, 6
        expected[1:3, 8:11], expected[1:3, 11] = 7, 5
        np.testing.assert_array_equal(label_map, expected)

    def test_clavicle_is_never_lost(self):
        masks = chest()
        masks["left_clavicle"][2:7, 2] = True  # over the other lung and the right clavicle
        masks["right_clavicle"][6, 6] = True  # over the heart
        label_map = compose_chest_label_map(masks)
        self.assertEqual(label_map[2:7, 2].tolist(), [5] * 5)
        self.assertEqual(label_map[6, 6], 4)
        np.testing.assert_array_equal(organ_masks(label_map)["left_clavicle"], masks["left_clavicle"])

    def test_round_trip_but_for_the_seam_of_the_heart(self):
        masks = chest()
        back = organ_masks(compose_chest_label_map(masks))
        self.assertEqual(list(back), list(CHEST_ORGANS))
        for organ, mask in masks.items():
            expected = mask & ~masks["heart"] if organ.endswith("lung") else mask
            np.testing.assert_array_equal(back[organ], expected, err_msg=organ)
        again = compose_chest_label_map(back)
        np.testing.assert_array_equal(again, compose_chest_label_map(masks))

    def test_any_two_values(self):
        masks = {
            organ: mask * value
            for value, (organ, mask) in zip((np.uint8(255), 1, 76.0, np.int64(3), True), chest().items())
        }
        np.testing.assert_array_equal(compose_chest_label_map(masks), compose_chest_label_map(chest()))

    @parameterized.expand(
        [
            ("empty", {"heart": np.zeros((10, 12))}, "mask of heart is empty"),
            ("size", {"left_lung": np.eye(12)}, r"left_lung \(12, 12\) and that of heart \(10, 12\) differ in size"),
            ("values", {"right_clavicle": np.arange(120).reshape(10, 12) % 3}, "right_clavicle: 0, 1, 2.*0 and one"),
            ("full", {"heart": np.full((10, 12), 255)}, "mask of heart: 255"),
            ("dimensions", {"heart": np.ones((1, 10, 12))}, r"heart has shape \(1, 10, 12\)"),
            ("unknown", {"spleen": np.eye(12)}, r"masks of \['spleen'\]; .*right_lung"),
        ]
    )
    def test_refused(self, _, change, message):
        with self.assertRaisesRegex(DataError, message):
            compose_chest_label_map({**chest(), **change})

    def test_missing_organ(self):
        masks = chest()
        del masks["left_clavicle"]
        with self.assertRaisesRegex(DataError, r"masks are missing for \['left_clavicle'\]"):
            compose_chest_label_map(masks)

    def test_masks_of_other_label_maps(self):
        self.assertFalse(organ_masks(np.zeros((2, 2), np.uint8))["heart"].any())
        with self.assertRaisesRegex(DataError, "values 0 to 8, label set 'chest_organ' has classes 0 to 7"):
            organ_masks(np.array([[0, 8]]))
        with self.assertRaisesRegex(DataError, "values -1 to 0"):
            organ_masks(np.array([[0, -1]]))

    def test_real_round_trip(self):
        root = data_root("JSRT-SCR")
        for name in ("JPCLN001", "JPCNN050"):
            masks = {
                organ: np.asarray(open_image(root / "masks" / organ / f"{name}.png", "L")) for organ in CHEST_ORGANS
            }
            label_map = compose_chest_label_map(masks)
            self.assertEqual(set(np.unique(label_map)), set(range(CHEST_ORGAN.num_classes)))
            for organ, mask in organ_masks(label_map).items():
                lost = (masks[organ] > 0) & (masks["heart"] > 0) if organ.endswith("lung") else np.zeros_like(mask)
                np.testing.assert_array_equal(mask, (masks[organ] > 0) & ~lost)
                self.assertLess(lost.sum(), 300)


if __name__ == "__main__":
    unittest.main()
