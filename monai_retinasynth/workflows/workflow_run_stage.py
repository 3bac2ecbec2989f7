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
"""A whole workflow as one stage of another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from ..utils.atomic_file import atomic_write
from ..utils.errors import DivergenceError
from .stage import BundleStage
from .stage_record import flatten_settings

__all__ = ["DIVERGED_NAME", "WorkflowRunStage"]

#: file in the folder of a run whose training diverged, with the message
DIVERGED_NAME = "diverged.json"


class WorkflowRunStage(BundleStage):
    """A stage that runs another workflow, whose output folder is the stage's folder.

    The inner workflow keeps its own records: it skips what it finished, goes on where it was interrupted, and does
    again what has changed, stage by stage. So this stage is entered in every run, and changed settings of the inner
    workflow never throw its whole folder aside; only another workflow (another name of the first file) does. A folder
    in which the inner workflow was run by itself is taken over as it is.

    A training in it that diverges ends the run, not the outer workflow: the message goes to `DIVERGED_NAME` in the
    run's folder, and the next stage begins.

    A stage that needs this one is not told of changes inside; make it one that runs always.

    Args:
        name: see `BundleStage`.
        config_files: the workflow's JSON file and its overlays, in the order in which they are merged.
        overrides: settings that replace those of the files. A dictionary replaces the whole dictionary of that key; an
            identifier such as ``translation::d_norm`` replaces one entry.
        needs: see `BundleStage`.
        run_id: see `BundleStage`.
    """

    always = True

    def settings(self) -> dict[str, Any]:
        # the comparison of stages leaves "::settings" out: they are written down here and compared inside
        told = {"files": [Path(file).name for file in self.config_files], **self.overrides}
        return {"workflow": Path(self.config_files[0]).name, **flatten_settings({"run": {"settings": told}})}

    def run(self, folder: Path) -> None:
        note = folder / DIVERGED_NAME
        try:
            super().run(folder)
        except Exception as error:
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, DivergenceError):
                cause = cause.__cause__ or cause.__context__
            if cause is None:
                raise
            with atomic_write(note) as file:
                file.write(json.dumps({"message": str(cause)}, indent=2).encode() + b"\n")
            Console(soft_wrap=True).print(f"{self.name}: {cause}", style="yellow", markup=False, highlight=False)
        else:
            note.unlink(missing_ok=True)
