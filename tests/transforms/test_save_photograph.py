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

import torch

from monai_retinasynth.transforms import SavePhotographd
from monai_retinasynth.utils import read_rgb
from monai_retinasynth.utils.errors import DataError


class TestSavePhotograph(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def test_upright_and_clipped(self):
        image = torch.full((3, 5, 4), -1.0)
        image[0, 4, 0] = 1.0  # red in the upper right corner
        image[1, 0, 3] = 7.0  # green, too bright, in the lower left one
        data = SavePhotographd("pred", self.folder / "new")({"pred": image, "case_id": "eye", "other": 1})
        picture = read_rgb(self.folder / "new" / "eye.png")
        self.assertEqual(picture.shape, (4, 5, 3))
        self.assertEqual(picture[0, 4].tolist(), [255, 0, 0])
        self.assertEqual(picture[3, 0].tolist(), [0, 255, 0])
        self.assertEqual(int(picture.astype(int).sum()), 2 * 255)
        self.assertIs(data["pred"], image)
        self.assertEqual(data["other"], 1)

    def test_not_finite(self):
        with self.assertRaisesRegex(DataError, "eye.png would hold values that are not finite"):
            SavePhotographd("pred", self.folder)({"pred": torch.full((3, 2, 2), float("nan")), "case_id": "eye"})
        self.assertFalse(list(self.folder.iterdir()))

    def test_missing_key(self):
        self.assertEqual(
            SavePhotographd("pred", self.folder, allow_missing_keys=True)({"case_id": "a"}), {"case_id": "a"}
        )
        with self.assertRaises(KeyError):
            SavePhotographd("pred", self.folder)({"case_id": "a"})


if __name__ == "__main__":
    unittest.main()
