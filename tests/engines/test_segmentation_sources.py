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
"""The key that says what a segmentation network is trained on."""

from __future__ import annotations

import unittest

from parameterized import parameterized

from monai_retinasynth.engines.segmentation_sources import SEGMENTATION_REGIMES, select_segmentation_source
from monai_retinasynth.utils.errors import ConfigError

SYNTHETIC = {"dataset_dir": "S", "layout": "auto", "val_count": 0}


class TestSegmentationSources(unittest.TestCase):
    @parameterized.expand(
        [
            ("real", "R", "REAL"),
            ("synthetic", [SYNTHETIC], "SYNTH"),
            ("synthetic_then_real", "R", "SYNTH then REAL"),
            ("mixed", ["R", SYNTHETIC], "REAL and SYNTH"),
        ]
    )
    def test_folders(self, train_on, folders, name):
        source = select_segmentation_source(train_on, "R", "S", "model.pt")
        self.assertEqual((source.dataset_dir, source.name, source.pretrained), (folders, name, "model.pt"))

    def test_lists_are_joined(self):
        folders = select_segmentation_source("mixed", ["A", "B"], {"dataset_dir": "S", "num_cases": 5}).dataset_dir
        self.assertEqual(folders, ["A", "B", {**SYNTHETIC, "num_cases": 5}])

    def test_no_pretrained(self):
        self.assertIsNone(select_segmentation_source("real", "R").pretrained)

    @parameterized.expand(
        [
            ("typo", {"train_on": "reel", "dataset_dir": "R"}, "choose one of real, synthetic"),
            ("no_real", {"train_on": "real", "dataset_dir": None}, "--dataset_dir"),
            ("no_synthetic", {"train_on": "synthetic", "dataset_dir": "R"}, "--synthetic_dir"),
            ("no_checkpoint", {"train_on": "synthetic_then_real", "dataset_dir": "R"}, "--pretrained"),
        ]
    )
    def test_errors_name_the_remedy(self, _, arguments, message):
        with self.assertRaisesRegex(ConfigError, message):
            select_segmentation_source(**arguments)

    def test_names_are_distinct(self):
        self.assertEqual(len(set(SEGMENTATION_REGIMES.values())), len(SEGMENTATION_REGIMES))


if __name__ == "__main__":
    unittest.main()
