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
from parameterized import parameterized
from PIL import Image

from monai_retinasynth.data import load_datalist, prepare_jsrt_scr
from monai_retinasynth.transforms import compose_chest_label_map
from monai_retinasynth.utils import CHEST_ORGANS, ConfigError, DataError, open_image, read_label_map, write_grey
from tests.data.chest_layout import EDGE, make_jsrt, rectangles
from tests.data.test_cases import FolderTestCase
from tests.real_data import data_root


class TestPrepareJsrtScr(FolderTestCase):
    def setUp(self):
        super().setUp()
        self.root = make_jsrt(self.folder / "jsrt")
        self.out = self.folder / "out"

    def prepare(self, **changes):
        return load_datalist(
            prepare_jsrt_scr(self.root, self.out, **{"size": 32, "val_count": 1, "progress": False, **changes})
        )

    def stamps(self):
        return {path.relative_to(self.out): path.stat().st_mtime_ns for path in self.out.rglob("*.png")}

    def test_datalist_and_files(self):
        content = self.prepare()
        self.assertEqual([len(content[part]) for part in ("training", "validation", "test")], [4, 1, 5])
        self.assertEqual(content["label_set"]["name"], "chest_organ")
        self.assertEqual((content["provenance"]["split"], content["size"]), ("odd_even", 32))
        case = content["test"][1]
        self.assertEqual((case["case_id"], case["source"]), ("JPCLN004", "real"))
        self.assertEqual(case["masks"]["heart"], "masks/heart/JPCLN004.png")
        with Image.open(self.out / case["image"]) as image:
            self.assertEqual((image.mode, image.size), ("L", (32, 32)))
        # blocks of 2 x 2: the picture is a ramp, the boxes have even corners for an even number
        picture = np.add.outer(np.arange(EDGE), 2.0 * np.arange(EDGE)) + 4
        mean = picture.reshape(32, 2, 32, 2).mean(axis=(1, 3))
        mean[28:30, 8:10] = 40  # by which its picture differs from others
        np.testing.assert_allclose(np.asarray(open_image(self.out / case["image"], "L")), mean, atol=0.51)
        masks = {organ: mask[::2, ::2] for organ, mask in rectangles(4).items()}
        for organ, path in case["masks"].items():
            np.testing.assert_array_equal(np.asarray(open_image(self.out / path, "L")), masks[organ] * 255)
        label_map = read_label_map(self.out / case["label"], "chest_organ")
        np.testing.assert_array_equal(label_map, compose_chest_label_map(masks))

    def test_half_a_pixel_counts(self):
        case = self.prepare()["training"][0]  # of odd number, so each box begins and ends in the middle of a pixel
        heart = np.asarray(open_image(self.out / case["masks"]["heart"], "L")) > 0
        self.assertEqual(int(heart.any(axis=1).sum()), 9)
        label_map = read_label_map(self.out / case["label"], "chest_organ")
        masks = {organ: np.asarray(open_image(self.out / path, "L")) for organ, path in case["masks"].items()}
        np.testing.assert_array_equal(label_map, compose_chest_label_map(masks))

    def test_goes_on_where_it_stopped(self):
        self.prepare()
        before = self.stamps()
        (self.out / "images" / "JPCLN001.png").write_bytes(b"half a picture")
        (self.out / "masks" / "heart" / "JPCLN002.png").unlink()
        self.prepare()
        after = self.stamps()
        self.assertEqual(set(after), set(before))
        rewritten = {path.stem for path in before if before[path] != after[path]}
        self.assertEqual(rewritten, {"JPCLN001", "JPCLN002"})

    def test_other_splits_and_fractions_reuse_the_pictures(self):
        self.prepare()
        before = self.stamps()
        content = self.prepare(split="even_odd", fraction=0.5, seed=4)
        self.assertEqual([len(content[part]) for part in ("training", "validation", "test")], [2, 1, 5])
        whole = {case["case_id"] for case in self.prepare(split="even_odd")["training"]}
        self.assertLess({case["case_id"] for case in content["training"]}, whole)
        for changes in ({"fraction": 0.5, "seed": 7}, {"num_cases": 2}):  # what is validated and tested on stays
            part = self.prepare(split="even_odd", **changes)
            self.assertEqual((part["validation"], part["test"]), (content["validation"], content["test"]))
        self.assertEqual(len(self.prepare(num_cases=1)["training"]), 1)
        self.assertEqual(self.stamps(), before)
        with self.assertRaisesRegex(DataError, "other settings"):
            self.prepare(size=48)

    @parameterized.expand(
        [
            ({"fraction": 0.01}, DataError, "leaves no case to train on"),
            ({"fraction": 2.0}, ConfigError, "fraction must be"),
            ({"num_cases": 9}, DataError, "9 asked for .*4 found"),
            ({"size": 8}, ConfigError, "32 pixels or more"),
            ({"split": "thirds"}, DataError, "unknown split"),
        ]
    )
    def test_bad_settings(self, changes, error, message):
        with self.assertRaisesRegex(error, message):
            self.prepare(**changes)
        self.assertFalse(self.out.exists())

    def test_no_folder(self):
        with self.assertRaisesRegex(ConfigError, "set jsrt_dir"):
            prepare_jsrt_scr(None, self.out)

    @parameterized.expand(
        [
            ("empty", np.zeros((EDGE, EDGE)), "mask of heart .*JPCLN001.png is empty"),
            ("size", np.pad(np.full((4, 4), 255), 20), "sizes differ: .*images/JPCLN001.png is 64 x 64, .* is 44 x 44"),
            ("values", np.arange(EDGE * EDGE).reshape(EDGE, EDGE) % 3 * 100, "heart/JPCLN001.png: 0, 100, 200"),
            ("thin", np.eye(EDGE) * (np.arange(EDGE) == 5), "nothing is left of heart .* at 32 pixels; raise size"),
        ]
    )
    def test_bad_mask(self, _, mask, message):
        write_grey(self.root / "masks" / "heart" / "JPCLN001.png", mask.astype(np.uint8))
        with self.assertRaisesRegex(DataError, message):
            self.prepare()
        self.assertFalse((self.out / "datalist.json").exists())

    def test_real(self):
        real = data_root("JSRT-SCR")
        few = self.folder / "few"
        for name in ("JPCLN001", "JPCLN002", "JPCNN001", "JPCNN003"):
            for part in ("images", *(f"masks/{organ}" for organ in CHEST_ORGANS)):
                (few / part).mkdir(parents=True, exist_ok=True)
                (few / part / f"{name}.png").symlink_to(real / part / f"{name}.png")
        content = load_datalist(prepare_jsrt_scr(few, self.out, size=64, val_count=1, progress=False))
        self.assertEqual([len(content[part]) for part in ("training", "validation", "test")], [2, 1, 1])
        for case in (*content["training"], *content["test"]):
            for organ, path in case["masks"].items():
                own = np.asarray(open_image(real / "masks" / organ / f"{case['case_id']}.png", "L")) > 0
                reduced = np.asarray(open_image(self.out / path, "L")) > 0
                self.assertLess(abs(reduced.mean() / own.mean() - 1.0), 0.15, (case["case_id"], organ))


if __name__ == "__main__":
    unittest.main()
