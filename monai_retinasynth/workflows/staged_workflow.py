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
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console

from .._version import __version__
from ..utils.errors import ConfigError
from .output_lock import OutputLock
from .stage import WorkflowStage
from .stage_process import StageProcess, check_can_be_sent, threads_for_each
from .stage_record import StageRecord, changed_settings, settings_fingerprint

__all__ = ["StagedWorkflow"]

_POLL_SECONDS = 0.1


class StagedWorkflow:
    """A list of stages, each with a folder of its own below `output_dir`.

    A finished stage is skipped on a second run. An interrupted one is run again in its folder, where training goes on
    from its last checkpoint and generation from its last picture. When the settings of a stage (or of a stage that it
    needs) are no longer those that made the folder, the differences are printed, the folder is kept under another name
    (``<stage>.replaced-1``), and the stage is done again.

    With `num_parallel` above 1, stages whose `needs` are finished run beside one another, each in a process of its own
    with its share of the cores, the first of the list first. What they print goes to ``<stage>/log.txt``. After a
    failure no other stage is started, those that run are waited for, and the first error is raised.

    One run at a time works in `output_dir`; a second one is refused at once.

    Args:
        stages: `WorkflowStage` objects in the order in which they run; None entries are left out.
        output_dir: folder for all results.
        stop_after: name of a stage to stop after; None for all.
        num_parallel: stages that run at once. Above 1 their functions must be importable.

    Raises:
        ConfigError: when two stages share a name, a stage needs one that does not come before it, `num_parallel` is no
            whole number from 1 on, or a stage cannot run in a process of its own.
    """

    def __init__(
        self,
        stages: Sequence[WorkflowStage | None],
        output_dir: str,
        stop_after: str | None = None,
        num_parallel: int = 1,
    ) -> None:
        self.stages = [s for s in stages if s is not None]
        self.output_dir = Path(output_dir).expanduser().resolve()
        self.stop_after = stop_after
        self.num_parallel = num_parallel
        self.console = Console(soft_wrap=True)
        if not isinstance(num_parallel, int) or isinstance(num_parallel, bool) or num_parallel < 1:
            raise ConfigError(f"num_parallel is how many stages run at once, a whole number from 1, got {num_parallel}")
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
            if num_parallel > 1:
                check_can_be_sent(stage)
        if stop_after is not None and stop_after not in seen:
            raise ConfigError(f"stop_after names {stop_after}; the stages are {seen}")

    def run(self) -> None:
        """Run all stages.

        Raises:
            ConfigError: when another run is going on in `output_dir`.
        """
        started = time.perf_counter()
        with OutputLock(self.output_dir):
            self._run_stages()
        minutes = (time.perf_counter() - started) / 60
        self._say(f"workflow finished in {minutes:.1f} min; all results are in {self.output_dir}")

    def _run_stages(self) -> None:
        names = [stage.name for stage in self.stages]
        last = len(names) if self.stop_after is None else names.index(self.stop_after) + 1
        waiting = list(enumerate(self.stages[:last], start=1))
        running: list[_Attempt] = []
        fingerprints: dict[str, str] = {}
        finished: set[str] = set()
        failure: BaseException | None = None
        try:
            while running or (waiting and failure is None):
                ready = [(number, stage) for number, stage in waiting if finished.issuperset(stage.needs)]
                if ready and len(running) < self.num_parallel and failure is None:
                    waiting.remove(ready[0])
                    number, stage = ready[0]
                    try:
                        attempt = self._begin(stage, f"[{number}/{len(names)}] {stage.name}", fingerprints)
                    except Exception as error:
                        failure = error  # of its settings; those that run are still waited for
                        continue
                    if attempt is None:
                        finished.add(stage.name)
                    else:
                        running.append(attempt)
                    continue
                ended = next((attempt for attempt in running if attempt.has_ended()), None)
                if ended is None:
                    time.sleep(_POLL_SECONDS)
                    continue
                running.remove(ended)
                error = ended.finish()
                if error is None:
                    finished.add(ended.stage.name)
                elif failure is None:
                    failure = error
        except BaseException:
            for attempt in running:  # all are asked before the first is waited for
                attempt.ask_to_end()
            for attempt in running:
                attempt.interrupt()
            raise
        if failure is not None:
            raise failure

    def _begin(self, stage: WorkflowStage, title: str, fingerprints: dict[str, str]) -> _Attempt | None:
        """Compare the stage with its record, set its folder aside when it has changed, and start it unless finished.

        Its settings are read here and not before, since they may name files that the stages it needs have written.
        """
        settings = stage.settings()
        settings.update({f"stage {need}": fingerprints[need] for need in stage.needs})
        fingerprints[stage.name] = settings_fingerprint(settings)
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
                return None
            elif earlier["status"] != "finished":
                spent = float(earlier.get("minutes", 0.0))
                self._say(f"{title}: was interrupted, goes on", "yellow")
        self._say(f"{title}: started", "bold")
        folder.mkdir(parents=True, exist_ok=True)
        attempt = _Attempt(stage, title, record, settings, spent, self._say)
        attempt.start(self.num_parallel)
        return attempt

    def _set_aside(self, folder: Path) -> Path:
        number = 1
        while (kept := folder.with_name(f"{folder.name}.replaced-{number}")).exists():
            number += 1
        return folder.rename(kept)

    def _say(self, text: str, style: str | None = None) -> None:
        self.console.print(text, style=style, markup=False, highlight=False)


class _Attempt:
    """A stage that is run, here or in a process of its own, and what its record says of it."""

    def __init__(
        self,
        stage: WorkflowStage,
        title: str,
        record: StageRecord,
        settings: dict[str, Any],
        spent: float,
        say: Callable[[str, str | None], None],
    ) -> None:
        self.stage = stage
        self._title = title
        self._record = record
        self._settings = settings
        self._spent = spent
        self._say = say
        self._begin = time.perf_counter()
        self._process: StageProcess | None = None
        self._error: BaseException | None = None

    def start(self, num_parallel: int) -> None:
        """Start it; where stages run one after the other, this returns when it has ended."""
        folder = self._record.path.parent
        self._write("running")
        try:
            if num_parallel > 1:
                self._process = StageProcess(self.stage, folder, threads_for_each(num_parallel))
            else:
                self.stage.run(folder)
        except Exception as error:
            self._error = error
        except BaseException:
            self._write("interrupted")
            raise

    def has_ended(self) -> bool:
        return self._process is None or not self._process.is_running()

    def finish(self) -> BaseException | None:
        """Write the record of a stage that has ended, and return its error."""
        error = self._error if self._process is None else self._process.error()
        self._write("finished" if error is None else "interrupted")
        if error is None:
            self._say(f"{self._title}: finished in {self._minutes():.1f} min", "green")
        elif self._process is not None:
            self._say(f"{self._title}: failed, the last lines of {self._process.log}:", "red")
            for line in self._process.last_lines():
                self._say(f"    {line}", "red")
        return error

    def ask_to_end(self) -> None:
        if self._process is not None:
            self._process.ask_to_end()

    def interrupt(self) -> None:
        if self._process is not None:
            self._process.interrupt()
        self._write("interrupted")

    def _minutes(self) -> float:
        return self._spent + (time.perf_counter() - self._begin) / 60

    def _write(self, status: str) -> None:
        self._record.write(
            status=status,
            minutes=round(self._minutes(), 3),
            package_version=__version__,
            written=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            settings=self._settings,
        )
