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
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator

from monai_retinasynth.data.datalist import load_datalist
from monai_retinasynth.data.synthetic_set_writer import SyntheticSetWriter
from monai_retinasynth.engines import PrepareTranslationBatch
from monai_retinasynth.handlers import SyntheticSetSaver
from monai_retinasynth.utils.errors import ConfigError
from monai_retinasynth.utils.image_io import read_label_map, read_rgb


class TestSyntheticSetSaver(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        generator = torch.Generator().manual_seed(0)
        self.labels = torch.randint(0, 3, (5, 1, 6, 4), generator=generator, dtype=torch.uint8)

    def _evaluate(self, saver: SyntheticSetSaver, **kwargs) -> None:
        data = [{"label": label, "index": 10 + k} for k, label in enumerate(self.labels)]
        SupervisedEvaluator(
            device="cpu",
            val_data_loader=DataLoader(Dataset(data), batch_size=2),
            network=torch.nn.Identity(),
            prepare_batch=PrepareTranslationBatch(),
            inferer=lambda inputs, network: inputs * 2 - 1,
            val_handlers=[saver],
            **kwargs,
        ).run()

    def test_label_maps_and_photographs_by_index(self):
        writer = SyntheticSetWriter(self.folder, "fundus_vessel", "test", {"seed": 0})
        self._evaluate(SyntheticSetSaver(writer, "batch:label", "pred", indices=range(10, 15)))
        cases = load_datalist(self.folder)["training"]
        self.assertEqual(len(cases), 5)
        for k, label in enumerate(self.labels):
            picture = label[0].numpy().T
            self.assertTrue(np.array_equal(read_label_map(writer.label_path(10 + k), "fundus_vessel"), picture))
            self.assertTrue(np.array_equal(read_rgb(writer.image_path(10 + k))[..., 2], (picture == 2) * 255))

    def test_errors_name_the_key_and_the_remedy(self):
        writer = SyntheticSetWriter(self.folder, "fundus_vessel", "test", {}, image_required=False)
        with self.assertRaisesRegex(ConfigError, "no 'maps' in the evaluator's batch"):
            self._evaluate(SyntheticSetSaver(writer, "maps"))
        with self.assertRaisesRegex(ConfigError, "decollate=True"):
            self._evaluate(SyntheticSetSaver(writer, "batch:label"), decollate=False)
        self.assertFalse((self.folder / "datalist.json").exists())


if __name__ == "__main__":
    unittest.main()
