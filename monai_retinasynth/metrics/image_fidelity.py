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
"""How close generated photographs come to the true ones: MSE, SSIM and PSNR, each per picture and then averaged.

All figures are of the whole picture, the black outside the field of view included (it flatters everybody alike); those
that end in ``_fov`` look at the pixels inside the field of view only. Data ranges: ``mse_pm1`` on [-1, 1], ``mse_01``
and ``psnr`` on [0, 1].

There are as many SSIMs as programs, and they differ by more than methods do. The two given here:

- ``ssim``: scikit-image's default, a uniform window of 7 x 7 pixels with sample covariances, on [-1, 1] with data range
  2, mean over the channels;
- ``ssim_gaussian``: the form of Wang et al. (2004), a Gaussian window of 11 x 11 pixels with sigma 1.5, on [0, 1] with
  data range 1, by MONAI.

For the mean of the 20 unaltered training photographs of "Retina Blood Vessel Segmentation" against its 20 test
photographs at 256 px (reduced with Pillow's bilinear filter) the first gives 0.767, the second 0.850; the Gaussian
window on [-1, 1] gives 0.775, the uniform one on [0, 1] 0.834, and by MONAI, without sample covariances, 0.768 in place
of 0.767. How photographs are reduced counts too: by area averaging, which keeps more grain, 0.767 becomes 0.749.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from monai.metrics import MSEMetric, PSNRMetric, SSIMMetric
from skimage.metrics import structural_similarity

from monai_retinasynth.utils.errors import DataError

__all__ = ["FIDELITY_FORMS", "FIDELITY_KEYS", "STRUCTURE_KEYS", "ImageFidelityReport", "image_fidelity"]

FIDELITY_FORMS = {
    "mse_pm1": "mean squared error on [-1, 1]",
    "mse_01": "mean squared error on [0, 1], a quarter of mse_pm1",
    "ssim": "uniform window 7, sample covariances, on [-1, 1] with data range 2, mean over channels (scikit-image)",
    "ssim_gaussian": "Gaussian window 11, sigma 1.5, on [0, 1] with data range 1, mean over channels (MONAI)",
    "psnr": "decibels on [0, 1], data range 1, of each picture, then averaged; null: some picture has no error",
    "mse_pm1_fov": "mean squared error on [-1, 1], pixels inside the field of view",
    "psnr_fov": "decibels on [0, 1], data range 1, pixels inside the field of view",
    "mse_pm1_structures": "mean squared error on [-1, 1], pixels of the structures and close around them",
    "psnr_structures": "decibels on [0, 1], data range 1, pixels of the structures and close around them",
    "averages": "mean over pictures, _sd: sample standard deviation over pictures; whole picture unless _fov or "
    "_structures",
}
STRUCTURE_KEYS = ("mse_pm1_structures", "psnr_structures")
FIDELITY_KEYS = tuple(key for key in FIDELITY_FORMS if key != "averages" and key not in STRUCTURE_KEYS)

_SMALLEST = 11  # pixels, the wider of the two windows


class _Row(NamedTuple):
    case_id: str
    scores: dict[str, float]


def image_fidelity(
    image: torch.Tensor,
    reference: torch.Tensor,
    fov: torch.Tensor | None = None,
    name: str = "the picture",
    structures: torch.Tensor | None = None,
) -> dict[str, float]:
    """Scores of one picture; `FIDELITY_FORMS` says how each is taken.

    Args:
        image: what was made, shape (C, X, Y) with C 1 or 3, range [-1, 1]; values beyond it are clipped, as they are
            when the picture is stored.
        reference: what is true, the same shape and range.
        fov: true inside the field of view, shape (X, Y) or (1, X, Y); None leaves the two figures inside it out.
        name: what the picture is called in errors.
        structures: true in and close around the structures, a mask as `fov`; None leaves the two figures there out.

    Returns:
        the figures of `FIDELITY_KEYS` and, with `structures`, of `STRUCTURE_KEYS`; `psnr` of equal pictures is
        infinite.

    Raises:
        DataError: When shapes differ or are no pictures, values are not finite, or a side has fewer than 11 pixels.
    """
    pair = [torch.as_tensor(item).detach().cpu().to(torch.float64) for item in (image, reference)]
    shapes = [tuple(item.shape) for item in pair]
    if shapes[0] != shapes[1] or len(shapes[0]) != 3 or shapes[0][0] not in (1, 3):
        raise DataError(
            f"{name} has shape {shapes[0]}, its reference {shapes[1]}; both must be (1 or 3, X, Y) and equal: evaluate "
            "at the size at which pictures are generated"
        )
    if min(shapes[0][1:]) < _SMALLEST:
        raise DataError(f"{name} has {shapes[0][1]} x {shapes[0][2]} pixels; SSIM needs {_SMALLEST} x {_SMALLEST}")
    if not all(bool(torch.isfinite(item).all()) for item in pair):
        raise DataError(f"{name} or its reference holds values that are not finite; has training diverged?")
    made, true = (item.clamp(-1.0, 1.0)[None] for item in pair)
    made_01, true_01 = (made + 1) / 2, (true + 1) / 2
    scores = {
        "mse_pm1": _value(MSEMetric(), made, true),
        "mse_01": _value(MSEMetric(), made_01, true_01),
        "ssim": float(structural_similarity(made[0].numpy(), true[0].numpy(), channel_axis=0, data_range=2.0)),
        # MONAI's own window is float32
        "ssim_gaussian": _value(SSIMMetric(2, data_range=1.0, win_size=11, kernel_sigma=1.5), made_01, true_01),
        "psnr": _value(PSNRMetric(max_val=1.0), made_01, true_01),
    }
    if fov is not None:
        inside = torch.as_tensor(fov).detach().cpu().bool().reshape(shapes[0][1:])
        if not bool(inside.any()):
            raise DataError(f"{name}: the field of view is empty; check its FOV mask or label map")
        scores["mse_pm1_fov"] = _value(MSEMetric(), made[..., inside], true[..., inside])
        scores["psnr_fov"] = _value(PSNRMetric(max_val=1.0), made_01[..., inside], true_01[..., inside])
    if structures is not None:
        there = torch.as_tensor(structures).detach().cpu().bool().reshape(shapes[0][1:])
        if not bool(there.any()):
            raise DataError(f"{name}: the label map shows no structure; leave the case out, or check its label map")
        scores["mse_pm1_structures"] = _value(MSEMetric(), made[..., there], true[..., there])
        scores["psnr_structures"] = _value(PSNRMetric(max_val=1.0), made_01[..., there], true_01[..., there])
    return scores


def _value(metric: Any, made: torch.Tensor, true: torch.Tensor) -> float:
    return float(metric(made.float(), true.float()))


class ImageFidelityReport:
    """Collects scores picture by picture under the name of a row (the network, each baseline) and averages them."""

    def __init__(self) -> None:
        self._rows: dict[str, list[_Row]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def reset(self) -> None:
        """Forget all pictures."""
        self._rows.clear()

    def update(
        self,
        name: str,
        image: torch.Tensor,
        reference: torch.Tensor,
        case_id: str,
        fov: torch.Tensor | None = None,
        structures: torch.Tensor | None = None,
    ) -> dict[str, float]:
        """Add a picture to a row.

        Args:
            name: name of the row, such as "generated".
            image: see `image_fidelity`.
            reference: see `image_fidelity`.
            case_id: name of the case, once a row.
            fov: see `image_fidelity`.
            structures: see `image_fidelity`.

        Returns:
            its scores.

        Raises:
            DataError: When the case is in the row already, or as `image_fidelity`.
        """
        rows = self._rows.setdefault(name, [])
        if any(row.case_id == case_id for row in rows):
            raise DataError(f"case {case_id} was added twice to {name}; case names must be unique within a section")
        scores = image_fidelity(image, reference, fov, f"case {case_id}, {name}", structures)
        rows.append(_Row(str(case_id), scores))
        return scores

    def results(self) -> dict[str, dict[str, Any]]:
        """Mean and standard deviation of each row; `FIDELITY_FORMS` states ranges and forms.

        Returns:
            by row: the figures of `FIDELITY_KEYS` (and `STRUCTURE_KEYS`) and each with ``_sd`` (0 for one picture),
            `num_images`, and `per_case`, a list of each picture's figures with its `case_id`. What is infinite (`psnr`
            of equal pictures) is None, so that the result can be stored as JSON.
        """
        return {name: _averaged(rows) for name, rows in self._rows.items() if rows}


def _averaged(rows: list[_Row]) -> dict[str, Any]:
    result: dict[str, Any] = {"num_images": len(rows)}
    for key in (*FIDELITY_KEYS, *STRUCTURE_KEYS):
        values = np.array([row.scores[key] for row in rows if key in row.scores])
        if len(values) < len(rows):
            continue
        finite = bool(np.isfinite(values).all())
        result[key] = float(values.mean()) if finite else None
        result[f"{key}_sd"] = (float(values.std(ddof=1)) if len(values) > 1 else 0.0) if finite else None
    result["per_case"] = [
        {"case_id": row.case_id, **{key: value if np.isfinite(value) else None for key, value in row.scores.items()}}
        for row in rows
    ]
    return result
