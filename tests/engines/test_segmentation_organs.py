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
"""The key `organs` of the segmentation bundle."""

from __future__ import annotations

import unittest

from parameterized import parameterized

from monai_retinasynth.engines import select_segmentation_organs
from monai_retinasynth.utils import CHEST_ORGAN, CHEST_ORGANS
from monai_retinasynth.utils.errors import ConfigError


class TestSelectSegmentationOrgans(unittest.TestCase):
    def test_chest(self):
        self.assertEqual(select_segmentation_organs("chest", CHEST_ORGAN.to_dict()), CHEST_ORGANS)

    def test_none(self):
        self.assertEqual(select_segmentation_organs(None, "fundus_lesion", ["hard_exudate"]), {})

    @parameterized.expand(
        [
            ("name", ("thorax", "chest_organ", None), "organs is 'thorax'; give 'chest'"),
            ("labels", ("chest", "fundus_vessel", None), "needs label_set 'chest_organ'; 'fundus_vessel' has"),
            ("targets", ("chest", "chest_organ", ["heart"]), "set target_classes to null"),
        ]
    )
    def test_wrong_settings(self, _, arguments, message):
        with self.assertRaisesRegex(ConfigError, message):
            select_segmentation_organs(*arguments)


if __name__ == "__main__":
    unittest.main()
