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

from monai_retinasynth.transforms import compose_lesion_label_map
from monai_retinasynth.utils import DataError

NAMES = ("vessel", "optic_disc", "soft_exudate", "haemorrhage", "hard_exudate", "microaneurysm")


class TestComposeLesionLabelMap(unittest.TestCase):
    def test_draw_order(self):
        fov = np.ones((1, 8), dtype=bool)
        fov[0, -1] = False
        # each structure covers one pixel less than the one below it; all reach beyond the field of view
        masks = {name: np.arange(8)[None] > k for k, name in enumerate(NAMES)}
        expected = [[1, 2, 3, 4, 5, 6, 7, 0]]
        for order in (NAMES, NAMES[::-1], (*NAMES[3:], *NAMES[:3])):  # whatever the order of the masks
            label_map = compose_lesion_label_map(fov, {name: masks[name] for name in order})
            self.assertEqual((label_map.tolist(), label_map.dtype), (expected, np.uint8))
        self.assertEqual(compose_lesion_label_map(fov, {}).tolist(), [[1] * 7 + [0]])

    def test_refused(self):
        fov = np.ones((4, 4))
        with self.assertRaisesRegex(DataError, r"no structure \['fovea', 'retina'\], it has \['vessel'"):
            compose_lesion_label_map(fov, {"retina": fov, "fovea": fov})
        with self.assertRaisesRegex(DataError, r"mask of haemorrhage \(4, 3\) and the field of view \(4, 4\)"):
            compose_lesion_label_map(fov, {"haemorrhage": fov[:, :3]})
        with self.assertRaisesRegex(DataError, "no structure .*'haemorrhage'"):
            compose_lesion_label_map(fov, {"haemorrhage": fov}, "fundus_vessel")


if __name__ == "__main__":
    unittest.main()
