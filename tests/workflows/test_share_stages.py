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
"""The stages for all shares and seeds, and the table of their evaluations."""

from __future__ import annotations

import io
import json
import tempfile
import unittest
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from parameterized import parameterized

from monai_retinasynth.metrics import write_lesion_results
from monai_retinasynth.utils.errors import ConfigError, DataError
from monai_retinasynth.workflows import (
    BundleStage,
    StagedWorkflow,
    StageRecord,
    share_run_names,
    share_stages,
    summarise_synthetic_shares,
)
from tests.metrics.test_lesion_segmentation import filled_report

SETTINGS = {
    "dataset_dir": None,
    "synthetic_dir": None,
    "train_on": "real",
    "synthetic_share": None,
    "num_synthetic": None,
    "max_iterations": 9,
    "seed": 0,
    "output_dir": ".",
    "checkpoint": None,
    "train": {"rate": 1},
}


class ShareCase(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name)
        self.file = self.root / "train.json"
        self.file.write_text(json.dumps(SETTINGS))

    def stages(self, shares=(0, 0.25), seeds=(0, 1), **arguments: Any) -> list[BundleStage]:
        settings = {"synthetic_dir": "set", "root": str(self.root / "out"), **arguments}
        return share_stages(shares, seeds, [str(self.file), None], [str(self.file)], **settings)


class TestShareStages(ShareCase):
    def test_names_and_order(self):
        names = [stage.name for stage in self.stages((0.0, 0.25, 1 / 3), (3,))]
        runs = [
            f"{kind}_share{percent}_seed3"
            for percent in ("0", "25", "33.3333")
            for kind in ("segmentation", "evaluation")
        ]
        self.assertEqual(names, runs)
        # all shares of a seed before the next seed
        self.assertEqual([stage.name[-5:] for stage in self.stages()], ["seed0"] * 4 + ["seed1"] * 4)

    def test_settings_and_needs(self):
        stages = self.stages(
            overrides={"dataset_dir": "eyes", "train::rate": 2}, needs=["data"], synthetic_needs=["photographs"]
        )
        real, _, mixed, evaluation = stages[:4]
        common = {"dataset_dir": "eyes", "train::rate": 2, "train_on": "mixed", "seed": 0}
        self.assertEqual(real.overrides, {**common, "synthetic_share": 0})
        self.assertEqual(mixed.overrides, {**common, "synthetic_share": 0.25, "synthetic_dir": "set"})
        self.assertEqual((real.needs, mixed.needs), (("data",), ("data", "photographs")))
        checkpoint = self.root / "out" / "segmentation_share25_seed0" / "models" / "model.pt"
        self.assertEqual(evaluation.overrides, {**mixed.overrides, "checkpoint": str(checkpoint)})
        self.assertEqual(evaluation.needs, (mixed.name,))
        self.assertEqual(evaluation.settings()["train::rate"], 2)

    def test_a_workflow_takes_them(self):
        workflow = StagedWorkflow(self.stages(), str(self.root / "out"))
        self.assertEqual(len(workflow.stages), 8)

    @parameterized.expand(
        [
            ("no_share", {"shares": ()}, "one or more shares"),
            ("twice", {"shares": (0.25, 0.25000001)}, "the same"),
            ("too_large", {"shares": (0, 1.0)}, "below 1"),
            ("seeds", {"seeds": (1, 1)}, "different whole numbers"),
            ("no_set", {"synthetic_dir": None}, "need synthetic_dir"),
            ("unknown", {"overrides": {"max_iteration": 1}}, "did you mean max_iterations"),
            ("given", {"overrides": {"synthetic_share": 0.1}}, "give the shares as shares"),
            ("file", {"root": "x", "shares": (0,), "overrides": {"seed": 1}}, "give the seeds as seeds"),
        ]
    )
    def test_refusals(self, _, arguments, message):
        with self.assertRaisesRegex(ConfigError, message):
            self.stages(**arguments)

    def test_missing_file(self):
        with self.assertRaisesRegex(ConfigError, "absent.json does not exist"):
            share_stages((0,), (0,), [str(self.root / "absent.json")], [str(self.file)], str(self.root))


class TestSummary(ShareCase):
    SHARES, SEEDS = (0, 0.25), (0, 1)

    def setUp(self):
        super().setUp()
        self.reports = {}
        for share, runs in share_run_names(self.SHARES, self.SEEDS).items():
            for seed, name in runs.items():
                threshold = 0.2 + 0.2 * seed + share
                report = filled_report(3).compute({"exudate": threshold, "bleeding": None if share else threshold})
                self.reports[share, seed] = report
                folder = self.root / f"evaluation_{name}"
                write_lesion_results({"mix": report}, folder)
                StageRecord(folder).write(status="finished", minutes=1.5, settings={})

    def summarise(self, **arguments: Any) -> tuple[dict[str, Any], str]:
        with redirect_stdout(io.StringIO()) as printed:
            summary = summarise_synthetic_shares(
                str(self.root / "summary"), str(self.root), self.SHARES, self.SEEDS, **arguments
            )
        return summary, printed.getvalue()

    def test_mean_and_sd_over_seeds(self):
        summary, printed = self.summarise(target="exudate", paper=[0.4694, 0.4965])
        self.assertEqual(json.loads((self.root / "summary" / "summary.json").read_text()), summary)
        self.assertEqual(list(summary["lesions"]), ["exudate"])
        row = summary["lesions"]["exudate"][1]
        first, second = (self.reports[0.25, seed]["classes"]["exudate"]["chosen"]["f1_mean"] for seed in (0, 1))
        self.assertNotEqual(first, second)
        self.assertAlmostEqual(row["f1_mean"]["mean"], (first + second) / 2)
        self.assertAlmostEqual(row["f1_mean"]["sd"], abs(first - second) / 2**0.5)
        self.assertEqual((row["share"], row["paper_f1"], row["images"]), (0.25, 0.4965, 3))
        self.assertEqual(row["auprc"]["values"], [self.reports[0.25, 0]["classes"]["exudate"]["auprc"]] * 2)
        self.assertEqual(summary["minutes"]["evaluation_share25_seed1"], 1.5)
        for word in ("25 %", "0.4965", f"{row['f1']['mean']:.4f}", "paper"):
            self.assertIn(word, printed)

    def test_all_classes_and_missing_scores(self):
        summary, printed = self.summarise()
        self.assertEqual(list(summary["lesions"]), ["exudate", "bleeding"])
        self.assertEqual(
            summary["lesions"]["bleeding"][1]["f1"], {"mean": None, "sd": None, "n": 0, "values": [None] * 2}
        )
        self.assertIn("n/a", printed)
        self.assertNotIn("paper", printed)
        half = self.summarise(point="half")[0]["lesions"]["bleeding"][1]["f1"]
        self.assertEqual(half["n"], 2)

    def test_paper_by_per_cent(self):
        # a published share that this table leaves out is passed over
        rows = self.summarise(target="exudate", paper={"25": 0.5, "50": 1.0})[0]["lesions"]["exudate"]
        self.assertNotIn("paper_f1", rows[0])
        self.assertEqual(rows[1]["paper_f1"], 0.5)
        tables = self.summarise(paper={"25": 0.5}, paper_lesion="bleeding")[0]["lesions"]
        self.assertEqual(tables["bleeding"][1]["paper_f1"], 0.5)
        self.assertNotIn("paper_f1", tables["exudate"][1])

    @parameterized.expand(
        [
            ("point", {"point": "best"}, ConfigError, "choose one of chosen, half"),
            ("paper", {"paper": [1.0]}, ConfigError, "1 numbers for 2 shares"),
            ("class", {"target": "drusen"}, DataError, "no class drusen, it has"),
        ]
    )
    def test_refusals(self, _, arguments, error, message):
        with self.assertRaisesRegex(error, message):
            self.summarise(**arguments)

    def test_missing_evaluation(self):
        (self.root / "evaluation_share0_seed1" / "lesion_segmentation.json").unlink()
        with self.assertRaisesRegex(DataError, "evaluation_share0_seed1"):
            self.summarise()


if __name__ == "__main__":
    unittest.main()
