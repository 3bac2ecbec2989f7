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
"""Feature matching of Wang et al. 2018, section 3.3: fakes should look like reals inside the discriminator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["FeatureMatchingLoss"]


class FeatureMatchingLoss(nn.Module):
    """Mean absolute difference of the features of each layer, summed over the layers and averaged over the scales.

    The paper sums the adversarial loss and this one over the scales; here both are means over the scales, which keeps
    their ratio. The last entry of each scale, the logits, is left to the adversarial loss.

    Args:
        weight: lambda of the paper.
        layers: "sum" (the paper) or "mean" over the layers, which does not grow with the depth of the discriminator.
    """

    def __init__(self, weight: float = 10.0, layers: str = "sum") -> None:
        super().__init__()
        if layers not in ("sum", "mean"):
            raise ValueError(f'layers must be "sum" or "mean", not {layers!r}')
        self.weight = weight
        self.layers = layers

    def forward(
        self, fake_features: Sequence[Sequence[torch.Tensor]], real_features: Sequence[Sequence[torch.Tensor]]
    ) -> torch.Tensor:
        """A scalar; no gradient flows into the real features.

        Args:
            fake_features: for each scale, a list of features with the logits last, as the discriminator returned it
                for fakes.
            real_features: the same for the reals that belong to the fakes.

        Raises:
            ValueError: when the two do not have the same layers, or there are none but the logits.
        """
        if [len(scale) for scale in fake_features] != [len(scale) for scale in real_features]:
            raise ValueError(
                "fake and real features must come from the same discriminator: their layers differ in number"
            )
        scales = []
        for fakes, reals in zip(fake_features, real_features):
            if isinstance(fakes, torch.Tensor) or len(fakes) < 2:
                raise ValueError("feature matching needs a list of features for each scale, the logits last")
            terms = torch.stack([F.l1_loss(f.float(), r.detach().float()) for f, r in zip(fakes[:-1], reals[:-1])])
            scales.append(terms.sum() if self.layers == "sum" else terms.mean())
        return self.weight * torch.stack(scales).mean()
