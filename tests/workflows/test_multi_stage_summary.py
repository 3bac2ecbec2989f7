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
"""The table and the answer of the multi-stage workflow, on results written by the package's own writers."""

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

from monai_retinasynth.metrics import (
    SCORE_NAMES,
    OrganSegmentationReport,
    write_organ_results,
    write_segmentation_results,
)
from monai_retinasynth.utils.errors import DataError
from monai_retinasynth.workflows import StageRecord, compare_ways, multi_stage_runs, summarise_multi_stage

SEEDS = (0, 1)
WAYS = ("single", "two", "three")
# F1 of the two seeds
F1 = {
    "real": (0.78, 0.80),
    "real_same_steps": (0.80, 0.82),
    "single_synth": (0.60, 0.62),
    "single_synth_then_real": (0.79, 0.81),
    "two_synth": (0.70, 0.72),
    "two_synth_then_real": (0.83, 0.87),
    "three_synth": (0.69, 0.75),
    "three_synth_then_real": (0.84, 0.84),
}
STEPS = {
    "single": ("training", "set"),
    "two": ("label_map_training", "label_maps", "translation_training", "set"),
    "three": ("dots", "dot_map_training", "set"),
}


def vessel_report(f1: float) -> dict[str, Any]:
    inside = {**dict.fromkeys(SCORE_NAMES, 0.5), "f1": f1, "auc": None, "cldice": f1 - 0.1}
    return {"threshold": 0.5, "images": 1, "fov": inside, "whole": {**inside, "f1": f1 - 0.2}, "per_case": []}


class SummaryCase(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name)

    def write_generation(self, percent: str, minutes: float) -> None:
        for way, steps in STEPS.items():
            for seed in SEEDS:
                for step in steps:
                    record = StageRecord(self.root / f"{way}_{step}_{percent}pct_seed{seed}")
                    record.write(status="finished", minutes=minutes + seed, settings={})

    def folder(self, run: str, percent: str, seed: int) -> Path:
        return self.root / f"evaluation_unet_{run}_{percent}pct_seed{seed}"

    def summarise(self, fractions=(1.0, 0.1), **arguments: Any) -> tuple[dict[str, Any], str]:
        with redirect_stdout(io.StringIO()) as printed:
            summary = summarise_multi_stage(
                str(self.root / "summary"), str(self.root), fractions, SEEDS, WAYS, **arguments
            )
        return summary, printed.getvalue()


class TestVessels(SummaryCase):
    def setUp(self):
        super().setUp()
        for percent, less in (("100", 0.0), ("10", 0.2)):
            self.write_generation(percent, 2.0)
            for run, values in F1.items():
                for seed in SEEDS:
                    report = vessel_report(values[seed] - less)
                    write_segmentation_results({run: report}, self.folder(run, percent, seed))

    def test_figures(self):
        summary, printed = self.summarise(budget={"train_images": 300}, title="My eyes")
        self.assertEqual(json.loads((self.root / "summary" / "summary.json").read_text()), summary)
        self.assertEqual(list(summary["fractions"]), ["1.0", "0.1"])
        runs = summary["fractions"]["0.1"]["unet"]
        self.assertEqual(list(runs), multi_stage_runs(WAYS))
        f1 = runs["two_synth"]["f1"]
        self.assertAlmostEqual(f1["mean"], 0.51)
        self.assertAlmostEqual(f1["sd"], 0.01 * math.sqrt(2))
        self.assertEqual(f1["n"], 2)
        self.assertAlmostEqual(runs["two_synth"]["whole_f1"]["mean"], 0.31)
        self.assertAlmostEqual(runs["two_synth"]["cldice"]["mean"], 0.41)
        self.assertEqual(runs["two_synth"]["auc"], {"mean": None, "sd": None, "n": 0, "values": [None, None]})
        self.assertEqual((summary["budget"], summary["missing"]), ({"train_images": 300}, []))
        self.assertEqual((summary["seeds"], summary["generator_seeds"], summary["cost"]), ([0, 1], [0, 1], None))
        self.assertIn("Mean ± sd over 2 seeds.", printed)
        for word in ("My eyes (unet)", "10 %", "three-stage, SYNTH then REAL", "0.5100 ± 0.0141", "n/a"):
            self.assertIn(word, printed)

    def test_fewer_generators_are_told(self):
        _, printed = self.summarise(generator_seeds=[0])
        self.assertIn("sd over 2 seeds of the segmentation networks; generators and choice of cases: 1 seed.", printed)

    def test_answer(self):
        summary, printed = self.summarise()
        answer = summary["answer"]["1.0"]["unet"]["synth_then_real"]
        self.assertEqual((answer["figure"], answer["best"], answer["runner_up"]), ("f1", "two", "three"))
        # variances 0.0008 and 0.0002, one degree of freedom each
        self.assertAlmostEqual(answer["difference"], 0.04)
        self.assertAlmostEqual(answer["pooled_sd"], math.sqrt(0.0005))
        self.assertAlmostEqual(answer["difference_in_sd"], 0.04 / math.sqrt(0.0005))
        self.assertAlmostEqual(answer["lead"], 0.01)
        self.assertAlmostEqual(answer["lead_in_sd"], 0.01 / math.sqrt(0.0004))
        self.assertAlmostEqual(answer["ways"]["single"]["difference"], -0.01)
        synth = summary["answer"]["1.0"]["unet"]["synth"]
        self.assertEqual(synth["best"], "three")
        self.assertAlmostEqual(synth["difference_in_sd"], -0.07 / math.sqrt((0.0018 + 0.0002) / 2))  # REAL has 0.79
        for line in (
            "100 % of the data, SYNTH then REAL: two-stage is best, f1 0.8500 ± 0.0283, 0.0400 above REAL with the "
            "same steps (1.8 pooled sd), 0.0100 ahead of three-stage (0.5 pooled sd, within the spread over seeds)",
            "10 % of the data, SYNTH: three-stage is best, f1 0.5200 ± 0.0424, 0.0700 below REAL (",
        ):
            self.assertIn(line, printed)

    def test_minutes_and_cost(self):
        other = StageRecord(self.root / "two_translation_training_10pct_seed0.replaced-1")
        other.write(status="finished", minutes=1000.0, settings={})
        (self.root / "cost").mkdir()
        (self.root / "cost" / "cost.json").write_text('{"ways": {}}')
        summary, _ = self.summarise()
        # four stages of 2 minutes with seed 0, of 3 minutes with seed 1
        self.assertEqual(summary["minutes"]["0.1"]["two"]["values"], [8.0, 12.0])
        self.assertEqual(summary["minutes"]["1.0"]["single"]["mean"], 5.0)
        self.assertEqual(summary["cost"], {"ways": {}})

    def test_fewer_generator_seeds(self):
        summary, _ = self.summarise(generator_seeds=[0])
        self.assertEqual(summary["minutes"]["0.1"]["three"], {"mean": 6.0, "sd": None, "n": 1, "values": [6.0]})

    def test_missing_evaluation(self):
        (self.folder("two_synth", "10", 1) / "segmentation.json").unlink()
        with self.assertRaisesRegex(
            DataError, r"evaluation_unet_two_synth_10pct_seed1 has no result.*run the workflow"
        ):
            self.summarise()
        summary, _ = self.summarise(allow_missing=True)
        self.assertEqual(summary["missing"], ["evaluation_unet_two_synth_10pct_seed1"])
        f1 = summary["fractions"]["0.1"]["unet"]["two_synth"]["f1"]
        self.assertEqual((f1["sd"], f1["n"], f1["values"][1]), (None, 1, None))

    def test_missing_run_is_left_out(self):
        for seed in SEEDS:
            (self.folder("two_synth_then_real", "10", seed) / "segmentation.json").unlink()
            (self.folder("real_same_steps", "10", seed) / "segmentation.json").unlink()
        summary, printed = self.summarise(allow_missing=True)
        self.assertNotIn("two_synth_then_real", summary["fractions"]["0.1"]["unet"])
        answer = summary["answer"]["0.1"]["unet"]["synth_then_real"]
        self.assertEqual(
            (answer["best"], answer["difference"], set(answer["ways"])), ("three", None, {"single", "three"})
        )
        self.assertIn("10 % of the data, SYNTH then REAL: three-stage is best", printed)

    def test_unfinished_generation(self):
        record = StageRecord(self.root / "three_set_10pct_seed1")
        record.write(status="interrupted", minutes=1.0, settings={})
        with self.assertRaisesRegex(DataError, "three_set_10pct_seed1 has no result"):
            self.summarise()
        summary, _ = self.summarise(allow_missing=True)
        self.assertEqual(summary["minutes"]["0.1"]["three"]["values"], [6.0, None])

    def test_nothing_there(self):
        with self.assertRaisesRegex(DataError, "evaluation_unet_real_50pct_seed0 has no result"):
            self.summarise(fractions=(0.5,), allow_missing=True)


class TestOrgans(SummaryCase):
    def test_figures(self):
        self.write_generation("100", 1.0)
        reports = {}
        for number, run in enumerate(multi_stage_runs(WAYS)):
            for seed in SEEDS:
                rng = np.random.default_rng(10 * number + seed)
                report = OrganSegmentationReport()
                target = rng.random((5, 12, 12)) < 0.3
                report.update(target ^ (rng.random(target.shape) < 0.1), target, "chest")
                reports[run, seed] = report.compute()
                write_organ_results({run: reports[run, seed]}, self.folder(run, "100", seed))
        summary, printed = self.summarise(fractions=(1.0,))
        figures = summary["fractions"]["1.0"]["unet"]["three_synth"]
        self.assertEqual(list(figures)[:3], ["jaccard_lungs", "jaccard_heart", "jaccard_clavicles"])
        expected = [reports["three_synth", seed]["groups"]["lungs"]["jaccard_mean"] for seed in SEEDS]
        self.assertEqual(figures["jaccard_lungs"]["values"], expected)
        self.assertAlmostEqual(figures["jaccard_lungs"]["mean"], sum(expected) / 2)
        self.assertAlmostEqual(figures["jaccard_lungs"]["sd"], abs(expected[0] - expected[1]) / math.sqrt(2))
        every = reports["three_synth", 0]["all_organs"]
        for name, key in (("jaccard", "jaccard_mean"), ("dice", "dice_mean"), ("accuracy", "accuracy")):
            self.assertEqual(figures[name]["values"][0], every[key])
        clavicle = reports["three_synth", 0]["organs"]["left_clavicle"]["dice_mean"]
        self.assertEqual(figures["dice_left_clavicle"]["values"][0], clavicle)
        self.assertEqual(summary["answer"]["1.0"]["unet"]["synth"]["figure"], "jaccard")
        self.assertIn("jaccard clavicles", printed)
        self.assertNotIn("left", printed)


class TestCompareWays(unittest.TestCase):
    def test_one_seed_has_no_spread(self):
        single = {"sd": None, "n": 1}
        runs = {
            "real": {"f1": {"mean": 0.8, **single}},
            "one_synth": {"f1": {"mean": 0.7, **single}},
            "other_synth": {"f1": {"mean": 0.6, **single}},
        }
        answer = compare_ways(runs, ("one", "other"), "f1")
        self.assertEqual((answer["synth"]["best"], answer["synth"]["pooled_sd"]), ("one", None))
        self.assertAlmostEqual(answer["synth"]["difference"], -0.1)
        self.assertIsNone(answer["synth"]["lead_in_sd"])
        self.assertIn("no spread over seeds to compare with", answer["synth"]["text"])
        self.assertIsNone(answer["synth_then_real"]["best"])

    def test_equal_values(self):
        same = {"f1": {"mean": 0.8, "sd": 0.0, "n": 3}}
        answer = compare_ways({"real": same, "one_synth": same}, ("one",), "f1")["synth"]
        self.assertEqual((answer["difference"], answer["pooled_sd"], answer["difference_in_sd"]), (0.0, 0.0, None))
        self.assertIsNone(answer["runner_up"])


if __name__ == "__main__":
    unittest.main()
