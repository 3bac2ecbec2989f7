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

import itertools
import unittest

import torch
from monai.data import DataLoader, Dataset
from torch.utils.data import DistributedSampler

from monai_retinasynth.engines import StepBatches
from monai_retinasynth.utils.errors import ConfigError, DataError


def _loader(cases: int = 10, batch_size: int = 4, **kwargs) -> DataLoader:
    data = [{"image": torch.full((1, 2, 2), float(k)), "case_id": f"c{k}"} for k in range(cases)]
    return DataLoader(Dataset(data), batch_size=batch_size, **kwargs)


def _numbers(batch: dict) -> list[int]:
    numbers = [int(image.flatten()[0]) for image in batch["image"]]
    assert [f"c{n}" for n in numbers] == list(batch["case_id"])
    return numbers


class TestStepBatches(unittest.TestCase):
    def test_regroups_across_passes_without_losing_a_case(self):
        sizes = itertools.cycle([3, 5, 1, 8])
        steps = iter(StepBatches(_loader(), 2, 1, batch_size=lambda: next(sizes)))
        got, lengths = [], []
        for item in itertools.islice(steps, 4):
            for batch in [*item["d"], *item["g"]]:
                got += _numbers(batch)
                lengths.append(len(batch["image"]))
        self.assertEqual(lengths, [3, 5, 1, 8, 3, 5, 1, 8, 3, 5, 1, 8])
        self.assertEqual(got, [k % 10 for k in range(len(got))])

    def test_batches_as_they_come(self):
        step = next(iter(StepBatches(_loader(), 2, 1)))
        self.assertEqual([len(b["image"]) for b in [*step["d"], *step["g"]]], [4, 4, 2])
        self.assertEqual(len(StepBatches(_loader(30), 2, 1)), 2)
        with self.assertRaises(TypeError):
            len(StepBatches(_loader(), 1, 1, batch_size=3))

    def test_tensors_and_tuples(self):
        loader = [(torch.arange(3), ["a", "b", "c"])]
        step = next(iter(StepBatches(loader, 1, 0, batch_size=5)))
        self.assertEqual(step["d"][0][0].tolist(), [0, 1, 2, 0, 1])
        self.assertEqual(step["d"][0][1], ["a", "b", "c", "a", "b"])
        self.assertEqual(next(iter(StepBatches([torch.arange(4)], 1, 0, 2)))["d"][0].tolist(), [0, 1])

    def test_distributed_sampler_shuffles_anew_in_every_pass(self):
        data = list(range(32))
        loader = DataLoader(Dataset(data), batch_size=32, sampler=DistributedSampler(data, num_replicas=1, rank=0))
        steps = StepBatches(loader, 1, 0)
        first = [item["d"][0].tolist() for item in itertools.islice(iter(steps), 3)]
        self.assertEqual(len({tuple(order) for order in first}), 3)
        again = [item["d"][0].tolist() for item in itertools.islice(iter(steps), 3)]
        self.assertEqual(first, again)
        steps.set_epoch(1)
        self.assertNotIn(next(iter(steps))["d"][0].tolist(), first)

    def test_errors(self):
        with self.assertRaisesRegex(DataError, "drop_last"):
            next(iter(StepBatches(_loader(3, 4, drop_last=True))))
        with self.assertRaisesRegex(ConfigError, "d_train_steps"):
            StepBatches(_loader(), 0, 1)


if __name__ == "__main__":
    unittest.main()
