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
"""One stage in a process of its own, as `StageProcess` starts it: ``python -m monai_retinasynth.workflows.run_stage``.

The stage comes through standard input, which then stays open: its end says that the parent is gone or wants to stop, so
that no training is left behind.
"""

from __future__ import annotations

import _thread
import os
import pickle
import signal
import sys
import threading
import time
from pathlib import Path

__all__ = ["main"]

#: seconds that an interrupted stage has to end by itself
GRACE_SECONDS = 10.0


def main() -> int:
    """Run the stage that standard input holds.

    Returns:
        exit status: 0, 1 where the stage failed (its error is in the file for it), 130 where it was interrupted.
    """
    stream = sys.stdin.buffer
    # where the parent finds its modules, so that its own functions are found, too
    sys.path[:] = pickle.loads(stream.read(int(stream.readline())))
    task = pickle.loads(stream.read(int(stream.readline())))
    # a parent that runs in the background hands on that interrupts are ignored; here they end the stage
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, args=(stream.fileno(),), daemon=True).start()
    import torch

    torch.set_num_threads(task["num_threads"])
    try:
        task["stage"].run(Path(task["folder"]))
    except KeyboardInterrupt:
        return 130
    except BaseException as error:
        _write_error(error, Path(task["error_file"]))
        raise
    return 0


def _end_with_parent(descriptor: int) -> None:
    while os.read(descriptor, 1024):
        pass
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # ends a sleep or a read, too
    else:
        _thread.interrupt_main()
    time.sleep(GRACE_SECONDS)
    os._exit(130)


def _write_error(error: BaseException, path: Path) -> None:
    """The error and what it came of, the latter first asked; what cannot be pickled becomes a plain error."""
    chain: list[bytes] = []
    cause: BaseException | None = error
    while cause is not None:
        try:
            content = pickle.dumps(cause)
            pickle.loads(content)
        except Exception:
            content = pickle.dumps(RuntimeError(f"{type(cause).__name__}: {cause}"))
        chain.append(content)
        cause = cause.__cause__ or cause.__context__
    path.write_bytes(pickle.dumps(chain))


if __name__ == "__main__":
    sys.exit(main())
