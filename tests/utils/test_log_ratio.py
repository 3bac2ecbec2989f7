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

import numpy as np
import torch
from torch import nn

from monai_retinasynth.networks.nets import BackgroundPainter
from monai_retinasynth.transforms import BindToBackground, draw_log_ratio
from monai_retinasynth.utils.log_ratio import LEVEL_OFFSET, log_ratio_to_background


class Constant(nn.Module):
    """A generator that wants the same log ratio everywhere; `BackgroundPainter` takes tanh of it, times 2."""

    def __init__(self, ratio: float) -> None:
        super().__init__()
        self.answer = float(np.arctanh(ratio / 2))

    def forward(self, condition: torch.Tensor) -> torch.Tensor:
        return torch.full_like(condition[:, :3], self.answer)


class TestLogRatio(unittest.TestCase):
    def test_undoes_what_is_drawn(self):
        inside = np.zeros((40, 36), dtype=bool)
        inside[4:36, 4:32] = True
        background = np.array([180.0, 90.0, 20.0])[:, None, None] * inside
        drawn = (background + LEVEL_OFFSET) * np.exp(-0.3) - LEVEL_OFFSET
        found = log_ratio_to_background(drawn, background, inside, 1.0)
        self.assertEqual((found.dtype, found.shape), (np.float32, background.shape))
        # the black ground around the field of view is not smoothed in
        np.testing.assert_allclose(found[:, inside], -0.3, atol=1e-4)

    def test_texture_of_the_background_is_smoothed(self):
        inside = np.ones((64, 64), dtype=bool)
        background = 100 + 20.0 * np.random.default_rng(0).standard_normal((1, 64, 64))
        flat = np.full_like(background, 100.0)
        sharp, soft = (log_ratio_to_background(flat, background, inside, scale).std() for scale in (0.1, 2.0))
        self.assertGreater(sharp, 0.1)
        self.assertLess(soft, 0.03)

    def test_all_painters_mean_the_same_by_a_log_ratio(self):
        background = torch.tensor([180.0, 90.0, 2.0])[:, None, None].expand(3, 8, 8)
        band, ratio = torch.ones(1, 8, 8), torch.full((3, 8, 8), -0.5)
        drawn = draw_log_ratio(background, ratio, torch.ones(1, 8, 8))
        bound = BindToBackground()(drawn, background, band)
        condition = torch.cat([band, background / 127.5 - 1])[None]
        painted = BackgroundPainter(Constant(-0.5))(condition)[0]
        torch.testing.assert_close(bound, drawn, atol=1e-3, rtol=0)
        torch.testing.assert_close(((painted + 1) * 127.5), drawn, atol=1e-3, rtol=0)


if __name__ == "__main__":
    unittest.main()
