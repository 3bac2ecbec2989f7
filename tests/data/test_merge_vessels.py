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
from pathlib import Path

import numpy as np

from monai_retinasynth.data import load_cases, load_datalist, merge_vessels, write_datalist, write_moved_discs
from monai_retinasynth.utils import ConfigError, DataError, read_label_map, write_label_map, write_rgb
from tests.data.test_cases import FolderTestCase

OUTSIDE, RETINA, DISC, VESSEL = range(4)
SET = "fundus_disc_vessel"


def discs(shift: int = 0) -> np.ndarray:
    """A round eye of 40 x 48 pixels, 39 wide, with a disc on the right."""
    y, x = np.mgrid[:40, :48]
    label = np.where((x - 24) ** 2 + (y - 20) ** 2 <= 19.5**2, RETINA, OUTSIDE).astype(np.uint8)
    label[(x - 34) ** 2 + (y - 20 - shift) ** 2 <= 16] = DISC
    return label


def predicted(row: int) -> np.ndarray:
    """A map of `fundus_vessel` with a vessel of two rows from side to side, and a field of view of its own."""
    label = np.ones((40, 48), np.uint8)
    label[row : row + 2] = 2
    return label


class MergedTestCase(FolderTestCase):
    def setUp(self):
        super().setUp()
        self.source, self.maps, self.target = (self.folder / name for name in ("source", "maps", "target"))
        sections: dict = {"training": [], "test": []}
        for number, section in enumerate(("training", "training", "test")):
            name = f"eye_{number}"
            write_label_map(self.source / "labels" / f"{name}.png", discs(number), SET)
            write_rgb(self.source / "images" / f"{name}.png", np.full((40, 48, 3), 50 + number, np.uint8))
            write_label_map(self.maps / f"{name}.png", predicted(19), "fundus_vessel")
            write_rgb(self.maps / f"{name}_vessel.png", np.zeros((40, 48, 3), np.uint8))  # as inference writes it
            case = {"image": f"images/{name}.png", "label": f"labels/{name}.png", "case_id": name, "source": "real"}
            sections[section].append({**case, "grade": number})
        write_datalist(self.source, sections, SET, "eyes", {"reference": "somebody"})


class TestMergeVessels(MergedTestCase):
    def test_vessels_lie_over_disc_and_retina(self):
        self.assertEqual(merge_vessels(self.source, self.maps, self.target), self.target / "datalist.json")
        content = load_datalist(self.target)
        self.assertEqual([len(content[s]) for s in ("training", "validation", "test")], [2, 0, 1])
        self.assertEqual((content["reference"], content["label_set"]["name"]), ("somebody", SET))
        self.assertEqual([case["grade"] for case in content["training"]], [0, 1])
        for number, case in enumerate(load_cases(self.target, "all")):
            self.assertTrue(Path(case["label"]).is_relative_to(self.target))
            expected = discs(number)
            expected[19:21][expected[19:21] != OUTSIDE] = VESSEL
            np.testing.assert_array_equal(read_label_map(case["label"], SET), expected)
            source = self.source / "images" / f"eye_{number}.png"
            self.assertEqual(Path(case["image"]).read_bytes(), source.read_bytes())
        np.testing.assert_array_equal(read_label_map(self.source / "labels" / "eye_0.png", SET), discs(0))

    def test_again(self):
        merge_vessels(self.source, self.maps, self.target)
        write_label_map(self.maps / "eye_1.png", predicted(5), "fundus_vessel")
        merge_vessels(self.source, self.maps, self.target)
        label = read_label_map(self.target / "labels" / "eye_1.png", SET)
        self.assertEqual(set(np.flatnonzero((label == VESSEL).any(axis=1))), {5, 6})

    def test_errors(self):
        with self.assertRaisesRegex(ConfigError, "a folder of its own"):
            merge_vessels(self.source, self.maps, self.source)
        write_label_map(self.maps / "eye_2.png", predicted(19)[:-1], "fundus_vessel")
        with self.assertRaisesRegex(DataError, "sizes differ: .*eye_2.png is 48 x 40, .*maps/eye_2.png is 48 x 39"):
            merge_vessels(self.source, self.maps, self.target)
        (self.maps / "eye_2.png").unlink()
        with self.assertRaisesRegex(DataError, "no predicted label map for case eye_2: .*maps/eye_2.png not found"):
            merge_vessels(self.source, self.maps, self.target)
        self.assertFalse((self.target / "datalist.json").exists())
        write_label_map(self.maps / "eye_2.png", predicted(19), "fundus_vessel")
        two = {"name": "two", "class_names": ["outside", "retina"], "colors": [[0, 0, 0], [9, 9, 9]]}
        with self.assertRaisesRegex(DataError, "no class 'vessel'"):
            merge_vessels(self.source, self.maps, self.target, two)
        case = {"label": "labels/eye_0.png", "case_id": "same", "source": "real"}
        write_datalist(self.source, {"training": [case, case]}, SET, "x")
        with self.assertRaisesRegex(DataError, "two cases of .* are called same"):
            merge_vessels(self.source, self.maps, self.target)
        write_datalist(self.source, {}, SET, "x")
        with self.assertRaisesRegex(DataError, "lists no case"):
            merge_vessels(self.source, self.maps, self.target)


class TestWriteMovedDiscs(MergedTestCase):
    MOVES = {"as_drawn": [0.0, 0.0], "mirrored": "mirror", "lower": [-0.1, 0.2]}

    def setUp(self):
        super().setUp()
        self.merged = self.folder / "merged"
        merge_vessels(self.source, self.maps, self.merged)

    def test_moves(self):
        path = write_moved_discs(self.merged, self.target, self.MOVES)
        self.assertEqual(path, self.target / "datalist.json")
        cases = load_cases(self.target, "test")
        self.assertEqual([case["case_id"] for case in cases], ["eye_2_as_drawn", "eye_2_mirrored", "eye_2_lower"])
        maps = [read_label_map(case["label"], SET) for case in cases]
        np.testing.assert_array_equal(maps[0], read_label_map(self.merged / "labels" / "eye_2.png", SET))
        middles = [[np.flatnonzero((m == DISC).any(axis=axis))[[0, -1]].mean() for axis in (1, 0)] for m in maps]
        self.assertEqual(middles[1][1], 2 * 24 - 34)
        self.assertEqual(middles[2][1], 34 - 4)  # a tenth of 39 pixels
        for moved in maps[1:]:
            np.testing.assert_array_equal(moved == VESSEL, maps[0] == VESSEL)

    def test_section_number_and_size(self):
        write_moved_discs(self.merged, self.target, self.MOVES, section="training", num_cases=1, image_size=(24, 20))
        cases = load_cases(self.target, "training", val_count=0)
        self.assertEqual(len(cases), 3)
        for case in cases:
            label = read_label_map(case["label"], SET)
            self.assertEqual(label.shape, (20, 24))
            self.assertEqual(set(np.unique(label)), {0, 1, 2, 3})

    def test_refused(self):
        for moves, message in (
            ({}, "no move is given"),
            ({"a": "flip"}, "'a' is \"mirror\""),
            ({"a": [1, 2, 3]}, "not \\[1, 2, 3\\]"),
        ):
            with self.subTest(message), self.assertRaisesRegex(ConfigError, message):
                write_moved_discs(self.merged, self.target, moves)
        with self.assertRaisesRegex(DataError, "case eye_2 of .*merged, move 'away': moved by 39 pixels"):
            write_moved_discs(self.merged, self.target, {"away": [1.0, 0.0]})


if __name__ == "__main__":
    unittest.main()
