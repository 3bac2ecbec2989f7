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
"""The bundle semantic_segmentation on lesions: target classes, shares of synthetic images, evaluation, inference."""

from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigWorkflow
from parameterized import parameterized

from monai_retinasynth.data import write_datalist
from monai_retinasynth.engines import select_segmentation_targets
from monai_retinasynth.metrics import read_lesion_results
from monai_retinasynth.utils import read_label_map, write_label_map, write_rgb
from tests.bundles.test_semantic_segmentation import (
    BUNDLE,
    CONFIGS,
    EVALUATE,
    INFERENCE,
    TRAIN,
    messages,
    run,
    workflow,
)

SIZE = (61, 53)  # height, width
EXUDATE, ANEURYSM = 6, 7
LESIONS = {"label_set": "fundus_lesion", "target_classes": ["hard_exudate"], "positive_crops": 0.5}
BOTH = {**LESIONS, "target_classes": ["microaneurysm", "hard_exudate"]}


def write_eyes(folder: Path, counts: dict[str, int], source: str, seed: int) -> None:
    """Round fields of view with yellow squares (exudates) and, in every second one, a dark one (a microaneurysm)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    inside = ((y - 30) ** 2 + (x - 26) ** 2 < 24**2).astype(np.uint8)
    cases: dict[str, list] = {}
    for section, count in counts.items():
        for number in range(count):
            name = f"{source}_{section}_{number}"
            label = inside.copy()
            for row, column in rng.integers(15, 36, (2, 2)):
                label[row : row + 4, column : column + 4] = EXUDATE
            if number % 2 == 0:
                label[25:27, 25:27] = ANEURYSM
            rgb = np.full((*SIZE, 3), (200, 110, 60), np.float64) + rng.normal(0, 8, (*SIZE, 3))
            rgb[label == EXUDATE] = (240, 230, 120)
            rgb[label == ANEURYSM] = (120, 30, 20)
            rgb[label == 0] = 2
            write_rgb(folder / "images" / f"{name}.png", np.clip(rgb, 0, 255).astype(np.uint8))
            write_label_map(folder / "labels" / f"{name}.png", label, "fundus_lesion")
            case = {"image": f"images/{name}.png", "label": f"labels/{name}.png", "case_id": name, "source": source}
            cases.setdefault(section, []).append(case)
    write_datalist(folder, cases, "fundus_lesion", f"{source} eyes")


class TestLesionSegmentation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = Path(folder.name)
        cls.real, cls.synthetic = str(cls.root / "real"), str(cls.root / "synthetic")
        write_eyes(cls.root / "real", {"training": 3, "validation": 1, "test": 2}, "real", 0)
        write_eyes(cls.root / "synthetic", {"training": 4}, "synthetic", 1)
        cls.mixed = {
            "dataset_dir": cls.real,
            "synthetic_dir": cls.synthetic,
            "train_on": "mixed",
            "synthetic_share": 0.25,
        }
        cls.trained = run(TRAIN, **LESIONS, **cls.mixed, max_iterations=2, output_dir=str(cls.root / "trained"))
        cls.model = str(cls.root / "trained" / "models" / "model.pt")

    def test_network_and_data(self):
        self.assertEqual(self.trained.network_def(torch.rand(1, 3, 16, 16)).shape, (1, 3, 16, 16))
        self.assertEqual([c["source"] for c in self.trained.train_dataset.data], ["real"] * 3 + ["synthetic"])
        label = self.trained.val_dataset[0]["label"]
        self.assertEqual(label.dtype, torch.uint8)
        self.assertEqual(label.unique().tolist(), [0, 1, 2])
        stored = read_label_map(self.root / "real" / "labels" / "real_validation_0.png", "fundus_lesion")
        self.assertEqual(int((label == 2).sum()), int((stored == EXUDATE).sum()))
        metrics = self.trained.evaluator.state.metrics
        self.assertIn("val_target_dice", metrics)
        self.assertNotIn("val_vessel_dice", metrics)

    def test_crops_hold_lesions(self):
        settings = {"dataset_dir": self.real, "crop_size": 8, "augment": False, "output_dir": str(self.root / "crops")}
        shares = {}
        for positive_crops in (0.0, 0.95):
            flow = workflow(TRAIN, **{**LESIONS, "positive_crops": positive_crops}, **settings)
            flow.initialize()
            flow.train_dataset.transform.set_random_state(0)
            crops = [crop["label"] for _ in range(12) for items in flow.train_dataset for crop in items]
            self.assertEqual({tuple(crop.shape) for crop in crops}, {(1, 8, 8)})
            shares[positive_crops] = np.mean([bool((crop == 2).any()) for crop in crops])
        self.assertLess(shares[0.0], 0.7)
        self.assertGreater(shares[0.95], 0.85)

    def test_evaluation(self):
        output = self.root / "evaluation"
        flow = run(
            EVALUATE, **LESIONS, **self.mixed, checkpoint=self.model, output_dir=str(output), save_predictions=True
        )
        self.assertEqual(flow.check_properties(), [])
        (name, report), *_ = read_lesion_results(output / "lesion_segmentation.json").items()
        self.assertEqual(name, "REAL, 25 % SYNTH")
        self.assertEqual(
            (report["images"], report["threshold_from"], report["synthetic_share"]), (2, "validation", 0.25)
        )
        self.assertEqual(list(report["classes"]), ["hard_exudate"])
        scores = report["classes"]["hard_exudate"]
        self.assertEqual(scores["images_with_lesion"], 2)
        thresholds = flow.parser.get_parsed_content("lesion_threshold_report").thresholds
        self.assertEqual(scores["threshold"], thresholds["hard_exudate"])
        self.assertFalse((output / "segmentation.json").exists())
        # the written map is the one of the threshold
        targets = select_segmentation_targets("fundus_lesion", "hard_exudate")
        label = read_label_map(output / "predictions" / "real_test_0.png", targets.label_set)
        truth = read_label_map(self.root / "real" / "labels" / "real_test_0.png", "fundus_lesion")
        hits = np.count_nonzero((label == 2) & (truth == EXUDATE)) / np.count_nonzero(truth == EXUDATE)
        self.assertAlmostEqual(hits, report["per_case"][0]["classes"]["hard_exudate"]["chosen"]["recall"], places=2)

    def test_several_classes(self):
        output = str(self.root / "both")
        loss = {"_target_": "TverskyLoss", "to_onehot_y": True, "softmax": True, "alpha": 0.3, "beta": 0.7}
        run(TRAIN, **BOTH, dataset_dir=self.real, output_dir=output, max_iterations=2, loss=loss)
        settings = {**BOTH, "target_classes": BOTH["target_classes"][::-1]}  # the order makes no difference
        run(EVALUATE, **settings, dataset_dir=self.real, output_dir=output, save_predictions=True)
        report = read_lesion_results(Path(output, "lesion_segmentation.json"))["REAL"]
        self.assertEqual(list(report["classes"]), ["hard_exudate", "microaneurysm"])
        self.assertEqual(report["classes"]["microaneurysm"]["images_with_lesion"], 1)

    def test_inference(self):
        output = self.root / "maps"
        settings = {"label_set": "fundus_lesion", "target_classes": ["hard_exudate"], "image_size": 32}
        images = str(Path(self.real, "images"))
        run(INFERENCE, "infer", **settings, dataset_dir=images, checkpoint=self.model, output_dir=str(output))
        targets = select_segmentation_targets("fundus_lesion", "hard_exudate")
        self.assertEqual(read_label_map(output / "real_test_0.png", targets.label_set).shape, (32, 32))
        self.assertTrue((output / "real_test_0_hard_exudate.png").is_file())

    def test_checkpoint_for_other_targets_is_refused_by_name(self):
        settings = {**LESIONS, "target_classes": "haemorrhage"}
        with self.assertRaises(Exception) as caught:
            run(EVALUATE, **settings, dataset_dir=self.real, checkpoint=self.model, output_dir=str(self.root / "x"))
        message = messages(caught.exception)
        self.assertIn(
            "'semantic_segmentation of hard_exudate', not for 'semantic_segmentation of haemorrhage'", message
        )

    @parameterized.expand(
        [
            ("share", {"synthetic_share": 0.5}, "synthetic_share: 0.25 -> 0.5"),
            ("all", {"target_classes": None}, "not for"),
        ]
    )
    def test_folder_of_other_settings_is_refused(self, _, changes, message):
        settings = {**LESIONS, "positive_crops": None, **self.mixed, **changes}
        with self.assertRaises(Exception) as caught:
            run(TRAIN, **settings, max_iterations=2, output_dir=str(self.root / "trained"))
        self.assertIn(message, messages(caught.exception))

    @parameterized.expand(
        [
            ("share", {"synthetic_share": 0.75}, "needs 9, .*holds 4"),
            ("targets", {"target_classes": ["exudate"]}, "'hard_exudate'"),
            ("crops", {"target_classes": None}, "positive_crops needs target_classes"),
        ]
    )
    def test_wrong_settings_are_named(self, name, changes, message):
        with self.assertRaises(Exception) as caught:
            run(TRAIN, **{**LESIONS, **self.mixed, **changes}, output_dir=str(self.root / f"e_{name}"))
        self.assertRegex(messages(caught.exception), message)

    def test_label_set_without_vessels(self):
        labels = {"name": "spots", "class_names": ["outside", "retina", "spot"], "colors": [[0] * 3, [9] * 3, [99] * 3]}
        flow = workflow(TRAIN, dataset_dir=self.real, label_set=labels, target_classes=["spot"])
        flow.initialize()
        self.assertIsNotNone(flow.parser.get_parsed_content("validate::postprocessing"))
        self.assertEqual(list(flow.parser.get_parsed_content("validate::key_metric")), ["val_target_dice"])


class TestRecipes(unittest.TestCase):
    @parameterized.expand(["idrid_exudate", "idrid_lesions", "phantom_lesion"])
    def test_recipe(self, recipe):
        file = BUNDLE / "recipes" / f"{recipe}.json"
        settings = json.loads(file.read_text())
        self.assertEqual(sorted(set(settings) - set(json.loads((CONFIGS / "train.json").read_text()))), [])
        self.assertEqual(settings["crop_size"] % int(np.prod(settings["strides"])), 0)
        flow = ConfigWorkflow([str(CONFIGS / "train.json"), str(file)], meta_file=None, logging_file=False)
        flow.initialize()
        targets = flow.parser.get_parsed_content("targets")
        self.assertEqual(sorted(targets.names), sorted(settings["target_classes"]))
        classes = 2 + len(targets.names)
        pred, label = torch.rand(1, classes, 8, 8), torch.randint(0, classes, (1, 1, 8, 8))
        self.assertGreater(float(flow.parser.get_parsed_content("loss")(pred, label)), 0)


if __name__ == "__main__":
    unittest.main()
