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
"""Networks of MONAI for grading photographs, chosen by name and with random weights: nothing is downloaded."""

from __future__ import annotations

from monai.networks.nets import DenseNet121, EfficientNetBN
from torch import nn

__all__ = ["GRADING_NETWORKS", "grading_network"]

GRADING_NETWORKS = ("DenseNet121", "EfficientNet-B0")


def grading_network(network_name: str = "DenseNet121", num_grades: int = 5) -> nn.Module:
    """A classifier of photographs, input (B, 3, X, Y) with sides of 32 pixels or more, output logits (B, num_grades).

    Args:
        network_name: `"DenseNet121"` (Huang et al., CVPR 2017; 7.0 million parameters) or `"EfficientNet-B0"` (Tan and
            Le, ICML 2019; 4.0 million parameters).
        num_grades: number of grades.

    Raises:
        ValueError: When the name is unknown; lists the names.
    """
    if network_name == "DenseNet121":
        return DenseNet121(spatial_dims=2, in_channels=3, out_channels=num_grades)
    if network_name == "EfficientNet-B0":
        # its statistics follow 1 % of each batch as published, for millions of photographs; a thousand steps need more
        norm = ("batch", {"eps": 1e-3, "momentum": 0.1})
        network = EfficientNetBN("efficientnet-b0", pretrained=False, num_classes=num_grades, norm=norm)
        network.set_swish(memory_efficient=False)  # the other form cannot be exported
        return network
    raise ValueError(f"unknown network_name {network_name!r}: choose {' or '.join(GRADING_NETWORKS)}.")
