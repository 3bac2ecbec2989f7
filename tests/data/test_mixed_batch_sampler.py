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

from parameterized import parameterized

from monai_retinasynth.data import MixedBatchSampler
from monai_retinasynth.utils.errors import ConfigError, DataError


def batches(sampler: MixedBatchSampler, epoch: int = 1, seed: int = 0) -> list[list[int]]:
    sampler.generator.manual_seed(seed)
    sampler.set_epoch(epoch)
    indices = list(sampler)
    return [indices[i : i + sampler.batch_size] for i in range(0, len(indices), sampler.batch_size)]


class TestMixedBatchSampler(unittest.TestCase):
    def test_half_of_each_batch(self):
        sampler = MixedBatchSampler(num_real=2, num_cases=12, batch_size=4, num_batches=15)
        drawn = batches(sampler)
        self.assertEqual((len(sampler), len(drawn)), (60, 15))
        for batch in drawn:
            self.assertEqual(sum(index >= 2 for index in batch), 2)
        # every case of a kind comes once before one comes again
        synthetic = [index for batch in drawn for index in batch if index >= 2]
        self.assertEqual(sorted(synthetic[:10]), list(range(2, 12)))
        self.assertEqual(sorted(synthetic[10:20]), list(range(2, 12)))
        self.assertNotEqual(synthetic[:10], synthetic[10:20])

    def test_broken_share_is_right_on_average(self):
        counts = [sum(i >= 5 for i in batch) for batch in batches(MixedBatchSampler(5, 10, 3, 4000, 0.5))]
        self.assertEqual(set(counts), {1, 2})
        self.assertAlmostEqual(sum(counts) / 4000, 1.5, delta=0.03)

    def test_whole_numbers_are_never_rounded(self):
        for tenth in range(11):
            for batch in batches(MixedBatchSampler(5, 10, 10, 50, tenth / 10)):
                self.assertEqual(sum(i >= 5 for i in batch), tenth)

    def test_annealed_over_the_epochs(self):
        sampler = MixedBatchSampler(4, 8, 4, 3, 1.0, 0.0, num_epochs=3)
        counts = [[sum(i >= 4 for i in batch) for batch in batches(sampler, epoch)] for epoch in (1, 2, 3)]
        # nine batches, from 4 of 4 synthetic to none: 4, 3.5, 3, ... 0
        for number, count in enumerate(sum(counts, [])):
            self.assertIn(count, {int(4 - number / 2), round(4 - number / 2 + 0.01)})
        self.assertEqual((counts[0][0], counts[1][1], counts[2][2]), (4, 2, 0))

    def test_depends_on_seed_and_epoch_alone(self):
        one, other = (MixedBatchSampler(3, 9, 4, 20, 0.3, 0.6, num_epochs=4) for _ in range(2))
        batches(other, 1, 5)
        self.assertEqual(batches(one, 3, 7), batches(other, 3, 7))
        self.assertNotEqual(batches(one, 3, 7), batches(one, 3, 8))

    @parameterized.expand(
        [
            ("share", {"share": 1.5}, ConfigError, "from 0 to 1, got 1.5"),
            ("share_end", {"share_end": -0.1}, ConfigError, "from 0 to 1, got -0.1"),
            ("batch", {"batch_size": 0}, ConfigError, "1 or more"),
            ("no_real", {"num_real": 0}, DataError, "dataset_dir"),
            ("no_synthetic", {"num_cases": 3}, DataError, "synthetic_dir"),
        ]
    )
    def test_errors_name_the_remedy(self, _, settings, error, message):
        arguments = {"num_real": 3, "num_cases": 6, "batch_size": 4, "num_batches": 2, **settings}
        with self.assertRaisesRegex(error, message):
            MixedBatchSampler(**arguments)

    def test_a_share_of_nothing_needs_no_cases(self):
        self.assertEqual({i for b in batches(MixedBatchSampler(3, 3, 2, 6, 0.0)) for i in b}, {0, 1, 2})
        self.assertEqual({i for b in batches(MixedBatchSampler(0, 3, 2, 6, 1.0)) for i in b}, {0, 1, 2})


if __name__ == "__main__":
    unittest.main()
