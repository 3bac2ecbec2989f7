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

import torch
from torch.utils.data import DataLoader

from monai_retinasynth.data import BackgroundLibrary, load_label_maps, write_background_dataset
from monai_retinasynth.simulation import write_phantom_dataset
from monai_retinasynth.transforms import FitBackgroundd
from monai_retinasynth.utils import ConfigError, DataError


class Cases(torch.utils.data.Dataset):
    def __init__(self, labels: list[torch.Tensor], transform: FitBackgroundd) -> None:
        self.labels, self.transform = labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict:
        return self.transform({"label": self.labels[index], "index": index})


class TestFitBackground(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        eyes, backgrounds = f"{holder.name}/eyes", f"{holder.name}/backgrounds"
        write_phantom_dataset(
            eyes, size=96, num_training=3, num_validation=1, num_test=1, source="real", progress=False
        )
        write_background_dataset(eyes, backgrounds, progress=False)
        cls.library = BackgroundLibrary(backgrounds)
        cls.labels = load_label_maps(eyes, "training")

    def test_a_case(self):
        case = {"label": self.labels[0], "index": 4, "case_id": "a"}
        result = FitBackgroundd("label", self.library, seed=7)(case)
        self.assertEqual(set(result), {*case, "background", "background_id"})
        self.assertEqual((result["background"].dtype, tuple(result["background"].shape)), (torch.uint8, (3, 96, 96)))
        self.assertTrue(((result["background"].amax(0) > 0) == (self.labels[0][0] > 0)).all())
        self.assertIn(result["background_id"], self.library.case_ids)

    def test_drawn_by_seed_and_index(self):
        def backgrounds(seed: int) -> list[torch.Tensor]:
            fit = FitBackgroundd("label", self.library, seed=seed)
            return [fit({"label": self.labels[0], "index": index})["background"] for index in range(8)]

        first, again, other = backgrounds(0), backgrounds(0), backgrounds(1)
        self.assertTrue(all(map(torch.equal, first, again)))
        self.assertFalse(all(map(torch.equal, first, other)))
        self.assertFalse(all(torch.equal(first[0], image) for image in first))

    def test_workers_give_the_same(self):
        cases = Cases(self.labels, FitBackgroundd("label", self.library))
        for ours, theirs in zip(cases, DataLoader(cases, batch_size=None, num_workers=2)):
            self.assertTrue(torch.equal(ours["background"], theirs["background"]))

    def test_exclude(self):
        fit = FitBackgroundd("label", self.library, id_key=None, exclude_key="case_id")
        case = {"label": self.labels[0], "case_id": self.library.case_ids[0]}
        plain = FitBackgroundd("label", self.library, exclude_key="case_id")
        for index in range(6):
            self.assertNotEqual(plain({**case, "index": index})["background_id"], case["case_id"])
            self.assertNotIn("background_id", fit({**case, "index": index}))
        with self.assertRaisesRegex(DataError, "all backgrounds"):
            fit({**case, "index": 0, "case_id": list(self.library.case_ids)})

    def test_errors(self):
        with self.assertRaisesRegex(ConfigError, "needs a library"):
            FitBackgroundd()
        with self.assertRaisesRegex(ConfigError, "as many"):
            FitBackgroundd("label", self.library, output_key=("a", "b"))
        with self.assertRaisesRegex(ConfigError, "'index'"):
            FitBackgroundd("label", self.library)({"label": self.labels[0]})
        empty = torch.zeros_like(self.labels[0])
        with self.assertRaisesRegex(DataError, "case dark: .*field of view is empty"):
            FitBackgroundd("label", self.library)({"label": empty, "index": 0, "case_id": "dark"})


if __name__ == "__main__":
    unittest.main()
