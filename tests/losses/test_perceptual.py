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

from monai_retinasynth.losses import VGGPerceptualLoss
from monai_retinasynth.utils.errors import CheckpointError

# index and output channels of the convolutions in torchvision's vgg16().features
LAYERS = {0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 17: 512, 19: 512, 21: 512, 24: 512, 26: 512, 28: 512}


class Forbidden:
    """An object whose unpickling would run code."""

    def __reduce__(self):
        return (eval, ("1 / 0",))


class TestPerceptual(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        torch.manual_seed(0)
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = Path(cls.folder.name) / "vgg16.pth"
        cls.state, before = {}, 3
        for index, width in LAYERS.items():
            cls.state[f"features.{index}.weight"] = torch.randn(width, before, 3, 3) * (2.0 / (9 * before)) ** 0.5
            cls.state[f"features.{index}.bias"] = torch.zeros(width)
            before = width
        torch.save(cls.state, cls.path)
        cls.loss = VGGPerceptualLoss(cls.path, weight=2.0)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_zero_for_equal_and_larger_for_more_different(self):
        x = torch.rand(1, 3, 32, 48) * 2 - 1
        self.assertEqual(self.loss(x, x).item(), 0.0)
        noise = torch.randn_like(x)
        self.assertLess(0.0, self.loss(x + 0.1 * noise, x).item())
        self.assertLess(self.loss(x + 0.1 * noise, x).item(), self.loss(x + 0.5 * noise, x).item())

    def test_gradient_flows_into_fakes_only(self):
        fakes, reals = torch.rand(1, 3, 16, 16, requires_grad=True), torch.rand(1, 3, 16, 16, requires_grad=True)
        self.loss(fakes, reals).backward()
        self.assertGreater(fakes.grad.abs().sum().item(), 0.0)
        self.assertIsNone(reals.grad)
        self.assertFalse(any(p.requires_grad for p in self.loss.parameters()))

    def test_weights_of_the_file_are_used(self):
        convolutions = [m for m in self.loss.modules() if isinstance(m, torch.nn.Conv2d)]
        self.assertEqual(len(convolutions), 13)
        for (index, _), layer in zip(LAYERS.items(), convolutions):
            self.assertTrue(torch.equal(layer.weight, self.state[f"features.{index}.weight"]))

    def test_npz(self):
        path = Path(self.folder.name) / "vgg16.npz"
        np.savez(path, **{name: value.numpy() for name, value in self.state.items()})
        x, y = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)
        self.assertEqual(VGGPerceptualLoss(path, weight=2.0)(x, y).item(), self.loss(x, y).item())

    def test_file_errors_name_file_and_remedy(self):
        folder = Path(self.folder.name)
        with self.assertRaisesRegex(CheckpointError, "nowhere.pth; save torchvision's vgg16"):
            VGGPerceptualLoss(folder / "nowhere.pth")
        for name, content in [("text.pth", b"not weights"), ("text.npz", b"not weights"), ("empty.pth", b"")]:
            (folder / name).write_bytes(content)
            with self.assertRaisesRegex(CheckpointError, f"cannot read .*{name}"):
                VGGPerceptualLoss(folder / name)
        (folder / "cut.pth").write_bytes(self.path.read_bytes()[:100000])
        with self.assertRaisesRegex(CheckpointError, "cannot read .*cut.pth"):
            VGGPerceptualLoss(folder / "cut.pth")
        torch.save([1, 2], folder / "list.pth")
        with self.assertRaisesRegex(CheckpointError, "holds a list"):
            VGGPerceptualLoss(folder / "list.pth")
        torch.save({**self.state, "features.28.weight": torch.zeros(3)}, folder / "other.pth")
        with self.assertRaisesRegex(
            CheckpointError, r"features.28.weight in .*other.pth is \[3\], VGG16 has \[512, 512"
        ):
            VGGPerceptualLoss(folder / "other.pth")

    def test_no_code_of_the_file_is_run(self):
        path = Path(self.folder.name) / "evil.pth"
        torch.save({"features.0.weight": Forbidden()}, path)
        with self.assertRaisesRegex(CheckpointError, "cannot read"):
            VGGPerceptualLoss(path)

    def test_shape_errors(self):
        with self.assertRaisesRegex(ValueError, "X, Y >= 16"):
            self.loss(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8))
        with self.assertRaisesRegex(ValueError, "must both be"):
            self.loss(torch.rand(1, 3, 16, 16), torch.rand(2, 3, 16, 16))
        with self.assertRaisesRegex(ValueError, "5 values"):
            VGGPerceptualLoss(self.path, layer_weights=(1.0,))


if __name__ == "__main__":
    unittest.main()
