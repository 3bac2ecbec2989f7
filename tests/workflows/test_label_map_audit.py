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

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np

from monai_retinasynth.data import SyntheticSetWriter, load_label_maps
from monai_retinasynth.simulation import write_phantom_dataset
from monai_retinasynth.transforms import WarpStructures
from monai_retinasynth.utils import DataError, write_label_map
from monai_retinasynth.workflows import audit_label_maps


class TestLabelMapAudit(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name)
        self.real = self.root / "real"
        write_phantom_dataset(
            output_dir=str(self.real), size=96, num_training=3, num_validation=0, num_test=0, seed=0, progress=False
        )

    def test_copies_are_found(self):
        report = audit_label_maps(str(self.real), str(self.real), str(self.root / "audit"))
        self.assertEqual(report["nearest_neighbour"]["dice_max"], 1.0)
        self.assertEqual(report["nearest_neighbour"]["share_above_threshold"], 1.0)
        self.assertLess(report["nearest_neighbour"]["real_among_themselves"]["max"], 0.9)
        self.assertEqual(report["generated"], report["real"])
        self.assertEqual(json.loads((self.root / "audit" / "audit.json").read_text())["generated_maps"], 3)

    def test_other_eyes_are_no_copies(self):
        other = self.root / "other"
        write_phantom_dataset(
            output_dir=str(other), size=96, num_training=2, num_validation=0, num_test=0, seed=9, labels_only=True,
            source="synthetic", progress=False,
        )  # fmt: skip
        report = audit_label_maps(str(other), str(self.real), str(self.root / "audit"))
        self.assertLess(report["nearest_neighbour"]["dice_max"], 0.9)
        self.assertEqual(report["generated_maps_without_vessels"], 0)

    def test_copies_that_were_bent_are_found_after_alignment(self):
        made = self.root / "bent"
        writer = SyntheticSetWriter(made, "fundus_vessel", "made", {"seed": 0}, image_required=False)
        for number, label in enumerate(load_label_maps(str(self.real), "training", val_count=0)):
            writer.write(number, WarpStructures()(None, label, 50 + number)[0])
        writer.finalize()
        report = audit_label_maps(str(made), str(self.real), str(self.root / "audit"), align=True)["aligned"]
        self.assertEqual(report["copies"], 3)
        self.assertLess(report["real_among_themselves"]["max"], report["copy_threshold"])
        other = self.root / "other"
        write_phantom_dataset(other, 96, 3, 0, 0, seed=9, labels_only=True, progress=False)
        report = audit_label_maps(str(other), str(self.real), str(self.root / "audit"), align=True)["aligned"]
        self.assertEqual(report["copies"], 0)

    def test_what_the_generation_noted(self):
        made = self.root / "made"
        writer = SyntheticSetWriter(made, "fundus_vessel", "made", {"seed": 0}, image_required=False)
        labels = load_label_maps(str(self.real), "training", val_count=0)
        for number, (added, refused) in enumerate(((0.1, []), (0.3, ["density 1 is not 0 to 0.2; components 9"]))):
            drawn = {"attempts": len(refused) + 1, "refused": refused, "accepted": number == 0}
            counts = {"pieces": 4, "share_added": added, "share_removed": 0.0}
            writer.write(number, labels[number], notes={"repair": counts, "drawn": drawn})
        writer.finalize()
        report = audit_label_maps(str(made), str(self.real), str(self.root / "audit"))
        self.assertEqual(report["repair"], {"pieces": 4.0, "share_added": 0.2, "share_removed": 0.0})
        self.assertEqual((report["drawn"]["attempts"], report["drawn"]["refused"]), (3, 1))
        self.assertAlmostEqual(report["drawn"]["share_refused"], 1 / 3)
        self.assertEqual(report["drawn"]["maps_not_accepted"], 1)
        self.assertEqual(report["drawn"]["faults"], {"density": 1, "components": 1})
        self.assertNotIn("drawn", audit_label_maps(str(self.real), str(self.real), str(self.root / "audit")))

    def test_maps_without_vessels(self):
        empty = self.root / "empty"
        empty.mkdir()
        write_label_map(empty / "a.png", np.ones((96, 96), np.uint8), "fundus_vessel")
        with self.assertRaisesRegex(DataError, "shows a vessel"):
            audit_label_maps(str(empty), str(self.real), str(self.root / "audit"))
        self.assertFalse((self.root / "audit").exists())


if __name__ == "__main__":
    unittest.main()
