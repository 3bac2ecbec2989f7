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
"""The bundle semantic_segmentation on chest organs: all networks, training, evaluation, inference, bad input."""

from __future__ import annotations

import json
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from monai.bundle import ConfigWorkflow
from parameterized import parameterized

from monai_retinasynth.data import write_datalist, write_radiograph
from monai_retinasynth.metrics import read_organ_results
from monai_retinasynth.simulation import write_chest_phantom_dataset
from monai_retinasynth.transforms import organ_masks
from monai_retinasynth.utils import CHEST_ORGANS, read_label_map, read_mask, read_rgb, write_grey
from tests.bundles.test_semantic_segmentation import BUNDLE, CONFIGS, EVALUATE, INFERENCE, TINY, TRAIN, messages
from tests.bundles.test_semantic_segmentation import run as run_files

SIZE = 64
SMANET = "configs/smanet.json"
UNET = "configs/unet.json"  # MONAI's UNet
RECIPE = "recipes/chest_phantom.json"
# a light network of either kind: the recipe would set other channels
SETTINGS = {
    **TINY,
    "max_iterations": 2,
    "epoch_length": 2,
    "smanet_channels": 4,
    "smanet_num_blocks": [1, 1, 1, 1],
    "unet_channels": [4, 8, 8],
}
CLASSES = {"dynunet": "DynUNet", "unet": "UNet", "smanet": "SegmentationMultiscaleAttentionNet"}
NETWORKS = [("dynunet", []), ("unet", [UNET]), ("smanet", [SMANET])]


def run(files: list[str], *networks: str, **overrides) -> ConfigWorkflow:
    """Run with the network's file after the first one and the recipe last."""
    kind = "infer" if files == INFERENCE else "train"
    settings = SETTINGS if kind == "train" else {k: SETTINGS[k] for k in SETTINGS if "net_" in k}
    return run_files([files[0], *networks, *files[1:], RECIPE], kind, **{**settings, **overrides})


class TestOrganSegmentation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = Path(folder.name)
        cls.data = cls.root / "chests"
        write_chest_phantom_dataset(cls.data, SIZE, 3, 1, 2, source="real", progress=False)
        cls.trained = {
            name: run(TRAIN, *files, dataset_dir=str(cls.data), output_dir=str(cls.root / name))
            for name, files in NETWORKS
        }

    def model(self, name: str) -> str:
        return str(self.root / name / "models" / "model.pt")

    @parameterized.expand(NETWORKS)
    def test_training(self, name, _):
        flow = self.trained[name]
        self.assertEqual(flow.network_def(torch.rand(1, 1, 32, 16)).shape, (1, 8, 32, 16))
        self.assertEqual(type(flow.network_def).__name__, CLASSES[name])
        metrics = flow.evaluator.state.metrics
        self.assertIn("val_organ_dice", metrics)
        self.assertNotIn("val_vessel_dice", metrics)
        recorded = torch.load(self.root / name / "models" / "last.pt", weights_only=True)["settings"]
        self.assertEqual((recorded["image_channels"], recorded["organs"]), (1, "chest"))
        self.assertEqual(recorded["network"], str(flow.network_def))

    def test_a_chest_is_never_mirrored(self):
        flow = self.trained["dynunet"]
        names = [type(t).__name__ for t in flow.train_dataset.transform.transforms]
        self.assertIn("RandAffined", names)
        self.assertNotIn("RandFlipd", names)
        self.assertNotIn("RandRotate90d", names)
        self.assertEqual(len(flow.parser.get_parsed_content("validate::inferer").flips), 1)
        item = flow.train_dataset[0]
        self.assertEqual((item["image"].shape, item["label"].shape), ((1, 32, 32), (1, 32, 32)))
        self.assertLessEqual(set(item["label"].unique().tolist()), set(range(8)))

    def test_a_retina_is(self):
        settings = {"meta_file": None, "logging_file": False, "dataset_dir": str(self.data)}
        flow = ConfigWorkflow(str(CONFIGS / "train.json"), **settings)
        flow.initialize()
        names = [type(t).__name__ for t in flow.parser.get_parsed_content("train::preprocessing").transforms]
        self.assertEqual([n for n in names if n in ("RandFlipd", "RandRotate90d")], ["RandFlipd", "RandRotate90d"])
        self.assertNotIn("RandAffined", names)

    @parameterized.expand(NETWORKS)
    def test_evaluation(self, name, files):
        output = self.root / f"evaluation_{name}"
        flow = run(
            EVALUATE,
            *files,
            dataset_dir=str(self.data),
            checkpoint=self.model(name),
            output_dir=str(output),
            save_predictions=True,
        )
        self.assertEqual(flow.check_properties(), [])
        report = read_organ_results(output / "organs.json")["REAL"]
        self.assertEqual((report["images"], report["section"], report["num_flips"]), (2, "test", 1))
        self.assertEqual(list(report["organs"]), list(CHEST_ORGANS))
        self.assertTrue((output / "organs.csv").is_file())
        self.assertFalse((output / "segmentation.json").exists())
        self.assertFalse((output / "lesion_segmentation.json").exists())
        # the report is that of the written label maps against the masks on disk
        for case in report["per_case"]:
            predicted = organ_masks(read_label_map(output / "predictions" / f"{case['case_id']}.png", "chest_organ"))
            for organ, own in predicted.items():
                truth = read_mask(self.data / "masks" / organ / f"{case['case_id']}.png")
                jaccard = np.count_nonzero(own & truth) / np.count_nonzero(own | truth)
                self.assertAlmostEqual(case["organs"][organ]["jaccard"], jaccard, places=12, msg=organ)
                self.assertAlmostEqual(case["organs"][organ]["accuracy"], np.mean(own == truth), places=12)

    def test_label_maps_alone_will_do(self):
        folder = self.root / "label_maps_only"
        shutil.copytree(self.data, folder, ignore=shutil.ignore_patterns("masks"))
        content = json.loads((folder / "datalist.json").read_text())
        cases = {
            section: [{k: v for k, v in case.items() if k != "masks"} for case in content[section]]
            for section in ("training", "validation", "test")
        }
        write_datalist(folder, cases, "chest_organ", "no masks")
        output = self.root / "evaluation_label_maps"
        settings = {"checkpoint": self.model("dynunet"), "output_dir": str(output), "save_predictions": True}
        run(EVALUATE, dataset_dir=str(folder), **settings)
        for case in read_organ_results(output / "organs.json")["REAL"]["per_case"]:
            predicted, truth = (
                organ_masks(read_label_map(place / f"{case['case_id']}.png", "chest_organ"))
                for place in (output / "predictions", folder / "labels")
            )
            for organ, own in case["organs"].items():
                if organ in CHEST_ORGANS:
                    self.assertAlmostEqual(own["accuracy"], np.mean(predicted[organ] == truth[organ]), msg=organ)

    @parameterized.expand(NETWORKS)
    def test_inference(self, name, files):
        output = self.root / f"maps_{name}"
        images = self.root / f"radiographs_{name}"
        images.mkdir()
        shutil.copy(self.data / "images" / "chest_00004.png", images / "a.png")
        radiograph = read_rgb(images / "a.png")[..., 0]
        for kind in ("as_dicom.dcm", "as_nifti.nii.gz"):
            write_radiograph(images / kind, radiograph)
        write_grey(images / "b.png", np.full((37, 50), 90, np.uint8))
        settings = {} if files else {key: SETTINGS[key] for key in ("channels", "strides")}
        run(
            INFERENCE,
            *files,
            dataset_dir=str(images),
            checkpoint=self.model(name),
            output_dir=str(output),
            device="cpu",
            **settings,
        )
        self.assertEqual(sorted(p.name for p in output.iterdir()), ["a.png", "as_dicom.png", "as_nifti.png", "b.png"])
        self.assertEqual(read_label_map(output / "b.png", "chest_organ").shape, (37, 50))
        # the same as the evaluation of that radiograph
        evaluated = self.root / f"again_{name}"
        run(
            EVALUATE,
            *files,
            dataset_dir=str(self.data),
            checkpoint=self.model(name),
            output_dir=str(evaluated),
            save_predictions=True,
        )
        expected = read_label_map(evaluated / "predictions" / "chest_00004.png", "chest_organ")
        for name in ("a", "as_dicom", "as_nifti"):
            self.assertTrue(np.array_equal(read_label_map(output / f"{name}.png", "chest_organ"), expected), name)

    @parameterized.expand([(name, files, other) for name, files in NETWORKS for other in CLASSES if other != name])
    def test_checkpoint_of_another_network_is_refused(self, name, files, other):
        with self.assertRaises(Exception) as caught:
            run(
                EVALUATE,
                *files,
                dataset_dir=str(self.data),
                checkpoint=self.model(other),
                output_dir=str(self.root / "x"),
            )
        theirs, ours = CLASSES[other], CLASSES[name]
        self.assertRegex(messages(caught.exception), f"holds another network \\({theirs}\\) than .* \\({ours}\\)")
        with self.assertRaises(Exception) as caught:  # and going on with training too
            run(TRAIN, *files, dataset_dir=str(self.data), output_dir=str(self.root / other))
        self.assertIn(f"holds another network ({theirs})", messages(caught.exception))

    def test_folder_of_other_settings_is_refused(self):
        with self.assertRaises(Exception) as caught:
            run(TRAIN, dataset_dir=str(self.data), output_dir=str(self.root / "dynunet"), rotation_degrees=2.0)
        self.assertIn("rotation_degrees: ", messages(caught.exception))

    @parameterized.expand(
        [
            ("organs", {"organs": "thorax"}, "give 'chest'"),
            ("labels", {"label_set": "fundus_vessel"}, "(fundus_vessel) are asked for"),
            ("targets", {"target_classes": ["heart"]}, "set target_classes to null"),
            ("channels", {"image_channels": 2}, "image_channels must be 3"),
        ]
    )
    def test_wrong_settings_are_named(self, name, changes, message):
        with self.assertRaises(Exception) as caught:
            run(TRAIN, dataset_dir=str(self.data), output_dir=str(self.root / f"e_{name}"), **changes)
        self.assertIn(message, messages(caught.exception))
        self.assertFalse((self.root / f"e_{name}" / "models").exists())

    @parameterized.expand(["missing", "empty"])
    def test_bad_mask_is_named(self, kind):
        folder = self.root / f"bad_{kind}"
        shutil.copytree(self.data, folder)
        mask = folder / "masks" / "heart" / "chest_00004.png"
        mask.unlink() if kind == "missing" else write_grey(mask, np.zeros((SIZE, SIZE), np.uint8))
        with self.assertRaises(Exception) as caught:
            run(EVALUATE, dataset_dir=str(folder), checkpoint=self.model("dynunet"), output_dir=str(self.root / "x"))
        self.assertRegex(messages(caught.exception), f"mask of heart .*{mask.name}")

    def test_label_set_alone_is_enough(self):
        flow = ConfigWorkflow(
            str(CONFIGS / "train.json"), meta_file=None, logging_file=False, label_set="chest_organ", image_channels=1
        )
        flow.initialize()
        self.assertEqual(flow.parser.get_parsed_content("organ_classes"), CHEST_ORGANS)
        self.assertIsNone(flow.parser.get_parsed_content("vessel_class"))


class TestRecipes(unittest.TestCase):
    @parameterized.expand(["chest_phantom", "jsrt", "drive_256"])
    def test_recipe(self, recipe):
        file = BUNDLE / "recipes" / f"{recipe}.json"
        settings = json.loads(file.read_text())
        self.assertEqual(sorted(set(settings) - set(json.loads((CONFIGS / "train.json").read_text()))), [])
        for files in ([], [UNET], [SMANET]):
            names = [str(BUNDLE / name) for name in ("configs/train.json", *files)]
            flow = ConfigWorkflow([*names, str(file)], meta_file=None, logging_file=False)
            flow.initialize()
            get = flow.parser.get_parsed_content
            self.assertEqual(get("crop_size") % get("size_multiple"), 0)
            channels, classes = get("image_channels"), get("num_classes")
            size = (2, channels, 32, 32)
            pred, label = flow.network_def(torch.rand(size)), torch.randint(0, classes, (2, 1, 32, 32))
            self.assertEqual(pred.shape, (2, classes, 32, 32))
            self.assertGreater(float(get("loss")(pred, label).detach()), 0)
            self.assertEqual(bool(get("organ_classes")), recipe != "drive_256")

    def test_size_by_one_key(self):
        files = [str(CONFIGS / "train.json"), str(BUNDLE / "recipes" / "jsrt.json")]
        flow = ConfigWorkflow(files, meta_file=None, logging_file=False, image_size=256)
        flow.initialize()
        self.assertEqual(flow.parser.get_parsed_content("crop_size"), 256)


if __name__ == "__main__":
    unittest.main()
