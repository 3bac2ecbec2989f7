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
"""Pictures on disk: reading any common kind of file as RGB, mask or label map, and writing them whole or not at all.

Arrays here are ordinary pictures, (H, W) or (H, W, 3). MONAI's tensors are (C, X, Y), X to the right and Y down;
`to_picture` and `from_picture` go between the two.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageOps

from .atomic_file import atomic_write
from .errors import DataError
from .label_set import LabelSet, get_label_set

__all__ = [
    "IMAGE_SUFFIXES",
    "convert_image",
    "from_picture",
    "image_grid",
    "list_images",
    "open_image",
    "read_label_map",
    "read_mask",
    "read_rgb",
    "read_trees",
    "to_picture",
    "write_grey",
    "write_label_map",
    "write_rgb",
]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".gif", ".bmp", ".ppm", ".pgm", ".pbm", ".webp")

# what Pillow raises for a damaged or foreign file, by format
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, Image.DecompressionBombError)


def convert_image(image: Image.Image, mode: str) -> Image.Image:
    """Bring an opened picture of any mode to one of three forms, upright (the EXIF orientation is applied).

    Args:
        image: picture as Pillow opened it.
        mode: `"RGB"` for colours, `"L"` for grey levels, or `"index"` for the stored values of a palette or grey
            image. Transparent pixels count as black in `"RGB"` and `"L"`; 16-bit grey is scaled to 8 bits.

    Returns:
        picture of mode RGB, L, or (index) P or L.
    """
    if mode not in ("RGB", "L", "index"):
        raise ValueError(f"mode must be 'RGB', 'L' or 'index', got {mode!r}")
    if "exif" in image.info or image.format in ("JPEG", "MPO", "WEBP"):
        upright = ImageOps.exif_transpose(image)
        image = image if upright is None else upright
    if mode == "index":
        if image.mode in ("P", "L"):
            return image
        if image.mode == "1":
            return Image.fromarray(np.asarray(image).astype(np.uint8))
        raise ValueError(f"an image of mode {image.mode} has no class indices, store the label map as a palette PNG")
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_to_8_bit(np.asarray(image))).convert(mode)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
    return image if image.mode == mode else image.convert(mode)


def _to_8_bit(values: np.ndarray) -> np.ndarray:
    """uint8 of a picture with deep grey levels: 16-bit values are scaled, values that fit 8 bits are kept."""
    if values.size and (not np.isfinite(values).all() or values.min() < 0 or values.max() > 65535):
        raise ValueError("its grey levels lie outside 0..65535, convert it to 8 or 16 bits")
    if values.size and values.max() <= 255 and values.dtype != np.uint16:
        return values.astype(np.uint8)
    return np.rint(values / 257.0).astype(np.uint8)


def open_image(path: str | os.PathLike, mode: str) -> Image.Image:
    """Read the picture at `path` (the first one of several) and bring it to `mode`, see `convert_image`.

    Raises:
        DataError: When the file is missing, unreadable or truncated.
    """
    if not os.path.isfile(path):
        raise DataError(f"image file not found: {path}")
    try:
        with Image.open(path) as image:
            image.load()
    except _DECODING_ERRORS as exception:
        raise DataError(
            f"cannot read {path}: {exception}. The file is damaged, truncated or no image; replace it"
        ) from exception
    try:
        return convert_image(image, mode)
    except ValueError as exception:
        raise DataError(f"cannot use {path}: {exception}") from exception


def read_rgb(path: str | os.PathLike) -> np.ndarray:
    """Read a photograph of any mode.

    Args:
        path: tif, gif, png, jpg, ppm, bmp or webp file: RGB, palette, grey, 1-bit, 16-bit grey, with or without alpha.

    Returns:
        uint8 picture, shape (H, W, 3), values 0..255.

    Raises:
        DataError: When the file is missing, unreadable or truncated.
    """
    return np.array(open_image(path, "RGB"))


def read_mask(path: str | os.PathLike, threshold: int = 127) -> np.ndarray:
    """Read a two-valued mask; palette images count by their colours, so 0/1 indices and 3/253 greys come out right.

    Args:
        path: image file.
        threshold: grey levels above it belong to the structure.

    Returns:
        bool picture, shape (H, W).

    Raises:
        DataError: When the file cannot be read, or is no mask: values differ but none lies above the threshold (0 and
            1), there are several classes (0, 128 and 255), or too many greys (a photograph).
    """
    grey = np.asarray(open_image(path, "L"))
    counts = np.bincount(grey.ravel(), minlength=256)
    present = np.flatnonzero(counts)
    highest = int(present[-1])
    if highest <= threshold and (len(present) > 1 or highest == 1):
        raise DataError(
            f"unexpected values in the mask {path}: they reach {highest} only, and a structure lies above {threshold}. "
            "Store masks as 0 and 255 (multiply a 0/1 mask by 255)"
        )
    middle, on = int(counts[64:192].sum()), int(counts[threshold + 1 :].sum())
    # edges of a resized mask are grey, in many levels; a few levels with grey among them are several classes
    if middle > (0.01 if len(present) <= 8 else 0.75) * max(on, 1):
        raise DataError(
            f"unexpected values in the mask {path}: {middle} pixels are grey (64..191) and {on} lie above {threshold}. "
            "A mask holds 0 and 255; is this a photograph, or a label map with several classes?"
        )
    return grey > threshold


def read_label_map(path: str | os.PathLike, label_set: str | LabelSet | dict) -> np.ndarray:
    """Read a label map file: the indices of a palette PNG (or of an 8-bit grey image).

    Returns:
        uint8 class indices, shape (H, W).

    Raises:
        DataError: When the file cannot be read or holds a value that is no class of `label_set`.
    """
    label_set = get_label_set(label_set)
    index = np.array(open_image(path, "index"), dtype=np.uint8)
    highest = int(index.max())
    if highest >= label_set.num_classes:
        values = np.unique(index)
        wrong = values[values >= label_set.num_classes].tolist()
        shown = ", ".join(map(str, wrong[:8])) + (", ..." if len(wrong) > 8 else "")
        raise DataError(
            f"unexpected values in the label map {path}: {shown}. Label set {label_set.name!r} has the classes "
            f"{dict(enumerate(label_set.class_names))}; store class indices, not grey levels or colours"
        )
    return index


def read_trees(path: str | os.PathLike) -> np.ndarray:
    """Read a map of the vessel trees: 0 none, 1 artery, 2 vein, 3 where they cross.

    Returns:
        uint8, shape (H, W).

    Raises:
        DataError: When the file cannot be read or holds another value.
    """
    trees = np.array(open_image(path, "index"), dtype=np.uint8)
    if trees.max(initial=0) > 3:
        raise DataError(
            f"unexpected values in the map of the vessel trees {path}, up to {trees.max()}: it holds 0 none, 1 artery, "
            "2 vein, 3 where they cross"
        )
    return trees


def write_rgb(path: str | os.PathLike, array: np.ndarray) -> None:
    """Write a PNG of a uint8 picture, shape (H, W, 3), whole or not at all.

    Raises:
        DataError: When the disk is full or the file cannot be written.
    """
    array = np.asarray(array)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise DataError(f"an RGB picture is uint8 of shape (H, W, 3), got {array.dtype} {array.shape} for {path}")
    _save_png(path, Image.fromarray(np.ascontiguousarray(array)))


def write_grey(path: str | os.PathLike, array: np.ndarray) -> None:
    """Write an 8-bit grey PNG of a uint8 picture, shape (H, W), whole or not at all.

    Raises:
        DataError: When the disk is full or the file cannot be written.
    """
    array = np.asarray(array)
    if array.dtype != np.uint8 or array.ndim != 2 or array.size == 0:
        raise DataError(f"a grey picture is uint8 of shape (H, W), got {array.dtype} {array.shape} for {path}")
    _save_png(path, Image.fromarray(np.ascontiguousarray(array)))


def write_label_map(path: str | os.PathLike, array: np.ndarray, label_set: str | LabelSet | dict) -> None:
    """Write a palette PNG of class indices, shape (H, W), whole or not at all.

    Raises:
        DataError: When a value is no class of `label_set`, the disk is full or the file cannot be written.
    """
    label_set = get_label_set(label_set)
    array = np.asarray(array)
    if array.ndim != 2:
        raise DataError(f"a label map has shape (H, W), got {array.shape} for {path}")
    if array.size == 0 or array.min() < 0 or array.max() >= label_set.num_classes:
        raise DataError(
            f"values of the label map for {path} are not all classes 0..{label_set.num_classes - 1} "
            f"of label set {label_set.name!r}"
        )
    image = Image.fromarray(np.ascontiguousarray(array, dtype=np.uint8))
    image.putpalette(label_set.palette())  # turns L into P
    _save_png(path, image)


def _save_png(path: str | os.PathLike, image: Image.Image) -> None:
    with atomic_write(path) as file:
        image.save(file, format="PNG", compress_level=4)  # a third of the time of 6, files 3 % larger


def to_picture(tensor: Any) -> np.ndarray:
    """Picture (H, W, C) of a MONAI tensor or array (C, X, Y); same values and type."""
    array = tensor.detach().cpu().numpy() if isinstance(tensor, torch.Tensor) else np.asarray(tensor)
    if array.ndim != 3:
        raise ValueError(f"expected shape (C, X, Y), got {tuple(array.shape)}")
    return np.ascontiguousarray(array.transpose(2, 1, 0))


def from_picture(picture: np.ndarray) -> torch.Tensor:
    """MONAI tensor (C, X, Y) of a picture (H, W, C), or (1, X, Y) of one of shape (H, W); same values and type."""
    array = np.asarray(picture)
    if array.ndim not in (2, 3):
        raise ValueError(f"expected shape (H, W) or (H, W, C), got {array.shape}")
    array = array[..., None] if array.ndim == 2 else array
    height, width, channels = array.shape
    result = np.empty((channels, width, height), dtype=array.dtype)
    for top in range(0, height, 64):  # by bands, which stay in the processor's cache: twice as fast
        result[:, :, top : top + 64] = array[top : top + 64].transpose(2, 1, 0)
    return torch.from_numpy(result)


def image_grid(rows: Sequence[Sequence[np.ndarray]], titles: Sequence[str] | None = None, gap: int = 4) -> np.ndarray:
    """Contact sheet: pictures in rows and columns on a white sheet, each centred in its cell.

    Args:
        rows: rows of uint8 pictures, shape (H, W, 3) each, sizes may differ.
        titles: a line of text above each column, or None.
        gap: white pixels between cells.

    Returns:
        uint8 picture, shape (H, W, 3).
    """
    columns = max((len(row) for row in rows), default=0)
    if columns == 0:
        raise ValueError("a grid needs at least one picture")
    heights = [max((p.shape[0] for p in row), default=0) for row in rows]
    widths = [max(row[c].shape[1] for row in rows if c < len(row)) for c in range(columns)]
    band = 20 if titles is not None else 0
    sheet = np.full((sum(heights) + gap * (len(rows) + 1) + band, sum(widths) + gap * (columns + 1), 3), 255, np.uint8)
    top = gap + band
    for row, height in zip(rows, heights):
        left = gap
        for picture, width in zip(row, widths):
            y, x = top + (height - picture.shape[0]) // 2, left + (width - picture.shape[1]) // 2
            sheet[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
            left += width + gap
        top += height + gap
    if titles is not None:
        image = Image.fromarray(sheet)
        draw, left = ImageDraw.Draw(image), gap
        for title, width in zip(titles, widths):
            draw.text((left + width / 2, gap), str(title), fill=(0, 0, 0), anchor="ma")
            left += width + gap
        sheet = np.array(image)
    return sheet


def list_images(folder: str | os.PathLike) -> list[Path]:
    """Image files directly in `folder`, sorted by name; hidden files are left out."""
    return sorted(
        p for p in Path(folder).iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")
    )
