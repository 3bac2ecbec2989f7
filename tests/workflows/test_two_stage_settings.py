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

from parameterized import parameterized

from monai_retinasynth.utils import ConfigError
from monai_retinasynth.workflows import (
    find_bundles_dir,
    paints_on_background,
    segmentation_iterations,
    two_stage_translation_recipe,
)


class TestTwoStageSettings(unittest.TestCase):
    @parameterized.expand(
        [
            ("none", "gan", False),
            (None, "gan", False),
            ("own", "gan", True),
            ("own", "measured", True),
            ("/a/folder", "transplant", True),
        ]
    )
    def test_backgrounds(self, background, translator, expected):
        self.assertIs(paints_on_background(background, translator), expected)

    @parameterized.expand(
        [
            ("none", "measured", "measured.*add --background own"),
            (None, "transplant", "--translator gan"),
            ("own", "oil", "one of gan, measured, transplant, not 'oil'"),
        ]
    )
    def test_what_cannot_be_painted(self, background, translator, words):
        with self.assertRaisesRegex(ConfigError, words):
            paints_on_background(background, translator)

    def test_recipe(self):
        bundles = find_bundles_dir()
        self.assertEqual(two_stage_translation_recipe("drive", True, bundles), "drive_background")
        self.assertEqual(two_stage_translation_recipe("drive", False, bundles), "drive")
        self.assertEqual(two_stage_translation_recipe("drive_256", False, bundles), "drive_256")
        self.assertIsNone(two_stage_translation_recipe(None, True, bundles))
        words = "no recipe drive_256_background.*drive_background.*--translation_recipe.*--background none"
        with self.assertRaisesRegex(ConfigError, words):
            two_stage_translation_recipe("drive_256", True, bundles)

    def test_iterations(self):
        bundles = find_bundles_dir()
        self.assertEqual(segmentation_iterations("phantom", bundles), 300)
        self.assertEqual(segmentation_iterations(None, bundles), 3000)
        with self.assertRaisesRegex(ConfigError, "--recipe is one of .*drive"):
            segmentation_iterations("no_such_recipe", bundles)


if __name__ == "__main__":
    unittest.main()
