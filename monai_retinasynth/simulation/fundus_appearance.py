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
"""Paints the photograph of an eye: what a fundus camera sees of a retina whose vessels are known.

A reflectance model in three layers. The fundus: pigmentation colour of the eye, choroidal texture, macular pigment,
optic disc with cup and rim, a hint of the nerve fibre layer. The blood: vessels absorb by their thickness (Beer and
Lambert's law in effect), green most, veins more than arteries, wide ones with a central light reflex. The camera:
illumination, vignetting, haze and glare at the rim, blur, a soft shoulder at white, and noise. Colours, vessel
contrasts and noise were set to what the 20 DRIVE training photographs measure (mean colour 187, 97, 57; green ratio of
wide vessels to their surroundings 0.74, of thin ones 0.93). All patterns are drawn on grids in field radii, so an eye
looks the same at every size; only the noise belongs to the pixel.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from ..utils.smooth_noise import smooth_noise
from .eye_geometry import EyeGeometry
from .lesion_appearance import paint_lesions
from .vessel_drawing import VesselField

__all__ = ["paint_fundus"]

_MEAN_COLOUR = np.array([187.0, 97.0, 57.0])
_COLOUR_COVARIANCE = np.array([[1206.0, 518.0, 266.0], [518.0, 406.0, 243.0], [266.0, 243.0, 187.0]])
_OUTSIDE_COLOUR = np.array([7.6, 6.6, 6.9])
_TYPICAL_RADIUS = 0.007  # field radii, where the vessel contrast reaches 63 percent of its largest


def paint_fundus(
    geometry: EyeGeometry,
    arteries: VesselField,
    veins: VesselField,
    pixels_per_unit: float,
    rng: np.random.Generator,
    new_vessels: VesselField | None = None,
    lesions: np.ndarray | None = None,
    lesion_rng: np.random.Generator | None = None,
    fov_radius: float | None = None,
) -> np.ndarray:
    """Paint one photograph.

    Args:
        geometry: landmarks of the eye.
        arteries: drawn arteries.
        veins: drawn veins.
        pixels_per_unit: pixels in the geometry's unit of length.
        rng: source of chance.
        new_vessels: drawn pathological new vessels, where the eye has any.
        lesions: (H, W) label map of the label set `fundus_lesion` whose lesion classes are painted.
        lesion_rng: source of chance for the lesions' look, apart from `rng` so that the eye stays the same eye; needed
            with `lesions`.
        fov_radius: radius of the field of view in pixels; None for one unit, the field of 45 degrees.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: when `lesions` comes without `lesion_rng`.
    """
    if lesions is not None and lesion_rng is None:
        raise ValueError("lesions are painted with a source of chance of their own: pass lesion_rng too")
    height, width = arteries.distance.shape
    x = ((np.arange(width) - (width - 1) / 2.0) / pixels_per_unit).astype(np.float32)
    y = ((np.arange(height) - (height - 1) / 2.0) / pixels_per_unit).astype(np.float32)
    noise_rng = np.random.default_rng(rng.integers(2**63))  # per-pixel noise must not shift the patterns of the eye

    colour = _MEAN_COLOUR + np.linalg.cholesky(_COLOUR_COVARIANCE) @ rng.normal(size=3)
    colour = np.clip(colour, (125.0, 58.0, 30.0), (250.0, 130.0, 85.0))
    fundus = np.exp(_choroid(x, y, geometry, rng)) * colour
    fundus *= _macula(x, y, geometry, rng)
    fundus *= 1.0 + _nerve_fibres(x, y, geometry, rng)[..., None] * np.array([0.6, 1.0, 1.1])
    fundus, disc = _with_disc(fundus, colour, x, y, geometry, rng)

    strength = float(np.exp(rng.normal(0.0, 0.12)))
    clear = [
        _transmittance(field, pixels_per_unit, absorption, strength * amount, reflex, disc)
        for field, absorption, amount, reflex in (
            (arteries, (0.26, 1.0, 0.66), 0.30, 0.42),
            (veins, (0.42, 1.0, 0.66), 0.40, 0.20),
        )
    ]
    fundus *= np.minimum(*clear)
    if new_vessels is not None:  # fine but full of blood, in front of the retina and its vessels
        fundus *= _transmittance(new_vessels, pixels_per_unit, (0.20, 1.0, 0.80), 1.25 * min(strength, 1.15), 0.0, disc)
    if lesions is not None and lesion_rng is not None:
        fundus = paint_lesions(fundus, lesions, pixels_per_unit, lesion_rng)
    fov_radius = pixels_per_unit if fov_radius is None else fov_radius
    zoom = np.float32(pixels_per_unit / fov_radius)
    return _photograph(fundus, x * zoom, y * zoom, fov_radius, rng, noise_rng)


def _polar(x: np.ndarray, y: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    dx, dy = x[None, :] - np.float32(centre[0]), y[:, None] - np.float32(centre[1])
    return np.hypot(dx, dy), np.arctan2(dy, dx)


def _choroid(x: np.ndarray, y: np.ndarray, geometry: EyeGeometry, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) logarithm of the choroid's brightness relative to the eye's colour."""
    patches = smooth_noise(x, y, 0.55, rng)
    mottle = 0.020 * smooth_noise(x, y, 0.20, rng) + 0.018 * smooth_noise(x, y, 0.075, rng)
    grain = 0.014 * smooth_noise(x, y, 0.028, rng)
    # choroidal vessels: the zero lines of a noise field; seen in some eyes only, away from the macula
    tigroid = float(np.clip(rng.exponential(0.035), 0.0, 0.22))
    lines = smooth_noise(x, y, 0.17, rng)
    lines = np.exp(-((lines / 0.28) ** 2)) - 0.35
    away = np.clip((_polar(x, y, geometry.fovea)[0] - 0.25) / 0.5, 0.0, 1.0)
    streaks = tigroid * away * np.clip(0.6 + 0.5 * patches, 0.0, 1.3) * lines
    shade = mottle + grain
    weights = ((0.022, 0.5, -0.5), (0.038, 1.0, -1.0), (0.035, 1.0, -1.0))
    return np.stack([low * patches + fine * shade + dark * streaks for low, fine, dark in weights], axis=-1)


def _macula(x: np.ndarray, y: np.ndarray, geometry: EyeGeometry, rng: np.random.Generator) -> np.ndarray:
    distance, _ = _polar(x, y, geometry.fovea)
    distance = distance * (1.0 + 0.12 * smooth_noise(x, y, 0.6, rng))
    wide = np.exp(-((distance / 0.26) ** 2))[..., None] * np.array([0.13, 0.17, 0.19]) * rng.uniform(0.6, 1.3)
    core = np.exp(-((distance / 0.085) ** 2))[..., None] * np.array([0.11, 0.17, 0.15]) * rng.uniform(0.4, 1.4)
    reflex = np.exp(-((distance / 0.012) ** 2))[..., None] * 0.12 * (rng.random() < 0.35)
    return (1.0 - wide) * (1.0 - core) + reflex


def _nerve_fibres(x: np.ndarray, y: np.ndarray, geometry: EyeGeometry, rng: np.random.Generator) -> np.ndarray:
    """(H, W) fine pale striation that fans out from the disc above and below the macula."""
    distance, angle = _polar(x, y, geometry.disc)
    amount = float(np.clip(rng.normal(0.018, 0.012), 0.0, 0.05))
    table = rng.normal(size=720)
    streak = np.interp(angle + 0.25 * distance * np.sign(y)[:, None], np.linspace(-4.0, 4.0, 720), table)
    arcuate = np.abs(np.sin(angle)) ** 1.5
    envelope = np.exp(-((distance - 0.30) ** 2) / 0.05) * arcuate
    return envelope * (amount * streak + 1.5 * amount)


def _with_disc(
    fundus: np.ndarray,
    colour: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    geometry: EyeGeometry,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Blend the optic disc in; returns the fundus and the disc's opacity (H, W)."""
    nasal = -1.0 if geometry.is_left else 1.0
    dx, dy = x[None, :] - geometry.disc[0], y[:, None] - geometry.disc[1]
    wobble = 1.0 + 0.03 * smooth_noise(x, y, 0.16, rng)
    away = np.hypot(dx / geometry.disc_radii[0], dy / geometry.disc_radii[1]) * wobble
    opacity = 1.0 / (1.0 + np.exp(np.clip((away - 1.0) / rng.uniform(0.05, 0.11), -30.0, 30.0)))
    side = np.clip(dx * nasal / geometry.disc_radii[0], -1.0, 1.0)  # the nasal rim is thicker and pinker
    glow = float(np.clip(rng.normal(1.0, 0.08), 0.85, 1.12))
    base = colour / _MEAN_COLOUR
    rim = np.array([246.0, 160.0, 84.0]) * glow * (0.55 + 0.45 * base)
    pale = np.array([285.0, 205.0, 112.0]) * glow * (0.6 + 0.4 * base)
    cup_size = float(np.clip(rng.normal(0.45, 0.1), 0.25, 0.68))
    cup_away = np.hypot((dx / geometry.disc_radii[0] + 0.12 * nasal) / 0.95, dy / geometry.disc_radii[1]) / cup_size
    cup = 1.0 / (1.0 + np.exp(np.clip((cup_away - 1.0) / 0.22, -30.0, 30.0)))
    cup_colour = np.array([310.0, 238.0, 148.0]) * glow * (0.7 + 0.3 * base)
    temporal = np.clip(0.55 - 0.55 * side, 0.0, 1.0)[..., None]
    disc = rim + (pale - rim) * temporal
    disc = disc + (cup_colour - disc) * (0.85 * cup)[..., None]
    disc *= (1.0 + 0.035 * smooth_noise(x, y, 0.05, rng))[..., None]
    # glow of the tissue around the disc, now and then a pigmented or pale crescent on its temporal side
    halo = np.exp(-np.clip(away - 1.0, 0.0, None) / 0.45) * rng.uniform(0.04, 0.16)
    crescent = np.exp(-(((away - 1.12) / 0.09) ** 2)) * np.clip(-side, 0.0, 1.0) * rng.choice((0.0, 0.0, -0.25, 0.22))
    fundus = fundus * (1.0 + (halo + crescent)[..., None] * np.array([0.5, 1.0, 0.9]))
    return fundus + (disc - fundus) * opacity[..., None], opacity


def _transmittance(
    field: VesselField,
    pixels_per_unit: float,
    absorption: tuple[float, float, float],
    amount: float,
    reflex: float,
    disc: np.ndarray,
) -> np.ndarray:
    """(H, W, 3) share of the light that comes back through the vessels, 0 to 1."""
    radius = field.radius / pixels_per_unit
    coverage = np.clip(0.5 - field.distance, 0.0, 1.0) * np.minimum(field.radius / 0.5, 1.0)
    offset = np.minimum(field.offset, 1.0)
    depth = amount * (1.0 - np.exp(-radius / _TYPICAL_RADIUS)) * np.sqrt(1.0 - 0.7 * offset**2)
    width = np.clip((radius - 0.005) / 0.006, 0.0, 1.0)
    depth *= 1.0 - reflex * width * np.exp(-((offset / 0.30) ** 2))
    depth *= np.where(field.faint, 0.4, 1.0) * (1.0 + 0.35 * disc)
    return 1.0 - (coverage * depth)[..., None] * np.array(absorption)


def _photograph(
    fundus: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    pixels_per_unit: float,
    rng: np.random.Generator,
    noise_rng: np.random.Generator,
) -> np.ndarray:
    """Light, lens and sensor: (H, W, 3) light from the fundus to uint8."""
    distance, angle = _polar(x, y, np.zeros(2))
    tilt, direction = abs(rng.normal(0.0, 0.12)), rng.uniform(-np.pi, np.pi)
    light = 1.0 + tilt * distance * np.cos(angle - direction) + 0.05 * smooth_noise(x, y, 1.4, rng)
    light *= 1.06 - rng.uniform(0.10, 0.30) * distance**2.4
    image = fundus * light[..., None]

    sigma = float(np.clip(rng.normal(0.0030, 0.0005), 0.0018, 0.0045)) * pixels_per_unit
    image = np.stack([gaussian_filter(image[..., band].astype(np.float32), sigma) for band in range(3)], axis=-1)
    # a grey veil and glare from one side of the rim
    side = np.clip(np.cos(angle - rng.uniform(-np.pi, np.pi)), 0.0, 1.0)
    veil = rng.uniform(0.0, 0.30) * side * np.clip((distance - 0.45) / 0.55, 0.0, 1.0)
    image += (np.array([150.0, 118.0, 92.0]) - image) * veil[..., None]
    glare = np.exp(-np.clip(1.0 - distance, 0.0, None) / rng.uniform(0.02, 0.07))
    glare *= np.clip(np.cos(angle - rng.uniform(-np.pi, np.pi)), 0.0, 1.0) ** 1.5 * rng.uniform(0.0, 55.0)
    image += glare[..., None] * np.array([1.0, 0.85, 0.6])
    image = np.where(image > 215.0, 255.0 - 40.0 * np.exp(-(image - 215.0) / 40.0), image)

    # the aperture; its edge lies a little further out in red than in blue
    edges = pixels_per_unit * (np.array([1.004, 1.0, 0.997]) - distance[..., None])
    image = _OUTSIDE_COLOUR + (image - _OUTSIDE_COLOUR) * np.clip(
        0.5 + edges / max(1.0, 0.005 * pixels_per_unit), 0.0, 1.0
    )
    grain = noise_rng.normal(0.0, 1.7, image.shape) + 2.2 * gaussian_filter(
        noise_rng.normal(size=image.shape), (0.8, 0.8, 0.0)
    )
    image += grain * np.where(distance > 1.01, 0.4, 1.0)[..., None]
    return np.clip(np.rint(image), 0.0, 255.0).astype(np.uint8)
