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
from unittest import mock

import numpy as np
from parameterized import parameterized
from PIL import Image

from monai_retinasynth.data import detect_layout, import_side_by_side, load_cases
from monai_retinasynth.utils import ConfigError, DataError, read_mask, read_rgb
from tests.data.layouts import eye
from tests.data.test_cases import FolderTestCase


def pair(number: int, mask_side: str = "left") -> np.ndarray:
    """A mask with soft edges and a photograph of 24 x 32 pixels each, side by side."""
    _, vessel, fov = eye(number % 5)
    texture = np.random.default_rng(number).integers(60, 200, (24, 32, 3))
    photograph = np.where(fov[..., None], texture, 2).astype(np.uint8)
    mask = np.where(vessel, 255, np.where(np.roll(vessel, 1, axis=0), 40, 0)).astype(np.uint8)
    halves = [np.repeat(mask[..., None], 3, axis=2), photograph]
    return np.concatenate(halves if mask_side == "left" else halves[::-1], axis=1)


def make_pairs(root: Path, mask_side: str = "left", train: str = "train", test: str = "test") -> Path:
    for part, numbers in ((train, (1, 2, 3)), (test, (7, 8))):
        (root / part).mkdir(parents=True)
        for number in numbers:
            Image.fromarray(pair(number, mask_side)).save(root / part / f"{number}.png")
    return root


class TestImportSideBySide(FolderTestCase):
    def setUp(self):
        super().setUp()
        self.target = self.folder / "out" / "set"

    def files(self) -> list[Path]:
        return list((self.folder / "out").rglob("*"))

    @parameterized.expand([("left", "train", "test"), ("right", "training", "testing")])
    def test_halves(self, mask_side, train, test):
        pairs = make_pairs(self.folder / "pairs", mask_side, train, test)
        self.assertEqual(import_side_by_side(pairs, self.target, mask_side), self.target)
        self.assertEqual(detect_layout(self.target), "paired_folders")
        self.assertEqual(len(load_cases(self.target, "training", val_count=0)), 3)
        cases = load_cases(self.target, "test")
        self.assertEqual([Path(case["image"]).name for case in cases], ["7.png", "8.png"])
        mask, photograph = np.split(pair(8), 2, axis=1)
        np.testing.assert_array_equal(read_rgb(cases[1]["image"]), photograph)
        with Image.open(cases[1]["vessel"]) as file:
            self.assertEqual(file.mode, "L")
            np.testing.assert_array_equal(np.asarray(file), mask[..., 0])  # grey levels are kept
        np.testing.assert_array_equal(read_mask(cases[1]["vessel"]), mask[..., 0] == 255)
        self.assertEqual(sorted(path.name for path in self.target.iterdir()), ["test", "train"])

    def test_other_formats_and_one_part(self):
        folder = self.folder / "pairs" / "train"
        folder.mkdir(parents=True)
        (folder / "notes.txt").write_text("")
        Image.fromarray(pair(1)).save(folder / "a.jpg", quality=95)
        Image.fromarray(pair(2)).save(folder / "b.tif")
        self.target.mkdir(parents=True)
        (self.target / "stage.json").write_text("{}")  # a folder that a workflow has begun
        import_side_by_side(str(self.folder / "pairs"), str(self.target))
        names = [case["case_id"] for case in load_cases(self.target, "training", val_count=0)]
        self.assertEqual(names, ["training_a", "training_b"])
        self.assertEqual(sorted(path.name for path in self.target.iterdir()), ["stage.json", "train"])

    @parameterized.expand(
        [
            ("odd_width", lambda p: Image.fromarray(pair(2)[:, :-1]).save(p), "2.png is 63 x 24 .*62 or 64 wide"),
            ("truncated", lambda p: p.write_bytes(p.read_bytes()[:200]), "cannot read .*2.png"),
            ("no_image", lambda p: p.write_text("text"), "cannot read .*2.png"),
            (
                "other_side",
                lambda p: Image.fromarray(pair(2, "right")).save(p),
                r"mask of .*train/2.png \(left half\): .*grey.*The other half is one: set mask_side to 'right'",
            ),
            (
                "two_photographs",
                lambda p: Image.fromarray(np.tile(np.split(pair(2), 2, axis=1)[1], (1, 2, 1))).save(p),
                "2.png .*The other half is no mask either",
            ),
        ]
    )
    def test_bad_file_is_named_and_nothing_stays(self, _, spoil, message):
        pairs = make_pairs(self.folder / "pairs")
        spoil(pairs / "train" / "2.png")
        with self.assertRaisesRegex(DataError, message) as caught:
            import_side_by_side(pairs, self.target)
        self.assertNotIn(".partial", str(caught.exception))
        self.assertEqual([p for p in self.files() if p != self.target.parent], [])
        Image.fromarray(pair(2)).save(pairs / "train" / "2.png")
        import_side_by_side(pairs, self.target)
        self.assertEqual(len(load_cases(self.target, "all")), 5)

    def test_interrupted(self):
        pairs = make_pairs(self.folder / "pairs")
        self.target.mkdir(parents=True)
        (self.target / "stage.json").write_text("{}")
        (self.target / ".partial" / "train" / "mask").mkdir(parents=True)  # what a killed run left
        (self.target / ".partial" / "train" / "mask" / "old.png").write_text("")
        with mock.patch("os.replace", side_effect=KeyboardInterrupt), self.assertRaises(KeyboardInterrupt):
            import_side_by_side(pairs, self.target)
        self.assertEqual([path.name for path in self.target.iterdir()], ["stage.json"])
        import_side_by_side(pairs, self.target)
        self.assertEqual(len(load_cases(self.target, "all")), 5)

    def test_refused(self):
        pairs = make_pairs(self.folder / "pairs")
        for arguments, error, message in (
            ((None, self.target), ConfigError, "set pairs_dir"),
            ((pairs, self.target, "top"), ConfigError, "mask_side must be one of"),
            ((self.folder / "none", self.target), DataError, "not found: .*none"),
            ((pairs / "train", self.target), DataError, "no side-by-side pairs in .*train/ or test/"),
        ):
            with self.subTest(message), self.assertRaisesRegex(error, message):
                import_side_by_side(*arguments)
        self.assertEqual(self.files(), [])
        Image.fromarray(pair(1)).save(pairs / "train" / "1.bmp")
        with self.assertRaisesRegex(DataError, "1.bmp and .*1.png would become one pair"):
            import_side_by_side(pairs, self.target)
        (pairs / "train" / "1.bmp").unlink()
        import_side_by_side(pairs, self.target)
        with self.assertRaisesRegex(DataError, "set/train exists already; choose another output_dir"):
            import_side_by_side(pairs, self.target)
        self.assertEqual(len(load_cases(self.target, "all")), 5)


if __name__ == "__main__":
    unittest.main()
