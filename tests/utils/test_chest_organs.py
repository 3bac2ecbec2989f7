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

from monai_retinasynth.utils import CHEST_ORGAN, CHEST_ORGANS, FUNDUS_VESSEL, LABEL_SETS, get_label_set


class TestChestOrgans(unittest.TestCase):
    def test_label_set(self):
        self.assertIs(get_label_set("chest_organ"), CHEST_ORGAN)
        self.assertEqual(CHEST_ORGAN.index("background"), 0)
        self.assertEqual(CHEST_ORGAN.index("left_clavicle_over_lung"), 7)
        self.assertIn(FUNDUS_VESSEL.name, LABEL_SETS)
        colors = np.array(CHEST_ORGAN.colors, dtype=int)
        apart = np.abs(colors[:, None] - colors[None]).max(axis=-1)
        self.assertGreater(apart[~np.eye(len(colors), dtype=bool)].min(), 25)

    def test_every_class_belongs_to_its_organs(self):
        self.assertEqual(list(CHEST_ORGANS), ["right_lung", "left_lung", "heart", "right_clavicle", "left_clavicle"])
        owners = {
            name: {organ for organ, classes in CHEST_ORGANS.items() if name in classes}
            for name in CHEST_ORGAN.class_names
        }
        self.assertEqual(owners.pop("background"), set())
        for side in ("right", "left"):
            both = {f"{side}_lung", f"{side}_clavicle"}
            self.assertEqual(owners.pop(f"{side}_clavicle_over_lung"), both)
        self.assertEqual(owners, {organ: {organ} for organ in CHEST_ORGANS})


if __name__ == "__main__":
    unittest.main()
