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

from monai_retinasynth.data import prepare_jsrt_scr, write_datalist
from monai_retinasynth.metrics import chest_statistics
from monai_retinasynth.utils import CHEST_ORGANS, DataError, write_grey
from tests.data.chest_layout import EDGE, make_jsrt, rectangles
from tests.data.test_cases import FolderTestCase


class TestChestStatistics(FolderTestCase):
    def test_areas_and_grey_levels(self):
        root = make_jsrt(self.folder / "jsrt", (2, 4), (2, 4))
        for path in (root / "images").iterdir():
            masks = rectangles(int(path.stem[5:]))
            picture = np.full((EDGE, EDGE), 10, np.uint8)
            picture[masks["right_lung"]] = 100
            picture[masks["heart"]] = 200 if "JPCLN" in path.name else 220
            picture[masks["right_clavicle"] & masks["right_lung"]] = 150
            write_grey(path, picture)
        prepare_jsrt_scr(root, self.folder / "out", EDGE, split="even_odd", val_count=1, progress=False)
        found = chest_statistics(self.folder / "out")
        self.assertEqual(set(found), {*CHEST_ORGANS, "clavicles_over_lung", "clavicles_elsewhere", "background"})
        own = rectangles(2)
        self.assertAlmostEqual(found["right_lung"]["area"], own["right_lung"].mean())
        self.assertAlmostEqual(found["heart"]["area_sd"], 0.0)
        self.assertAlmostEqual(found["heart"]["grey"], 210.0)  # two of each
        self.assertAlmostEqual(found["heart"]["grey_sd"], 10.0)
        self.assertAlmostEqual(found["heart"]["grey_within"], 0.0)
        overlap = sum((own[f"{side}_clavicle"] & own[f"{side}_lung"]).mean() for side in ("right", "left"))
        self.assertAlmostEqual(found["clavicles_over_lung"]["area"], overlap)
        self.assertAlmostEqual(found["background"]["grey"], 10.0)
        lung = (own["right_lung"] & ~own["right_clavicle"]).astype(float)
        bright = (own["right_lung"] & own["heart"]).sum() / lung.sum()
        self.assertAlmostEqual(found["right_lung"]["grey"], 100.0 + 110.0 * bright, places=6)

    def test_refused(self):
        write_datalist(self.folder, {}, "chest_organ", "nothing")
        with self.assertRaisesRegex(DataError, "has no case"):
            chest_statistics(self.folder)
        write_datalist(
            self.folder, {"test": [{"label": "a.png", "case_id": "a", "source": "real"}]}, "chest_organ", "bare"
        )
        with self.assertRaisesRegex(DataError, "case a .* lacks its radiograph or one of its organ masks"):
            chest_statistics(self.folder)


if __name__ == "__main__":
    unittest.main()
