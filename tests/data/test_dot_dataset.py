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

from monai_retinasynth.data import load_cases, write_datalist, write_dot_dataset
from monai_retinasynth.simulation import write_chest_phantom_dataset
from monai_retinasynth.transforms import LoadFundusCased, find_dots, label_map_to_dots
from monai_retinasynth.utils import CHEST_ORGANS, DataError, read_label_map, write_label_map

DOTS = {"radius": 2, "merge": CHEST_ORGANS}


class TestDotDataset(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        write_chest_phantom_dataset(
            self.folder / "chest", size=64, num_training=4, num_validation=1, num_test=1, source="real", progress=False
        )

    def write(self, source=None, name="dots", **settings) -> Path:
        source = str(self.folder / "chest") if source is None else source
        return write_dot_dataset(
            source, self.folder / name, "chest_organ", **{"dots": DOTS, "progress": False, **settings}
        )

    def test_dots_beside_their_label_maps(self):
        content = json.loads(self.write().read_text())
        cases = load_cases(str(self.folder / "dots"), "training", val_count=0)
        originals = load_cases(str(self.folder / "chest"), "training")
        self.assertEqual([case["case_id"] for case in cases], [case["case_id"] for case in originals])
        for case, original in zip(cases, originals):
            label_map = read_label_map(original["label"], "chest_organ")
            np.testing.assert_array_equal(read_label_map(case["target"], "chest_organ"), label_map)
            dot_map = read_label_map(case["label"], content["label_set"])
            np.testing.assert_array_equal(dot_map, label_map_to_dots(label_map, "chest_organ", **DOTS))
            self.assertEqual({dot.class_name for dot in find_dots(dot_map, content["label_set"])}, set(CHEST_ORGANS))
        loaded = LoadFundusCased(content["label_set"], target_label_set="chest_organ")(cases[0])
        self.assertEqual(loaded["label"].shape, loaded["target"].shape)
        self.assertNotIn("image", loaded)

    def test_a_fraction_of_the_training_cases(self):
        source = {"dataset_dir": str(self.folder / "chest"), "fraction": 0.5, "fraction_seed": 1}
        content = json.loads(self.write(source).read_text())
        expected = [case["case_id"] for case in load_cases(source, "training")]
        self.assertEqual([case["case_id"] for case in content["training"]], expected)
        self.assertEqual(len(expected), 2)
        self.assertEqual(content["provenance"]["origin"][0]["fraction"], 0.5)

    def test_called_again_and_with_other_settings(self):
        self.write()
        self.write()
        with self.assertRaisesRegex(DataError, "other settings"):
            self.write(dots={"radius": 3})

    def test_label_map_without_objects(self):
        write_label_map(self.folder / "bare" / "labels" / "empty.png", np.zeros((64, 64)), "chest_organ")
        case = {"label": "labels/empty.png", "case_id": "empty_chest", "source": "real"}
        write_datalist(self.folder / "bare", {"training": [case]}, "chest_organ", "bare")
        with self.assertRaisesRegex(DataError, "empty_chest.*without dots"):
            self.write(str(self.folder / "bare"), val_count=0)
        self.assertFalse((self.folder / "dots" / "datalist.json").exists())
        self.write(str(self.folder / "bare"), "let_through", val_count=0, allow_empty=True)

    def test_case_without_target(self):
        case = load_cases(str(self.folder / "chest"), "training")[0]
        with self.assertRaisesRegex(DataError, f"{case['case_id']} has no 'target'"):
            LoadFundusCased("chest_organ", target_label_set="chest_organ")(case)


if __name__ == "__main__":
    unittest.main()
