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
from pathlib import Path

import numpy as np

from monai_retinasynth.data import count_empty_dot_maps, write_datalist
from monai_retinasynth.transforms import dot_label_set
from monai_retinasynth.utils import ConfigError, DataError, write_label_map

LABELS = dot_label_set("fundus_vessel")


class TestCountEmptyDotMaps(unittest.TestCase):
    def write(self, folder: str, *values: int) -> None:
        """Maps all retina but for a pixel of each value."""
        cases = []
        for number, value in enumerate(values):
            dot_map = np.ones((8, 6), np.uint8)
            dot_map[3, 2], dot_map[0, 0] = value, 0
            write_label_map(Path(folder, f"labels/{number}.png"), dot_map, LABELS)
            cases.append({"label": f"labels/{number}.png", "case_id": str(number), "source": "synthetic"})
        write_datalist(folder, {"training": cases}, LABELS, "dot maps")

    def test_outside_and_retina_are_no_dots(self):
        with tempfile.TemporaryDirectory() as folder:
            self.write(folder, 2, 0, 1, 3)
            with self.assertRaisesRegex(DataError, r"2 of 4 dot maps .*labels/1\.png, .*labels/2\.png.*empty_dot_maps"):
                count_empty_dot_maps(folder, LABELS)
            with self.assertLogs("monai_retinasynth", "WARNING") as logs:
                self.assertEqual(count_empty_dot_maps(folder, LABELS, empty="keep"), 2)
            self.assertIn("2 of 4", logs.output[0])
            with self.assertRaisesRegex(ConfigError, "'error' or 'keep', got 'drop'"):
                count_empty_dot_maps(folder, LABELS, empty="drop")

    def test_none_is_empty(self):
        with tempfile.TemporaryDirectory() as folder:
            self.write(folder, 2, 3)
            self.assertEqual(count_empty_dot_maps(folder, LABELS, "training"), 0)


if __name__ == "__main__":
    unittest.main()
