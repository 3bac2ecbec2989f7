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

import pickle
import tempfile
import unittest
from pathlib import Path

import numpy as np
from monai.transforms import LoadImage
from parameterized import parameterized
from PIL import Image

from monai_retinasynth.transforms import FundusReader
from monai_retinasynth.utils import DataError, write_label_map


class TestFundusReader(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.picture = np.zeros((20, 30, 3), np.uint8)
        self.picture[2:5, 3:25] = (200, 80, 40)

    @parameterized.expand(["png", "tif", "gif", "ppm"])
    def test_rgb_through_load_image(self, suffix):
        path = self.folder / f"a.{suffix}"
        Image.fromarray(self.picture).save(path)
        reader = pickle.loads(pickle.dumps(FundusReader()))
        image = LoadImage(reader=reader, image_only=True, ensure_channel_first=True)(path)
        self.assertEqual(tuple(image.shape), (3, 30, 20))
        np.testing.assert_array_equal(np.asarray(image).transpose(2, 1, 0), self.picture)

    def test_palette_rgba_1_bit_are_rgb(self):
        Image.fromarray(self.picture).quantize(4).save(self.folder / "p.png")
        Image.fromarray(self.picture).convert("RGBA").save(self.folder / "a.png")
        Image.fromarray(self.picture[..., 0] > 0).save(self.folder / "b.png")
        load = LoadImage(reader=FundusReader(), image_only=True, ensure_channel_first=True)
        for name in ("p.png", "a.png", "b.png"):
            self.assertEqual(tuple(load(self.folder / name).shape), (3, 30, 20), name)

    def test_index_and_mask(self):
        label = (self.picture[..., 0] > 0).astype(np.uint8) * 2
        write_label_map(self.folder / "l.png", label, "fundus_vessel")
        index = LoadImage(reader=FundusReader("index"), image_only=True, ensure_channel_first=True)(
            self.folder / "l.png"
        )
        np.testing.assert_array_equal(np.asarray(index)[0].T, label)
        palette = Image.fromarray(label // 2)
        palette.putpalette([3, 3, 3, 253, 253, 253])
        palette.save(self.folder / "m.gif")
        mask = LoadImage(reader=FundusReader("mask"), image_only=True, ensure_channel_first=True)(self.folder / "m.gif")
        self.assertEqual(sorted(np.unique(np.asarray(mask)).tolist()), [3, 253])

    def test_errors(self):
        with self.assertRaises(ValueError):
            FundusReader("L")
        with self.assertRaisesRegex(DataError, "not found"):
            FundusReader().read(self.folder / "none.png")
        self.assertTrue(FundusReader().verify_suffix(["a.GIF", "b.tif"]))
        self.assertFalse(FundusReader().verify_suffix("a.nii.gz"))


if __name__ == "__main__":
    unittest.main()
