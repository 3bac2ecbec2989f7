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

import tempfile
import unittest

from parameterized import parameterized

from monai_retinasynth.engines import TRANSLATORS, check_painting
from monai_retinasynth.utils import ConfigError

FOLDER = tempfile.gettempdir()


class TestCheckPainting(unittest.TestCase):
    def test_what_goes_together(self):
        check_painting("none", normalise_colour=True, degradation="noise", augment_groups=["colour"])
        check_painting(None, generation=True, normalise_colour=True, target_label_set="fundus_vessel")
        check_painting("own")
        check_painting("own", label_set="fundus_lesion", structure_class="hard_exudate")
        for translator in TRANSLATORS:
            check_painting(FOLDER, translator, generation=True)

    @parameterized.expand(
        [
            ("own", {"translator": "painted"}, "one of gan, measured, transplant, not 'painted'"),
            ("own", {"translator": "measured"}, "needs no training"),
            ("none", {"translator": "measured", "generation": True}, "paints into backgrounds: give a folder"),
            ("own", {"generation": True}, "no eye of its own"),
            ("nowhere", {"generation": True}, "no folder of backgrounds at nowhere"),
            (FOLDER, {}, "set --background own"),
            ("own", {"structure_class": "outside"}, "structure_class is 'outside'"),
            ("own", {"normalise_colour": True}, "normalise_colour is True.*set it to False"),
            ("own", {"degradation": {"_target_": "Noise"}}, "degradation is.*leave one out"),
            ("own", {"augment_groups": ["colour"]}, "augment_groups.*knows no backgrounds"),
            ("own", {"target_label_set": "fundus_vessel"}, "target_label_set.*set background to none"),
        ]
    )
    def test_what_does_not(self, background, settings, pattern):
        with self.assertRaisesRegex(ConfigError, pattern):
            check_painting(background, **settings)


if __name__ == "__main__":
    unittest.main()
