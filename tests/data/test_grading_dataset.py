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
import unittest

import torch
from parameterized import parameterized

from monai_retinasynth.data import FundusGradingDataset, load_graded_cases, write_grading_list
from monai_retinasynth.utils import ConfigError, DataError
from tests.data.grading_layout import make_graded_set, make_grading_list
from tests.data.test_cases import FolderTestCase


class TestGradingList(FolderTestCase):
    def test_sections_and_hold_out(self):
        folder = make_grading_list(self.folder, training=[0, 1, 0, 1], test=[3])
        self.assertEqual(len(load_graded_cases(folder, "training")), 4)
        self.assertEqual([c["grade"] for c in load_graded_cases(folder, "validation", val_count=2)], [0, 1])
        self.assertEqual(len(load_graded_cases(folder, "training", val_count=2)), 2)
        self.assertEqual([c["case_id"] for c in load_graded_cases(folder, "test", val_count=2)], ["test_0"])
        self.assertEqual(len(load_graded_cases(folder, "all", val_count=2)), 5)

    def test_data_lists_with_grades_serve_too(self):
        folder = make_graded_set(self.folder / "set", [0, 4])
        cases = load_graded_cases(folder, "training")
        self.assertEqual([(case["grade"], case["source"]) for case in cases], [(0, "synthetic"), (4, "synthetic")])

    def test_refused(self):
        folder = make_grading_list(self.folder / "list", training=[0, 1])
        for section, message in (("validation", "no validation case in .*grading.json"), ("tset", "unknown section")):
            with self.assertRaisesRegex(DataError, message):
                load_graded_cases(folder, section)
        content = json.loads((folder / "grading.json").read_text())
        content["training"][1]["grade"] = 7
        (folder / "grading.json").write_text(json.dumps(content))
        with self.assertRaisesRegex(DataError, "training_1 in .*grading.json: 7 is no grade.*4 proliferative"):
            load_graded_cases(folder, "training")
        (folder / "grading.json").write_text("{")
        with self.assertRaisesRegex(DataError, "cannot read .*Prepare the data set again"):
            load_graded_cases(folder, "training")
        with self.assertRaisesRegex(DataError, "neither grading.json nor datalist.json"):
            load_graded_cases(self.folder, "training")
        for grades, images, message in (([0, None], True, "not every training case"), ([0, 1], False, "no image")):
            with self.subTest(message), self.assertRaisesRegex(DataError, message):
                load_graded_cases(make_graded_set(self.folder / f"bare_{images}", grades, images=images), "training")
        with self.assertRaisesRegex(DataError, "case 0 of section 'training' .* has no grade and no case_id"):
            write_grading_list(self.folder, {"training": [{"image": "a.png", "source": "real"}]}, "wrong")
        folder = make_grading_list(self.folder / "gone", training=[0])
        (folder / "images" / "training_0.png").unlink()
        with self.assertRaisesRegex(DataError, "training_0.png, named in .*grading.json, is missing"):
            load_graded_cases(folder, "training")


class TestFundusGradingDataset(FolderTestCase):
    def setUp(self):
        super().setUp()
        self.real = make_grading_list(self.folder / "real", training=[0, 0, 0, 1, 2], test=[4])
        self.one = make_graded_set(self.folder / "one", [3, 3, 3, 4, 0])
        self.two = make_graded_set(self.folder / "two", [4, 1])

    def test_items(self):
        dataset = FundusGradingDataset(self.real, "training")
        item = dataset[3]
        self.assertEqual((item["label"], item["grade"], item["case_id"]), (1, 1, "training_3"))
        self.assertEqual(item["image"].shape, (3, 32, 32))
        self.assertGreater(float(item["image"].max()), 100)
        self.assertIs(type(item["image"]), torch.Tensor)

    def test_synthetic_sets_have_names_of_their_own(self):
        dataset = FundusGradingDataset(self.real, "training", [self.one, self.two], [4])
        names = [case["case_id"] for case in dataset.data]
        self.assertEqual(names[:2], ["training_0", "training_1"])
        self.assertEqual([name.split("_")[0] for name in names[5:]], ["one", "two"])

    @parameterized.expand(
        [
            ("all", None, None, [3, 3, 3, 4, 4, 0, 1]),
            ("chosen", [4, 3], None, [3, 3, 3, 4, 4]),
            ("counted", [3, 4], 3, [3, 4, 3]),
            ("more than one grade has", [3, 4], 5, [3, 4, 3, 4, 3]),
        ]
    )
    def test_synthetic_photographs(self, _, grades, count, expected):
        dataset = FundusGradingDataset(self.real, "training", [self.one, self.two], grades, count)
        self.assertEqual(dataset.grades[:5], [0, 0, 0, 1, 2])
        self.assertEqual(sorted(dataset.grades[5:]), sorted(expected))
        if count is not None:
            self.assertEqual(dataset.grades[5:], expected)
        self.assertEqual({case["source"] for case in dataset.data[5:]}, {"synthetic"})
        alone = FundusGradingDataset(None, "training", [self.one, self.two], grades, count)
        self.assertEqual(alone.grades, dataset.grades[5:])

    def test_balanced_sampling_draws_all_grades_alike(self):
        dataset = FundusGradingDataset(self.real, "training")
        weights = dataset.sampling_weights()
        sums = [sum(w for w, g in zip(weights.tolist(), dataset.grades) if g == grade) for grade in (0, 1, 2)]
        self.assertEqual(sums, [1.0, 1.0, 1.0])
        self.assertEqual(dataset.sampling_weights(balanced=False).tolist(), [1.0] * 5)

    @parameterized.expand(
        [
            ({"synthetic_grades": [3, 2]}, r"grade 2 \(moderate\) in .*one, which has the grades \[0, 3, 4\]"),
            ({"synthetic_grades": [9]}, "grade 9 in"),
            ({"synthetic_grades": []}, "synthetic_grades is empty"),
            ({"num_synthetic": 6}, "num_synthetic is 6, but .*one has 5"),
            ({"num_synthetic": 0}, "num_synthetic is 0"),
            ({"synthetic_dir": None, "synthetic_grades": [1]}, "synthetic_dir, which is not given"),
            ({"dataset_dir": None, "synthetic_dir": None}, "no photographs to grade are given"),
        ]
    )
    def test_refused(self, settings, message):
        arguments = {"dataset_dir": self.real, "section": "training", "synthetic_dir": str(self.one), **settings}
        with self.assertRaisesRegex(ConfigError, message):
            FundusGradingDataset(**arguments)


if __name__ == "__main__":
    unittest.main()
