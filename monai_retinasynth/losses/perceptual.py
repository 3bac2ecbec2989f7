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
"""Perceptual loss on VGG16 features (Johnson et al. 2016; layer weights of Wang et al. 2018), from a local file."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..utils.errors import CheckpointError

__all__ = ["VGGPerceptualLoss"]

#: channels of the 3x3 convolutions of VGG16 (Simonyan and Zisserman 2015, configuration D), a tuple between poolings
_VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
_REMEDY = (
    "save torchvision's vgg16 state dictionary with torch.save, or its arrays with numpy.savez, and give that file"
)


class VGGPerceptualLoss(nn.Module):
    """Weighted mean absolute difference of VGG16 features of two photographs. Nothing is ever downloaded.

    Args:
        weights_path: file with the ImageNet weights of VGG16: a torch file, or an .npz of arrays, with the names and
            shapes of torchvision's state dictionary ("features.0.weight", ...; the classifier may be missing). Read
            without running any code from the file.
        weight: factor of the whole loss.
        layer_weights: factors of the last features before each of the five poolings.
    """

    def __init__(
        self,
        weights_path: str | Path,
        weight: float = 10.0,
        layer_weights: tuple[float, ...] = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0),
    ) -> None:
        super().__init__()
        if len(layer_weights) != len(_VGG16):
            raise ValueError(f"layer_weights must have {len(_VGG16)} values, not {len(layer_weights)}")
        self.weight = weight
        self.layer_weights = tuple(float(w) for w in layer_weights)
        self.blocks = nn.ModuleList()
        before = 3
        for widths in _VGG16:
            block = nn.Sequential()
            for width in widths:
                block.extend([nn.Conv2d(before, width, 3, padding=1), nn.ReLU()])
                before = width
            self.blocks.append(block)
        self._load(Path(weights_path))
        self.requires_grad_(False)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1), persistent=False)

    def _load(self, path: Path) -> None:
        if not path.is_file():
            raise CheckpointError(f"the weights of VGG16 are not in {path}; {_REMEDY}")
        try:
            if path.suffix == ".npz":
                with np.load(path, allow_pickle=False) as arrays:
                    state = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
            else:
                state = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, EOFError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
            raise CheckpointError(f"cannot read the weights of VGG16 from {path} ({error}); {_REMEDY}") from error
        if not isinstance(state, dict):
            raise CheckpointError(f"{path} holds a {type(state).__name__}, not the weights of VGG16; {_REMEDY}")
        index = 0
        for block in self.blocks:
            for layer in block:
                if isinstance(layer, nn.Conv2d):
                    for name, parameter in layer.named_parameters():
                        key = f"features.{index}.{name}"
                        found = state.get(key)
                        if not isinstance(found, torch.Tensor) or found.shape != parameter.shape:
                            shape = list(found.shape) if isinstance(found, torch.Tensor) else "missing"
                            raise CheckpointError(
                                f"{key} in {path} is {shape}, VGG16 has {list(parameter.shape)}; {_REMEDY}"
                            )
                        parameter.data.copy_(found)
                index += 1
            index += 1  # the pooling after each block

    def forward(self, fakes: torch.Tensor, reals: torch.Tensor) -> torch.Tensor:
        """A scalar.

        Args:
            fakes: (B, 3, X, Y) in [-1, 1], sides of 16 px at least.
            reals: the photographs to compare with, same shape; no gradient flows into them.

        Raises:
            ValueError: when the shapes do not fit.
        """
        if fakes.shape != reals.shape or fakes.dim() != 4 or fakes.shape[1] != 3 or min(fakes.shape[2:]) < 16:
            raise ValueError(
                f"fakes {list(fakes.shape)} and reals {list(reals.shape)} must both be (batch, 3, X, Y), X, Y >= 16"
            )
        loss = torch.zeros((), device=fakes.device)
        x = self._normalise(fakes)
        with torch.no_grad():
            y = self._normalise(reals)
        for k, (block, factor) in enumerate(zip(self.blocks, self.layer_weights)):
            x = block(F.max_pool2d(x, 2) if k else x)
            with torch.no_grad():
                y = block(F.max_pool2d(y, 2) if k else y)
            loss = loss + factor * F.l1_loss(x.float(), y.float())
        return self.weight * loss

    def _normalise(self, x: torch.Tensor) -> torch.Tensor:
        return ((x + 1.0) / 2.0 - self.mean) / self.std
