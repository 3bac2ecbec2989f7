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

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np

from monai_retinasynth.data import check_dataset, load_cases, resize_dataset
from monai_retinasynth.simulation import write_chest_phantom_dataset, write_phantom_dataset
from monai_retinasynth.transforms import LoadFundusCased
from monai_retinasynth.utils import ConfigError, DataError, read_label_map, read_rgb
from tests.data.layouts import make_drive


class TestResizeDataset(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def phantoms(self) -> Path:
        write_phantom_dataset(
            output_dir=str(self.folder / "large"),
            size=64,
            num_training=3,
            num_validation=1,
            num_test=1,
            source="real",
            progress=False,
        )
        return self.folder / "large"

    def test_sections_and_pixels(self):
        large, small = self.phantoms(), self.folder / "small"
        resize_dataset(large, small, 32, progress=False)
        report = check_dataset(str(small), require_image=True, verbose=False)
        self.assertEqual({name: row["cases"] for name, row in report["sections"].items()},
                         {"training": 3, "validation": 1, "test": 1})  # fmt: skip
        for section in ("training", "validation", "test"):
            for before, after in zip(load_cases(str(large), section), load_cases(str(small), section)):
                self.assertEqual((before["case_id"], after["source"]), (after["case_id"], "real"))
                expected = LoadFundusCased(spatial_size=32)(before)
                np.testing.assert_array_equal(read_label_map(after["label"], "fundus_vessel"), expected["label"][0].T)
                np.testing.assert_array_equal(read_rgb(after["image"]), expected["image"].numpy().transpose(2, 1, 0))

    def test_goes_on(self):
        large, small = self.phantoms(), self.folder / "small"
        resize_dataset(large, small, 32, progress=False)
        files = sorted(small.glob("images/*.png"))
        files[0].unlink()
        files[1].write_bytes(files[1].read_bytes()[:50])
        stamp = files[2].stat().st_mtime_ns
        resize_dataset(large, small, 32, progress=False)
        self.assertEqual(read_rgb(files[0]).shape, (32, 32, 3))
        self.assertEqual(read_rgb(files[1]).shape, (32, 32, 3))
        self.assertEqual(files[2].stat().st_mtime_ns, stamp)
        with self.assertRaisesRegex(DataError, "other settings"):
            resize_dataset(large, small, 48, progress=False)

    def test_layout_with_masks(self):
        make_drive(self.folder / "DRIVE")
        path = resize_dataset(self.folder / "DRIVE", self.folder / "small", 32, val_count=1, progress=False)
        content = json.loads(path.read_text())
        self.assertEqual(content["provenance"]["origin"]["layout"], "drive")
        self.assertEqual(len(content["validation"]), 1)
        label = read_label_map(load_cases(str(path.parent), "test")[0]["label"], "fundus_vessel")
        self.assertEqual(label.shape, (32, 32))
        self.assertEqual(set(np.unique(label)), {0, 1, 2})

    def test_organ_masks_are_not_lost(self):
        counts = {"num_training": 2, "num_validation": 1, "num_test": 1}
        write_chest_phantom_dataset(self.folder / "chest", 32, **counts, progress=False)
        with self.assertRaisesRegex(DataError, "organ masks.*prepare_radiographs"):
            resize_dataset(self.folder / "chest", self.folder / "x", 16, "chest_organ", progress=False)
        self.assertFalse((self.folder / "x").exists())

    def test_errors(self):
        with self.assertRaisesRegex(ConfigError, "16 pixels"):
            resize_dataset(self.folder, self.folder / "x", 8)
        with self.assertRaisesRegex(DataError, "absent"):
            resize_dataset(self.folder / "absent", self.folder / "x", 32)


if __name__ == "__main__":
    unittest.main()
