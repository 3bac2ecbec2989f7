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
import torch

from monai_retinasynth.data import (
    FundusDataset,
    SyntheticSetWriter,
    check_dataset,
    detect_layout,
    load_cases,
    write_datalist,
)
from monai_retinasynth.transforms import LoadFundusCased, SavePredictiond
from monai_retinasynth.utils import ConfigError, DataError, write_label_map
from tests.data.layouts import eye, make_chase_db1, make_drive


def make_synthetic(folder: Path, count: int = 3, images: bool = True) -> Path:
    writer = SyntheticSetWriter(folder, "fundus_vessel", "made", {"seed": 1}, image_required=images)
    for index in range(count):
        photograph, vessel, fov = eye(index)
        writer.write(index, fov.astype(np.uint8) + vessel, photograph if images else None)
    writer.finalize()
    return folder


def as_real(folder: Path) -> Path:
    """The same data set with its cases called real."""
    path = folder / "datalist.json"
    path.write_text(path.read_text().replace('"source": "synthetic"', '"source": "real"'))
    return folder


class FolderTestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class TestLoadCases(FolderTestCase):
    def test_fraction_of_the_training_cases(self):
        folder = str(as_real(make_synthetic(self.folder / "s", 10)))
        part = {"dataset_dir": folder, "fraction": 0.5, "fraction_seed": 3}
        chosen = [case["case_id"] for case in load_cases(part, "training", val_count=2)]
        everything = [case["case_id"] for case in load_cases(folder, "training", val_count=2)]
        self.assertEqual((len(everything), len(chosen)), (8, 4))
        self.assertLess(set(chosen), set(everything))
        other = load_cases({**part, "fraction_seed": 4}, "training", val_count=2)
        self.assertNotEqual(chosen, [case["case_id"] for case in other])
        for section in ("validation", "all"):
            self.assertEqual(load_cases(part, section, val_count=2), load_cases(folder, section, val_count=2))
        # beside another set only its own part is cut
        self.assertEqual(len(load_cases([part, folder], "training", val_count=2)), 12)
        with self.assertRaisesRegex(DataError, "fraction=0.05 of the 8 cases .*leaves no case"):
            load_cases({**part, "fraction": 0.05}, "training", val_count=2)
        with self.assertRaisesRegex(ConfigError, "fraction must be above 0"):
            load_cases({**part, "fraction": -1}, "training", val_count=2)

    def test_masks_and_targets(self):
        folder = as_real(make_synthetic(self.folder / "s", 2))
        content = json.loads((folder / "datalist.json").read_text())
        for case in content["training"]:
            case |= {"target": case["label"], "masks": {"heart": case["image"]}}
        write_datalist(folder, {"training": content["training"]}, "fundus_vessel", "with masks")
        case = load_cases(str(folder), "training", val_count=0)[0]
        self.assertEqual(case["target"], case["label"])
        self.assertEqual(case["masks"], {"heart": case["image"]})
        content["training"][0]["masks"] = {"heart": "masks/gone.png"}
        write_datalist(folder, {"training": content["training"]}, "fundus_vessel", "with masks")
        with self.assertRaisesRegex(DataError, "mask of heart of case synthetic_00000 is missing: .*gone.png"):
            load_cases(str(folder), "training", val_count=0)

    def test_layouts_are_detected(self):
        write_label_map(self.folder / "maps" / "a.png", np.ones((4, 4)), "fundus_vessel")
        folders = {
            "drive": make_drive(self.folder / "d"),
            "chase_db1": make_chase_db1(self.folder / "c"),
            "datalist": make_synthetic(self.folder / "s"),
            "label_maps": self.folder / "maps",
        }
        for layout, folder in folders.items():
            self.assertEqual(detect_layout(folder), layout)
            cases = load_cases(str(folder), "all")
            self.assertTrue(
                all(Path(path).is_file() for c in cases for k, path in c.items() if k in ("image", "label"))
            )

    def test_real_and_synthetic_mixed(self):
        drive, made = make_drive(self.folder / "d"), make_synthetic(self.folder / "s")
        sources = [str(drive), {"dataset_dir": str(made), "num_cases": 2, "val_count": 0}]
        cases = load_cases(sources, "training")
        self.assertEqual([c["source"] for c in cases], ["real"] * 2 + ["synthetic"] * 2)
        loaded = [LoadFundusCased()(case) for case in cases]
        self.assertEqual({frozenset(item) for item in loaded}, {frozenset(("image", "label", "case_id", "source"))})
        self.assertEqual(len(load_cases([{"dataset_dir": drive, "section": "test"}], "training")), 2)
        with self.assertRaisesRegex(DataError, "an entry of dataset_dir"):
            load_cases([{"dataset_dir": drive, "sektion": "test"}], "training")

    def test_synthetic_sets_mixed_have_names_of_their_own(self):
        drive, first, second = make_drive(self.folder / "d"), *(make_synthetic(self.folder / n, 2) for n in "ab")
        cases = load_cases([drive, first, second], "training")
        names = [case["case_id"] for case in cases]
        self.assertEqual(names[:2], ["03_training", "04_training"])
        numbers = ("synthetic_00000", "synthetic_00001")
        self.assertEqual(names[2:], [f"{folder}_{number}" for folder in "ab" for number in numbers])
        self.assertEqual([c["case_id"] for c in load_cases([first], "training")], list(numbers))
        self.assertEqual([c["case_id"] for c in load_cases([drive, first], "training")][2:], list(numbers))
        check_dataset([drive, {"dataset_dir": first, "val_count": 0}, second], sections="training", verbose=False)
        # a name is good for a file
        save = SavePredictiond("pred", self.folder / "maps", "fundus_vessel")
        for case in cases:
            save({"pred": torch.rand(3, 4, 4), "case_id": case["case_id"]})
        self.assertEqual(sorted(p.stem for p in (self.folder / "maps").iterdir()), sorted(names))

    def test_grade_only_where_all_have_one(self):
        folder = make_synthetic(self.folder / "s")
        case = {"label": "labels/synthetic_00000.png", "case_id": "a", "source": "synthetic"}
        for second, expected in (({"grade": 1}, [2, 1]), ({}, [None, None])):
            write_datalist(folder, {"training": [{**case, "grade": 2}, {**case, **second}]}, "fundus_vessel", "x")
            self.assertEqual([c.get("grade") for c in load_cases(folder, "training", val_count=0)], expected)
            partial = load_cases(folder, "training", val_count=0, partial_grades=True)
            self.assertEqual([c.get("grade") for c in partial], [2, second.get("grade")])

    def test_hold_out(self):
        made = make_synthetic(self.folder / "made", count=5)
        # thresholds are chosen on real cases: a synthetic set holds nothing out
        self.assertEqual(len(load_cases(made, "training")), 5)
        folder = as_real(make_synthetic(self.folder / "s", count=5))
        names = [[c["case_id"][-1] for c in load_cases(folder, s)] for s in ("training", "validation")]
        self.assertEqual(names, [["0", "1", "2"], ["3", "4"]])
        self.assertEqual(len(load_cases(folder, "training", val_count=0)), 5)
        self.assertEqual(len(load_cases(folder, "training", num_cases=2)), 2)
        maps = [len(load_cases(folder / "labels", s, val_count=1)) for s in ("training", "validation", "all")]
        self.assertEqual(maps, [4, 1, 5])

    def test_missing_empty_and_too_few(self):
        (self.folder / "empty").mkdir()
        (self.folder / "odd").mkdir()
        (self.folder / "odd" / "readme.txt").write_text("")
        folder = as_real(make_synthetic(self.folder / "s"))
        for arguments, message in (
            ((self.folder / "none", "all"), "folder not found: .*none"),
            ((self.folder / "empty", "all"), "empty: it is empty. Expected a datalist.json"),
            ((self.folder / "odd", "all"), "odd: it holds readme.txt"),
            (([], "all"), "empty list"),
            ((folder, "test"), "no test case in .*s"),
            ((folder, "train"), "unknown section"),
            ((folder / "labels", "test"), "without a test section"),
            ((self.folder / "empty", "all", "label_maps"), "no label map"),
            ((folder, "all", "idrid"), "unknown layout"),
        ):
            with self.subTest(message), self.assertRaisesRegex(DataError, message):
                load_cases(*arguments)
        with self.assertRaisesRegex(DataError, "too few cases .*9 asked for .*3 found"):
            load_cases(folder, "all", num_cases=9)
        with self.assertRaisesRegex(DataError, "too few cases .*val_count=3"):
            load_cases(folder, "training", val_count=3)

    def test_file_of_a_datalist_missing(self):
        folder = make_synthetic(self.folder / "s")
        (folder / "images" / "synthetic_00001.png").unlink()
        with self.assertRaisesRegex(DataError, "image of case synthetic_00001 is missing: .*synthetic_00001.png"):
            load_cases(folder, "all")

    def test_photographs_for_some_only(self):
        sources = [make_synthetic(self.folder / "a"), make_synthetic(self.folder / "b", images=False)]
        with self.assertRaisesRegex(DataError, "3 of 6 cases have no photograph"):
            load_cases(sources, "all")


class TestFundusDataset(FolderTestCase):
    def test_cached_and_repeated(self):
        folder = make_drive(self.folder)
        calls = []

        class CountedLoad(LoadFundusCased):
            def __call__(self, data):
                calls.append(data["case_id"])
                return super().__call__(data)

        dataset = FundusDataset(folder, "training", transform=CountedLoad(image_dtype="uint8"), repeat=3)
        self.assertEqual(len(dataset), 6)
        names = [dataset[i]["case_id"] for i in range(6)]
        self.assertEqual(names, ["03_training", "04_training"] * 3)
        self.assertEqual(calls, ["03_training", "04_training"])  # the cache holds each case once
        self.assertEqual(dataset[-1]["case_id"], "04_training")
        self.assertEqual(str(dataset[0]["image"].dtype), "torch.uint8")
        self.assertEqual(len(FundusDataset(folder, "test")), 2)
        with self.assertRaisesRegex(DataError, "repeat"):
            FundusDataset(folder, "training", repeat=0)

    def test_variants_are_told_apart_by_their_index(self):
        folder = make_drive(self.folder)
        cases = [case["case_id"] for case in load_cases(folder, "training")]
        dataset = FundusDataset(folder, "training", LoadFundusCased(), variants=3)
        self.assertEqual([item["index"] for item in dataset], list(range(3 * len(cases))))
        self.assertEqual([item["case_id"] for item in dataset], 3 * cases)
        self.assertNotIn("index", FundusDataset(folder, "training", LoadFundusCased())[0])


if __name__ == "__main__":
    unittest.main()
