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
"""Pixels of synthetic photographs that a network trained on real ones finds hard, and that are left out of the loss.

Where a network that knows real photographs errs far more than it does on average, the synthetic photograph and its
label map are likely not to agree (L. Yang et al. FreeMask: Synthetic Images with Dense Annotations Make Stronger
Segmentation Models. NeurIPS 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from os import PathLike
from typing import Any

import torch
import torch.nn.functional as F
from monai.transforms import Transform
from torch import Tensor, nn

from ..utils.checkpoint import load_network_weights
from ..utils.errors import ConfigError

__all__ = ["MarkHardPixelsD", "MarkHardPixelsDict", "MarkHardPixelsd", "mean_class_losses", "pixel_losses"]


def pixel_losses(network: Callable[[Tensor], Tensor], image: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of each pixel.

    Args:
        network: gives logits (1, N, X, Y) of a photograph (1, C, X, Y) with values in [0, 1].
        image: photograph (C, X, Y), values in [0, 255].
        label: label map (1, X, Y), class indices.

    Returns:
        float32, (X, Y).
    """
    with torch.inference_mode():
        logits = network(image[None].float() / 255.0)
        return F.cross_entropy(logits, label.to(logits.device).long(), reduction="none")[0].cpu()


def mean_class_losses(
    network: Callable[[Tensor], Tensor], cases: Iterable[Mapping[Hashable, Any]], num_classes: int
) -> Tensor:
    """Mean cross-entropy of each class over all pixels of the synthetic cases.

    Args:
        network: see `pixel_losses`.
        cases: cases with `image`, `label` and `source`; those that are not synthetic are passed over.
        num_classes: number N of classes.

    Returns:
        float64, (N,); infinite for a class that no synthetic case has.

    Raises:
        ConfigError: when none of the cases is synthetic.
    """
    sums = torch.zeros(num_classes, dtype=torch.float64)
    counts = torch.zeros(num_classes, dtype=torch.float64)
    for case in cases:
        if case["source"] == "synthetic":
            losses, classes = pixel_losses(network, case["image"], case["label"]), case["label"][0].long().flatten()
            sums += torch.bincount(classes, losses.double().flatten(), minlength=num_classes)
            counts += torch.bincount(classes, minlength=num_classes)
    if not counts.any():
        raise ConfigError(
            "ignore_above leaves out pixels of synthetic cases, and none of the training cases is synthetic: train "
            "with --train_on synthetic or mixed, or set ignore_above to None"
        )
    return torch.where(counts > 0, sums / counts.clamp(min=1), torch.inf)


class MarkHardPixelsd(Transform):
    """Marks the pixels of synthetic cases whose loss exceeds a multiple of their class's mean loss.

    Put it before the random transforms, so that it is done once and the marked label map is cached.

    Args:
        cases: the training cases, loaded: dictionaries with `image` (values in [0, 255]), `label` and `source`; looked
            through once, when the transform is made, for the mean losses.
        network: a network of the kind that is trained; it is given the weights of `checkpoint`.
        checkpoint: a network trained on real photographs.
        inferer: how the network is called on a whole photograph; it must give logits.
        num_classes: number of classes.
        above: multiple of the class's mean loss from which on a pixel is marked, such as 1.25.
        ignore_index: value that marks a pixel in the label map.
        kind: what the checkpoint must be for, see `load_network_weights`.
        device: where the network runs.

    Raises:
        ConfigError: when no checkpoint is given, `above` is not positive, or no case is synthetic.
        CheckpointError: when the checkpoint cannot be read or does not fit.
    """

    def __init__(
        self,
        cases: Iterable[Mapping[Hashable, Any]],
        network: nn.Module,
        checkpoint: str | PathLike | None,
        inferer: Callable[[Tensor, nn.Module], Tensor],
        num_classes: int,
        above: float = 1.25,
        ignore_index: int = 255,
        kind: str | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if not checkpoint:
            raise ConfigError(
                "ignore_above compares with a network trained on real photographs: train one with --train_on real on "
                "the same cases and give its checkpoint, --reference_checkpoint <output_dir>/models/model.pt"
            )
        if isinstance(above, (str, bool)) or not above > 0:
            raise ConfigError(f"ignore_above is a multiple of the mean loss such as 1.25, got {above!r}")
        load_network_weights(network, checkpoint, kind=kind)
        self.network = network.to(device).eval()
        self.inferer = inferer
        self.device = torch.device(device)
        self.above = above
        self.ignore_index = ignore_index
        self.limits = above * mean_class_losses(self._logits, cases, num_classes)

    def _logits(self, image: Tensor) -> Tensor:
        return self.inferer(image.to(self.device), self.network)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """
        Args:
            data: case with `image`, `label` and `source`; returned with the same keys.
        """
        d = dict(data)
        if d["source"] == "synthetic":
            label = d["label"]
            hard = pixel_losses(self._logits, d["image"], label) > self.limits[label[0].long()]
            d["label"] = label.masked_fill(hard, self.ignore_index)
        return d


MarkHardPixelsD = MarkHardPixelsDict = MarkHardPixelsd
