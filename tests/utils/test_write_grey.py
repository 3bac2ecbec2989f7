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
from PIL import Image

from monai_retinasynth.utils import DataError, open_image, write_grey


class TestWriteGrey(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_round_trip(self):
        picture = np.arange(240, dtype=np.uint8).reshape(12, 20)
        write_grey(self.folder / "new" / "a.png", picture)
        with Image.open(self.folder / "new" / "a.png") as image:
            self.assertEqual((image.mode, image.size), ("L", (20, 12)))
        np.testing.assert_array_equal(np.asarray(open_image(self.folder / "new" / "a.png", "L")), picture)

    def test_refused(self):
        for wrong in (np.zeros((4, 4)), np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4), np.uint8)):
            with self.assertRaisesRegex(DataError, r"uint8 of shape \(H, W\), got .*b.png"):
                write_grey(self.folder / "b.png", wrong)
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
