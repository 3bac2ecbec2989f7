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
"""Whether a network takes the grades, styles and noise, and makes the images, that a configuration speaks of."""

from __future__ import annotations

from torch import nn

from ..utils.checkpoint import plain_network
from ..utils.errors import ConfigError

__all__ = ["check_conditioning"]


def check_conditioning(
    network: nn.Module,
    num_conditions: int | None = None,
    style_size: int | None = None,
    noise_channels: int | None = None,
    image_channels: int | None = None,
) -> None:
    """Compare a configuration with what a network was made for, before anything is trained or generated.

    Args:
        network: generator or discriminator; its attributes `num_conditions`, `style_size` and `noise_channels` say
            what it was made for. A network without `num_conditions` is not questioned, one without the others takes
            none.
        num_conditions: number of classes, such as grades, that its samples are conditioned on, 0 for none; None leaves
            the question out.
        style_size: size of the style vectors that are drawn for it. 0 or None: a network with styles may go without.
        noise_channels: channels of noise, of the size of the condition, that are drawn for it; likewise.
        image_channels: channels of the image that it makes together with a label map, 0 for none; None leaves the
            question out.

    Raises:
        ConfigError: When the network was made for something else.
    """
    network = plain_network(network)
    name = type(network).__name__
    conditions = getattr(network, "num_conditions", num_conditions)
    if num_conditions is not None and conditions != num_conditions:
        raise ConfigError(
            f"the samples have {num_conditions} classes to be conditioned on (num_grades in the bundle), but {name} "
            f"was made for {conditions}: choose networks with as many, such as those of recipes/acgan.json, or none"
        )
    for setting, size, what in (("style_size", style_size, "style"), ("noise_channels", noise_channels, "noise")):
        taken = getattr(network, setting, 0)
        if size and size != taken:
            raise ConfigError(
                f"{setting} is {size}, but {name} takes {taken or f'no {what}'}: set {setting} to {taken}, or choose a "
                "generator that takes it, such as that of recipes/spade.json"
            )
    made = getattr(network, "image_channels", 0)
    if image_channels is not None and image_channels != made:
        raise ConfigError(
            f"image_channels is {image_channels}, but {name} makes {made or 'no'} image channels beside the label map: "
            "choose a generator that does, such as the growing one, or set image_channels to "
            f"{made}"
        )
