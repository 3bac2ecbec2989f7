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
"""A stage of a workflow in a process of its own, with its share of the cores and a log in its folder."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

from ..utils.errors import ConfigError
from .run_stage import GRACE_SECONDS
from .stage import WorkflowStage

__all__ = ["LOG_NAME", "StageProcess", "check_can_be_sent", "threads_for_each"]

#: file in the folder of a stage that ran beside others, with all that it printed
LOG_NAME = "log.txt"

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_LAST_LINES = 20
_LAST_BYTES = 65536


def threads_for_each(num_parallel: int) -> int:
    """Threads of each of `num_parallel` processes: its share of the usable cores, at most ``OMP_NUM_THREADS``."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, usable // num_parallel)
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(threads, int(wanted)) if wanted.isdigit() and int(wanted) > 0 else threads


def check_can_be_sent(stage: WorkflowStage) -> None:
    """Refuse a stage that another process could not be given.

    Raises:
        ConfigError: When it, or a function of it, cannot be pickled or is defined in the script that runs; names the
            stage.
    """
    remedy = (
        "use functions that are defined at the top of an importable module, and plain arguments, or set num_parallel "
        "to 1"
    )
    try:
        content = pickle.dumps(stage)
    except Exception as error:  # pickle has no common error: PicklingError, AttributeError, TypeError, ...
        raise ConfigError(f"stage {stage.name} cannot run in a process of its own: {error}; {remedy}") from error
    if b"__main__" in content:  # pickled by name, which means another script there
        raise ConfigError(
            f"stage {stage.name} cannot run in a process of its own: it uses what the script that runs defines; "
            f"{remedy}"
        )


class StageProcess:
    """A stage that runs in another process. What it prints is appended to `LOG_NAME` in its folder.

    A fresh interpreter is started, not a copy of this one: a copy would inherit the threads and the memory of PyTorch,
    and ``multiprocessing``'s "spawn" would read the main script again.

    Args:
        stage: one that `check_can_be_sent` passes.
        folder: its folder, which exists.
        num_threads: threads that it may use.
    """

    def __init__(self, stage: WorkflowStage, folder: Path, num_threads: int) -> None:
        self.stage = stage
        self.log = folder / LOG_NAME
        self._temporary = tempfile.TemporaryDirectory(prefix="stage_")
        self._error_file = Path(self._temporary.name) / "error.pickle"
        environment = {
            **os.environ,
            **{variable: str(num_threads) for variable in _THREAD_VARIABLES},
            "PYTHONUNBUFFERED": "1",
        }
        # a log is not watched like a terminal, and every refresh of a progress bar would be written to it
        environment.setdefault("TQDM_MININTERVAL", "30")
        with open(self.log, "ab") as log:
            self._begin = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "monai_retinasynth.workflows.run_stage"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        task = {"stage": stage, "folder": str(folder), "num_threads": num_threads, "error_file": str(self._error_file)}
        try:
            for content in (pickle.dumps(sys.path), pickle.dumps(task)):
                self._process.stdin.write(f"{len(content)}\n".encode() + content)
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it ended at once; `error` says how
        except BaseException:
            self.interrupt()
            raise

    def is_running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    def error(self) -> BaseException | None:
        """Wait for the end of the stage; then its error with what it came of, None where it went well."""
        status = self._process.wait()
        self.ask_to_end()  # nothing is left to be asked; the pipe is closed
        try:
            if status == 0:
                return None
            if not self._error_file.is_file():
                how = f"signal {-status}" if status < 0 else f"exit status {status}"
                return RuntimeError(f"the process of stage {self.stage.name} ended with {how}; see {self.log}")
            chain = [pickle.loads(content) for content in pickle.loads(self._error_file.read_bytes())]
            for error, cause in zip(chain, chain[1:]):
                error.__cause__ = cause
            return chain[0]
        finally:
            self._temporary.cleanup()

    def last_lines(self) -> list[str]:
        """The last lines that the stage printed in this run, a redrawn progress bar as it was last."""
        with open(self.log, "rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._begin, end - _LAST_BYTES))
            text = log.read().decode("utf-8", errors="replace")
        return [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n") if line.strip()][-_LAST_LINES:]

    def interrupt(self) -> None:
        """Let the stage end as a keyboard interrupt would, and end it when it does not."""
        self.ask_to_end()
        try:
            self._process.wait(GRACE_SECONDS + 2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._temporary.cleanup()

    def ask_to_end(self) -> None:
        """Interrupt the stage, as the end of this process would, without waiting for it."""
        try:
            self._process.stdin.close()
        except OSError:
            pass  # closed by its other end
