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

from monai_retinasynth.utils import FUNDUS_VESSEL, DataError, LabelSet, get_label_set


class TestLabelSet(unittest.TestCase):
    def test_fundus_vessel(self):
        self.assertEqual(FUNDUS_VESSEL.num_classes, 3)
        self.assertEqual(FUNDUS_VESSEL.index("vessel"), 2)
        palette = FUNDUS_VESSEL.palette()
        self.assertEqual(len(palette), 768)
        self.assertEqual(tuple(palette[6:9]), FUNDUS_VESSEL.colors[2])

    def test_fundus_disc_vessel(self):
        labels = get_label_set("fundus_disc_vessel")
        self.assertEqual(labels.class_names, ("outside", "retina", "optic_disc", "vessel"))
        for name in FUNDUS_VESSEL.class_names:  # a class looks the same in both sets
            colors = [known.colors[known.index(name)] for known in (FUNDUS_VESSEL, labels)]
            self.assertEqual(colors[0], colors[1])
        disc = np.array(labels.colors[2], int)
        for other in (1, 3):
            self.assertGreater(np.abs(disc - labels.colors[other]).max(), 60)

    def test_plain_form_round_trip(self):
        again = get_label_set(FUNDUS_VESSEL.to_dict())
        self.assertEqual(again, FUNDUS_VESSEL)
        self.assertIs(get_label_set("fundus_vessel"), FUNDUS_VESSEL)
        hash(again)

    def test_colorize(self):
        picture = FUNDUS_VESSEL.colorize(np.array([[0, 1, 2]]))
        self.assertEqual(picture.shape, (1, 3, 3))
        np.testing.assert_array_equal(picture[0, 2], FUNDUS_VESSEL.colors[2])
        with self.assertRaisesRegex(DataError, "values 0 to 3"):
            FUNDUS_VESSEL.colorize(np.array([[0, 3]]))

    @parameterized.expand(
        [
            ("twice", {"class_names": ("a", "a"), "colors": ((0, 0, 0), (1, 1, 1))}, "twice"),
            ("count", {"class_names": ("a", "b"), "colors": ((0, 0, 0),)}, "1 colours"),
            ("range", {"class_names": ("a",), "colors": ((0, 0, 300),)}, "0..255"),
            ("empty", {"class_names": (), "colors": ()}, "1 to 256"),
        ]
    )
    def test_refused(self, _, arguments, message):
        with self.assertRaisesRegex(DataError, message):
            LabelSet(name="x", **arguments)

    def test_unknown_name_lists_the_known_ones(self):
        with self.assertRaisesRegex(DataError, "fundus_vessel"):
            get_label_set("fundus")
        with self.assertRaisesRegex(DataError, "no class 'disc'"):
            FUNDUS_VESSEL.index("disc")


if __name__ == "__main__":
    unittest.main()
