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
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from monai_retinasynth.data import load_cases, load_datalist, prepare_idrid_discs
from monai_retinasynth.utils import ConfigError, DataError, read_label_map, read_mask, read_rgb
from tests.data.idrid_layout import make_idrid
from tests.data.test_cases import FolderTestCase

OUTSIDE, RETINA, DISC = range(3)


class TestPrepareIdridDiscs(FolderTestCase):
    def setUp(self):
        super().setUp()
        self.idrid = make_idrid(self.folder / "IDRiD")
        self.target = self.folder / "discs"

    def prepare(self, size: int = 46) -> Path:
        return prepare_idrid_discs(self.idrid, self.target, size=size, progress=False)

    def mask(self, number: int) -> Path:
        (path,) = self.idrid.rglob(f"IDRiD_{number:02d}_OD.tif")
        return path

    def test_data_set(self):
        self.assertEqual(self.prepare(), self.target / "datalist.json")
        content = load_datalist(self.target)
        self.assertEqual([len(content[s]) for s in ("training", "validation", "test")], [3, 0, 2])
        self.assertEqual(content["label_set"]["name"], "fundus_disc_vessel")
        self.assertIn("CC BY 4.0", content["reference"])
        for case in load_cases(self.target, "all"):
            self.assertEqual(Path(case["image"]).stem, case["case_id"])
            image, label = read_rgb(case["image"]), read_label_map(case["label"], "fundus_disc_vessel")
            self.assertEqual((image.shape, label.shape), ((46, 46, 3), (46, 46)))
            self.assertEqual(set(np.unique(label)), {OUTSIDE, RETINA, DISC})
            # the square is filled from side to side; above and below lies the ground that the sensor cut away
            self.assertTrue((label[23, 2:-2] != OUTSIDE).all())
            self.assertTrue((label[:7] == OUTSIDE).all() and (label[-7:] == OUTSIDE).all())
            self.assertEqual(image[:6].max(), 0)
            self.assertGreater(image[label != OUTSIDE].mean(), 40)
            # a disc of the size and in the place of the mask: 92 pixels became 46
            disc = read_mask(self.mask(int(case["case_id"][-2:])))
            self.assertAlmostEqual(np.count_nonzero(label == DISC), disc.sum() / 4, delta=6)
            before = [np.flatnonzero(disc.any(axis=axis))[[0, -1]].mean() for axis in (1, 0)]
            after = [np.flatnonzero((label == DISC).any(axis=axis))[[0, -1]].mean() for axis in (1, 0)]
            for place, small, middle in zip(before, after, (31.5, 47.5)):
                self.assertAlmostEqual(small, 22.5 + (place - middle) / 2, delta=1)

    def test_size_is_free(self):
        self.prepare(size=128)  # larger than the photographs
        (case, *_) = load_cases(self.target, "test")
        self.assertEqual(read_rgb(case["image"]).shape, (128, 128, 3))
        self.assertIn(DISC, np.unique(read_label_map(case["label"], "fundus_disc_vessel")))

    def test_goes_on(self):
        last = self.mask(5)
        content = last.read_bytes()
        last.write_bytes(content[:40])
        with self.assertRaisesRegex(DataError, "IDRiD_05_OD.tif"):
            self.prepare()
        self.assertFalse((self.target / "datalist.json").exists())
        last.write_bytes(content)
        stamps = {path: path.stat().st_mtime_ns for path in self.target.rglob("*.png")}
        self.assertEqual(len(stamps), 8)
        half = self.target / "images" / "IDRiD_02.png"
        half.write_bytes(half.read_bytes()[:500])
        self.prepare()
        self.assertEqual(read_rgb(half).shape, (46, 46, 3))
        for path, stamp in stamps.items():
            self.assertEqual(path.stat().st_mtime_ns == stamp, path.stem != "IDRiD_02", path)
        with mock.patch("monai_retinasynth.data.prepare_idrid_discs._reduce") as again:
            self.prepare()
        again.assert_not_called()
        with self.assertRaisesRegex(DataError, "other settings .*46.*32.*choose another output_dir"):
            self.prepare(size=32)

    def test_refused(self):
        for arguments, message in (((None, 64), "set idrid_dir"), ((self.idrid, 8), "16 pixels or more")):
            with self.assertRaisesRegex(ConfigError, message):
                prepare_idrid_discs(arguments[0], self.target, size=arguments[1], progress=False)
        mask = self.mask(2)
        disc = read_mask(mask)
        for picture, message in (
            (disc[:, :-1], "sizes differ: .*IDRiD_02.jpg is 96 x 64, .*IDRiD_02_OD.tif is 95 x 64"),
            (np.zeros_like(disc), "IDRiD_02_OD.tif: nothing of it is left"),
        ):
            Image.fromarray(picture).save(mask)
            with self.subTest(message), self.assertRaisesRegex(DataError, message):
                self.prepare()
        mask.unlink()
        with mock.patch("monai_retinasynth.data.prepare_idrid_discs._reduce") as reduced:
            with self.assertRaisesRegex(DataError, "IDRiD_02 has no optic disc mask"):
                self.prepare()
        reduced.assert_not_called()  # said before any photograph is read


if __name__ == "__main__":
    unittest.main()
