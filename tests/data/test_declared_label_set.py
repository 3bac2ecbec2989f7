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

import tempfile
import unittest
from pathlib import Path

from monai_retinasynth.data import declared_label_set, write_datalist
from monai_retinasynth.transforms import dot_label_set
from monai_retinasynth.utils import DataError, get_label_set


class TestDeclaredLabelSet(unittest.TestCase):
    def test_of_one_folder_or_several(self):
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            dots = dot_label_set("fundus_vessel")
            for folder, labels in (("dots", dots), ("more", dots), ("eyes", "fundus_vessel")):
                (root / folder).mkdir()
                write_datalist(root / folder, {}, labels, folder)
            self.assertEqual(declared_label_set(root / "dots"), dots.to_dict())
            both = [{"dataset_dir": str(root / "dots"), "fraction": 0.1}, root / "more"]
            self.assertEqual(get_label_set(declared_label_set(both)), dots)
            with self.assertRaisesRegex(DataError, r"dots \(fundus_vessel_dots\) and .*eyes \(fundus_vessel\) differ"):
                declared_label_set([root / "dots", root / "eyes"])

    def test_errors(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(DataError, f"{folder} does not say which classes.*give label_set"):
                declared_label_set(folder)
            with self.assertRaisesRegex(DataError, "no folder"):
                declared_label_set([])


if __name__ == "__main__":
    unittest.main()
