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
from monai.losses import DiceCELoss, DiceLoss, TverskyLoss
from parameterized import parameterized
from torch import nn

from monai_retinasynth.losses import with_ignore_index
from monai_retinasynth.utils.errors import ConfigError


class TestWithIgnoreIndex(unittest.TestCase):
    def setUp(self):
        generator = torch.Generator().manual_seed(0)
        self.logits = torch.randn(2, 3, 6, 5, generator=generator)
        self.label = torch.randint(0, 3, (2, 1, 6, 5), generator=generator)
        self.marked = self.label.clone()
        self.marked[:, :, 4:] = 3

    @parameterized.expand([("dice_ce", DiceCELoss), ("dice", DiceLoss), ("tversky", TverskyLoss)])
    def test_marked_pixels_do_not_count(self, _, kind):
        settings = {"include_background": False, "to_onehot_y": True, "softmax": True}
        loss = with_ignore_index(kind(**settings), 3)
        logits = self.logits.clone().requires_grad_()
        value = loss(logits, self.marked)
        value.backward()
        self.assertEqual(logits.grad[:, :, 4:].abs().max().item(), 0.0)
        self.assertGreater(logits.grad[:, :, :4].abs().min().item(), 0.0)
        # the same as if the pixels did not exist
        torch.testing.assert_close(value, kind(**settings)(self.logits[:, :, :4], self.label[:, :, :4]))

    def test_nothing_marked_changes_nothing(self):
        settings = {"include_background": False, "to_onehot_y": True, "softmax": True}
        value = with_ignore_index(DiceCELoss(**settings), 3)(self.logits, self.label)
        torch.testing.assert_close(value, DiceCELoss(**settings)(self.logits, self.label))

    def test_a_loss_that_cannot(self):
        with self.assertRaisesRegex(ConfigError, "MSELoss cannot leave pixels out"):
            with_ignore_index(nn.MSELoss(), 3)


if __name__ == "__main__":
    unittest.main()
