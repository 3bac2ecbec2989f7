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
"""Drawing the weights of a network anew."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

__all__ = ["WEIGHT_INITS", "initialise_weights"]

#: names that `initialise_weights` knows
WEIGHT_INITS = ("normal", "kaiming", "xavier")

_POWER_ITERATIONS = 15  # towards the largest singular value of new weights, as torch does when it adds spectral norm
_LEAK = 0.2  # of the LeakyReLU in the patch discriminators and in the U-Net's encoder


def initialise_weights(network: nn.Module, kind: str | None) -> None:
    """Draw the convolution and linear weights of a network anew, in place; biases become 0, norms the identity.

    Args:
        network: network whose layers are `torch.nn` convolutions, linear layers and norms, with spectral norm or not.
        kind: "normal": N(0, 0.02) (Radford et al. 2016; Isola et al. 2017), batch norm weights N(1, 0.02); "kaiming":
            normal with variance by fan-in for LeakyReLU 0.2 (He et al. 2015); "xavier": normal with variance by both
            fans (Glorot and Bengio 2010); None leaves the network as it was made. A fan counts channels times the
            kernel's area, in transposed convolutions too. Of parts with `start_near_identity` it is called after.

    Raises:
        ValueError: for another kind.
    """
    if kind is None:
        return
    if kind not in WEIGHT_INITS:
        raise ValueError(f"kind must be one of {', '.join(WEIGHT_INITS)}, or None, not {kind!r}")
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            _draw(module, kind)
        elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)) and module.weight is not None:
            if kind == "normal" and isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1.0, 0.02)
            else:
                nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
    for module in network.modules():
        if hasattr(module, "start_near_identity"):
            module.start_near_identity()


def _draw(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear, kind: str) -> None:
    normed = is_parametrized(layer, "weight")
    weight = layer.parametrizations.weight.original if normed else layer.weight
    if kind == "normal":
        nn.init.normal_(weight, 0.0, 0.02)
    elif kind == "kaiming":
        # torch counts the fan of a transposed convolution from its other side
        mode = "fan_out" if isinstance(layer, nn.ConvTranspose2d) else "fan_in"
        nn.init.kaiming_normal_(weight, a=_LEAK, mode=mode)
    else:
        nn.init.xavier_normal_(weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    if normed and layer.training:
        for _ in range(_POWER_ITERATIONS):  # each reading of the weight in training mode is one
            _ = layer.weight
