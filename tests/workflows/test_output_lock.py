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
from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from monai_retinasynth.utils import ConfigError
from monai_retinasynth.workflows import FunctionStage, StagedWorkflow
from monai_retinasynth.workflows.output_lock import OutputLock

HOLD = """
import sys, time, pathlib
from monai_retinasynth.workflows.output_lock import OutputLock
with OutputLock(sys.argv[1]):
    pathlib.Path(sys.argv[1], "held").touch()
    time.sleep(600)
"""


class TestOutputLock(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name) / "out"

    def hold(self) -> subprocess.Popen:
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(self.root)])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        end = time.monotonic() + 300
        while not (self.root / "held").is_file() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        return process

    def test_second_process_is_refused_at_once_until_the_first_is_killed(self):
        process = self.hold()
        who = f"process {process.pid} on {re.escape(socket.gethostname())} has been running there since 20"
        done = []
        workflow = StagedWorkflow(
            [FunctionStage("first", lambda: done.append(1), folder_argument=None)], str(self.root)
        )
        begin = time.monotonic()
        with self.assertRaisesRegex(ConfigError, f"out is in use: {who}.*choose another output_dir"):
            workflow.run()
        self.assertLess(time.monotonic() - begin, 2)
        self.assertFalse((self.root / "first").exists())
        process.kill()  # leaves its name behind, as a power cut would
        process.wait()
        self.assertTrue((self.root / ".workflow.lock.json").is_file())
        workflow.run()
        self.assertEqual(done, [1])

    def test_two_runs_in_one_process(self):
        inner = StagedWorkflow([], str(self.root))
        with self.assertRaisesRegex(ConfigError, f"in use: process {os.getpid()} on"):
            StagedWorkflow([FunctionStage("outer", inner.run, folder_argument=None)], str(self.root)).run()

    def test_released_after_an_error_and_an_interrupt(self):
        for error in (RuntimeError, KeyboardInterrupt):
            with self.assertRaises(error), OutputLock(self.root):
                raise error
            self.assertFalse((self.root / ".workflow.lock.json").exists())
            with OutputLock(self.root):
                pass

    def test_holder_that_says_nothing(self):
        with OutputLock(self.root):
            for content in (None, "{", "[]", "{}"):
                if content is None:
                    (self.root / ".workflow.lock.json").unlink()
                else:
                    (self.root / ".workflow.lock.json").write_text(content)
                with self.assertRaisesRegex(ConfigError, "another process is running there"), OutputLock(self.root):
                    pass

    def test_folder_that_cannot_be(self):
        self.root.write_text("a file")
        with self.assertRaisesRegex(ConfigError, "cannot write to output_dir .*out"), OutputLock(self.root):
            pass


if __name__ == "__main__":
    unittest.main()
