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
"""The fidelity handler on MONAI's evaluator: which picture is compared, in which colour, and what is written."""

from __future__ import annotations

import io
import json
import tempfile
import unittest
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator

from monai_retinasynth.data import load_cases
from monai_retinasynth.handlers import FidelityReportHandler
from monai_retinasynth.metrics import read_fidelity_results
from monai_retinasynth.transforms import FieldOfViewColour, NormalizeFieldOfViewColour
from monai_retinasynth.utils import ConfigError, DataError, read_label_map, read_rgb, to_picture

SIZE = (20, 16)  # X, Y


def case(number: int, normalised: bool = False) -> dict:
    """An eye; `perfect` is what the network should make of it."""
    generator = torch.Generator().manual_seed(number)
    label = torch.ones(1, *SIZE, dtype=torch.uint8)
    label[:, 8:10] = 2
    label[:, :, :3] = 0
    levels = torch.randint(60 + 20 * number, 140 + 20 * number, (3, *SIZE), generator=generator)
    image = torch.where(label == 0, 0, levels).to(torch.uint8)
    colour = FieldOfViewColour()(image, label)
    photograph = image.float() / 127.5 - 1
    perfect = NormalizeFieldOfViewColour()(image, colour, label[0] == 0) if normalised else photograph
    return {"photograph": photograph, "perfect": perfect, "label": label, "colour": colour, "case_id": f"eye{number}"}


def evaluate(cases: list[dict], handler: FidelityReportHandler, network=None, decollate=True) -> SupervisedEvaluator:
    engine = SupervisedEvaluator(
        device="cpu",
        val_data_loader=DataLoader(Dataset(cases), batch_size=2),
        network=torch.nn.Identity() if network is None else network,
        # the condition is the answer: an identity is a perfect generator
        prepare_batch=lambda batch, *_, **__: (batch["perfect"], None),
        val_handlers=[handler],
        decollate=decollate,
    )
    engine.run()
    return engine


class Darker(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x + 1) * 0.5 - 1


class TestFidelityReportHandler(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name, "out")

    def handler(self, **arguments) -> FidelityReportHandler:
        return FidelityReportHandler(self.out, print_table=False, **arguments)

    def rows(self) -> dict:
        return read_fidelity_results(self.out / "fidelity.json")

    def test_perfect_generator(self):
        engine = evaluate([case(0), case(1), case(2)], self.handler(context={"section": "test"}))
        row = self.rows()["generated"]
        self.assertEqual(row["num_images"], 3)
        self.assertEqual([c["case_id"] for c in row["per_case"]], ["eye0", "eye1", "eye2"])
        self.assertEqual((row["mse_pm1"], row["mse_01"], row["mse_pm1_fov"]), (0.0, 0.0, 0.0))
        self.assertAlmostEqual(row["ssim"], 1.0, places=6)
        self.assertAlmostEqual(row["ssim_gaussian"], 1.0, places=6)
        self.assertIsNone(row["psnr"])
        self.assertAlmostEqual(engine.state.metrics["generated_ssim"], 1.0, places=6)
        self.assertNotIn("generated_psnr", engine.state.metrics)
        document = json.loads((self.out / "fidelity.json").read_text())
        self.assertEqual(document["context"], {"section": "test"})
        self.assertIn("data range 2", document["forms"]["ssim"])

    def test_worse_generator_scores_worse(self):
        evaluate([case(0), case(1)], self.handler(), Darker())
        row = self.rows()["generated"]
        errors = [float((0.25 * (c["photograph"] + 1) ** 2).mean()) for c in (case(0), case(1))]
        self.assertAlmostEqual(row["mse_pm1"], sum(errors) / 2, places=6)
        self.assertLess(row["ssim"], 0.95)

    def test_inside_the_structures_beside_the_background(self):
        cases = [{**case(n), "background": torch.full((3, *SIZE), 100 + n, dtype=torch.uint8)} for n in (0, 1)]
        evaluate(cases, self.handler(background_key="background", structure_class=2))
        rows = self.rows()
        self.assertEqual(rows["generated"]["mse_pm1_structures"], 0.0)
        # a field of view of 260 pixels is less than a twentieth as wide as DRIVE's: the margin is less than a pixel
        inside = [(item["label"][0] == 2) for item in cases]
        expected = [
            (item["photograph"] - (item["background"].float() / 127.5 - 1))[:, mask].square().mean().item()
            for item, mask in zip(cases, inside)
        ]
        found = [row["mse_pm1_structures"] for row in rows["background"]["per_case"]]
        np.testing.assert_allclose(found, expected, rtol=1e-4)
        self.assertNotIn("mse_pm1_structures", self.plain())

    def plain(self) -> dict:
        evaluate([case(0)], self.handler())
        return self.rows()["generated"]

    def test_own_and_unknown_colour(self):
        training = case(0)["colour"]
        cases = [case(1, normalised=True), case(2, normalised=True)]
        for sample in cases:
            sample["degraded"] = sample["perfect"]
        handler = self.handler(colour_key="colour", training_colour=lambda: training, degraded_key="degraded")
        evaluate(cases, handler)
        rows = self.rows()
        self.assertLess(rows["generated_own_colour"]["mse_pm1"], 1e-8)
        # eyes 1 and 2 are brighter than the training colour by 20 and 40 grey levels
        self.assertAlmostEqual(rows["generated"]["mse_pm1_fov"], (20**2 + 40**2) / 2 / 127.5**2, delta=0.01)
        self.assertEqual(rows["degraded_input"]["mse_pm1"], rows["generated_own_colour"]["mse_pm1"])
        self.assertEqual(read_rgb(self.out / "fidelity.png").shape[1], 4 * SIZE[0] + 5 * 4)
        with self.assertRaisesRegex(ConfigError, "give training_colour"):
            self.handler(colour_key="colour")

    def test_baselines_and_degraded_input(self):
        cases = [case(0), case(1)]
        for sample in cases:
            sample["degraded"] = sample["photograph"] * 0.9
        baselines = {
            "grey": lambda sample: torch.zeros_like(sample["photograph"]),
            "only_eye1": lambda sample: sample["photograph"] if sample["case_id"] == "eye1" else None,
            "never": lambda sample: None,
        }
        evaluate(cases, self.handler(degraded_key="degraded", baselines=baselines))
        rows = self.rows()
        self.assertEqual(list(rows), ["generated", "degraded_input", "grey", "only_eye1"])
        squares = [float((c["photograph"] ** 2).mean()) for c in cases]
        self.assertAlmostEqual(rows["grey"]["mse_pm1"], sum(squares) / 2, places=6)
        self.assertAlmostEqual(rows["degraded_input"]["mse_pm1"], 0.01 * sum(squares) / 2, places=6)
        self.assertEqual(rows["only_eye1"]["num_images"], 1)
        with self.assertRaisesRegex(ConfigError, "'generated' has the name of another row"):
            self.handler(baselines={"generated": lambda sample: None})

    def test_sets_hold_pictures_and_labels(self):
        cases = [case(0), case(1), case(2)]
        baselines = {"grey": lambda sample: torch.zeros_like(sample["photograph"])}
        evaluate(cases, self.handler(save_sets=True, baselines=baselines, provenance={"seed": 3}))
        for name in ("generated", "grey"):
            made = load_cases(str(self.out / "sets" / name), "test")
            self.assertEqual(len(made), 3)
            for written, sample in zip(made, cases, strict=True):
                true = to_picture(((sample["photograph"] + 1) * 127.5).round().to(torch.uint8))
                if name == "generated":
                    self.assertTrue((read_rgb(written["image"]) == true).all())
                label = read_label_map(written["label"], "fundus_vessel")
                self.assertTrue((label == sample["label"][0].T.numpy()).all())
        # another run of the same network takes its place, one of another network is refused
        evaluate(cases, self.handler(save_sets="generated", provenance={"seed": 3}))
        with self.assertRaisesRegex(DataError, "Choose another output_dir"):
            evaluate(cases, self.handler(save_sets=["generated"], provenance={"seed": 4}))
        with self.assertRaisesRegex(ConfigError, "'gray'; the rows are .*grey"):
            self.handler(save_sets=["gray"], baselines=baselines)

    def test_picture(self):
        cases = [case(0), case(1), case(2)]
        evaluate(cases, self.handler(num_pictures=2), Darker())
        grid = read_rgb(self.out / "fidelity.png")
        # a band of titles, rows and columns with gaps of 4 pixels: source | generated | expected
        self.assertEqual(grid.shape[:2], (20 + 2 * SIZE[1] + 3 * 4, 3 * SIZE[0] + 4 * 4))
        true = to_picture(((cases[0]["photograph"] + 1) * 127.5).round().to(torch.uint8))
        last = grid[24 : 24 + SIZE[1], -4 - SIZE[0] : -4]
        self.assertTrue((last == true).all())
        self.assertFalse((grid[24 : 24 + SIZE[1], 8 + SIZE[0] : 8 + 2 * SIZE[0]] == true).all())
        (self.out / "fidelity.png").unlink()
        evaluate(cases, self.handler(num_pictures=0))
        self.assertFalse((self.out / "fidelity.png").exists())

    def test_table_and_second_run(self):
        handler = FidelityReportHandler(self.out)
        text = io.StringIO()
        with redirect_stdout(text):
            for _ in range(2):
                evaluate([case(0), case(1)], handler)
        self.assertIn("SSIM", text.getvalue())
        self.assertEqual(self.rows()["generated"]["num_images"], 2)

    def test_bad_input(self):
        blind = case(0)
        blind["label"] = torch.zeros_like(blind["label"])
        with self.assertRaisesRegex(DataError, "case eye0, generated: the field of view is empty"):
            evaluate([blind], self.handler())
        with self.assertRaisesRegex(DataError, "eye0 was added twice"):
            evaluate([case(0), case(0)], self.handler())
        with self.assertRaisesRegex(ConfigError, "decollate=True"):
            evaluate([case(0)], self.handler(), decollate=False)
        self.assertFalse((self.out / "fidelity.json").exists())


if __name__ == "__main__":
    unittest.main()
