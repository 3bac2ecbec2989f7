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

from functools import partial

from monai.networks import normal_init
from torch import nn

__all__ = ["WEIGHT_INITS", "initialise_weights"]

#: names that `initialise_weights` knows
WEIGHT_INITS = ("normal", "kaiming", "xavier")

_LEAK = 0.2  # of the LeakyReLU in the patch discriminators and in the U-Net's encoder


def initialise_weights(network: nn.Module, kind: str | None) -> None:
    """Draw the convolution and linear weights of a network anew, in place; biases become 0, norms the identity.

    Args:
        network: network whose layers are plain `torch.nn` convolutions, linear layers and batch norms.
        kind: "normal": N(0, 0.02) (Radford et al. 2016; Isola et al. 2017), norm weights N(1, 0.02); "kaiming": normal
            with variance by fan-in for LeakyReLU 0.2 (He et al. 2015); "xavier": normal with variance by both fans
            (Glorot and Bengio 2010); None leaves the network as it was made. A fan counts channels times the kernel's
            area, in transposed convolutions too. A network with a method `start_near_identity` has it called after.

    Raises:
        ValueError: for another kind.
    """
    if kind is None:
        return
    if kind == "normal":
        network.apply(_normal_init)
    elif kind in WEIGHT_INITS:
        network.apply(partial(_scaled_init, kind=kind))
    else:
        raise ValueError(f"kind must be one of {', '.join(WEIGHT_INITS)}, or None, not {kind!r}")
    if hasattr(network, "start_near_identity"):
        network.start_near_identity()


def _normal_init(module: nn.Module) -> None:
    if getattr(module, "weight", None) is not None:  # MONAI's stumbles over a batch norm without weights
        normal_init(module)


def _scaled_init(module: nn.Module, kind: str) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        if kind == "kaiming":
            # torch counts the fan of a transposed convolution from its other side
            mode = "fan_out" if isinstance(module, nn.ConvTranspose2d) else "fan_in"
            nn.init.kaiming_normal_(module.weight, a=_LEAK, mode=mode)
        else:
            nn.init.xavier_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)) and module.weight is not None:
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
