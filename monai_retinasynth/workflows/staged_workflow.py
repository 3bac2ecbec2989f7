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
"""Runs the stages of a workflow in order, skips what is finished, goes on where an earlier run stopped."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console

from .._version import __version__
from ..utils.errors import ConfigError
from .stage import WorkflowStage
from .stage_record import StageRecord, changed_settings, settings_fingerprint

__all__ = ["StagedWorkflow"]


class StagedWorkflow:
    """A list of stages, each with a folder of its own below `output_dir`.

    A finished stage is skipped on a second run. An interrupted one is run again in its folder, where training goes on
    from its last checkpoint and generation from its last picture. When the settings of a stage (or of a stage that it
    needs) are no longer those that made the folder, the differences are printed, the folder is kept under another name
    (``<stage>.replaced-1``), and the stage is done again.

    Args:
        stages: `WorkflowStage` objects in the order in which they run; None entries are left out.
        output_dir: folder for all results.
        stop_after: name of a stage to stop after; None for all.

    Raises:
        ConfigError: when two stages share a name, or a stage needs one that does not come before it.
    """

    def __init__(self, stages: Sequence[WorkflowStage | None], output_dir: str, stop_after: str | None = None) -> None:
        self.stages = [s for s in stages if s is not None]
        self.output_dir = Path(output_dir).expanduser().resolve()
        self.stop_after = stop_after
        self.console = Console(soft_wrap=True)
        seen: list[str] = []
        for stage in self.stages:
            if stage.name in seen:
                raise ConfigError(f"two stages are called {stage.name}; every stage needs a name of its own")
            for need in stage.needs:
                if need not in seen:
                    raise ConfigError(
                        f"stage {stage.name} needs {need}, which is not among the stages before it: {seen}"
                    )
            seen.append(stage.name)
        if stop_after is not None and stop_after not in seen:
            raise ConfigError(f"stop_after names {stop_after}; the stages are {seen}")

    def run(self) -> None:
        """Run all stages."""
        started = time.perf_counter()
        fingerprints: dict[str, str] = {}
        for number, stage in enumerate(self.stages, start=1):
            settings = stage.settings()
            settings.update({f"stage {need}": fingerprints[need] for need in stage.needs})
            fingerprints[stage.name] = settings_fingerprint(settings)
            self._run_stage(stage, settings, f"[{number}/{len(self.stages)}] {stage.name}")
            if stage.name == self.stop_after:
                break
        minutes = (time.perf_counter() - started) / 60
        self._say(f"workflow finished in {minutes:.1f} min; all results are in {self.output_dir}")

    def _run_stage(self, stage: WorkflowStage, settings: dict[str, Any], title: str) -> None:
        folder = self.output_dir / stage.name
        record = StageRecord(folder)
        earlier = record.read()
        spent = 0.0
        if earlier is not None:
            changes = changed_settings(earlier["settings"], settings)
            if changes:
                kept = self._set_aside(folder)
                shown = changes[:8] + ([f"... and {len(changes) - 8} more"] if len(changes) > 8 else [])
                self._say(f"{title}: settings changed, done again (the earlier results are kept in {kept}):", "yellow")
                for line in shown:
                    self._say(f"    {line}", "yellow")
            elif earlier["status"] == "finished" and not stage.always:
                made_by = earlier.get("package_version")
                version = "" if made_by == __version__ else f"; made by version {made_by}, this is {__version__}"
                self._say(f"{title}: finished earlier ({earlier['minutes']:.1f} min), skipped{version}", "dim")
                return
            elif earlier["status"] != "finished":
                spent = float(earlier.get("minutes", 0.0))
                self._say(f"{title}: was interrupted, goes on", "yellow")
        self._say(f"{title}: started", "bold")
        folder.mkdir(parents=True, exist_ok=True)
        begin = time.perf_counter()

        def write(status: str) -> None:
            minutes = spent + (time.perf_counter() - begin) / 60
            record.write(
                status=status,
                minutes=round(minutes, 3),
                package_version=__version__,
                written=datetime.now(timezone.utc).isoformat(timespec="seconds"),
                settings=settings,
            )

        write("running")
        try:
            stage.run(folder)
        except BaseException:
            write("interrupted")
            raise
        write("finished")
        self._say(f"{title}: finished in {spent + (time.perf_counter() - begin) / 60:.1f} min", "green")

    def _set_aside(self, folder: Path) -> Path:
        number = 1
        while (kept := folder.with_name(f"{folder.name}.replaced-{number}")).exists():
            number += 1
        return folder.rename(kept)

    def _say(self, text: str, style: str | None = None) -> None:
        self.console.print(text, style=style, markup=False, highlight=False)
