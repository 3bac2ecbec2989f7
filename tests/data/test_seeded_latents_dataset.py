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
from monai.data import DataLoader
from parameterized import parameterized

from monai_retinasynth.data.seeded_latents_dataset import SeededLatentDataset
from monai_retinasynth.utils.errors import ConfigError
from monai_retinasynth.utils.seeding import seeded_latents


class TestSeededLatentDataset(unittest.TestCase):
    @parameterized.expand([(1, 1, 0), (3, 2, 0), (4, 3, 2)])
    def test_same_vector_in_any_batch_worker_and_rank(self, batch_size, world, workers):
        expected = seeded_latents(range(10, 21), 6, seed=3)
        got = {}
        for rank in range(world):
            dataset = SeededLatentDataset(11, 6, seed=3, start=10, rank=rank, world=world)
            for batch in DataLoader(dataset, batch_size=batch_size, num_workers=workers):
                got |= dict(zip(batch["index"].tolist(), batch["image"]))
        self.assertEqual(sorted(got), list(range(10, 21)))
        self.assertTrue(torch.equal(torch.stack([got[k] for k in range(10, 21)]), expected))

    def test_classes_follow_the_latents(self):
        dataset = SeededLatentDataset(4, 6, seed=3, start=10, conditions=[1, 0, 1], num_conditions=2)
        items = [dataset[k] for k in range(4)]
        self.assertEqual([item["grade"] for item in items], [1, 0, 1, 1])
        self.assertEqual([item["image"][6:].tolist() for item in items], [[0, 1], [1, 0], [0, 1], [0, 1]])
        plain = SeededLatentDataset(4, 6, seed=3, start=10)
        self.assertTrue(torch.equal(items[2]["image"][:6], plain[2]["image"]))

    def test_finished_samples_are_left_out(self):
        self.assertEqual(SeededLatentDataset(6, 2, skip=lambda k: k % 2 == 0).indices, [1, 3, 5])

    def test_a_rank_with_nothing_left_keeps_one_of_its_own(self):
        shards = [SeededLatentDataset(5, 2, skip=lambda k: True, rank=r, world=2).indices for r in (0, 1)]
        self.assertEqual(shards, [[4], [3]])

    def test_errors(self):
        with self.assertRaisesRegex(ConfigError, "fewer processes"):
            SeededLatentDataset(2, 4, rank=0, world=3)
        with self.assertRaisesRegex(ConfigError, "at least 1"):
            SeededLatentDataset(0, 4)
        for conditions, message in (([2], "0 to 1, got .2."), ([], "got none")):
            with self.assertRaisesRegex(ConfigError, message):
                SeededLatentDataset(2, 4, conditions=conditions, num_conditions=2)


if __name__ == "__main__":
    unittest.main()
