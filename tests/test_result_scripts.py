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
"""The scripts that gather finished runs for the documentation."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
with mock.patch.object(sys, "path", [str(BENCHMARKS), *sys.path]):  # they lie beside one another
    import across_cameras_results
    import two_stage_results


def spread(mean: float) -> dict:
    return {"mean": mean, "sd": 0.01, "n": 2, "values": [mean, mean]}


def row(title: str, f1: float, auc: float, control: bool = False) -> dict:
    compared = {"difference": 0.05, "low": 0.01, "high": 0.09, "seeds": [0, 1], "other": "real"}
    return {
        "title": title,
        "control": control,
        "seeds": [0, 1],
        "f1": spread(f1),
        "best_f1": spread(f1),
        "auc": spread(auc),
        "minus_real": {} if control else {"f1": compared, "auc": compared},
        "minus_best_control": {} if control else {"f1": compared, "auc": compared},
    }


ROWS = {
    "real": row("REAL", 0.9, 0.99, control=True),
    "synth": row("SYNTH", 0.7, 0.96),
    "half": row("half", 0.8, 0.95),
}


class TestAcrossCameras(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def run_folder(self, name: str, choice_count: int, cameras=("home", "other")) -> Path:
        run = self.folder / name
        content = {"images": 3, "patients": 3, "second_observer": 0.78, "rows": ROWS}
        summary = {
            "seeds": [0, 1],
            "cameras": dict.fromkeys(cameras, content),
            "fidelity": {"gan_seed0": {"generated": {"mse_pm1": 0.1}}},
            "missing": ["evaluation_x_on_home_seed1", "evaluation_x_on_other_seed1"],
            "minutes": {"home": 1.5},
        }
        for path, document in (
            (run / "summary" / "summary.json", summary),
            (run / "home" / "stage.json", {"settings": {"choice_count": choice_count}}),
            (run / "home_check" / "stage.json", {"settings": {}}),
        ):
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(document))
        return run

    def gather(self, runs: dict, chosen: dict, camera: list | None = None) -> dict:
        arguments = argparse.Namespace(command=["x"], commit="abc", note=[], camera=camera)
        return json.loads(json.dumps(across_cameras_results.gather(runs, chosen, arguments)))

    def test_choices_name_a_row_of_the_tables(self):
        results = self.gather({"a": self.run_folder("a", 0)}, {"a": self.run_folder("b", 3, ("home",))})
        self.assertEqual(set(results["runs"]["a"]["tables"]), {"home", "other"})
        table = results["choices"]["a"]["table"]
        self.assertEqual((table["half"]["F1"]["mean"], table["half"]["AUC"]["mean"]), (0.8, 0.95))
        # the best one of the rows with synthetic photographs, not a control
        self.assertEqual(results["choices"]["a"]["named"], {"F1": "half", "AUC": "SYNTH"})
        self.assertIn(results["choices"]["a"]["named"]["F1"], results["runs"]["a"]["tables"]["home"])
        self.assertEqual(table["half"]["best control"], "real, seeds 0, 1")
        self.assertEqual(results["runs"]["a"]["fidelity"]["gan_seed0"]["generated"]["mse_pm1"], 0.1)

    def test_a_camera_alone(self):
        results = self.gather({"a": self.run_folder("a", 0)}, {}, camera=["home"])["runs"]["a"]
        self.assertEqual((set(results["tables"]), results["missing"]), ({"home"}, ["evaluation_x_on_home_seed1"]))

    def test_test_eyes_choose_nothing_and_choices_are_no_test(self):
        tested, chosen = self.run_folder("a", 0), self.run_folder("b", 3)
        with self.assertRaisesRegex(SystemExit, "was not run with choice_count"):
            self.gather({}, {"a": tested})
        with self.assertRaisesRegex(SystemExit, "give it with --choices"):
            self.gather({"a": chosen}, {})
        with self.assertRaisesRegex(SystemExit, "no results on mars, only on home, other"):
            self.gather({"a": tested}, {}, camera=["mars"])
        with self.assertRaisesRegex(SystemExit, "run the workflow"):
            self.gather({"a": self.folder / "absent"}, {})

    def test_runs_of_an_earlier_file_are_kept(self):
        earlier = self.gather({"a": self.run_folder("a", 0), "b": self.run_folder("b", 0)}, {})
        earlier["commit"] = "older"
        results = self.gather({"b": self.run_folder("c", 0, ("home",))}, {})
        kept = across_cameras_results.with_earlier_runs(results, earlier)
        self.assertEqual(list(kept["runs"]), ["b", "a"])
        self.assertEqual(set(kept["runs"]["b"]["tables"]), {"home"})
        self.assertEqual((kept["commit"], kept["runs"]["a"]["made_with"]["commit"]), ("abc", "older"))
        self.assertNotIn("made_with", kept["runs"]["b"])
        # and once more: what a run was made with stays
        again = across_cameras_results.with_earlier_runs(self.gather({}, {}), kept)
        self.assertEqual(again["runs"]["a"]["made_with"]["commit"], "older")
        self.assertEqual(again["runs"]["b"]["made_with"]["commit"], "abc")

    def test_tables_of_the_two_stage_page(self):
        tables = two_stage_results.tables_at_home({"18 eyes": self.run_folder("a", 0)})
        self.assertEqual((tables["18 eyes"]["seeds"], tables["18 eyes"]["images"]), ([0, 1], 3))
        self.assertEqual(list(tables["18 eyes"]["table"]), ["REAL", "SYNTH", "half", "second observer"])

    def test_steps_of_the_two_stage_run(self):
        report = {"threshold": 0.4, "images": 20, "fov": {"f1": 0.8}, "whole": {"f1": 0.7}}
        summary = {
            "segmentation": {"REAL": report, "SYNTH then REAL (simulation)": report},
            "iterations": {"REAL": [1500], "SYNTH then REAL (simulation)": [750, 250]},
            "label_maps": {},
            "minutes": {"home": 1.5},
            "second_observer": {"f1": 0.78, "images": 20},
        }
        (self.folder / "summary").mkdir()
        (self.folder / "summary" / "summary.json").write_text(json.dumps(summary))
        rows = two_stage_results.gather(self.folder, ["x"], 0, [], "abc")["segmentation"]
        steps = {name: report["iterations"] for name, report in rows.items()}
        self.assertEqual(steps, {"REAL": "1500", "SYNTH then REAL (simulated maps)": "750 + 250"})


if __name__ == "__main__":
    unittest.main()
