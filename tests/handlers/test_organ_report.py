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
"""The organ report handler on MONAI's evaluator: most probable classes against the organs' own masks."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from monai.inferers import SimpleInferer

from monai_retinasynth.handlers import OrganReportHandler
from monai_retinasynth.metrics import OrganSegmentationReport, read_organ_results
from monai_retinasynth.utils import CHEST_ORGAN, CHEST_ORGANS
from monai_retinasynth.utils.errors import DataError

ORGANS = list(CHEST_ORGANS)
SIZE = (6, 4)


class ReadOut(torch.nn.Module):
    """Class probabilities of a picture whose grey levels are class indices: 0.4 for the class, the rest shared out."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        one_hot = torch.nn.functional.one_hot(x[:, 0].long(), CHEST_ORGAN.num_classes).movedim(-1, 1)
        return one_hot * 0.4 + (1 - one_hot) * (0.6 / 7)


def case(number: int) -> dict:
    """What the network will say, and masks that agree with it but for the lung under the heart."""
    label = torch.zeros(1, *SIZE)
    label[0, 0] = CHEST_ORGAN.index("right_lung")
    label[0, 1] = CHEST_ORGAN.index("heart")
    label[0, 2, :2] = CHEST_ORGAN.index("left_clavicle_over_lung")
    label[0, 2, 2:] = CHEST_ORGAN.index("left_lung")
    label[0, 3, 0] = CHEST_ORGAN.index("left_clavicle")
    masks = torch.zeros(5, *SIZE, dtype=torch.uint8)
    masks[ORGANS.index("right_lung"), :2] = 1  # under the heart too
    masks[ORGANS.index("heart"), 1] = 1
    masks[ORGANS.index("left_lung"), 2] = 1
    masks[ORGANS.index("left_clavicle"), 2, :2] = 1
    masks[ORGANS.index("left_clavicle"), 3, :3] = 1
    return {"image": label, "label": label, "masks": masks, "case_id": f"chest{number}"}


def evaluator(cases: list[dict], handler: OrganReportHandler, network=None) -> SupervisedEvaluator:
    return SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(Dataset(cases), batch_size=2),
        network=network or ReadOut(),
        inferer=SimpleInferer(),
        val_handlers=[handler],
    )


class TestOrganReportHandler(unittest.TestCase):
    def test_scores(self):
        report = OrganSegmentationReport(section="test")
        with tempfile.TemporaryDirectory() as folder:
            handler = OrganReportHandler(
                report, output_dir=folder, name="REAL", context={"checkpoint": "m.pt"}, print_table=False
            )
            engine = evaluator([case(0), case(1), case(2)], handler)
            engine.run()
            written = read_organ_results(Path(folder, "organs.json"))["REAL"]
        self.assertEqual((written["checkpoint"], written["images"]), ("m.pt", 3))
        self.assertEqual([own["case_id"] for own in written["per_case"]], ["chest0", "chest1", "chest2"])
        jaccards = {organ: own["jaccard_mean"] for organ, own in written["organs"].items()}
        # half of the right lung lies under the heart; two of five clavicle pixels are missed; the other clavicle is
        # neither there nor found
        expected = {
            "right_lung": 0.5,
            "left_lung": 1.0,
            "heart": 1.0,
            "right_clavicle": None,
            "left_clavicle": 3 / 5,
        }
        self.assertEqual(list(jaccards), list(expected))
        for organ, value in expected.items():
            if value is None:
                self.assertIsNone(jaccards[organ])
            else:
                self.assertAlmostEqual(jaccards[organ], value, msg=organ)
        self.assertAlmostEqual(written["groups"]["lungs"]["jaccard_mean"], 8 / 12)
        self.assertAlmostEqual(written["groups"]["clavicles"]["dice_mean"], 6 / 8)
        self.assertAlmostEqual(engine.state.metrics["all_organs_jaccard_mean"], (0.5 + 1 + 1 + 0.6) / 4)
        self.assertEqual(engine.state.metrics["heart_jaccard_mean"], 1.0)
        self.assertNotIn("right_clavicle_jaccard_mean", engine.state.metrics)

    def test_second_run_starts_anew(self):
        report = OrganSegmentationReport()
        engine = evaluator([case(0), case(1)], OrganReportHandler(report, print_table=False))
        engine.run()
        engine.run()
        self.assertEqual(len(report), 2)

    def test_other_organs_of_another_label_set(self):
        labels = {"name": "two", "class_names": ["ground", "bone", "marrow"], "colors": [[0] * 3, [9] * 3, [99] * 3]}
        report = OrganSegmentationReport(["long_bone"])
        handler = OrganReportHandler(report, labels, {"long_bone": ["bone", "marrow"]})
        self.assertEqual(handler.classes.tolist(), [[False, True, True]])

    def test_wrong_names(self):
        with self.assertRaisesRegex(DataError, "no class is named for the organ 'spleen'"):
            OrganReportHandler(OrganSegmentationReport(["spleen"]))
        with self.assertRaisesRegex(DataError, "right_lung"):
            OrganReportHandler(OrganSegmentationReport(), "fundus_vessel")

    def test_wrong_predictions(self):
        for network, message in (
            (lambda x: ReadOut()(x)[:, :3], "3 channels of class probabilities"),
            (lambda x: ReadOut()(x) * float("nan"), "the training diverged"),
        ):
            module = torch.nn.Module()
            module.forward = network
            engine = evaluator([case(0)], OrganReportHandler(OrganSegmentationReport()), module)
            engine.logger.disabled = True
            with self.assertRaisesRegex(DataError, message):
                engine.run()


if __name__ == "__main__":
    unittest.main()
