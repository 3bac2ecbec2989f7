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
"""Writing a predicted segmentation as files that a person can look at and a program can read."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import TransformBackends

from monai_retinasynth.utils.image_io import to_picture, write_label_map, write_rgb
from monai_retinasynth.utils.label_set import LabelSet, get_label_set

__all__ = ["SavePredictionD", "SavePredictionDict", "SavePredictiond"]


class SavePredictiond(MapTransform):
    """
    Write class probabilities as a palette PNG of class indices, `<case>.png`, and on demand the probability of one
    class as a grey PNG, `<case>_<class name>.png` (0 to 255 for 0 to 1). The data pass through unchanged.

    Args:
        keys: keys of class probabilities, float (C, X, Y), 0 to 1.
        output_dir: folder for the files, made when missing.
        label_set: name, dictionary or `LabelSet` that gives class names and colours.
        case_key: key of the case's name, which becomes the file name.
        probability_class: name of the class whose probability is written too; None for none.
        threshold: probability from which on a pixel belongs to `probability_class`, whatever the other classes say
            (the threshold that an evaluation fixed), or a callable that gives it; None takes the most probable class.
        allow_missing_keys: whether a key may be absent.

    Raises:
        DataError: when a file cannot be written.
    """

    backend = [TransformBackends.TORCH, TransformBackends.NUMPY]

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | os.PathLike,
        label_set: str | Mapping | LabelSet = "fundus_vessel",
        case_key: str = "case_id",
        probability_class: str | None = None,
        threshold: float | Callable[[], float] | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.output_dir = Path(output_dir)
        self.label_set = get_label_set(label_set)
        self.case_key = case_key
        self.probability_class = probability_class
        self.channel = None if probability_class is None else self.label_set.index(probability_class)
        if threshold is not None and self.channel is None:
            raise ValueError("a threshold needs the class it is for: set probability_class")
        self.threshold = threshold

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        d = dict(data)
        for key in self.key_iterator(d):
            name = str(d[self.case_key])
            probability = torch.as_tensor(d[key]).detach().float().cpu()
            label = self._label_map(probability)
            write_label_map(self.output_dir / f"{name}.png", to_picture(label)[..., 0], self.label_set)
            if self.channel is not None:
                grey = to_picture(probability[self.channel : self.channel + 1].clamp(0, 1))
                grey = np.repeat(np.rint(grey * 255).astype(np.uint8), 3, axis=2)
                write_rgb(self.output_dir / f"{name}_{self.probability_class}.png", grey)
        return d

    def _label_map(self, probability: torch.Tensor) -> torch.Tensor:
        """(C, X, Y) probabilities to a (1, X, Y) uint8 label map."""
        if self.threshold is None or self.channel is None:
            return probability.argmax(0, keepdim=True).to(torch.uint8)
        chosen = probability[self.channel] >= (self.threshold() if callable(self.threshold) else self.threshold)
        others = probability.clone()
        others[self.channel] = -1
        label = others.argmax(0)
        label[chosen] = self.channel
        return label[None].to(torch.uint8)


SavePredictionD = SavePredictionDict = SavePredictiond
