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

from monai_retinasynth.data import LabelMapDataset, training_colours
from monai_retinasynth.simulation import write_phantom_dataset
from monai_retinasynth.transforms import FieldOfViewColour, LoadFundusCased
from monai_retinasynth.utils.errors import ConfigError, DataError
from tests.data.layouts import make_chase_db1, make_drive


class TestLabelMapDataset(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def phantoms(self) -> str:
        write_phantom_dataset(str(self.folder), size=48, num_training=3, num_validation=1, num_test=1, progress=False)
        return str(self.folder)

    def test_label_maps_come_without_photographs(self):
        for item in LabelMapDataset(self.phantoms(), "training").data:
            self.assertNotIn("image", item)
            self.assertIn("label", item)

    def test_photograph_stays_where_nothing_else_tells_the_field_of_view(self):
        make_chase_db1(self.folder)
        dataset = LabelMapDataset(str(self.folder), "test", layout="chase_db1", transform=LoadFundusCased())
        self.assertEqual([item["index"] for item in dataset.data], list(range(8)))
        label = dataset[0]["label"]
        self.assertEqual(set(label.unique().tolist()), {0, 1, 2})

    def test_field_of_view_file_is_enough(self):
        make_drive(self.folder)
        dataset = LabelMapDataset(str(self.folder), "test", layout="drive", transform=LoadFundusCased())
        self.assertNotIn("image", dataset.data[0])
        self.assertEqual(set(dataset[0]["label"].unique().tolist()), {0, 1, 2})

    def test_photographs_on_demand(self):
        folder = self.phantoms()
        dataset = LabelMapDataset(folder, "test", transform=LoadFundusCased(), photographs=True)
        self.assertEqual(tuple(dataset[0]["image"].shape), (3, 48, 48))
        with self.assertRaisesRegex(DataError, "come without photographs.*sampled or mean"):
            LabelMapDataset(str(self.folder / "labels"), photographs=True)

    def test_several_photographs_of_each_label_map(self):
        dataset = LabelMapDataset(self.phantoms(), "training", photographs_per_map=2, skip=lambda index: index == 3)
        self.assertEqual(dataset.all_indices, list(range(6)))
        self.assertEqual([item["index"] for item in dataset.data], [0, 1, 2, 4, 5])
        labels = [item["label"] for item in dataset.data]
        self.assertEqual(labels[0], labels[1])
        self.assertNotEqual(labels[1], labels[2])
        self.assertEqual(dataset.grades, [None] * 6)
        with self.assertRaisesRegex(ConfigError, "at least 1"):
            LabelMapDataset(str(self.folder), "training", photographs_per_map=0)

    def test_so_many_items_of_the_first_cases(self):
        dataset = LabelMapDataset(self.phantoms(), "training", num_cases=2, num_items=5)
        names = [item["case_id"] for item in dataset.data]
        self.assertEqual(dataset.all_indices, list(range(5)))
        self.assertEqual(names, [names[0], names[1], names[0], names[1], names[0]])
        self.assertNotEqual(names[0], names[1])
        with self.assertRaisesRegex(ConfigError, "num_items"):
            LabelMapDataset(self.phantoms(), "training", num_items=0)

    def test_numbers_of_what_is_left(self):
        dataset = LabelMapDataset(self.phantoms(), "all", skip=lambda index: index in (0, 3))
        self.assertEqual([item["index"] for item in dataset.data], [1, 2, 4])
        self.assertEqual(dataset.all_indices, [0, 1, 2, 3, 4])


class TestTrainingColours(unittest.TestCase):
    def test_measured_at_the_size_of_training(self):
        with tempfile.TemporaryDirectory() as folder:
            write_phantom_dataset(folder, size=48, num_training=2, num_validation=1, num_test=1, progress=False)
            for size in (None, [24, 24], 24):
                load = LoadFundusCased(spatial_size=size)
                items = LabelMapDataset(folder, "training", transform=load, photographs=True)
                expected = [FieldOfViewColour()(item["image"], item["label"]) for item in items]
                found = torch.tensor(training_colours(folder, spatial_size=size))
                torch.testing.assert_close(found, torch.stack(expected))
            large, small = training_colours(folder)[0], training_colours(folder, spatial_size=24)[0]
            self.assertNotAlmostEqual(large[3], small[3], places=3)  # averaging changes contrast and rim


if __name__ == "__main__":
    unittest.main()
