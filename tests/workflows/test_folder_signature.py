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
from collections.abc import Callable
from pathlib import Path

import numpy as np
from parameterized import parameterized
from PIL import Image

from monai_retinasynth.data import write_datalist
from monai_retinasynth.data.grading_list import write_grading_list
from monai_retinasynth.utils import DataError, write_label_map
from monai_retinasynth.workflows import FunctionStage, StagedWorkflow, folder_signature
from tests.data.layouts import make_chase_db1, make_drive
from tests.data.test_cases import make_synthetic


def save(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4), value, np.uint8)).save(path)


def make_paired_folders(root: Path) -> Path:
    for part in ("train", "test"):
        for kind in ("image", "mask"):
            save(root / part / kind / "0.png")
    return root


def make_label_maps(root: Path) -> Path:
    for name in "ab":
        write_label_map(root / f"{name}.png", np.ones((4, 4)), "fundus_vessel")
    return root


def make_originals(root: Path) -> Path:
    """Like IDRiD: no layout that lists cases."""
    save(root / "A. Segmentation" / "1. Original Images" / "IDRiD_01.jpg")
    (root / "B. Grading").mkdir()
    (root / "B. Grading" / "labels.csv").write_text("IDRiD_01,2")
    return root


def make_grading(root: Path) -> Path:
    save(root / "images" / "0.png")
    case = {"image": "images/0.png", "grade": 2, "case_id": "0", "source": "real"}
    write_grading_list(root, {"training": [case]}, "graded")
    return root


LAYOUTS = [
    ("drive", make_drive, "training/1st_manual/03_manual1.gif"),
    ("drive_fov", make_drive, "test/mask/01_test_mask.gif"),
    ("drive_second_observer", make_drive, "test/2nd_manual/01_manual2.gif"),
    ("chase_db1", make_chase_db1, "Image_01L.jpg"),
    ("chase_db1_second_observer", make_chase_db1, "Image_01L_2ndHO.png"),
    ("paired_folders", make_paired_folders, "test/mask/0.png"),
    ("datalist", make_synthetic, "labels/synthetic_00001.png"),
    ("label_maps", make_label_maps, "a.png"),
    ("originals", make_originals, "A. Segmentation/1. Original Images/IDRiD_01.jpg"),
    ("originals_table", make_originals, "B. Grading/labels.csv"),
    ("grading", make_grading, "images/0.png"),
]


class TestFolderSignature(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name) / "data"

    @parameterized.expand(LAYOUTS)
    def test_data_count_and_what_is_put_beside_them_does_not(self, _: str, make: Callable[[Path], Path], data: str):
        folder = make(self.root)
        before = folder_signature(folder)
        places = {folder, (folder / data).parent}
        for place in places:
            for name in (".DS_Store", "Thumbs.db", "desktop.ini", "README", "README.md", "Readme.txt", "._01.png"):
                (place / name).write_bytes(b"\0")
        # a workflow with its output folder below the data
        workflow = StagedWorkflow([FunctionStage("pictures", write_pictures)], str(folder / "runs" / "out"))
        workflow.run()
        self.assertTrue((folder / "runs" / "out" / "pictures" / "0.png").is_file())
        self.assertEqual(folder_signature(folder), before)
        content = (folder / data).read_bytes()
        (folder / data).write_bytes(content + b"\0")
        self.assertNotEqual(folder_signature(folder), before)
        (folder / data).write_bytes(content)
        self.assertEqual(folder_signature(folder), before)
        (folder / data).unlink()
        self.assertNotEqual(folder_signature(folder), before)

    def test_finished_stage_stays_finished(self):
        folder = make_drive(self.root)
        calls: list[int] = []
        stage = FunctionStage("first", lambda output_dir: calls.append(1), inputs=[str(folder)])
        for name in ("README.txt", "Thumbs.db", ".DS_Store"):
            StagedWorkflow([stage], str(folder / "out")).run()
            (folder / "training" / "images" / name).write_bytes(b"1")
        StagedWorkflow([stage], str(folder / "out")).run()
        self.assertEqual(calls, [1])

    def test_datalist_counts_by_what_it_says(self):
        folder = make_synthetic(self.root)
        before = folder_signature(folder)
        path = folder / "datalist.json"
        content = json.loads(path.read_text())
        path.write_text(json.dumps(dict(reversed(content.items())) | {"package_version": "0.0.1"}))
        self.assertEqual(folder_signature(folder), before)
        content["training"][0], content["training"][1] = content["training"][1], content["training"][0]
        path.write_text(json.dumps(content))  # the last ones are held out, so their order counts
        self.assertNotEqual(folder_signature(folder), before)
        path.write_text("{")
        self.assertNotEqual(folder_signature(folder), before)

    def test_masks_and_targets_count(self):
        folder = make_synthetic(self.root, 1)
        save(folder / "masks" / "heart.png")
        save(folder / "targets" / "0.png")
        case = json.loads((folder / "datalist.json").read_text())["training"][0]
        case |= {"masks": {"heart": "masks/heart.png"}, "target": "targets/0.png"}
        write_datalist(folder, {"training": [case]}, "fundus_vessel", "masks")
        seen = {folder_signature(folder)}
        for name in ("masks/heart.png", "targets/0.png"):
            save(folder / name, 1)
            seen.add(folder_signature(folder))
        self.assertEqual(len(seen), 3)

    def test_prepared_cases_below_the_originals_do_not_count(self):
        folder = make_originals(self.root)
        before = folder_signature(folder)
        make_synthetic(folder / "prepared")
        self.assertEqual(folder_signature(folder), before)

    def test_dicom_of_any_name_and_masks_in_a_sub_folder(self):
        save(self.root / "0.png")
        seen = {folder_signature(self.root)}
        save(self.root / "masks" / "heart" / "0.png")
        seen.add(folder_signature(self.root))
        (self.root / "IM0001").write_bytes(b"\0" * 128 + b"DICM")
        seen.add(folder_signature(self.root))
        self.assertEqual(len(seen), 3)

    def test_case_without_its_file(self):
        folder = make_drive(self.root)
        (folder / "training" / "1st_manual" / "03_manual1.gif").unlink()
        before = folder_signature(folder)  # an error for the check of the data, with all others
        (folder / "README.txt").write_text("a note")
        self.assertEqual(folder_signature(folder), before)

    def test_missing_folder(self):
        with self.assertRaisesRegex(DataError, "data does not exist; check .* dataset_dir"):
            folder_signature(self.root)


def write_pictures(output_dir: str) -> None:
    save(Path(output_dir) / "0.png")
    save(Path(output_dir) / "images" / "0.png")


if __name__ == "__main__":
    unittest.main()
