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
"""Files are known by what they hold, whatever they are called."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

__all__ = ["file_digest", "files_digest"]

_READ_BYTES = 1 << 20


def file_digest(path: str | os.PathLike) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits; the file is read in pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def files_digest(paths: Iterable[str | os.PathLike]) -> str:
    """SHA-256 of the digests of several files, in this order."""
    return hashlib.sha256("".join(file_digest(path) for path in paths).encode()).hexdigest()
