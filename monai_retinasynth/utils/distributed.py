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
"""Who this process is among the processes of a data-parallel run; one process alone is rank 0 of 1."""

from __future__ import annotations

import torch.distributed as dist

__all__ = ["process_rank", "process_world", "wait_for_all"]


def _running() -> bool:
    return dist.is_available() and dist.is_initialized()


def process_rank() -> int:
    """Rank of this process."""
    return dist.get_rank() if _running() else 0


def process_world() -> int:
    """Number of processes."""
    return dist.get_world_size() if _running() else 1


def wait_for_all() -> None:
    """Return when every process has come here."""
    if _running():
        dist.barrier()
