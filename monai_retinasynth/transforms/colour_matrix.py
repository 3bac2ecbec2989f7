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
"""Random changes of colour as one affine matrix (Karras et al. 2020, appendix B): brightness to saturation."""

from __future__ import annotations

import torch

__all__ = ["apply_colour", "colour_matrices"]


def colour_matrices(
    brightness: torch.Tensor,
    contrast: torch.Tensor,
    luma_flip: torch.Tensor,
    hue: torch.Tensor,
    saturation: torch.Tensor,
) -> torch.Tensor:
    """What happens to the colour (r, g, b) of each sample: `matrix[:, :3] @ rgb + matrix[:, 3]`.

    In this order; the luma axis is the grey diagonal of the colour cube.

    Args:
        brightness: shape (B,), added to all three, in units of values that run from -1 to 1; 0 changes nothing.
        contrast: shape (B,), factor about 0 (middle grey); 1 changes nothing.
        luma_flip: shape (B,), bool: light for dark, at the same colour.
        hue: shape (B,), rotation about the luma axis in radians.
        saturation: shape (B,), factor of the distance from the luma axis; 1 changes nothing.

    Returns:
        (B, 3, 4), float64, on the CPU or wherever the numbers are.
    """
    identity = torch.eye(3, dtype=torch.float64, device=hue.device)
    grey = torch.full((3, 3), 1 / 3, dtype=torch.float64, device=hue.device)  # projects onto the luma axis
    one = torch.full((3,), 3**-0.5, dtype=torch.float64, device=hue.device)
    cross = torch.linalg.cross(identity, one.expand(3, 3)).T  # the vector product with the axis, as a matrix
    brightness, contrast, hue, saturation = (
        item.double()[:, None, None] for item in (brightness, contrast, hue, saturation)
    )
    flip = identity - 2 * grey * luma_flip.double()[:, None, None]
    turn = grey + (identity - grey) * hue.cos() - cross * hue.sin()  # Rodrigues' formula
    linear = (grey + saturation * (identity - grey)) @ turn @ flip * contrast
    return torch.cat([linear, linear.sum(dim=2, keepdim=True) * brightness], dim=2)


def apply_colour(photographs: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    """Photographs in other colours; values are not clipped, as in the paper.

    Args:
        photographs: shape (B, 3 n, X, Y), values in -1..1; the n photographs of a sample change alike.
        matrices: shape (B, 3, 4), of `colour_matrices`.

    Returns:
        tensor of the same shape.
    """
    batch, channels = photographs.shape[:2]
    if channels % 3 != 0 or matrices.shape != (batch, 3, 4):
        raise ValueError(
            f"expected photographs (B, 3 n, X, Y) and matrices (B, 3, 4), got {tuple(photographs.shape)} and "
            f"{tuple(matrices.shape)}"
        )
    count = channels // 3
    matrices = matrices.to(photographs.device, photographs.dtype).repeat_interleave(count, dim=0)
    changed = torch.baddbmm(matrices[:, :, 3:], matrices[:, :, :3], photographs.reshape(batch * count, 3, -1))
    return changed.view(photographs.shape)
