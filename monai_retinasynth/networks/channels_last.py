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
"""Networks in the memory format channels_last: what it needs to be fast and safe on a CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["ChannelsLastInstanceNorm2d", "can_be_channels_last", "to_channels_last"]


class ChannelsLastInstanceNorm2d(nn.InstanceNorm2d):
    """Instance norm that is as fast as batch norm in channels_last.

    PyTorch's own copies its input to the other memory format and back. Here each sample is normalised as a batch of
    its own, which is the same function with the same parameters.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """
        Args:
            input: shape (B, C, X, Y).
        """
        is_other_format = input.is_contiguous() or not input.is_contiguous(memory_format=torch.channels_last)
        if is_other_format or input.device.type != "cpu" or self.track_running_stats:
            return super().forward(input)
        self._check_input_dim(input)
        normed = [
            F.batch_norm(sample, None, None, self.weight, self.bias, True, 0.0, self.eps) for sample in input.split(1)
        ]
        return normed[0] if len(normed) == 1 else torch.cat(normed)


def can_be_channels_last(network: nn.Module) -> bool:
    """Whether a network can be trained in channels_last on a CPU.

    In PyTorch 2.13 the backward pass of a 1x1 convolution with a stride and fewer than 16 input channels, such as the
    shortcut of a residual block, writes beyond its memory there and ends the process.
    """
    return not any(
        isinstance(layer, nn.Conv2d)
        and layer.kernel_size == (1, 1)
        and layer.stride != (1, 1)
        and layer.in_channels // layer.groups < 16
        for layer in network.modules()
    )


def to_channels_last(network: nn.Module) -> nn.Module:
    """Convert a network to channels_last in place, its instance norms included; one that cannot be stays as it is.

    Parameters, names in the state dict and results stay the same.

    Args:
        network: the network, on the device where it will run.

    Returns:
        the same network.
    """
    if not can_be_channels_last(network):
        return network
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if type(layer) is nn.InstanceNorm2d:
                setattr(parent, name, _faster(layer))
    return network.to(memory_format=torch.channels_last)


def _faster(layer: nn.InstanceNorm2d) -> ChannelsLastInstanceNorm2d:
    settings = (layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
    norm = ChannelsLastInstanceNorm2d(*settings)
    # the parameters themselves, which an optimizer may hold already
    norm.weight, norm.bias = layer.weight, layer.bias
    if layer.track_running_stats:
        norm.load_state_dict(layer.state_dict())
        norm.to(layer.running_mean.device)
    return norm.train(layer.training)
