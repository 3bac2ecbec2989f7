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

import json
import tempfile
import unittest
from pathlib import Path

from monai_retinasynth.utils import ConfigError, DataError
from monai_retinasynth.workflows import BundleStage, FunctionStage, StagedWorkflow, StageRecord, changed_settings


class Recorder:
    """A function for stages that notes its calls and can fail once."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.fail = False

    def function(self, output_dir: str, value: int = 0) -> None:
        self.calls.append((Path(output_dir).name, value))
        if self.fail:
            Path(output_dir, "half.txt").write_text("half")
            raise RuntimeError("power cut")
        Path(output_dir, "result.txt").write_text(str(value))


class TestStagedWorkflow(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name)
        self.recorder = Recorder()

    def workflow(self, first: int = 1, second: int = 2, **kwargs) -> StagedWorkflow:
        stages = [
            FunctionStage("first", self.recorder.function, {"value": first}),
            None,
            FunctionStage("second", self.recorder.function, {"value": second}, needs=["first"]),
            FunctionStage("other", self.recorder.function, {"value": 3}),
        ]
        return StagedWorkflow(stages, str(self.root), **kwargs)

    def test_order_and_skip(self):
        self.workflow().run()
        self.assertEqual(self.recorder.calls, [("first", 1), ("second", 2), ("other", 3)])
        self.workflow().run()
        self.assertEqual(len(self.recorder.calls), 3)
        self.assertEqual(StageRecord(self.root / "second").read()["status"], "finished")

    def test_changed_setting_redoes_stage_and_those_that_need_it(self):
        self.workflow().run()
        self.workflow(first=7).run()
        self.assertEqual(self.recorder.calls[3:], [("first", 7), ("second", 2)])
        self.assertEqual((self.root / "first.replaced-1" / "result.txt").read_text(), "1")
        self.assertEqual((self.root / "first" / "result.txt").read_text(), "7")

    def test_interrupted_stage_goes_on_in_its_folder(self):
        self.recorder.fail = True
        with self.assertRaisesRegex(RuntimeError, "power cut"):
            self.workflow().run()
        self.assertEqual(StageRecord(self.root / "first").read()["status"], "interrupted")
        self.recorder.fail = False
        self.workflow().run()
        self.assertEqual(self.recorder.calls, [("first", 1), ("first", 1), ("second", 2), ("other", 3)])
        self.assertTrue((self.root / "first" / "half.txt").is_file())

    def test_stage_that_reports_runs_always(self):
        stages = [FunctionStage("report", self.recorder.function, always=True)]
        for _ in range(2):
            StagedWorkflow(stages, str(self.root)).run()
        self.assertEqual(len(self.recorder.calls), 2)

    def test_stop_after(self):
        self.workflow(stop_after="first").run()
        self.assertEqual(self.recorder.calls, [("first", 1)])

    def test_exchanged_input_files_are_noticed(self):
        source = self.root / "source"
        source.mkdir()
        (source / "a.png").write_bytes(b"1")
        stages = [FunctionStage("first", self.recorder.function, inputs=[str(source)])]
        StagedWorkflow(stages, str(self.root / "out")).run()
        (source / "b.png").write_bytes(b"12")
        StagedWorkflow(stages, str(self.root / "out")).run()
        self.assertEqual(len(self.recorder.calls), 2)

    def test_errors_name_the_stage(self):
        stage = FunctionStage("first", self.recorder.function)
        with self.assertRaisesRegex(ConfigError, "two stages are called first"):
            StagedWorkflow([stage, stage], str(self.root))
        with self.assertRaisesRegex(ConfigError, "needs absent"):
            StagedWorkflow([FunctionStage("x", self.recorder.function, needs=["absent"])], str(self.root))
        with self.assertRaisesRegex(ConfigError, "stop_after names nothing"):
            StagedWorkflow([stage], str(self.root), stop_after="nothing")
        with self.assertRaisesRegex(ConfigError, "does not exist"):
            BundleStage("b", [str(self.root / "absent.json")])
        with self.assertRaisesRegex(DataError, "dataset_dir"):
            StagedWorkflow(
                [FunctionStage("x", self.recorder.function, inputs=[str(self.root / "absent")])], str(self.root)
            ).run()
        (self.root / "first").mkdir()
        (self.root / "first" / "stage.json").write_text("{")
        with self.assertRaisesRegex(DataError, "not a stage record"):
            StagedWorkflow([stage], str(self.root)).run()

    def test_changed_settings(self):
        self.assertEqual(changed_settings({"a": 1, "b": 2}, {"a": 1, "b": 3}), ["b: 2 -> 3"])
        self.assertEqual(changed_settings({"a": 1}, {}), ["a: 1 -> (not set)"])
        self.assertEqual(changed_settings({"a": 1}, {"a": 1}), [])
        grid = {"train::handlers::1::_target_": "monai_retinasynth.handlers.ImageGridHandler"}
        before, after = {**grid, "train::handlers::1::interval": 5}, {**grid, "train::handlers::1::interval": 6}
        self.assertEqual(changed_settings(before, after), [])

    def test_bundle_stage_runs_config_and_its_settings_leave_out_places(self):
        config = self.root / "train.json"
        config.write_text(
            json.dumps({"output_dir": "x", "steps": 3, "run": ["$open(@output_dir + '/' + str(@steps), 'w').close()"]})
        )
        (self.root / "metadata.json").write_text("{}")
        recipe = self.root / "recipe.json"
        recipe.write_text(json.dumps({"steps": 4}))
        stage = BundleStage("train", [str(config), None, str(recipe)], {"device": "cpu"})
        StagedWorkflow([stage], str(self.root / "out")).run()
        self.assertTrue((self.root / "out" / "train" / "4").is_file())
        self.assertEqual(stage.settings()["steps"], 4)
        # neither the place nor the device decides the result, so a run can be moved
        moved = BundleStage("train", [str(config), None, str(recipe)], {"device": "cuda", "output_dir": "y"})
        self.assertEqual(changed_settings(stage.settings(), moved.settings()), [])


if __name__ == "__main__":
    unittest.main()
