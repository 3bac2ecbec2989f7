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
from PIL import Image
from sklearn.metrics import f1_score

from monai_retinasynth.data import load_cases, scale_to_field_of_view
from monai_retinasynth.simulation import write_phantom_dataset
from monai_retinasynth.utils import DataError
from monai_retinasynth.workflows import score_second_observer
from tests.data.layouts import eye, make_drive


class TestScoreSecondObserver(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.drive = make_drive(self.folder / "DRIVE", test=2)
        # the second observer draws thicker vessels, and one outside the field of view, which does not count
        self.found, self.true = [], []
        for number in (1, 2):
            _, vessel, fov = eye(number % 5)
            second = vessel | np.roll(vessel, 1, axis=0)
            second[0] = True
            self.found.append((second & fov)[fov])
            self.true.append(vessel[fov])
            picture = Image.fromarray(second.astype(np.uint8) * 255)
            picture.save(self.drive / "test" / "2nd_manual" / f"{number:02d}_manual2.gif")

    def test_pooled_inside_the_field_of_view(self):
        result = score_second_observer(self.drive, self.folder / "out")
        self.assertEqual((result["cases"], result["images"]), (2, 2))
        self.assertAlmostEqual(result["f1"], f1_score(np.concatenate(self.true), np.concatenate(self.found)))
        counts = [case["counts"] for case in result["per_case"]]
        self.assertEqual(sum(c["fp"] for c in counts), sum((f & ~t).sum() for f, t in zip(self.found, self.true)))
        self.assertEqual(json.loads((self.folder / "out" / "second_observer.json").read_text()), result)

    def test_at_another_size(self):
        scale_to_field_of_view(self.drive, self.folder / "scaled", 44, progress=False)
        result = score_second_observer(self.folder / "scaled", self.folder / "out")
        native = score_second_observer(self.drive, self.folder / "native")
        self.assertEqual(result["images"], 2)
        self.assertAlmostEqual(result["f1"], native["f1"], delta=0.06)

    def test_without_a_second_observer(self):
        write_phantom_dataset(self.folder / "eyes", 48, 1, 1, 2, source="real", progress=False)
        result = score_second_observer(self.folder / "eyes", self.folder / "out")
        self.assertEqual((result["cases"], result["images"], result["f1"]), (2, 0, None))

    def test_a_missing_map_is_an_error(self):
        scale_to_field_of_view(self.drive, self.folder / "scaled", 44, progress=False)
        (self.folder / "scaled" / "second_observer" / "01_test.png").unlink()
        self.assertEqual(len(load_cases(str(self.folder / "scaled"), "test")), 2)
        with self.assertRaisesRegex(DataError, "second observer's label map of case 01_test is missing"):
            score_second_observer(self.folder / "scaled", self.folder / "out")


if __name__ == "__main__":
    unittest.main()
