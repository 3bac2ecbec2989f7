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

import torch

from monai_retinasynth.engines import PrepareLatentBatch
from monai_retinasynth.utils import ConfigError


class TestPrepareLatentBatch(unittest.TestCase):
    def setUp(self) -> None:
        self.index = torch.tensor([[[[0, 1], [2, 1]]]], dtype=torch.uint8)
        self.image = torch.tensor([[[[-1.0, 0.0], [0.5, 1.0]]]])

    def test_image_behind_the_classes(self):
        reals = PrepareLatentBatch(num_classes=3, image_key="image")({"label": self.index, "image": self.image}, "cpu")
        self.assertEqual((reals.shape, reals.dtype), ((1, 4, 2, 2), torch.float32))
        self.assertTrue(torch.equal(reals[:, :3].argmax(1, keepdim=True), self.index.long()))
        self.assertTrue(torch.equal(reals[:, 3:], self.image))

    def test_probabilities_as_they_are(self):
        shares = torch.rand(2, 3, 4, 4)
        self.assertTrue(torch.equal(PrepareLatentBatch()({"label": shares}, "cpu"), shares))

    def test_without_an_image(self):
        with self.assertRaisesRegex(ConfigError, "no 'image'.*every case needs one"):
            PrepareLatentBatch(num_classes=3, image_key="image")({"label": self.index}, "cpu")


if __name__ == "__main__":
    unittest.main()
