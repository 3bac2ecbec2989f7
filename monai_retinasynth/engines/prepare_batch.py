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
"""From a batch of the data loader to what the trainers feed their networks, on the device."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from monai.data import MetaTensor
from monai.engines import PrepareBatch

from ..transforms.soften_one_hot import SoftenOneHot
from ..utils.errors import ConfigError

__all__ = ["PrepareLatentBatch", "PrepareTranslationBatch"]


def _on_device(value: torch.Tensor, device: Any, non_blocking: bool) -> torch.Tensor:
    # integer labels are moved as they are (a quarter of the bytes of float32) and become one-hot on the device
    plain = value.as_tensor() if isinstance(value, MetaTensor) else torch.as_tensor(value)
    return plain.to(device=device, non_blocking=non_blocking)


def _one_hot(label: torch.Tensor, num_classes: int) -> torch.Tensor:
    """(B, 1, X, Y) class index -> (B, num_classes, X, Y) float32."""
    if label.ndim != 4 or label.shape[1] != 1:
        raise ValueError(f"class indices must have shape (batch, 1, width, height), got {tuple(label.shape)}.")
    return F.one_hot(label[:, 0].long(), num_classes).movedim(-1, 1).float()


class PrepareLatentBatch(PrepareBatch):
    """Reals for a generator of label maps: class probabilities, taken as they are or made from class indices.

    Args:
        key: key of the label in the batch.
        num_classes: when given, the label is a class index (B, 1, X, Y) and becomes one-hot.
        condition_key: key of the class of each sample, such as "grade"; None for unconditional training.
        image_key: key of an image (B, K, X, Y) in [-1, 1] that the generator makes together with the label map; its
            channels follow those of the label. None for label maps alone.

    Raises:
        ConfigError: when a batch lacks `condition_key` or `image_key`.

    Returns of the call:
        reals (B, C, X, Y) float32 in [0, 1], with `image_key` (B, C + K, X, Y); with `condition_key` a pair of these
        and the classes (B,) int64.
    """

    def __init__(
        self,
        key: str = "label",
        num_classes: int | None = None,
        condition_key: str | None = None,
        image_key: str | None = None,
    ) -> None:
        self.key = key
        self.num_classes = num_classes
        self.condition_key = condition_key
        self.image_key = image_key

    def __call__(
        self, batchdata: dict[str, Any], device: Any = None, non_blocking: bool = False, **kwargs: Any
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        label = _on_device(batchdata[self.key], device, non_blocking)
        reals = label.float() if self.num_classes is None else _one_hot(label, self.num_classes)
        if self.image_key is not None:
            if self.image_key not in batchdata:
                raise ConfigError(
                    f"a batch holds no {self.image_key!r}, only {sorted(map(str, batchdata))}: to make images together "
                    "with label maps every case needs one."
                )
            reals = torch.cat([reals, _on_device(batchdata[self.image_key], device, non_blocking).float()], dim=1)
        if self.condition_key is None:
            return reals
        if self.condition_key not in batchdata:
            raise ConfigError(
                f"a batch holds no {self.condition_key!r}, only {sorted(map(str, batchdata))}: give every case of the "
                "data list one, or train without conditions."
            )
        return reals, _on_device(batchdata[self.condition_key], device, non_blocking).long()


class PrepareTranslationBatch(PrepareBatch):
    """Condition and target for a paired translator.

    The condition is the one-hot label map, unless `mask_class` or `condition_key` says otherwise. The target is a
    picture, or with `target_classes` the class probabilities of a label map (dots to label map, the second of the three
    stages of Ciano et al. 2021).

    Args:
        label_key: key of the class indices (B, 1, X, Y).
        image_key: key of the photograph (B, 3, X, Y) or grey picture (B, 1, X, Y) in [-1, 1], or of the label map
            (B, 1, X, Y) with `target_classes`; None, or absent from the batch, in generation.
        num_classes: channels of the one-hot label.
        coordinates_key: key of position channels (B, 2, X, Y) in (-1, 1), appended to the condition.
        mask_class: a class index; the condition is then the mask of this class alone, one channel, 1 in it and -1
            elsewhere.
        condition_key: key of a picture (B, C, X, Y) in [-1, 1] that is the condition, such as a degraded photograph.
        geometry_key: key of what `VesselGeometryd` gives, (B, 3, X, Y): distance, radius and, last, the band; appended
            after the coordinates.
        background_key: key of the background (B, 3, X, Y), 0..255, into which the structures are painted; scaled to
            [-1, 1] it comes last.
        style_key: key of style vectors (B, Z), handed to the network as `style`; None for networks without.
        noise_key: key of noise (B, N, X, Y), handed to the network as `noise`; None for networks without.
        target_classes: number of classes T where the target is a label map; None for pictures.
        target_smoothing: largest share of a random distribution that is mixed into the target's one-hot map (see
            `SoftenOneHot`), so that a discriminator cannot tell it from a softmax by its exact zeros and ones; 0 for
            none.

    Raises:
        ConfigError: when both `mask_class` and `condition_key` are given, or a batch lacks `condition_key`,
            `geometry_key` or `background_key`.

    Returns of the call:
        `(condition (B, C, X, Y), target)`, float32, the target (B, 3, X, Y), (B, 1, X, Y), (B, T, X, Y) or None; with
        `style_key` or `noise_key` also `()` and `{"style": (B, Z), "noise": (B, N, X, Y)}`, the further arguments of
        the network as MONAI's evaluators pass them on.
    """

    def __init__(
        self,
        label_key: str = "label",
        image_key: str | None = "image",
        num_classes: int = 3,
        coordinates_key: str | None = None,
        mask_class: int | None = None,
        condition_key: str | None = None,
        style_key: str | None = None,
        noise_key: str | None = None,
        target_classes: int | None = None,
        target_smoothing: float = 0.0,
        geometry_key: str | None = None,
        background_key: str | None = None,
    ) -> None:
        if mask_class is not None and condition_key is not None:
            raise ConfigError("the condition is a mask (mask_class) or a picture (condition_key), give one of them.")
        self.label_key = label_key
        self.image_key = image_key
        self.num_classes = num_classes
        self.coordinates_key = coordinates_key
        self.mask_class = mask_class
        self.condition_key = condition_key
        self.geometry_key = geometry_key
        self.background_key = background_key
        self.target_classes = target_classes
        self.soften = SoftenOneHot(target_smoothing)
        self.further = {name: key for name, key in (("style", style_key), ("noise", noise_key)) if key is not None}

    def __call__(
        self, batchdata: dict[str, Any], device: Any = None, non_blocking: bool = False, **kwargs: Any
    ) -> tuple:
        if self.condition_key is not None:
            if self.condition_key not in batchdata:
                raise ConfigError(
                    f"a batch holds no {self.condition_key!r} to make photographs of, only "
                    f"{sorted(map(str, batchdata))}; to restore a folder of photographs with the translation bundle "
                    "add configs/restore.json."
                )
            condition = _on_device(batchdata[self.condition_key], device, non_blocking).float()
        else:
            label = _on_device(batchdata[self.label_key], device, non_blocking)
            if self.mask_class is not None:
                condition = (label == self.mask_class).float() * 2.0 - 1.0
            else:
                condition = _one_hot(label, self.num_classes)
        if self.coordinates_key is not None:
            coordinates = _on_device(batchdata[self.coordinates_key], device, non_blocking).float()
            condition = torch.cat([condition, coordinates], dim=1)
        for key in (self.geometry_key, self.background_key):
            if key is None:
                continue
            if key not in batchdata:
                raise ConfigError(
                    f"a batch holds no {key!r} to paint with, only {sorted(map(str, batchdata))}: a translator with a "
                    "background needs the geometry of the structures and a background of each label map."
                )
            further = _on_device(batchdata[key], device, non_blocking).float()
            if key == self.background_key:
                further = further / 127.5 - 1.0
            condition = torch.cat([condition, further], dim=1)
        target = None
        if self.image_key is not None and self.image_key in batchdata:
            target = _on_device(batchdata[self.image_key], device, non_blocking)
            if self.target_classes is not None:
                target = self.soften(_one_hot(target, self.target_classes))
            target = target.float()
        if not self.further:
            return condition, target
        return (
            condition,
            target,
            (),
            {name: _on_device(batchdata[key], device, non_blocking).float() for name, key in self.further.items()},
        )
