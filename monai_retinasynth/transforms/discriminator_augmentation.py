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
"""Random changes of all that a discriminator sees, differentiable, for GANs with few data (Karras et al. 2020).

"Training Generative Adversarial Networks with Limited Data", NeurIPS 2020, sections 2-3 and appendix B. A discriminator
with few reals learns them by heart; one that sees reals and fakes only through random changes cannot. As each change
is applied with a probability p < 1, the generator can still tell the changed pictures from the unchanged ones and does
not learn the changes ("leaks") as long as p stays below about 0.8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from ..utils.errors import ConfigError
from .affine_warp import affine_warp
from .augmentation_parameters import (
    AUGMENTATION_GROUPS,
    AugmentationParameters,
    AugmentationStrengths,
    draw_augmentation,
)
from .colour_matrix import apply_colour, colour_matrices

__all__ = ["DiscriminatorAugmentation"]


class DiscriminatorAugmentation(nn.Module):
    """Changes each sample of a batch at random, all its channels together.

    Channels come in this order: label map, position channels, photographs. In the paper's order:

    1. ``blit``: flip along X, quarter turns (half turns where the picture is not square), whole-pixel translation;
    2. ``geometry``: isotropic scale, rotation, anisotropic scale, rotation, fractional translation. Blits and geometry
       are one resampling: exact for samples that have blits only, else bilinear (the paper's wavelet filters would
       make probabilities negative);
    3. ``colour``, photographs only: brightness, contrast, luma flip, hue, saturation as one matrix;
    4. ``noise``: Gaussian, on label maps and photographs. On probabilities it has half the strength, since they run
       from 0 to 1, and is not normalised: they no longer sum to 1;
    5. ``cutout``: a rectangle becomes fill.

    The fill, also for what comes from beyond the border, is the background class of a label map, 0 for position
    channels and a constant for photographs. Reflection, which the paper uses, would show a second eye. A constant
    keeps the whole affine in the pictures, which a value taken from the photograph's corner would not, and black is
    what surrounds the retina on real photographs.

    Computed in float32 (autocast is switched off inside) on any device; gradients of first and second order reach the
    pictures. Random numbers come from torch's global generator on the CPU. At p = 0 nothing is drawn and a batch is
    handed back as it is. The state is `p` alone.

    Args:
        label_channels: channels of the label map, 0 for none.
        label_range: "one_hot" for class probabilities, "mask" for masks in -1..1.
        coordinate_channels: position channels; they move along and get neither colour nor noise.
        image_channels: channels of photographs in -1..1.
        groups: which changes there are; None takes the paper's choice: blit, geometry and, where the photographs'
            channels come in threes, colour. The paper found noise and cutout to help little beyond these.
        strengths: what differs from the defaults of `AugmentationStrengths`, by name.
        p: probability of each change, 0..1; `AdaptiveAugmentationHandler` adapts it.
        fill_channel: background class of "one_hot" label maps.
        mask_fill: value of the background in "mask" label maps.
        image_fill: what lies outside photographs, one value or one for each channel.

    Raises:
        ConfigError: When the settings cannot work.

    Example::

        augment = DiscriminatorAugmentation(label_channels=8, p=0.2)
        parameters = augment.draw(fakes)
        fakes, reals = augment(fakes, parameters), augment(reals, parameters)  # both changed alike
    """

    def __init__(
        self,
        label_channels: int = 0,
        label_range: str = "one_hot",
        coordinate_channels: int = 0,
        image_channels: int = 0,
        groups: Sequence[str] | None = None,
        strengths: Mapping[str, float] | None = None,
        p: float = 0.0,
        fill_channel: int = 0,
        mask_fill: float = -1.0,
        image_fill: float | Sequence[float] = -1.0,
    ) -> None:
        super().__init__()
        counts = (label_channels, coordinate_channels, image_channels)
        if min(counts) < 0 or sum(counts) == 0:
            raise ConfigError(
                "label_channels, coordinate_channels and image_channels must be 0 or more and not all 0, got "
                f"{', '.join(map(str, counts))}: count the channels that the discriminator sees."
            )
        if label_range not in ("one_hot", "mask"):
            raise ConfigError(f"label_range must be 'one_hot' or 'mask', got {label_range!r}.")
        if label_range == "one_hot" and label_channels and not 0 <= fill_channel < label_channels:
            raise ConfigError(
                f"fill_channel {fill_channel} is none of the {label_channels} label channels (0..{label_channels - 1})."
            )
        colourful = image_channels > 0 and image_channels % 3 == 0
        if groups is None:
            groups = ("blit", "geometry", "colour") if colourful else ("blit", "geometry")
        unknown = [name for name in groups if name not in AUGMENTATION_GROUPS]
        if unknown:
            raise ConfigError(f"unknown groups {unknown}: choose among {list(AUGMENTATION_GROUPS)}.")
        if "colour" in groups and not colourful:
            raise ConfigError(
                f"group 'colour' needs photographs of 3 channels each, image_channels is {image_channels}: leave it "
                "out of groups."
            )
        fills = [image_fill] * image_channels if isinstance(image_fill, (int, float)) else list(image_fill)
        if len(fills) != image_channels:
            raise ConfigError(f"image_fill has {len(fills)} values for {image_channels} image channels.")
        try:
            self.strengths = AugmentationStrengths(**(strengths or {}))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"strengths: {error}; see AugmentationStrengths.") from error
        one_hot = label_range == "one_hot"
        self.groups = tuple(name for name in AUGMENTATION_GROUPS if name in groups)
        self.label_channels, self.image_channels = label_channels, image_channels
        label_fill = [float(i == fill_channel) if one_hot else mask_fill for i in range(label_channels)]
        self.fill = tuple(float(value) for value in (*label_fill, *[0.0] * coordinate_channels, *fills))
        self.noisiness = [0.5 if one_hot else 1.0] * label_channels + [0.0] * coordinate_channels
        self.noisiness += [1.0] * image_channels
        self.p = p

    @property
    def p(self) -> float:
        """Probability of each change."""
        return self._p

    @p.setter
    def p(self, value: float) -> None:
        if not 0 <= value <= 1:
            raise ConfigError(f"the probability p of a change must lie in 0..1, got {value}.")
        self._p = float(value)

    def get_extra_state(self) -> torch.Tensor:
        """`p` for the state dict."""
        return torch.tensor(self.p, dtype=torch.float64)

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Take `p` from a state dict."""
        self.p = float(state)

    def extra_repr(self) -> str:
        """What is printed of it."""
        return f"groups={self.groups}, p={self.p}"

    def draw(self, x: torch.Tensor) -> AugmentationParameters:
        """Random parameters for the samples of a batch (B, ...)."""
        return draw_augmentation(len(x), self.p, self.groups, self.strengths)

    def forward(self, x: torch.Tensor, parameters: AugmentationParameters | None = None) -> torch.Tensor:
        """Change a batch.

        Args:
            x: shape (B, C, X, Y), any size and float type.
            parameters: what to change, from `draw`; the same ones make the same changes. None draws them.

        Returns:
            batch of the same shape and type; `x` itself where nothing changes.
        """
        if x.ndim != 4 or x.shape[1] != len(self.fill):
            raise ConfigError(
                f"a batch (B, {len(self.fill)}, X, Y) was expected, as label_channels, coordinate_channels and "
                f"image_channels say, got {tuple(x.shape)}."
            )
        parameters = self.draw(x) if parameters is None else parameters
        if len(parameters) != len(x):
            raise ValueError(f"parameters were drawn for {len(parameters)} samples, the batch has {len(x)}")
        with torch.autocast(x.device.type, enabled=False):
            precise = x.to(torch.promote_types(x.dtype, torch.float32))
            changed = self._moved(precise, parameters)
            changed = self._recoloured(changed, parameters)
            changed = self._with_noise(changed, parameters)
            changed = self._cut(changed, parameters)
        if changed is precise:
            return x
        changed = changed.to(x.dtype)
        channels_last = not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
        return changed.contiguous(memory_format=torch.channels_last) if channels_last else changed

    def _moved(self, x: torch.Tensor, parameters: AugmentationParameters) -> torch.Tensor:
        matrices = parameters.movement(*x.shape[2:])
        resampled = parameters.resamples
        moved = (matrices != torch.eye(3, dtype=matrices.dtype)).flatten(1).any(dim=1)
        for chosen, mode in ((moved & ~resampled, "nearest"), (resampled, "bilinear")):
            maps = matrices[chosen]
            x = _on_some(x, chosen, lambda some, maps=maps, mode=mode: affine_warp(some, maps, self.fill, mode))
        return x

    def _recoloured(self, x: torch.Tensor, parameters: AugmentationParameters) -> torch.Tensor:
        chosen, names = parameters.recolours, ("brightness", "contrast", "luma_flip", "hue", "saturation")
        matrices = colour_matrices(*(getattr(parameters, name)[chosen] for name in names))

        def recolour(some: torch.Tensor) -> torch.Tensor:
            first = some.shape[1] - self.image_channels
            return torch.cat([some[:, :first], apply_colour(some[:, first:], matrices)], dim=1)

        return _on_some(x, chosen, recolour)

    def _with_noise(self, x: torch.Tensor, parameters: AugmentationParameters) -> torch.Tensor:
        chosen = parameters.noise != 0

        def add_noise(some: torch.Tensor) -> torch.Tensor:
            generator = torch.Generator(some.device).manual_seed(parameters.noise_seed)
            noise = torch.randn(some.shape, generator=generator, device=some.device, dtype=some.dtype)
            strength = parameters.noise[chosen][:, None] * torch.tensor(self.noisiness)
            return some + noise * strength.to(some)[:, :, None, None]

        return _on_some(x, chosen, add_noise)

    def _cut(self, x: torch.Tensor, parameters: AugmentationParameters) -> torch.Tensor:
        chosen = parameters.cutout != 0

        def cut(some: torch.Tensor) -> torch.Tensor:
            half = parameters.cutout[chosen].to(some)[:, None] / 2
            centre = parameters.cutout_centre[chosen].to(some)
            along_x, along_y = (
                ((torch.arange(n, device=some.device) + 0.5) / n - centre[:, axis, None]).abs() < half
                for axis, n in enumerate(some.shape[2:])
            )
            rectangle = (along_x[:, :, None] & along_y[:, None, :])[:, None]
            return torch.where(rectangle, torch.tensor(self.fill).to(some)[:, None, None], some)

        return _on_some(x, chosen, cut)


def _on_some(x: torch.Tensor, chosen: torch.Tensor, function: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """`function` of the chosen samples, the others as they are."""
    if not chosen.any():
        return x
    if chosen.all():
        return function(x)
    index = chosen.nonzero()[:, 0].to(x.device)
    return x.index_copy(0, index, function(x.index_select(0, index)))
