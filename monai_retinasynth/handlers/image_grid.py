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
"""Pictures of what a GAN makes, beside what it learns from: upright, in true colours."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch import nn

from ..transforms.fov_colour import RestoreFieldOfViewColour
from ..utils.distributed import process_rank
from ..utils.image_io import image_grid, to_picture, write_rgb
from ..utils.label_set import LabelSet, get_label_set
from .iteration_output import batch_of
from .summary_writers import WriterSource

__all__ = ["ImageGridHandler", "as_picture"]


class ImageGridHandler:
    """Draws grids ``label map | synthetic | real`` (``synthetic | real`` where there is no condition), on rank 0.

    Whole numbers in one channel are class indices; as many channels as there are classes, which add up to 1, are class
    probabilities; both are shown in the label set's colours. Anything else is a picture in [-1, 1], with one channel a
    grey one.

    Args:
        label_set: name, object or plain form of the label set.
        log_dir: folder of the TensorBoard event file.
        summary_writer: a writer to use instead.
        interval: iterations between two grids, or epochs with `epoch_level=True`.
        max_images: rows of a grid.
        save_dir: folder where each grid is written as a PNG too.
        network: draws the synthetic column (for example the averaged generator) through the trainer's `preview`;
            None shows what the last training step made.
        epoch_level: see `interval`.
        tag: TensorBoard tag and beginning of the file names.
        colour_key: key of the eyes' colours in the batch, where the trainer's photographs are colour-normalised (see
            `NormalizeFieldOfViewColour`): they are shown in their colours. None for photographs that are not.
        label_key: key of the label map (B, 1, X, Y) in the batch, class 0 outside the field of view; for `colour_key`.
        source_channels: how many of the condition's channels are shown, as further ones hold coordinates; None for
            those of a one-hot label map.
        target_label_set: label set of the synthetic and the real column where a translator draws label maps of dot
            maps; None where it draws pictures.
        shown_as: called with each image (C, X, Y) of the synthetic and the real column, gives what is shown of it; None
            shows them as they are.
    """

    def __init__(
        self,
        label_set: str | LabelSet | Mapping[str, Any] = "fundus_vessel",
        log_dir: str | os.PathLike | None = None,
        summary_writer: Any = None,
        interval: int = 500,
        max_images: int = 4,
        save_dir: str | os.PathLike | None = None,
        network: nn.Module | None = None,
        epoch_level: bool = False,
        tag: str = "samples",
        colour_key: str | None = None,
        label_key: str = "label",
        source_channels: int | None = None,
        target_label_set: str | LabelSet | Mapping[str, Any] | None = None,
        shown_as: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        wants_tensorboard = log_dir is not None or summary_writer is not None or save_dir is None
        self.source = WriterSource(summary_writer, log_dir) if wants_tensorboard else None
        self.label_set = get_label_set(label_set)
        self.interval = interval
        self.max_images = max_images
        self.save_dir = None if save_dir is None else Path(save_dir)
        self.network = network
        self.epoch_level = epoch_level
        self.tag = tag
        self.colour_key = colour_key
        self.label_key = label_key
        self.source_channels = self.label_set.num_classes if source_channels is None else source_channels
        self.target_label_set = None if target_label_set is None else get_label_set(target_label_set)
        self.shown_as = shown_as

    def attach(self, engine: Engine) -> None:
        """Register with a trainer; ranks other than 0 stay silent."""
        event = Events.EPOCH_COMPLETED if self.epoch_level else Events.ITERATION_COMPLETED
        engine.add_event_handler(event(every=self.interval), self)

    def __call__(self, engine: Engine) -> None:
        """Draw the grid of the latest iteration."""
        if process_rank() > 0:
            return
        grid = self.draw(engine)
        state = engine.state
        if self.source is not None:
            self.source.get().add_image(self.tag, grid, state.iteration, dataformats="HWC")
        if self.save_dir is not None:
            number = f"epoch{state.epoch:04d}" if self.epoch_level else f"iteration{state.iteration:07d}"
            write_rgb(self.save_dir / f"{self.tag}_{number}.png", grid)

    def draw(self, engine: Any) -> np.ndarray:
        """The grid as an RGB picture (H, W, 3), uint8."""
        output = engine.state.output
        title = "label map" if self.source_channels == self.label_set.num_classes else "source"
        title = title if self.target_label_set is None else "dot map"
        columns = {title: self._condition(output)}
        if self.network is None:
            columns["synthetic"] = batch_of(output, "fakes", self.max_images)
        else:
            columns["synthetic"] = engine.preview(self.network, self.max_images)
        columns["real"] = batch_of(output, "reals", self.max_images)
        if self.shown_as is not None:
            for name in ("synthetic", "real"):
                columns[name] = [self.shown_as(image) for image in columns[name]]
        if self.colour_key is not None:
            batch = engine.state.batch
            for name in ("synthetic", "real"):
                columns[name] = self._coloured(columns[name], batch[self.colour_key], batch[self.label_key])
        shown = {title: column for title, column in columns.items() if column is not None}
        rows = min(len(column) for column in shown.values())
        drawn_sets = dict.fromkeys(("synthetic", "real"), self.target_label_set or self.label_set)
        sets = [drawn_sets.get(name, self.label_set) for name in shown]
        pictures = [[as_picture(c[row], s) for c, s in zip(shown.values(), sets)] for row in range(rows)]
        return image_grid([[_enlarged(picture) for picture in row] for row in pictures], titles=list(shown))

    def _coloured(self, images: torch.Tensor, colours: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
        restore = RestoreFieldOfViewColour()
        return [
            restore(image.cpu(), colour.cpu(), torch.as_tensor(label[0]).cpu() == 0)
            for image, colour, label in zip(images, colours, labels)
        ]

    def _condition(self, output: Any) -> torch.Tensor | None:
        condition = batch_of(output, "condition", self.max_images)
        return None if condition is None else condition[:, : self.source_channels]


def as_picture(image: torch.Tensor, label_set: LabelSet) -> np.ndarray:
    """A tensor (C, X, Y) as an RGB picture (H, W, 3): label maps in the label set's colours, others from [-1, 1].

    One channel is a class index where the tensor holds whole numbers, else a grey picture or a mask in [-1, 1]. Class
    probabilities followed by a picture, which a generator makes together, are shown side by side.
    """
    if image.shape[0] == 1 and not image.is_floating_point():
        return label_set.colorize(to_picture(image)[..., 0])
    image = image.detach().float().cpu()
    classes = label_set.num_classes
    if image.shape[0] in (classes + 1, classes + 3) and _are_probabilities(image[:classes]):
        return np.concatenate([as_picture(part, label_set) for part in (image[:classes], image[classes:])], axis=1)
    if image.shape[0] == 1:
        image = image.expand(3, -1, -1)
    if image.shape[0] == label_set.num_classes and _are_probabilities(image):
        # mixed by probability: at a low resolution no pixel is more vessel than retina, and argmax would hide them all
        colors = torch.tensor(label_set.colors, dtype=torch.float32)
        return to_picture(torch.einsum("cxy,cr->rxy", image, colors).round().clamp(0, 255).to(torch.uint8))
    return to_picture(((image.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8))


def _are_probabilities(image: torch.Tensor) -> bool:
    return bool(image.min() >= 0) and bool((image.sum(0) - 1).abs().max() < 1e-2)


def _enlarged(picture: np.ndarray, smallest: int = 128) -> np.ndarray:
    """Pictures of the first resolutions blown up, pixel by pixel, so that a person can see them."""
    factor = -(-smallest // min(picture.shape[:2]))
    return picture.repeat(factor, 0).repeat(factor, 1) if factor > 1 else picture
