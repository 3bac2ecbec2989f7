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

import io
import json
import math
import tempfile
import unittest
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from parameterized import parameterized
from torch.utils.tensorboard import SummaryWriter

from monai_retinasynth.utils import ConfigError, DivergenceError, read_rgb
from monai_retinasynth.workflows import (
    StagedWorkflow,
    StageRecord,
    WorkflowRunStage,
    ablation_runs,
    ablation_stages,
    changed_settings,
    merge_overrides,
    summarise_ablation,
)
from monai_retinasynth.workflows.ablation_picture import read_curves, running_mean

# what the stages of the small workflow did, in order: (folder of the run, stage, value)
CALLS: list[tuple[str, str, float]] = []
FAIL_IN: set[str] = set()
DIVERGE_IN: set[str] = set()

BASE = {"train": {"steps": 4, "rate": 0.1}, "dropout": 0.5}


def note(output_dir: str, value: float = 0.0) -> None:
    """A stage that writes its value as a figure, and can fail."""
    folder = Path(output_dir)
    CALLS.append((folder.parent.name, folder.name, value))
    if f"{folder.parent.name}/{folder.name}" in DIVERGE_IN:
        raise DivergenceError("training has diverged")
    if f"{folder.parent.name}/{folder.name}" in FAIL_IN:
        (folder / "half.txt").write_text("half")
        raise RuntimeError("power cut")
    (folder / "scores.json").write_text(json.dumps({"scores": [{"f1": value}]}))


def write_workflow(folder: Path) -> str:
    """A workflow of two stages: ``first`` notes `rate`, ``second`` notes `dropout` + `seed`."""
    stage = {"_target_": "monai_retinasynth.workflows.FunctionStage", "function": "$tests.workflows.test_ablation.note"}
    config = {
        "imports": ["$import tests", "$import tests.workflows.test_ablation"],
        "output_dir": "unused",
        "seed": 0,
        "dataset_dir": None,
        "dropout": 0.5,
        "factor": 1,
        "train": {"rate": 0.1, "steps": 4, "scaled": "$@train::rate * @factor"},
        "stages": [
            {**stage, "name": "first", "arguments": {"value": "@train::scaled"}},
            {**stage, "name": "second", "arguments": {"value": "$@dropout + @seed"}, "needs": ["first"]},
        ],
        "workflow": {
            "_target_": "monai_retinasynth.workflows.StagedWorkflow",
            "stages": "@stages",
            "output_dir": "@output_dir",
        },
        "run": ["$@workflow.run()"],
    }
    path = folder / "tiny.json"
    path.write_text(json.dumps(config))
    (folder / "metadata.json").write_text("{}")
    return str(path)


class TestMergeOverrides(unittest.TestCase):
    def test_dictionaries_are_merged_and_all_else_replaces(self):
        merged = merge_overrides(BASE, {"train": {"rate": 1.0}, "dropout": 0.0, "axes": [0]})
        self.assertEqual(merged, {"train": {"steps": 4, "rate": 1.0}, "dropout": 0.0, "axes": [0]})
        self.assertEqual(BASE["train"], {"steps": 4, "rate": 0.1})

    def test_order_of_keys_does_not_matter(self):
        overrides = {"b": {"y": 1, "x": {"q": 2, "p": 3}}, "a": 1}
        turned = {"a": 1, "b": {"x": {"p": 3, "q": 2}, "y": 1}}
        base, base_turned = {"b": {"z": 0, "x": {"r": 1}}, "c": 2}, {"c": 2, "b": {"x": {"r": 1}, "z": 0}}
        first, second = merge_overrides(base, overrides), merge_overrides(base_turned, turned)
        self.assertEqual(first, second)
        self.assertEqual(list(first), list(second))
        self.assertEqual(first["b"], {"x": {"p": 3, "q": 2, "r": 1}, "y": 1, "z": 0})

    def test_objects_and_chosen_keys_replace(self):
        base = {"net": {"_target_": "A", "width": 3}, "train": {"rate": 1}}
        self.assertEqual(merge_overrides(base, {"net": {"_target_": "B"}})["net"], {"_target_": "B"})
        self.assertEqual(merge_overrides(base, {"net": {"width": 4}})["net"], {"_target_": "A", "width": 4})
        replaced = merge_overrides(base, {"net": {"width": 4}, "train": {"steps": 2}}, merge_keys=["train"])
        self.assertEqual(replaced, {"net": {"width": 4}, "train": {"rate": 1, "steps": 2}})

    def test_entries_of_the_workflow_that_the_base_leaves_alone(self):
        workflow = {"train": {"rate": 1, "loss": {"weight": 2}}, "run": ["$1"]}
        merged = merge_overrides({}, {"train": {"rate": 3, "loss": {"weight": 4}}}, workflow=workflow)
        self.assertEqual(merged, {"train::rate": 3, "train::loss::weight": 4})
        # an identifier must be set after the dictionary that it changes
        self.assertEqual(list(merge_overrides({"train": {}}, {"train::rate": 3}, workflow=workflow))[0], "train")


class AblationCase(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name)
        self.file = write_workflow(self.root)
        self.out = self.root / "out"
        CALLS.clear()
        FAIL_IN.clear()

    def stages(self, rows: list[dict[str, Any]], **arguments: Any) -> list[WorkflowRunStage]:
        return ablation_stages([self.file], rows, **arguments)

    def run_rows(self, rows: list[dict[str, Any]], **arguments: Any) -> list[tuple[str, str, float]]:
        """Run them and return the calls of this run."""
        before = len(CALLS)
        StagedWorkflow(self.stages(rows, **arguments), str(self.out)).run()
        return CALLS[before:]


class TestAblationStages(AblationCase):
    def test_one_stage_a_row_and_seed(self):
        rows = [{"name": "base", "seeds": [0, 1]}, {"name": "no_dropout", "overrides": {"dropout": 0.0}}]
        stages = self.stages(rows, base_overrides={"dropout": 0.25}, seeds=[3], dataset_dir="eyes")
        self.assertEqual([s.name for s in stages], ["base_seed0", "base_seed1", "no_dropout_seed3"])
        self.assertEqual([s.overrides["seed"] for s in stages], [0, 1, 3])
        self.assertEqual([s.overrides["dropout"] for s in stages], [0.25, 0.25, 0.0])
        self.assertEqual({s.overrides["dataset_dir"] for s in stages}, {"eyes"})
        self.assertTrue(all(s.always for s in stages))
        self.assertEqual(ablation_runs(rows, [3])["base"], {0: "base_seed0", 1: "base_seed1"})

    def test_runs_do_not_share_dictionaries(self):
        rows = [{"name": "base"}, {"name": "slow", "overrides": {"train::rate": 0.01}}]
        calls = self.run_rows(rows, base_overrides={"train": {"rate": 0.3, "scaled": "@train::rate"}}, seeds=[0, 1])
        self.assertEqual([v for _, stage, v in calls if stage == "first"], [0.3, 0.3, 0.01, 0.01])

    def test_row_changes_one_entry_of_a_dictionary_of_the_workflow(self):
        # replaced as a whole, the dictionary would lose the entry that refers to another
        calls = self.run_rows([{"name": "base"}, {"name": "fast", "overrides": {"train": {"rate": 0.7}}}])
        self.assertEqual([v for _, stage, v in calls if stage == "first"], [0.1, 0.7])

    def test_overlay_of_a_row(self):
        overlay = self.root / "overlay.json"
        overlay.write_text(json.dumps({"+train": {"scaled": "$@factor * 100"}}))
        calls = self.run_rows([{"name": "base"}, {"name": "other", "files": [str(overlay)]}])
        self.assertEqual([v for _, stage, v in calls if stage == "first"], [0.1, 100])

    @parameterized.expand(
        [
            ("no rows", [], {}, "has no rows"),
            ("no name", [{"overrides": {}}], {}, "row 1 of the ablation needs a name"),
            ("name is a path", [{"name": "a/b"}], {}, "'a/b'"),
            ("two of a name", [{"name": "a"}, {"name": "a"}], {}, "two rows are called a"),
            ("unknown key", [{"name": "a", "override": {}}], {}, "override.*a row has"),
            ("no seeds", [{"name": "a", "seeds": []}], {}, "row a needs one or more"),
            ("a seed twice", [{"name": "a"}], {"seeds": [1, 1]}, "row a needs one or more"),
            ("seed overridden", [{"name": "a", "overrides": {"seed": 1}}], {}, "give the seeds as seeds"),
            ("folder overridden", [{"name": "a"}], {"base_overrides": {"output_dir": "x"}}, "the base overrides"),
            ("misspelt", [{"name": "a", "overrides": {"dropuot": 0}}], {}, "no setting dropuot; did you mean dropout"),
            ("misspelt in base", [{"name": "a"}], {"base_overrides": {"trian::rate": 0}}, "no setting trian"),
        ]
    )
    def test_errors(self, _, rows, arguments, words):
        with self.assertRaisesRegex(ConfigError, words):
            self.stages(rows, **arguments)

    def test_missing_files(self):
        with self.assertRaisesRegex(ConfigError, "names no workflow"):
            ablation_stages([], [{"name": "base"}])
        with self.assertRaisesRegex(ConfigError, "no_such.json does not exist.*two_stage.json"):
            ablation_stages(["no_such.json"], [{"name": "base"}])
        with self.assertRaisesRegex(ConfigError, "absent.json does not exist.*tiny.json"):
            self.stages([{"name": "base", "files": [str(self.root / "absent.json")]}])


class TestRunsInsideRuns(AblationCase):
    """An inner workflow that is finished, interrupted, changed, or run by itself before."""

    ROWS = [{"name": "base"}, {"name": "no_dropout", "overrides": {"dropout": 0.0}}]

    def test_finished_runs_do_nothing_again(self):
        first = [("base_seed0", "first", 0.1), ("base_seed0", "second", 0.5)]
        second = [("no_dropout_seed0", "first", 0.1), ("no_dropout_seed0", "second", 0.0)]
        self.assertEqual(self.run_rows(self.ROWS), first + second)
        self.assertEqual(self.run_rows(self.ROWS), [])
        self.assertEqual(StageRecord(self.out / "base_seed0").read()["status"], "finished")

    def test_interrupted_run_goes_on_inside(self):
        FAIL_IN.add("no_dropout_seed0/second")
        with self.assertRaises(Exception):  # noqa: B017 (MONAI wraps it)
            self.run_rows(self.ROWS)
        self.assertEqual(StageRecord(self.out / "no_dropout_seed0").read()["status"], "interrupted")
        FAIL_IN.clear()
        self.assertEqual(self.run_rows(self.ROWS), [("no_dropout_seed0", "second", 0.0)])
        self.assertTrue((self.out / "no_dropout_seed0" / "second" / "half.txt").is_file())
        self.assertEqual(StageRecord(self.out / "no_dropout_seed0").read()["status"], "finished")

    def test_change_is_noticed_inside_and_keeps_the_rest(self):
        self.run_rows(self.ROWS)
        rows = [self.ROWS[0], {"name": "no_dropout", "overrides": {"dropout": 0.1}}]
        self.assertEqual(self.run_rows(rows), [("no_dropout_seed0", "second", 0.1)])
        # a change of the workflow's own file, as when a bundle below it changes
        config = json.loads(Path(self.file).read_text())
        Path(self.file).write_text(json.dumps({**config, "factor": 2}))
        self.assertEqual([stage for _, stage, _ in self.run_rows(rows)], ["first", "second"] * 2)
        self.assertEqual([p.name for p in self.out.glob("*.replaced-*")], [])
        self.assertTrue((self.out / "base_seed0" / "first.replaced-1").is_dir())

    def test_another_workflow_is_not_mixed_in(self):
        self.run_rows(self.ROWS[:1])
        other = self.root / "other.json"
        other.write_text(Path(self.file).read_text())
        StagedWorkflow(ablation_stages([str(other)], self.ROWS[:1]), str(self.out)).run()
        self.assertTrue((self.out / "base_seed0.replaced-1" / "second").is_dir())

    def test_takes_over_a_run_made_by_itself(self):
        (stage,) = self.stages(self.ROWS[1:])
        stage.run(self.out / stage.name)
        self.assertFalse((self.out / stage.name / "stage.json").exists())
        stamp = (self.out / stage.name / "second" / "scores.json").stat().st_mtime_ns
        self.assertEqual(self.run_rows(self.ROWS[1:]), [])
        self.assertEqual((self.out / stage.name / "second" / "scores.json").stat().st_mtime_ns, stamp)

    def test_settings_are_written_down_but_compared_inside(self):
        one, other = (self.stages([{"name": "base", "overrides": {"dropout": v}}])[0] for v in (0.1, 0.2))
        self.assertEqual(one.settings()["run::settings::dropout"], 0.1)
        self.assertEqual(changed_settings(one.settings(), other.settings()), [])


class TestSummary(AblationCase):
    ROWS = [
        {"name": "base", "seeds": [0, 1, 2]},
        {"name": "no_dropout", "title": "without dropout", "overrides": {"dropout": 0.0}},
    ]
    FIGURES = {"F1": "second/scores.json::scores::0::f1"}
    CURVES = {"loss": "first/tensorboard::loss/g_mae"}

    def summarise(self, rows=None, figures=None, curves=None, **arguments: Any) -> dict[str, Any]:
        folder = str(self.out / "summary")
        return summarise_ablation(
            str(self.out), rows or self.ROWS, [0], figures or self.FIGURES, curves, folder, **arguments
        )

    def write_curve(self, run: str, values: list[float], first: int = 1, purge: int | None = None) -> None:
        with SummaryWriter(self.out / run / "first" / "tensorboard", purge_step=purge) as writer:
            for step, value in enumerate(values, start=first):
                writer.add_scalar("loss/g_mae", value, step)

    def test_mean_sd_and_differences(self):
        self.run_rows(self.ROWS)
        summary = self.summarise(noted={"workflow_files": ["tiny.json"]})
        base, row = summary["rows"]["base"], summary["rows"]["no_dropout"]
        # dropout + seed: 0.5, 1.5, 2.5 against 0.0
        self.assertEqual(base["figures"]["F1"], {"mean": 1.5, "sd": 1.0, "n": 3, "values": [0.5, 1.5, 2.5]})
        self.assertEqual(row["figures"]["F1"], {"mean": 0.0, "sd": None, "n": 1, "values": [0.0]})
        self.assertEqual(row["differences"]["F1"], {"absolute": -1.5, "in_base_sd": -1.5})
        self.assertEqual(row["overrides"], {"dropout": 0.0})
        self.assertEqual(row["changes"], {"value: 0.5 -> 0.0": ["second"]})
        self.assertEqual(json.loads((self.out / "summary" / "ablation.json").read_text()), summary)
        self.assertEqual(summary["workflow_files"], ["tiny.json"])
        # 4.303 is Student's t of two degrees of freedom at 97.5 %
        self.assertAlmostEqual(summary["chance_in_base_sd"], 4.303 * math.sqrt(4 / 3), places=3)
        text = (self.out / "summary" / "ablation.md").read_text()
        self.assertIn("| base | 0, 1, 2 | 1.5 ± 1 |", text)
        self.assertIn("| without dropout | 0 | 0 (-1.5 sd) |", text)

    def test_two_seeds_are_no_measure(self):
        rows = [{"name": "base", "seeds": [0, 1]}, self.ROWS[1]]
        self.run_rows(rows)
        difference = self.summarise(rows)["rows"]["no_dropout"]["differences"]["F1"]
        self.assertEqual(difference, {"absolute": -1.0, "in_base_sd": None})
        self.assertIsNone(self.summarise(rows)["chance_in_base_sd"])

    def test_minutes_are_those_of_all_stages(self):
        self.run_rows(self.ROWS)
        for stage, minutes in (("first", 2.0), ("second", 0.5), ("second.replaced-1", 9.0)):
            record = StageRecord(self.out / "no_dropout_seed0" / stage)
            record.write(status="finished", minutes=minutes, settings={})
        self.assertEqual(self.summarise()["rows"]["no_dropout"]["minutes"]["mean"], 2.5)

    def test_everything_missing_is_named(self):
        self.run_rows(self.ROWS[:1])
        with self.assertRaisesRegex(ConfigError, "no_dropout_seed0 does not exist"):
            self.summarise()
        self.run_rows(self.ROWS)
        (self.out / "base_seed1" / "second" / "scores.json").unlink()
        with self.assertRaises(ConfigError) as caught:
            self.summarise(figures={**self.FIGURES, "AUC": "second/scores.json::scores::0::auc"}, curves=self.CURVES)
        message = str(caught.exception)
        self.assertIn(f"F1: {self.out / 'base_seed1' / 'second' / 'scores.json'} does not exist", message)
        self.assertIn("no_dropout_seed0/second/scores.json has no number at scores::0::auc", message)
        self.assertIn("no_dropout_seed0/first/tensorboard has no TensorBoard events", message)
        with self.assertRaisesRegex(ConfigError, "base names absent.*no_dropout"):
            self.summarise(base="absent")

    def test_wrong_tag_is_named_beside_those_that_exist(self):
        self.write_curve("base_seed0", [1.0])
        problems: list[str] = []
        self.assertEqual(read_curves(self.out / "base_seed0", {"loss": "first/tensorboard::loss/g"}, problems), {})
        self.assertRegex(problems[0], "no tag 'loss/g'; they have .*loss/g_mae")

    def test_curves_and_picture(self):
        self.run_rows(self.ROWS)
        for seed in range(3):
            self.write_curve(f"base_seed{seed}", [3.0, 2.0, 1.0 + seed])
        self.write_curve("no_dropout_seed0", [4.0, 3.0, 2.0])
        self.summarise()
        figures_only = read_rgb(self.out / "summary" / "ablation.png")
        self.summarise(curves=self.CURVES)
        both = read_rgb(self.out / "summary" / "ablation.png")
        self.assertEqual(both.shape[1], figures_only.shape[1])
        self.assertGreater(both.shape[0], figures_only.shape[0])
        # the colour of the second row is drawn, in the dots and in the lines
        red = (np.abs(both.astype(int) - [214, 39, 40]).sum(axis=2) < 30).any(axis=1)
        self.assertTrue(red[: len(red) // 2].any() and red[len(red) // 2 :].any())

    def test_resumed_training_is_one_curve(self):
        self.write_curve("base_seed0", [5.0, 4.0, 99.0])
        # files are read by name, which begins with the second: a resumed training is never of the same one
        (written,) = (self.out / "base_seed0" / "first" / "tensorboard").glob("events*")
        kind, second, rest = written.name.partition("tfevents.")[0], *written.name.split("tfevents.")[1].split(".", 1)
        written.rename(written.with_name(f"{kind}tfevents.{int(second) - 1:010d}.{rest}"))
        self.write_curve("base_seed0", [3.0, 2.0], first=3, purge=3)
        curve = read_curves(self.out / "base_seed0", self.CURVES, [])["loss"]
        self.assertEqual(curve.steps.tolist(), [1, 2, 3, 4])
        self.assertEqual(curve.values.tolist(), [5.0, 4.0, 3.0, 2.0])

    def test_diverged_run_is_shown_as_such(self):
        self.run_rows(self.ROWS)
        for run, values in (("base_seed0", [1.0, 1.0]), ("base_seed1", [1.0, math.nan]), ("base_seed2", [2.0, 1.0])):
            self.write_curve(run, values)
        self.write_curve("no_dropout_seed0", [math.inf, math.nan])
        scores = self.out / "no_dropout_seed0" / "second" / "scores.json"
        scores.write_text(json.dumps({"scores": [{"f1": math.nan}]}))
        rows = self.summarise(curves=self.CURVES)["rows"]
        self.assertEqual(rows["no_dropout"]["figures"]["F1"], {"mean": None, "sd": None, "n": 0, "values": [None]})
        self.assertEqual(rows["no_dropout"]["differences"]["F1"], {"absolute": None, "in_base_sd": None})
        # its figure is a number, its loss is none
        self.assertEqual(rows["base"]["diverged_seeds"], [1])
        text = (self.out / "summary" / "ablation.md").read_text()
        self.assertIn("| without dropout | 0 (diverged) | diverged |", text)
        self.assertNotIn("NaN", (self.out / "summary" / "ablation.json").read_text())

    def test_run_that_diverges_ends_itself_only(self):
        DIVERGE_IN.add("no_dropout_seed0/first")
        self.addCleanup(DIVERGE_IN.clear)
        self.run_rows([self.ROWS[1], self.ROWS[0]])
        self.assertTrue((self.out / "base_seed2" / "second" / "scores.json").is_file())
        for run in ("base_seed0", "base_seed1", "base_seed2"):
            self.write_curve(run, [2.0, 1.0])
        rows = self.summarise(curves=self.CURVES)["rows"]
        self.assertEqual(rows["no_dropout"]["diverged_seeds"], [0])
        self.assertIsNone(rows["no_dropout"]["figures"]["F1"]["mean"])
        self.assertEqual(rows["base"]["diverged_seeds"], [])
        # mended, the run loses its mark
        DIVERGE_IN.clear()
        self.run_rows([self.ROWS[1], self.ROWS[0]])
        self.assertFalse((self.out / "no_dropout_seed0" / "diverged.json").exists())

    def test_row_that_changes_nothing_is_reported(self):
        rows = [{"name": "base"}, {"name": "same", "overrides": {"train": {"steps": 9}}}]
        self.run_rows(rows)
        with redirect_stdout(io.StringIO()) as printed:
            summary = self.summarise(rows)
        self.assertEqual(summary["rows"]["same"]["changes"], {})
        self.assertIn("row same has the settings of the base", printed.getvalue())

    def test_running_mean(self):
        values = np.array([1.0, 2.0, 6.0, 4.0])
        np.testing.assert_allclose(running_mean(values, 3), [1.5, 3.0, 4.0, 5.0])
        np.testing.assert_allclose(running_mean(values, 1), values)
        self.assertEqual(len(running_mean(values, 9)), 4)
        self.assertEqual(len(running_mean(values[:0], 3)), 0)


if __name__ == "__main__":
    unittest.main()
