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
"""Errors that a user of the package can meet; each message names the thing and the remedy."""

from __future__ import annotations

__all__ = ["CheckpointError", "ConfigError", "DataError", "DivergenceError", "EmptySectionError"]


class DataError(ValueError):
    """A data set, image, mask or label map that cannot be used as it is."""


class EmptySectionError(DataError):
    """A data set that is whole, but has no case in the section asked for."""


class CheckpointError(RuntimeError):
    """A checkpoint that is missing, damaged, or made for something else."""


class DivergenceError(CheckpointError):
    """A training whose losses are no longer finite, so that there is nothing to save."""


class ConfigError(ValueError):
    """A combination of settings that cannot work."""
