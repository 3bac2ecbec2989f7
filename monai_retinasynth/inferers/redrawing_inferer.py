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
"""Drawing anew what a generator draws out of range, from a latent vector of its own for each attempt."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.inferers import Inferer

from ..utils.errors import ConfigError

__all__ = ["RedrawingInferer"]


class RedrawingInferer(Inferer):
    """Calls another inferer, and again for the samples that are refused, with new latent vectors.

    The vector of attempt k of a sample is drawn from its first vector and k alone, so the sample stays the same
    whatever the batch, the number of processes, and what became of others. After the last attempt the latest drawing
    stays, with its faults on record.

    Args:
        inferer: draws (B, C, X, Y) from (B, Z).
        faults: called with one drawing (C, X, Y), gives what is wrong with it, nothing where it is accepted.
        max_attempts: how often a sample is drawn at most.
        latent_size: the first so many numbers are drawn anew; what follows them, such as a class, stays. None for all.

    Raises:
        ConfigError: when `max_attempts` is not positive.
    """

    def __init__(
        self,
        inferer: Inferer,
        faults: Callable[[torch.Tensor], Sequence[str]],
        max_attempts: int = 8,
        latent_size: int | None = None,
    ) -> None:
        if max_attempts < 1:
            raise ConfigError(f"max_attempts must be 1 or more, got {max_attempts}")
        self.inferer, self.faults, self.max_attempts = inferer, faults, int(max_attempts)
        self.latent_size = latent_size
        self._records: dict[str, dict[str, Any]] = {}

    def __call__(
        self, inputs: torch.Tensor, network: Callable[..., torch.Tensor], *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        """
        Args:
            inputs: latent vectors (B, Z).
            network: the generator.
            args: further arguments of the inferer.
            kwargs: further named arguments of the inferer.

        Returns:
            drawings (B, C, X, Y).
        """
        drawn = self.inferer(inputs, network, *args, **kwargs)
        for number, latent in enumerate(inputs):
            found = [list(self.faults(drawn[number]))]
            while found[-1] and len(found) < self.max_attempts:
                again = self._redrawn(latent, len(found))
                drawn[number] = self.inferer(again[None], network, *args, **kwargs)[0]
                found.append(list(self.faults(drawn[number])))
            refused = found if found[-1] else found[:-1]
            self._records[_digest(latent)] = {
                "attempts": len(found),
                "refused": ["; ".join(faults) for faults in refused],
                "accepted": not found[-1],
            }
        return drawn

    def record(self, latent: torch.Tensor) -> dict[str, Any]:
        """Of a sample by its first vector (Z,): `attempts`, `refused` (why) and whether the last was `accepted`.

        It is handed out once.
        """
        return self._records.pop(_digest(latent))

    def _redrawn(self, latent: torch.Tensor, attempt: int) -> torch.Tensor:
        seed = int(hashlib.sha256(f"{_digest(latent)} {attempt}".encode()).hexdigest()[:15], 16)
        drawn = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed)).to(latent)
        if self.latent_size is not None:
            drawn[self.latent_size :] = latent[self.latent_size :]
        return drawn


def _digest(latent: torch.Tensor) -> str:
    return hashlib.sha256(torch.as_tensor(latent).detach().float().cpu().contiguous().numpy().tobytes()).hexdigest()
