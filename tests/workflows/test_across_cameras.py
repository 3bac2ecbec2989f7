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
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from parameterized import parameterized

from monai_retinasynth.metrics import (
    ImageFidelityReport,
    VesselSegmentationReport,
    write_fidelity_results,
    write_segmentation_results,
)
from monai_retinasynth.utils import ConfigError, DataError
from monai_retinasynth.workflows import (
    ACROSS_CAMERAS_ROWS,
    AcrossCameras,
    StageRecord,
    across_cameras_rows,
    camera_folders,
    evaluation_name,
    find_bundles_dir,
    summarise_across_cameras,
)


def comparison(row_names=("real", "synth_measured"), more=None, **overrides) -> AcrossCameras:
    settings = {
        "root": "/run",
        "bundles_dir": find_bundles_dir(),
        "home": {"dataset_dir": "/home", "val_count": 2, "training_cases": None, "choice_count": 0},
        "others": {"other": "/other"},
        "rows": across_cameras_rows(row_names, more),
        "seeds": [0, 1],
        "recipe": "drive",
        "translation_recipe": "drive_background",
        "plain_recipe": "drive",
        "needs": ["data"],
    }
    return AcrossCameras(**{**settings, **overrides})


def names(cameras: AcrossCameras) -> list[str]:
    return [stage.name for stage in cameras.stages()]


class TestRows(unittest.TestCase):
    def test_every_known_row_can_be_built(self):
        cameras = comparison(list(ACROSS_CAMERAS_ROWS))
        made = names(cameras)
        self.assertEqual(len(set(made)), len(made))
        self.assertLessEqual(set(cameras.evaluations()), set(made))

    def test_as_many_steps(self):
        rows = across_cameras_rows(["real", "real_same_steps"])
        self.assertEqual(rows["real_same_steps"]["iterations_of"], [None, 250])
        self.assertNotIn("steps_of", rows["real_same_steps"])
        short = {**ACROSS_CAMERAS_ROWS["synth_measured_then_real"], "max_iterations": 40}
        rows = across_cameras_rows(["real_same_steps"], {"synth_measured_then_real": short})
        self.assertEqual(rows["real_same_steps"]["iterations_of"], [None, 40])

    def test_titles_differ_and_hold_no_number(self):
        titles = [row["title"] for row in ACROSS_CAMERAS_ROWS.values()]
        self.assertEqual(len(set(titles)), len(titles))
        self.assertFalse([title for title in titles if any(letter.isdigit() for letter in title)])

    def test_more_rows(self):
        rows = across_cameras_rows(["real", "slow"], {"slow": {"train_on": "real", "learning_rate": 0.001}})
        self.assertEqual(list(rows), ["real", "slow"])

    @parameterized.expand(
        [
            ("unknown", ["no_such_row"], {}, "name different ones of real"),
            ("twice", ["real", "real"], {}, "name different ones"),
            ("painter", ["x"], {"x": {"train_on": "synthetic", "synthetic": ["oil"]}}, "measured, varied"),
            ("no_source", ["x"], {"x": {}}, "train_on"),
            ("no_row", ["x"], {"x": {"train_on": "real", "steps_of": "y"}}, "as many steps as y"),
            ("itself", ["x"], {"x": {"train_on": "real", "steps_of": "x"}}, "another row"),
            (
                "circle",
                ["x"],
                {"x": {"train_on": "real", "steps_of": "y"}, "y": {"checkpoints": {"pretrained": "y"}}},
                "as many steps as y after y",
            ),
            ("both", ["x"], {"x": {"train_on": "real", "steps_of": "real", "max_iterations": 3}}, "leave one out"),
            ("too_early", ["synth_measured_then_real", "synth_measured"], {}, "must come before"),
        ]
    )
    def test_errors(self, _, wanted, more, words):
        with self.assertRaisesRegex(ConfigError, words):
            across_cameras_rows(wanted, more)


class TestStages(unittest.TestCase):
    def test_each_stage_comes_after_what_it_needs_and_seeds_one_by_one(self):
        made = names(comparison())
        seen = {"data"}
        for stage in comparison().stages():
            self.assertLessEqual(set(stage.needs), seen, stage.name)
            seen.add(stage.name)
        last_of_first = max(made.index(evaluation_name(r, "other", 0)) for r in ("real", "synth_measured"))
        self.assertLess(last_of_first, made.index("segmentation_real_seed1"))

    def test_one_threshold_for_all_cameras(self):
        stages = {stage.name: stage for stage in comparison().stages()}
        for camera, folder in (("home", "/run/home"), ("other", "/run/camera_other")):
            overrides = stages[evaluation_name("synth_measured", camera, 1)].overrides
            self.assertEqual((overrides["dataset_dir"], overrides["test_dir"]), ("/run/home", folder))
            self.assertEqual(overrides["checkpoint"], "/run/segmentation_synth_measured_seed1/models/model.pt")
        self.assertTrue(stages["camera_other"].arguments["all_as_test"])

    def test_more_rows_seeds_and_cameras_leave_the_settings_of_others(self):
        before = {stage.name: (stage.settings(), stage.needs) for stage in comparison().stages()}
        more = comparison(
            ["real", "real_same_steps", "synth_measured", "synth_transplanted"],
            others={"other": "/other", "third": {"dataset_dir": "/third", "layout": "datalist"}},
            seeds=[0, 1, 2],
        )
        after = {stage.name: (stage.settings(), stage.needs) for stage in more.stages()}
        self.assertGreater(len(after), len(before))
        for name, content in before.items():
            self.assertEqual(after[name], content, name)

    def test_eyes_by_seed(self):
        home = {"dataset_dir": "/home", "training_cases": [["a", "b"], ["c", "d"]]}
        stages = {stage.name: stage for stage in comparison(home=home, seeds=[5, 6, 7]).stages()}
        self.assertEqual(stages["home_eyes1"].arguments["training_cases"], ["c", "d"])
        for seed, eyes in ((5, 0), (6, 1), (7, 0)):
            self.assertEqual(
                stages[f"segmentation_real_seed{seed}"].overrides["dataset_dir"], f"/run/home_eyes{eyes}"
            )
            painting = stages[f"measured_set_seed{seed}"].overrides
            self.assertEqual(painting["dataset_dir"], f"/run/home_eyes{eyes}")
            self.assertEqual(painting["background"], f"/run/backgrounds_eyes{eyes}")
        # one pair is no list of pairs
        one = comparison(home={"dataset_dir": "/home", "training_cases": ["a", "b"]}).stages()
        self.assertEqual(one[0].arguments["training_cases"], ["a", "b"])

    def test_translators_learn_on_own_backgrounds_and_take_turns(self):
        cameras = comparison(["real", "synth_gan", "synth_gan_plain"], translator_seeds=[4])
        stages = {stage.name: stage for stage in cameras.stages()}
        self.assertEqual(stages["gan_training_seed4"].overrides["background"], "own")
        for seed in (0, 1):
            drawing = stages[f"gan_set_seed{seed}"].overrides
            self.assertEqual(drawing["checkpoint"], "/run/gan_training_seed4/models/model.pt")
            self.assertEqual(drawing["background"], "/run/backgrounds")
            self.assertEqual(stages[f"gan_plain_set_seed{seed}"].overrides["background"], "none")

    def test_settings_of_the_translator_leave_other_painters_alone(self):
        wanted = ["real", "synth_measured", "synth_gan", "synth_gan_plain"]
        before = {stage.name: stage.settings() for stage in comparison(wanted).stages()}
        # one of the training, one of the generation, one that the recipe's network alone has
        translation = {"max_epochs": 3, "photographs_per_map": 2, "dropout": 0.1}
        after = {stage.name: stage.settings() for stage in comparison(wanted, translation=translation).stages()}
        changed = {name: {k for k in after[name] if after[name][k] != before[name].get(k)} for name in after}
        self.assertEqual(
            {name: keys for name, keys in changed.items() if keys},
            {
                **{f"gan_training_seed{seed}": {"max_epochs", "dropout"} for seed in (0, 1)},
                **{f"gan_plain_training_seed{seed}": {"max_epochs"} for seed in (0, 1)},
                **{f"gan_set_seed{seed}": {"photographs_per_map", "dropout"} for seed in (0, 1)},
                **{f"{p}_set_seed{s}": {"photographs_per_map"} for p in ("measured", "gan_plain") for s in (0, 1)},
                **{f"fidelity_gan_seed{seed}": {"max_epochs", "dropout"} for seed in (0, 1)},
            },
        )

    def test_equal_steps(self):
        wanted = ["synth_measured", "synth_measured_then_real", "real_same_steps"]
        recipe = comparison(wanted).stages()
        longer = comparison(wanted, segmentation={"max_iterations": 600}).stages()
        for stages, first in ((recipe, 1500), (longer, 600)):
            steps = {stage.name: stage.settings().get("max_iterations") for stage in stages}
            self.assertEqual(steps["segmentation_synth_measured_seed0"], first)
            self.assertEqual(steps["segmentation_synth_measured_then_real_seed0"], 250)
            self.assertEqual(steps["segmentation_real_same_steps_seed0"], first + 250)
            self.assertEqual(steps[evaluation_name("real_same_steps", "other", 0)], first + 250)
        with self.assertRaisesRegex(ConfigError, "max_iterations in place of max_epochs"):
            comparison(wanted, segmentation={"max_epochs": 2}).stages()

    def test_fidelity_and_contact_sheets(self):
        cameras = comparison(["real", "synth_measured", "synth_gan", "synth_gan_plain"], translator_seeds=[4])
        stages = {stage.name: stage for stage in cameras.stages()}
        fidelity = stages["fidelity_gan_seed4"]
        self.assertEqual(fidelity.needs, ("gan_training_seed4", "home_check"))
        self.assertEqual([Path(file).stem for file in fidelity.config_files], ["train", "evaluate", "drive_background"])
        self.assertEqual(fidelity.overrides["checkpoint"], "/run/gan_training_seed4/models/model.pt")
        self.assertEqual((fidelity.overrides["background"], fidelity.overrides["dataset_dir"]), ("own", "/run/home"))
        self.assertNotIn("fidelity_gan_plain_seed4", stages)
        sheets = [name for name in stages if name.startswith("contact_sheet")]
        self.assertEqual(sheets, [f"contact_sheet_{p}_seed0" for p in ("measured", "gan", "gan_plain")])
        self.assertEqual(stages[sheets[0]].needs, ("measured_set_seed0",))
        # the summary waits for them as well
        self.assertLessEqual({*sheets, "fidelity_gan_seed4", *cameras.evaluations()}, set(cameras.last_stages()))
        self.assertNotIn("measured_set_seed0", cameras.last_stages())

    def test_label_maps_of_several_fields_of_view(self):
        rows = ["real", "synth_measured", "half_varied_fields"]
        simulation = {"view": "disc", "field_degrees": 36}
        stages = {s.name: s for s in comparison(rows, simulation=simulation, field_degrees=45).stages()}
        maps, own = stages["label_maps_seed1"].arguments, stages["varied_fields_label_maps_seed1"].arguments
        self.assertEqual(own, {**maps, "view": ["macula", "disc"], "field_degrees": [30.0, 45.0]})
        self.assertEqual((maps["view"], maps["field_degrees"]), ("disc", 36))
        drawn, plain = stages["varied_fields_set_seed1"], stages["measured_set_seed1"]
        self.assertEqual(drawn.overrides["label_maps_dir"], "/run/varied_fields_label_maps_seed1")
        self.assertEqual(drawn.overrides["background_options"], {"field_degrees": 45})
        self.assertEqual(drawn.overrides["look_range"], 1.0)
        self.assertIn("varied_fields_label_maps_seed1", drawn.needs)
        self.assertEqual(plain.overrides["background_options"], {"field_degrees": 45})
        chosen = {"background_options": {"max_shift": 20}}
        stages = {s.name: s for s in comparison(rows, translation=chosen, field_degrees=45).stages()}
        self.assertEqual(
            stages["varied_fields_set_seed0"].overrides["background_options"], {"field_degrees": 45, "max_shift": 20}
        )
        without = {s.name: s for s in comparison(rows).stages()}["varied_fields_set_seed0"]
        self.assertNotIn("background_options", without.overrides)

    def test_home_alone(self):
        cameras = comparison(["real", "synth_measured"], others={}, tolerance=0.03)
        self.assertEqual(cameras.cameras(), ["home"])
        made = {stage.name: stage for stage in cameras.stages()}
        self.assertEqual(len([name for name in made if name.startswith("evaluation_")]), 4)
        self.assertEqual((made["home"].arguments["diameter"], made["home"].arguments["tolerance"]), (540.0, 0.03))
        self.assertNotIn("tolerance", comparison().stages()[0].arguments)

    def test_the_network_of_another_row(self):
        stages = {s.name: s for s in comparison(["synth_measured", "synth_measured_then_real"]).stages()}
        tuned = stages["segmentation_synth_measured_then_real_seed1"]
        self.assertEqual(tuned.overrides["pretrained"], "/run/segmentation_synth_measured_seed1/models/model.pt")
        self.assertIn("segmentation_synth_measured_seed1", tuned.needs)

    @parameterized.expand(
        [
            ("choices", {"home": {"dataset_dir": "/h", "choice_count": 3}}, "no other camera may make"),
            ("seeds", {"seeds": [0, 0]}, "different whole numbers"),
            ("one_seed", {"seeds": 3}, "seeds is a list of different whole numbers.*got 3"),
            ("translator_seeds", {"translator_seeds": "0"}, "translator_seeds is a list"),
            ("negative", {"home": {"dataset_dir": "/h", "choice_count": -1}}, "whole number from 0, got -1"),
            ("one_eye", {"home": {"dataset_dir": "/h", "training_cases": "a1"}}, r"write \['a1'\]"),
            ("no_eye", {"home": {"dataset_dir": "/h", "training_cases": []}}, "training_cases is a number"),
            ("an_eye_twice", {"home": {"dataset_dir": "/h", "training_cases": [["a", "a"]]}}, "different case ids"),
            ("painting", {"translation": {"max_epoch": 3}}, "translation bundle.*did you mean max_epochs"),
            ("painting_here", {"translation": {"background": "none"}}, "set by the workflow itself"),
            ("training_here", {"segmentation": {"seed": 3}}, "seed of the segmentation bundle is set by the workflow"),
            ("name", {"others": {"home": "/x"}}, "give it another name"),
            ("setting", {"segmentation": {"max_iteration": 3}}, "did you mean max_iterations"),
            ("row_setting", {"rows": {"x": {"train_on": "real", "photometrics": "strong"}}}, "photometrics"),
        ]
    )
    def test_errors(self, _, overrides, words):
        with self.assertRaisesRegex(ConfigError, words):
            comparison(**overrides)

    def test_camera_folders(self):
        with tempfile.TemporaryDirectory() as folder:
            found = camera_folders({"a": folder, "b": {"dataset_dir": folder, "layout": "drive"}})
            self.assertEqual(found["b"], {"dataset_dir": folder, "layout": "drive"})
            with self.assertRaisesRegex(ConfigError, "letters, digits"):
                camera_folders({"a/b": folder})
            with self.assertRaisesRegex(ConfigError, "there is no folder.*other_dirs#a"):
                camera_folders({"a": str(Path(folder, "absent"))})


class TestSummary(unittest.TestCase):
    """Evaluations written as the bundle writes them, of networks that find more or fewer of the vessels."""

    ROWS = {
        "real": {"title": "REAL", "control": True},
        "better_control": {"title": "better", "control": True},
        "synth": {"title": "SYNTH"},
    }
    CASES = ("Image_01L", "Image_01R", "Image_02L", "Image_02R", "Image_03L", "Image_03R")

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.root = Path(holder.name)

    def evaluate(self, row: str, seed: int, share_found: float, cases=CASES, status: str = "finished") -> None:
        report = VesselSegmentationReport(threshold=0.5, section="test")
        fov = np.ones((20, 50), bool)
        for number, case in enumerate(cases):
            target = np.zeros(fov.shape, bool)
            target[: 4 + number] = True
            probability = np.full(fov.shape, 0.1)
            probability[:, : round(50 * share_found)] = np.where(target, 0.9, 0.1)[:, : round(50 * share_found)]
            report.update(probability, target, fov, case)
        folder = self.root / evaluation_name(row, "home", seed)
        write_segmentation_results({row: report.compute()}, folder)
        np.savez_compressed(folder / "segmentation_histograms.npz", **report.histograms())
        StageRecord(folder).write(status=status, settings={}, minutes=1.0)

    def summarise(self, **overrides) -> dict:
        settings = {"rows": self.ROWS, "cameras": ["home"], "seeds": [0, 1], "num_samples": 50, **overrides}
        return summarise_across_cameras(self.root, self.root / "summary", **settings)

    def test_table(self):
        for row, shares in (("real", (0.5, 0.6)), ("better_control", (0.6, 0.7)), ("synth", (0.8, 0.9))):
            for seed, share in enumerate(shares):
                self.evaluate(row, seed, share)
        (self.root / "second_observer_home").mkdir()
        (self.root / "second_observer_home" / "second_observer.json").write_text('{"f1": 0.7}')
        content = self.summarise()["cameras"]["home"]
        self.assertEqual((content["images"], content["patients"], content["second_observer"]), (6, 3, 0.7))

        def f1(share: float) -> float:
            return 2 * share / (1 + share)  # precision 1, sensitivity share

        synth = content["rows"]["synth"]
        self.assertAlmostEqual(synth["f1"]["mean"], (f1(0.8) + f1(0.9)) / 2)
        self.assertEqual(synth["minus_best_control"]["f1"]["other"], "better_control")
        self.assertAlmostEqual(
            synth["minus_best_control"]["f1"]["difference"], (f1(0.8) + f1(0.9) - f1(0.6) - f1(0.7)) / 2
        )
        self.assertAlmostEqual(synth["minus_real"]["auc"]["difference"], ((0.8 + 0.9) - (0.5 + 0.6)) / 4)
        self.assertGreater(synth["minus_real"]["f1"]["low"], 0)
        self.assertEqual(content["rows"]["better_control"]["minus_best_control"], {})
        written = json.loads((self.root / "summary" / "summary.json").read_text())
        self.assertEqual(written["missing"], [])

    def test_incomplete_seeds(self):
        self.evaluate("real", 0, 0.5)
        self.evaluate("real", 1, 0.6)
        self.evaluate("synth", 0, 0.8)
        self.evaluate("synth", 1, 0.8, status="interrupted")
        summary = self.summarise()
        rows = summary["cameras"]["home"]["rows"]
        self.assertEqual(set(rows), {"real", "synth"})
        self.assertEqual((rows["synth"]["seeds"], rows["synth"]["f1"]["n"]), ([0], 1))
        # only over seeds that both have
        compared = rows["synth"]["minus_real"]["f1"]
        self.assertEqual(compared["seeds"], [0])
        self.assertAlmostEqual(compared["difference"], 2 * 0.8 / 1.8 - 2 * 0.5 / 1.5)
        self.assertIn(evaluation_name("synth", "home", 1), summary["missing"])
        self.assertEqual(len(summary["missing"]), 3)

    def test_one_lucky_seed_is_not_the_best_control(self):
        for seed in (0, 1):
            self.evaluate("real", seed, 0.6)
            self.evaluate("synth", seed, 0.8)
        self.evaluate("better_control", 1, 0.9)
        rows = self.summarise()["cameras"]["home"]["rows"]
        compared = rows["synth"]["minus_best_control"]["f1"]
        self.assertEqual((compared["other"], compared["seeds"]), ("real", [0, 1]))
        # a row with that seed alone is compared with it on that seed
        self.evaluate("synth", 0, 0.8, status="interrupted")
        compared = self.summarise()["cameras"]["home"]["rows"]["synth"]["minus_best_control"]["f1"]
        self.assertEqual((compared["other"], compared["seeds"]), ("better_control", [1]))

    def test_seeds_and_controls_are_named(self):
        for seed in (0, 1):
            self.evaluate("real", seed, 0.6)
        self.evaluate("synth", 1, 0.8)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.summarise()
        line = next(line for line in printed.getvalue().splitlines() if "SYNTH" in line)
        self.assertIn("real (seed 1)", line)

    def test_fidelity_of_translators(self):
        self.evaluate("real", 0, 0.6)
        folder = self.root / "fidelity_gan_seed0"
        picture, eye = torch.zeros(3, 16, 16), torch.full((3, 16, 16), 0.5)
        report = ImageFidelityReport()
        report.update("generated", picture, eye, "a", fov=torch.ones(16, 16, dtype=torch.bool))
        write_fidelity_results(report.results(), folder)
        self.assertEqual(self.summarise()["fidelity"], {})  # not finished
        StageRecord(folder).write(status="finished", settings={}, minutes=1.0)
        self.assertAlmostEqual(self.summarise()["fidelity"]["gan_seed0"]["generated"]["mse_pm1"], 0.25)

    def test_errors(self):
        with self.assertRaisesRegex(DataError, "no finished evaluation"):
            self.summarise()
        self.evaluate("real", 0, 0.5)
        self.evaluate("synth", 0, 0.5, cases=self.CASES[:4])
        with self.assertRaisesRegex(DataError, "not of the same images"):
            self.summarise()


if __name__ == "__main__":
    unittest.main()
