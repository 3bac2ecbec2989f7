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

import torch
from torch import nn

from monai_retinasynth.transforms import MarkHardPixelsd
from monai_retinasynth.transforms.mark_hard_pixels import mean_class_losses, pixel_losses
from monai_retinasynth.utils.checkpoint import save_checkpoint
from monai_retinasynth.utils.errors import CheckpointError, ConfigError


def case(source: str, wrong: int = 2) -> dict:
    """Pixels of class 1 are bright, the others dark, but for some bright ones whose label says 0."""
    label = torch.zeros(1, 8, 8, dtype=torch.uint8)
    label[:, 4:] = 1
    image = 255 * label.repeat(3, 1, 1)
    image[:, 0, :wrong] = 255
    return {"image": image, "label": label, "source": source}


class Bright(nn.Module):
    """Sure that bright pixels are of class 1; class 2 is never expected."""

    def __init__(self, weight: float = 4.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        level = image.mean(1) - 0.5
        return torch.stack([-level, level, torch.full_like(level, -2)], 1) * self.weight


class TestMarkHardPixels(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.path = Path(temporary.name, "model.pt")
        network = Bright()
        save_checkpoint(self.path, {"model": network.state_dict()}, "test", network)

    def marked(self, cases: list, **settings) -> MarkHardPixelsd:
        arguments = {"checkpoint": self.path, "inferer": lambda x, net: net(x), "num_classes": 3, "kind": "test"}
        return MarkHardPixelsd(cases, Bright(0.0), **{**arguments, **settings})

    def test_pixels_that_disagree_are_marked(self):
        transform = self.marked([case("synthetic"), case("real", wrong=8)])
        done = transform(case("synthetic"))
        expected = case("synthetic")["label"]
        expected[0, 0, :2] = 255
        self.assertTrue(torch.equal(done["label"], expected))
        self.assertTrue(torch.equal(done["image"], case("synthetic")["image"]))

    def test_real_cases_stay(self):
        done = self.marked([case("synthetic")])(case("real"))
        self.assertTrue(torch.equal(done["label"], case("real")["label"]))

    def test_limit_is_a_multiple_of_the_mean_of_the_class(self):
        items = [case("synthetic"), case("synthetic", wrong=0), case("real")]
        losses = pixel_losses(Bright(), items[0]["image"], items[0]["label"])
        easy, hard = losses[1, 0].item(), losses[0, 0].item()
        means = mean_class_losses(Bright(), items, 3)
        self.assertAlmostEqual(means[0].item(), (62 * easy + 2 * hard) / 64, places=5)
        self.assertAlmostEqual(means[1].item(), easy, places=5)
        self.assertEqual(means[2].item(), float("inf"))
        # far above the mean nothing is marked, below it even the easy pixels of class 1 are
        self.assertEqual(self.marked(items, above=1e3)(items[0])["label"].max().item(), 1)
        self.assertTrue(bool((self.marked(items, above=0.5)(items[0])["label"][0, 4:] == 255).all()))

    def test_errors_name_the_remedy(self):
        with self.assertRaisesRegex(ConfigError, "--reference_checkpoint"):
            self.marked([case("synthetic")], checkpoint=None)
        with self.assertRaisesRegex(ConfigError, "none of the training cases is synthetic"):
            self.marked([case("real")])
        with self.assertRaisesRegex(ConfigError, "1.25"):
            self.marked([case("synthetic")], above=0)
        with self.assertRaisesRegex(CheckpointError, "test"):
            self.marked([case("synthetic")], kind="another")


if __name__ == "__main__":
    unittest.main()
