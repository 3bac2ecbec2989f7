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
"""Listing a folder of photographs."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

from monai_retinasynth.data.photograph_folder import list_photographs
from monai_retinasynth.utils.errors import DataError
from monai_retinasynth.utils.image_io import IMAGE_SUFFIXES


class TestListPhotographs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def add(self, name: str) -> None:
        Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(self.folder / name)

    def test_sorted_with_names(self):
        for name in ("b.tif", "a.png"):
            self.add(name)
        (self.folder / "notes.txt").write_text("")
        self.assertEqual([c["case_id"] for c in list_photographs(self.folder)], ["a", "b"])

    def test_other_endings(self):
        for name in ("b.nii.gz", "a.v2.DCM", "c.png", ".hidden.png"):
            (self.folder / name).write_bytes(b"")
        self.assertEqual([c["case_id"] for c in list_photographs(self.folder)], ["c"])
        suffixes = (*IMAGE_SUFFIXES, ".nii", ".nii.gz", ".dcm")
        self.assertEqual([c["case_id"] for c in list_photographs(self.folder, suffixes)], ["a.v2", "b", "c"])

    def test_errors(self):
        with self.assertRaisesRegex(DataError, "no image in"):
            list_photographs(self.folder)
        with self.assertRaisesRegex(DataError, "not found"):
            list_photographs(self.folder / "missing")
        with self.assertRaisesRegex(DataError, "--dataset_dir"):
            list_photographs(None)
        self.add("a.png")
        self.add("a.tif")
        with self.assertRaisesRegex(DataError, "rename one"):
            list_photographs(self.folder)


if __name__ == "__main__":
    unittest.main()
