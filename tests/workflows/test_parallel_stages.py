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

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import torch

from monai_retinasynth.utils import ConfigError, DivergenceError
from monai_retinasynth.workflows import BundleStage, FunctionStage, StagedWorkflow, StageRecord
from monai_retinasynth.workflows.stage_process import StageProcess, threads_for_each
from tests.real_data import REPOSITORY

MODULE = "tests.workflows.test_parallel_stages"


def note(output_dir: str, value: int = 0) -> None:
    """Write what the stage sees of its process."""
    print(f"the value is {value}", flush=True)
    threads = {"threads": torch.get_num_threads(), "omp": os.environ["OMP_NUM_THREADS"]}
    seen = {"value": value, "pid": os.getpid(), "ended": time.time(), **threads}
    Path(output_dir, "seen.json").write_text(json.dumps(seen))


def meet(output_dir: str, other: str, seconds: float = 300.0) -> None:
    """End once the stage `other` has begun, which can only be when both run at once."""
    Path(output_dir, "here").touch()
    end = time.monotonic() + seconds
    while not Path(output_dir).with_name(other).joinpath("here").is_file():
        if time.monotonic() > end:
            raise TimeoutError(f"{other} did not begin")
        time.sleep(0.05)
    note(output_dir)


def fail(output_dir: str) -> None:
    print("\n".join(f"line {number}" for number in range(40)), flush=True)
    try:
        raise DivergenceError("losses are NaN")
    except DivergenceError as error:
        raise RuntimeError("engine stopped") from error


def die(output_dir: str) -> None:
    os._exit(7)


def sleep(output_dir: str) -> None:
    Path(output_dir, "here").touch()
    try:
        time.sleep(600)
    except KeyboardInterrupt:
        Path(output_dir, "interrupted").touch()
        raise


def output_of(workflow: StagedWorkflow) -> str:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        workflow.run()
    return stream.getvalue()


class TestParallelStages(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name)

    def seen(self, name: str) -> dict:
        return json.loads((self.root / name / "seen.json").read_text())

    def test_independent_stages_run_at_once_and_records_are_those_of_the_sequential_form(self):
        stages = [
            FunctionStage("first", meet, {"other": "second"}),
            FunctionStage("second", meet, {"other": "first"}),
            FunctionStage("last", note, {"value": 3}, needs=["first", "second"]),
        ]
        output = output_of(StagedWorkflow(stages, str(self.root), num_parallel=2))
        self.assertNotEqual(self.seen("first")["pid"], self.seen("second")["pid"])
        self.assertNotEqual(self.seen("first")["pid"], os.getpid())
        self.assertGreater(self.seen("last")["ended"], max(self.seen(name)["ended"] for name in ("first", "second")))
        self.assertEqual(self.seen("last")["threads"], threads_for_each(2))
        self.assertEqual(self.seen("last")["omp"], str(threads_for_each(2)))
        self.assertIn("the value is 3", (self.root / "last" / "log.txt").read_text())
        lines = [line for line in output.splitlines() if line.startswith("[")]
        self.assertEqual(lines[:2], ["[1/3] first: started", "[2/3] second: started"])
        self.assertRegex(lines[-1], r"\[3/3\] last: finished in")
        self.assertEqual(StageRecord(self.root / "last").read()["status"], "finished")
        before = (self.root / "last" / "seen.json").read_text()
        self.assertEqual(output_of(StagedWorkflow(stages, str(self.root))).count("skipped"), 3)
        self.assertEqual((self.root / "last" / "seen.json").read_text(), before)

    def test_changed_stage_is_set_aside_and_stop_after_holds(self):
        def stages(value: int) -> list[FunctionStage]:
            return [FunctionStage("first", note, {"value": value}), FunctionStage("second", note, needs=["first"])]

        for value in (1, 2):
            output_of(StagedWorkflow(stages(value), str(self.root), stop_after="first", num_parallel=2))
        self.assertEqual(self.seen("first")["value"], 2)
        self.assertEqual(self.seen("first.replaced-1")["value"], 1)
        self.assertFalse((self.root / "second").exists())

    def test_failure_is_raised_with_its_cause_after_the_others_have_ended(self):
        stages = [
            FunctionStage("failing", fail),
            FunctionStage("running", meet, {"other": "failing_has_ended"}),
            FunctionStage("never", note),
        ]
        (self.root / "failing_has_ended").mkdir()
        workflow = StagedWorkflow(stages, str(self.root), num_parallel=2)
        say = workflow._say

        def noticed(text: str, style: str | None = None) -> None:
            if "failed" in text:
                (self.root / "failing_has_ended" / "here").touch()
            say(text, style)

        workflow._say = noticed
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream), self.assertRaisesRegex(RuntimeError, "engine stopped") as caught:
            workflow.run()
        self.assertIsInstance(caught.exception.__cause__, DivergenceError)
        self.assertIn("line 39", stream.getvalue())
        self.assertNotIn("line 5\n", stream.getvalue())
        states = [StageRecord(self.root / name).read()["status"] for name in ("failing", "running")]
        self.assertEqual(states, ["interrupted", "finished"])
        self.assertFalse((self.root / "never").exists())

    def test_bundle_stage(self):
        config = {"output_dir": "x", "steps": 3, "run": ["$open(@output_dir + '/' + str(@steps), 'w').close()"]}
        (self.root / "train.json").write_text(json.dumps(config))
        (self.root / "metadata.json").write_text("{}")
        stage = BundleStage("train", [str(self.root / "train.json")], {"steps": 4})
        output_of(StagedWorkflow([stage], str(self.root / "out"), num_parallel=2))
        self.assertTrue((self.root / "out" / "train" / "4").is_file())

    def test_process_that_dies(self):
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream), self.assertRaisesRegex(RuntimeError, "stage first ended with .* 7"):
            StagedWorkflow([FunctionStage("first", die)], str(self.root), num_parallel=2).run()

    def test_interrupt_ends_the_processes(self):
        process = StageProcess(FunctionStage("first", sleep), self.root, 1)
        end = time.monotonic() + 300
        while not (self.root / "here").is_file() and time.monotonic() < end:
            time.sleep(0.05)
        process.interrupt()
        self.assertFalse(process.is_running())
        self.assertTrue((self.root / "interrupted").is_file())

    @unittest.skipIf(os.name == "nt", "signals of POSIX")
    def test_bundle_command_and_its_interrupt(self):
        config = {
            "imports": ["$import tests", f"$import {MODULE}"],
            "stages": [
                {"_target_": "FunctionStage", "name": "first", "function": f"${MODULE}.note"},
                {"_target_": "FunctionStage", "name": "second", "function": f"${MODULE}.sleep", "needs": ["first"]},
            ],
            "workflow": {"_target_": "StagedWorkflow", "stages": "@stages", "output_dir": str(self.root / "out")},
            "run": ["$@workflow.run()"],
        }
        for item in (*config["stages"], config["workflow"]):
            item["_target_"] = f"monai_retinasynth.workflows.{item['_target_']}"
        config["workflow"]["num_parallel"] = 2
        (self.root / "workflow.json").write_text(json.dumps(config))
        (self.root / "metadata.json").write_text("{}")
        command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(self.root / "workflow.json")]
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # tests that run in the background would hand on that interrupts are ignored
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        end = time.monotonic() + 300
        while not (self.root / "out/second/here").is_file() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)  # to the workflow alone, which passes it on
        output = process.communicate(timeout=120)[0].decode()
        self.assertTrue((self.root / "out" / "first" / "seen.json").is_file(), output)
        self.assertTrue((self.root / "out" / "second" / "interrupted").is_file(), output)
        self.assertEqual(StageRecord(self.root / "out" / "second").read()["status"], "interrupted")
        self.assertNotEqual(process.returncode, 0)

    def test_what_cannot_be_sent_is_refused(self):
        stage = FunctionStage("first", lambda output_dir: None)
        StagedWorkflow([stage], str(self.root))
        with self.assertRaisesRegex(ConfigError, "stage first cannot run in a process of its own: .*num_parallel"):
            StagedWorkflow([stage], str(self.root), num_parallel=2)
        script = (
            "from monai_retinasynth.workflows import FunctionStage, StagedWorkflow\n"
            "def function(output_dir): pass\n"
            "StagedWorkflow([FunctionStage('own', function)], 'unused', num_parallel=2)\n"
        )
        ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=self.root)
        self.assertIn("stage own cannot run in a process of its own: it uses what the script", ended.stderr)
        for number in (0, True, 1.5):
            with self.assertRaisesRegex(ConfigError, "num_parallel is"):
                StagedWorkflow([], str(self.root), num_parallel=number)


if __name__ == "__main__":
    unittest.main()
