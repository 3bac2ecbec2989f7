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
"""The lesion report handler on MONAI's evaluator: thresholds from one run, scores in another."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from monai.inferers import SimpleInferer
from monai.transforms import Identityd

from monai_retinasynth.engines import select_segmentation_targets
from monai_retinasynth.handlers import LesionReportHandler
from monai_retinasynth.metrics import LesionSegmentationReport, read_lesion_results
from monai_retinasynth.utils.errors import DataError

TARGETS = select_segmentation_targets("fundus_lesion", ["microaneurysm", "hard_exudate"])


class Colours(torch.nn.Module):
    """Four class probabilities of a picture: green is the probability of exudates, blue that of microaneurysms."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.zeros_like(x[:, :1]), 1 - x[:, 1:].sum(1, keepdim=True), x[:, 1:]], dim=1)


def case(number: int, size=(6, 4)) -> dict:
    generator = torch.Generator().manual_seed(number)
    label = torch.ones(1, *size, dtype=torch.uint8)
    label[:, 0] = 0
    label[:, 2] = 2
    label[:, 4, 1] = 3
    image = 0.1 * torch.rand(3, *size, generator=generator)
    image[1] += 0.3 * (label[0] == 2)
    image[2] += 0.2 * (label[0] == 3)
    image[:, 0] = 0.9  # outside the field of view nothing counts
    return {"image": image, "label": label, "case_id": f"eye{number}"}


def evaluator(cases: list[dict], handler: LesionReportHandler) -> SupervisedEvaluator:
    return SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(Dataset(cases), batch_size=2),
        network=Colours(),
        inferer=SimpleInferer(),
        postprocessing=Identityd(keys="pred"),
        val_handlers=[handler],
    )


class TestLesionReportHandler(unittest.TestCase):
    def test_thresholds_from_validation_scores_on_test(self):
        validation = LesionSegmentationReport(TARGETS.names, section="validation")
        test = LesionSegmentationReport(TARGETS.names, section="test")
        evaluator([case(0), case(1)], LesionReportHandler(validation, TARGETS.label_set)).run()
        self.assertEqual(list(validation.thresholds), ["hard_exudate", "microaneurysm"])
        for threshold, low, high in zip(validation.thresholds.values(), (0.1, 0.1), (0.4, 0.3)):
            self.assertTrue(low < threshold <= high, threshold)
        with tempfile.TemporaryDirectory() as folder:
            handler = LesionReportHandler(
                test,
                TARGETS.label_set,
                thresholds=validation.best_thresholds,
                output_dir=folder,
                name="REAL",
                context={"threshold_from": "validation"},
                print_table=False,
            )
            engine = evaluator([case(2), case(3), case(4)], handler)
            engine.run()
            written = read_lesion_results(Path(folder, "lesion_segmentation.json"))["REAL"]
        self.assertEqual(written["threshold_from"], "validation")
        self.assertEqual([c["case_id"] for c in written["per_case"]], ["eye2", "eye3", "eye4"])
        self.assertEqual(written["per_case"][0]["classes"]["hard_exudate"]["true_pixels"], 4)
        for name in TARGETS.names:
            self.assertEqual(written["classes"][name]["chosen"]["f1"], 1.0)
            self.assertEqual(written["classes"][name]["half"]["recall"], 0.0)
            self.assertEqual(engine.state.metrics[f"{name}_chosen_f1_mean"], 1.0)

    def test_second_run_starts_anew(self):
        report = LesionSegmentationReport(TARGETS.names)
        engine = evaluator([case(0), case(1)], LesionReportHandler(report, TARGETS.label_set))
        engine.run()
        engine.run()
        self.assertEqual(len(report), 2)

    def test_unknown_class(self):
        with self.assertRaisesRegex(DataError, "no class 'haemorrhage'"):
            LesionReportHandler(LesionSegmentationReport(["haemorrhage"]), TARGETS.label_set)


if __name__ == "__main__":
    unittest.main()
