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
from unittest import mock

import numpy as np
from parameterized import parameterized

from monai_retinasynth.data import load_datalist
from monai_retinasynth.simulation import ChestPhantom, write_chest_phantom_dataset
from monai_retinasynth.transforms import compose_chest_label_map
from monai_retinasynth.utils import ConfigError, DataError, open_image, read_label_map

COUNTS = {"num_training": 2, "num_validation": 1, "num_test": 1}


class TestWriteChestPhantomDataset(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "phantom"

    def write(self, **changes):
        settings = {"size": 32, "seed": 3, "progress": False, **COUNTS, **changes}
        return write_chest_phantom_dataset(self.folder, **settings)

    def stamps(self):
        return {str(path.relative_to(self.folder)): path.stat().st_mtime_ns for path in self.folder.rglob("*.png")}

    def test_datalist_and_files(self):
        content = load_datalist(self.write(source="real"))
        self.assertEqual([len(content[part]) for part in ("training", "validation", "test")], [2, 1, 1])
        self.assertEqual(content["label_set"]["name"], "chest_organ")
        case = content["test"][0]
        self.assertEqual((case["case_id"], case["source"], case["provenance"]["index"]), ("chest_00003", "real", 3))
        image, masks = ChestPhantom(32, 3).pair(3)
        np.testing.assert_array_equal(np.asarray(open_image(self.folder / case["image"], "L")), image)
        for organ, path in case["masks"].items():
            np.testing.assert_array_equal(np.asarray(open_image(self.folder / path, "L")), masks[organ] * 255)
        label_map = read_label_map(self.folder / case["label"], "chest_organ")
        np.testing.assert_array_equal(label_map, compose_chest_label_map(masks))

    def test_goes_on_where_it_stopped(self):
        self.write()
        before = self.stamps()
        (self.folder / "images" / "chest_00001.png").write_bytes(b"half a picture")
        (self.folder / "masks" / "left_lung" / "chest_00002.png").unlink()
        with mock.patch.object(ChestPhantom, "pair", autospec=True, side_effect=ChestPhantom.pair) as pair:
            self.write()
        self.assertEqual([call.args[1] for call in pair.call_args_list], [1, 2])
        self.assertEqual(set(self.stamps()), set(before))

    def test_fraction_keeps_the_other_sections(self):
        whole = load_datalist(self.write(num_training=4))
        before = self.stamps()
        part = load_datalist(self.write(num_training=4, fraction=0.5))
        self.assertEqual(self.stamps(), before)
        self.assertEqual(part["test"], whole["test"])
        self.assertEqual(len(part["training"]), 2)
        for case in part["training"]:
            self.assertIn(case, whole["training"])
        with self.assertRaisesRegex(DataError, "leaves no case"):
            self.write(num_training=4, fraction=0.1)

    def test_other_settings_are_noticed(self):
        self.write()
        with self.assertRaisesRegex(DataError, "other settings"):
            self.write(seed=4)
        content = load_datalist(self.write(seed=4, overwrite=True, num_training=1))
        reference = ChestPhantom(32, 4).label_map(0)
        label_map = read_label_map(self.folder / content["training"][0]["label"], "chest_organ")
        np.testing.assert_array_equal(label_map, reference)
        self.assertFalse((self.folder / "labels" / "chest_00003.png").exists())
        before = self.stamps()
        self.write(seed=4, overwrite=True, num_training=1)  # the same again: nothing to replace
        self.assertEqual(self.stamps(), before)

    def test_test_cases_alone(self):
        content = load_datalist(self.write(num_training=0, num_validation=0))
        self.assertEqual([len(content[part]) for part in ("training", "test")], [0, 1])

    @parameterized.expand(
        [
            ({"num_training": 0, "num_validation": 0, "num_test": 0}, "one case at least"),
            ({"num_test": -1}, "negative"),
            ({"source": "imagined"}, "source"),
            ({"size": 16}, "32 px or more"),
            ({"fraction": 0.0}, "fraction must be"),
        ]
    )
    def test_bad_settings(self, changes, message):
        with self.assertRaisesRegex(ConfigError, message):
            self.write(**changes)
        self.assertFalse(self.folder.exists())


if __name__ == "__main__":
    unittest.main()
