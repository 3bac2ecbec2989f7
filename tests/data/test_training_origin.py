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

import unittest

import numpy as np

from monai_retinasynth.data import (
    SyntheticSetWriter,
    background_origin,
    dataset_origins,
    refuse_grading_test_eyes,
    write_datalist,
)
from monai_retinasynth.data.grading_list import write_grading_list
from monai_retinasynth.utils import DataError
from tests.data.test_cases import FolderTestCase


class TestTrainingOrigin(FolderTestCase):
    def trained_on(self, exclude: bool) -> str:
        real = self.folder / f"real_{exclude}"
        real.mkdir()
        extra = {"provenance": {"origin": "IDRiD, A. Segmentation", "exclude_grading_test": exclude}}
        write_datalist(real, {}, "fundus_lesion", "IDRiD with lesions", extra)
        return str(real)

    def synthetic(self, name: str, **provenance) -> str:
        writer = SyntheticSetWriter(
            self.folder / name, "fundus_lesion", "synthetic", {"seed": 0, **provenance}, image_required=False
        )
        writer.write(0, np.ones((8, 8), dtype=np.uint8))
        writer.finalize()
        return str(self.folder / name)

    def test_origins(self):
        real = self.trained_on(True)
        wanted = {
            "name": "IDRiD with lesions",
            "provenance": {"origin": "IDRiD, A. Segmentation", "exclude_grading_test": True},
        }
        self.assertEqual(dataset_origins(real), [wanted])
        self.assertEqual(dataset_origins([real, str(self.folder)]), [wanted])
        for without in (str(self.folder), None, "", [{"label": "a.png"}]):
            self.assertEqual(dataset_origins(without), [])

    def test_origin_of_backgrounds(self):
        folder = self.folder / "backgrounds"
        folder.mkdir()
        cases = [{"label": f"labels/{name}.png", "case_id": name, "source": "real"} for name in ("first", "second")]
        extra = {"provenance": {"kind": "backgrounds"}}
        write_datalist(folder, {"training": cases}, "fundus_vessel", "backgrounds of eyes", extra)
        found = background_origin(folder)
        self.assertEqual(
            {key: found[key] for key in ("name", "provenance", "case_ids")},
            {"name": "backgrounds of eyes", "case_ids": ["first", "second"], **extra},
        )
        write_datalist(folder, {"training": cases[:1]}, "fundus_vessel", "backgrounds of eyes", extra)
        self.assertNotEqual(background_origin(folder)["digest"], found["digest"])
        with self.assertRaisesRegex(DataError, "no backgrounds in .*write_background_dataset"):
            background_origin(self.folder)

    def test_origin_of_a_part(self):
        part = {"dataset_dir": self.trained_on(True), "fraction": 0.1, "fraction_seed": 2}
        (origin,) = dataset_origins(part)
        self.assertEqual((origin["name"], origin["fraction"], origin["fraction_seed"]), ("IDRiD with lesions", 0.1, 2))
        self.assertNotIn("dataset_dir", origin)  # no paths
        self.assertEqual(dataset_origins([part, part["dataset_dir"]])[0], origin)

    def test_test_eyes_are_refused(self):
        clean = self.synthetic("clean", training_data=dataset_origins(self.trained_on(True)))
        self.assertEqual(refuse_grading_test_eyes(clean), clean)
        leaky = self.synthetic("leaky", training_data=dataset_origins(self.trained_on(False)))
        nested = self.synthetic(
            "nested",
            training_data=[],
            label_map_data=[
                {"provenance": {"training_data": [{"name": "x", "provenance": {"origin": "IDRiD, A. Segmentation"}}]}}
            ],
        )
        for sets in (leaky, [clean, leaky], nested):
            with self.assertRaisesRegex(DataError, "(leaky|nested) was learnt from .*exclude_grading_test"):
                refuse_grading_test_eyes(sets)

    def test_only_where_idrid_is_tested_on(self):
        leaky = self.synthetic("leaky", training_data=dataset_origins(self.trained_on(False)))
        for origin, refused in (("IDRiD, B. Disease Grading", True), ("another set", False)):
            graded = self.folder / origin[:3]
            graded.mkdir()
            write_grading_list(graded, {}, "graded", {"provenance": {"origin": origin}})
            if refused:
                with self.assertRaises(DataError):
                    refuse_grading_test_eyes(leaky, graded)
            else:
                self.assertEqual(refuse_grading_test_eyes(leaky, graded), leaky)

    def test_a_set_that_says_nothing_is_warned_of(self):
        for name, provenance in (("silent", {}), ("empty", {"training_data": []}), ("null", {"training_data": None})):
            silent = self.synthetic(name, **provenance)
            with self.assertLogs("monai_retinasynth.data.training_origin", "WARNING") as logged:
                self.assertEqual(refuse_grading_test_eyes(silent), silent)
            self.assertIn("does not say what it was learnt from", logged.output[0])


if __name__ == "__main__":
    unittest.main()
