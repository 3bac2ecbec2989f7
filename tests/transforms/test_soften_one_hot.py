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
from parameterized import parameterized

from monai_retinasynth.transforms import SoftenOneHot


def one_hot(batch: int = 3, x: int = 20, y: int = 30) -> torch.Tensor:
    index = torch.randint(0, 3, (batch, x, y), generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.one_hot(index, 3).permute(0, 3, 1, 2).float()


class TestSoftenOneHot(unittest.TestCase):
    @parameterized.expand([(None,), (4,), (1,), (64,)])
    def test_stays_a_distribution_and_keeps_the_class(self, grid):
        hard = one_hot()
        soft = SoftenOneHot(0.3, grid=grid)(hard)
        self.assertEqual(soft.shape, hard.shape)
        torch.testing.assert_close(soft.sum(1), torch.ones(3, 20, 30))
        self.assertGreaterEqual(float(soft.min()), 0)
        self.assertTrue((soft.argmax(1) == hard.argmax(1)).all())
        self.assertTrue((soft.amax(1) >= 0.7).all())
        self.assertGreater(float((hard - soft).abs().mean()), 0.01)
        self.assertGreater(float((soft[0] - soft[1]).abs().mean()), 0)

    def test_seed_zero_and_types(self):
        hard = one_hot()
        self.assertIs(SoftenOneHot(0)(hard), hard)
        results = []
        for _ in range(2):
            torch.manual_seed(5)
            results.append(SoftenOneHot(0.1)(hard))
        torch.testing.assert_close(*results)
        self.assertEqual(SoftenOneHot(0.1)(hard.bfloat16()).dtype, torch.bfloat16)

    def test_noise_is_unbiased(self):
        torch.manual_seed(0)
        soft = SoftenOneHot(0.2)(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, 200, 200))
        torch.testing.assert_close(
            soft.mean((0, 2, 3)), torch.tensor([1 - 0.2 / 3, 0.1 / 3, 0.1 / 3]), atol=2e-3, rtol=0
        )

    def test_refused(self):
        for arguments in ({"smoothing": 1.5}, {"grid": 0}):
            with self.assertRaises(ValueError):
                SoftenOneHot(**arguments)
        with self.assertRaises(ValueError):
            SoftenOneHot()(torch.zeros(3, 4, 4))

    def test_an_image_behind_the_classes_stays(self):
        image = torch.linspace(-1, 1, 3 * 2 * 20 * 30).view(3, 2, 20, 30)
        softened = SoftenOneHot(0.3, grid=4, num_classes=3)(torch.cat([one_hot(), image], dim=1))
        self.assertTrue(torch.equal(softened[:, 3:], image))
        torch.testing.assert_close(softened[:, :3].sum(1), torch.ones(3, 20, 30))
        self.assertGreater(float((softened[:, :3] - one_hot()).abs().mean()), 0.01)


if __name__ == "__main__":
    unittest.main()
