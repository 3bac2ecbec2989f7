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
"""The report handler on MONAI's evaluator: threshold from one run, scores in another."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator
from monai.inferers import SimpleInferer
from monai.transforms import Identityd

from monai_retinasynth.handlers.vessel_report import VesselReportHandler
from monai_retinasynth.metrics import VesselSegmentationReport, read_segmentation_results
from monai_retinasynth.utils.errors import DataError


class Brightness(torch.nn.Module):
    """Three class probabilities of a one-channel picture: its grey level is the vessel probability."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.zeros_like(x), 1 - x, x], dim=1)


def case(number: int, size=(6, 4)) -> dict:
    generator = torch.Generator().manual_seed(number)
    label = torch.ones(1, *size, dtype=torch.uint8)
    label[:, 2:4] = 2
    label[:, 0] = 0
    image = 0.3 * torch.rand(1, *size, generator=generator) + 0.4 * (label == 2)
    return {"image": image, "label": label, "case_id": f"eye{number}"}


def evaluator(cases: list[dict], handler: VesselReportHandler) -> SupervisedEvaluator:
    return SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(Dataset(cases), batch_size=2),
        network=Brightness(),
        inferer=SimpleInferer(),
        postprocessing=Identityd(keys="pred"),
        val_handlers=[handler],
    )


class TestVesselReportHandler(unittest.TestCase):
    def test_threshold_from_validation_scores_on_test(self):
        validation = VesselSegmentationReport(section="validation")
        test = VesselSegmentationReport(section="test")
        evaluator([case(0), case(1)], VesselReportHandler(validation)).run()
        self.assertGreater(validation.threshold, 0.3)  # the two grey ranges are 0..0.3 and 0.4..0.7
        self.assertGreaterEqual(validation.threshold, 0.4)
        with tempfile.TemporaryDirectory() as folder:
            handler = VesselReportHandler(
                test,
                threshold=validation.best_threshold,
                output_dir=folder,
                name="REAL",
                context={"threshold_from": "validation"},
                print_table=False,
            )
            engine = evaluator([case(2), case(3), case(4)], handler)
            engine.run()
            files = ["segmentation.csv", "segmentation.json", "segmentation_histograms.npz"]
            self.assertEqual(sorted(p.name for p in Path(folder).iterdir()), files)
            written = read_segmentation_results(Path(folder, "segmentation.json"))["REAL"]
        self.assertEqual(written["threshold_from"], "validation")
        self.assertEqual(written["threshold"], validation.threshold)
        self.assertEqual(written["images"], 3)
        self.assertEqual([c["case_id"] for c in written["per_case"]], ["eye2", "eye3", "eye4"])
        self.assertEqual(written["fov"]["specificity"], 1.0)
        self.assertAlmostEqual(engine.state.metrics["fov_f1"], written["fov"]["f1"])
        # the FOV is 5 of 6 columns: all pixels outside are true negatives
        self.assertGreaterEqual(written["whole"]["accuracy"], written["fov"]["accuracy"])

    def test_second_run_starts_anew(self):
        report = VesselSegmentationReport(section="validation")
        engine = evaluator([case(0), case(1)], VesselReportHandler(report))
        engine.run()
        engine.run()
        self.assertEqual(len(report), 2)

    def test_case_without_field_of_view(self):
        blind = case(0)
        blind["label"] = torch.zeros_like(blind["label"])
        with self.assertRaisesRegex(DataError, "eye0.*field of view is empty"):
            evaluator([blind], VesselReportHandler(VesselSegmentationReport())).run()


if __name__ == "__main__":
    unittest.main()
