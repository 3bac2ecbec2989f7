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
"""The key that says which classes a segmentation network learns."""

from __future__ import annotations

import unittest

from parameterized import parameterized

from monai_retinasynth.engines import select_segmentation_targets
from monai_retinasynth.utils import get_label_set
from monai_retinasynth.utils.errors import ConfigError


class TestSegmentationTargets(unittest.TestCase):
    def test_all_classes(self):
        targets = select_segmentation_targets("fundus_vessel")
        self.assertEqual(targets.label_set, get_label_set("fundus_vessel"))
        self.assertEqual((targets.names, targets.mapping, targets.kind), ((), (0, 1, 2), "semantic_segmentation"))
        self.assertIsNone(targets.crop_ratios(None))

    def test_one_class(self):
        targets = select_segmentation_targets("fundus_lesion", "hard_exudate")
        self.assertEqual(targets.label_set.class_names, ("outside", "other", "hard_exudate"))
        self.assertEqual(targets.label_set.colors, ((0, 0, 0), (160, 72, 38), (255, 255, 0)))
        self.assertEqual(targets.mapping, (0, 1, 1, 1, 1, 1, 2, 1))
        self.assertEqual(targets.kind, "semantic_segmentation of hard_exudate")

    def test_order_does_not_matter(self):
        one = select_segmentation_targets("fundus_lesion", ["microaneurysm", "soft_exudate"])
        other = select_segmentation_targets("fundus_lesion", ["soft_exudate", "microaneurysm"])
        self.assertEqual(one, other)
        self.assertEqual(one.names, ("soft_exudate", "microaneurysm"))
        self.assertEqual(one.mapping, (0, 1, 1, 1, 2, 1, 1, 3))

    def test_outside_need_not_be_first(self):
        labels = {
            "name": "odd",
            "class_names": ["retina", "vessel", "dark"],
            "colors": [[9, 0, 0], [0, 9, 0], [0, 0, 9]],
        }
        targets = select_segmentation_targets(labels, ["vessel"], outside_class=2)
        self.assertEqual(targets.label_set.class_names, ("dark", "other", "vessel"))
        self.assertEqual(targets.label_set.colors, ((0, 0, 9), (9, 0, 0), (0, 9, 0)))
        self.assertEqual(targets.mapping, (1, 2, 0))

    @parameterized.expand(
        [("typo", ["exudate"]), ("twice", ["vessel", "vessel"]), ("outside", "outside"), ("none", [])]
    )
    def test_wrong_targets_are_named(self, _, target_classes):
        with self.assertRaisesRegex(ConfigError, "target_classes is .*'hard_exudate'.*fundus_lesion"):
            select_segmentation_targets("fundus_lesion", target_classes)

    def test_crop_ratios(self):
        targets = select_segmentation_targets("fundus_lesion", ["haemorrhage", "microaneurysm"])
        self.assertEqual(targets.crop_ratios(0.5), [0.0, 0.5, 0.25, 0.25])
        with self.assertRaisesRegex(ConfigError, "below 1, got 1"):
            targets.crop_ratios(1)
        with self.assertRaisesRegex(ConfigError, "positive_crops needs target_classes"):
            select_segmentation_targets("fundus_vessel").crop_ratios(0.5)


if __name__ == "__main__":
    unittest.main()
