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

import nibabel
import numpy as np
from parameterized import parameterized
from PIL import Image

from monai_retinasynth.data import list_radiograph_cases, load_datalist, prepare_radiographs
from monai_retinasynth.transforms import compose_chest_label_map
from monai_retinasynth.utils import CHEST_ORGANS, ConfigError, DataError, open_image, read_label_map, write_grey
from tests.data.chest_layout import EDGE, rectangles
from tests.data.test_cases import FolderTestCase
from tests.transforms.dicom_file import grey_elements, write_dicom

ORIENTATION = (0x20, 0x20)
WIDTH = EDGE + 32  # radiographs are wider than high, so black is added above and below


def wide(mask: np.ndarray) -> np.ndarray:
    """64 x 96: sixteen columns more on both sides."""
    return np.pad(mask, ((0, 0), (16, 16)))


def radiograph(levels: int) -> np.ndarray:
    """A ramp that is like no turned or mirrored copy of itself, (64, 96), whole numbers up to `levels`."""
    ramp = np.add.outer(np.arange(EDGE), 2.0 * np.arange(WIDTH))
    return np.rint(ramp / ramp.max() * levels)


class RadiographCase(FolderTestCase):
    def setUp(self):
        super().setUp()
        self.images, self.masks, self.out = (self.folder / name for name in ("in", "in/masks", "out"))
        self.images.mkdir()

    def add_masks(self, name: str, kind: str = ".png", turn=lambda mask: mask, affine=(-1, -1, 1)):
        for value, (organ, mask) in enumerate(rectangles(0).items(), start=1):
            path = self.masks / organ / f"{name}{kind}"
            path.parent.mkdir(parents=True, exist_ok=True)
            stored = np.ascontiguousarray(turn(wide(mask)))
            if kind == ".png":
                write_grey(path, stored * np.uint8(255))
            elif kind == ".dcm":
                write_dicom(path, grey_elements(stored * np.uint8(value), 8))
            else:
                image = nibabel.Nifti1Image(np.ascontiguousarray(stored.T) * np.int16(value), np.diag([*affine, 1]))
                nibabel.save(image, path)

    def add_dicom(
        self, name: str, stored: np.ndarray | None = None, changes=None, masks: bool = True, **kwargs
    ) -> Path:
        stored = radiograph(4095) if stored is None else stored
        path = self.images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_dicom(path, {**grey_elements(stored.astype(np.uint16), **kwargs), **(changes or {})})
        if masks:
            self.add_masks(name.removesuffix(".dcm"))
        return path

    def prepare(self, **changes) -> dict:
        settings = {"size": 48, "test": 0.0, "validation": 0.0, "progress": False, **changes}
        return load_datalist(prepare_radiographs(self.images, self.masks, self.out, **settings))


class TestPrepareRadiographs(RadiographCase):
    """One chest in every kind of file."""

    def check(self, case: dict):
        """Blocks of 2 x 2 pixels become one."""
        picture = np.pad(radiograph(255), ((16, 16), (0, 0))).reshape(48, 2, 48, 2).mean(axis=(1, 3))
        read = np.asarray(open_image(self.out / case["image"], "L"))
        np.testing.assert_allclose(read, picture, atol=1.01, err_msg=case["case_id"])
        masks = {organ: np.pad(wide(mask), ((16, 16), (0, 0)))[::2, ::2] for organ, mask in rectangles(0).items()}
        self.assertEqual(list(case["masks"]), list(CHEST_ORGANS))
        for organ, path in case["masks"].items():
            own = np.asarray(open_image(self.out / path, "L"))
            np.testing.assert_array_equal(own, masks[organ] * 255, err_msg=(case["case_id"], organ))
        label_map = read_label_map(self.out / case["label"], "chest_organ")
        np.testing.assert_array_equal(label_map, compose_chest_label_map(masks))

    def test_every_kind_of_file_gives_the_same_case(self):
        self.add_dicom("a.dcm")
        self.add_dicom("b.dcm", 4095 - radiograph(4095), photometric="MONOCHROME1")
        self.add_dicom("ward/1.2.840.77")  # no suffix of DICOM
        Image.fromarray(radiograph(65535).astype(np.uint16)).save(self.images / "d.png")
        Image.fromarray(radiograph(65535).astype(np.uint16)).save(self.images / "e.tif")
        Image.fromarray(radiograph(255).astype(np.uint8)).save(self.images / "f.PNG")
        for name in "def":
            self.add_masks(name, ".dcm" if name == "e" else ".png")
        # upside down in the file, and the affine says so
        image = nibabel.Nifti1Image(radiograph(65535)[::-1].T.astype(np.uint16)[:, None], np.diag([-1, 1, 1, 1]))
        nibabel.save(image, self.images / "g.nii.gz")
        self.add_masks("g", ".nii.gz", lambda mask: mask[::-1], (-1, 1, 1))
        for organ in CHEST_ORGANS:  # saved as a slice across the front, as the radiograph
            path = self.masks / organ / "g.nii.gz"
            array = np.asarray(nibabel.load(path).dataobj)[:, None]
            nibabel.save(nibabel.Nifti1Image(array, np.diag([-1, 1, 1, 1])), path)
        (self.images / "index.csv").write_text("passed over")
        write_dicom(self.images / "DICOMDIR", {(8, 0x60): ("CS", "SR")})
        content = self.prepare()
        self.assertEqual(
            [case["case_id"] for case in content["training"]], ["a", "b", "d", "e", "f", "g", "ward_1.2.840.77"]
        )
        self.assertEqual({case["source"] for case in content["training"]}, {"real"})
        self.assertEqual((content["label_set"]["name"], content["size"]), ("chest_organ", 48))
        self.assertNotIn(str(self.folder), (self.out / "datalist.json").read_text())
        for case in content["training"]:
            self.check(case)

    def test_turned_radiographs(self):
        self.add_dicom("a.dcm", radiograph(4095)[:, ::-1], {ORIENTATION: ("CS", "R\\F")})
        with self.assertRaisesRegex(DataError, "a.dcm and its mask .*a.png .* which way up.*masks_as_stored=True"):
            self.prepare()
        self.add_masks("a", turn=lambda mask: mask[:, ::-1])
        with self.assertRaisesRegex(DataError, "other settings"):
            self.prepare(masks_as_stored=True)  # the first call settled the folder
        self.out = self.folder / "other"
        self.check(self.prepare(masks_as_stored=True)["training"][0])

    def test_window_and_range(self):
        self.add_dicom("a.dcm", changes={(0x28, 0x1050): ("DS", "1000"), (0x28, 0x1051): ("DS", "801")})
        pictures = []
        for number, changes in enumerate(({}, {"window": "stored"}, {"value_range": (600, 1400)})):
            self.out = self.folder / str(number)
            content = self.prepare(**changes)
            pictures.append(np.asarray(open_image(self.out / "images" / "a.png", "L")).astype(int))
        self.assertEqual(content["provenance"]["value_range"], [600.0, 1400.0])
        self.assertGreater(np.abs(pictures[1] - pictures[0]).mean(), 20)
        self.assertLess(np.abs(pictures[2] - pictures[1]).max(), 3)

    def test_goes_on_where_it_stopped(self):
        for name in ("a.dcm", "b.dcm"):
            self.add_dicom(name)
        self.prepare()
        before = {path: path.stat().st_mtime_ns for path in self.out.rglob("*.png")}
        (self.out / "masks" / "heart" / "b.png").unlink()
        self.prepare()
        after = {path: path.stat().st_mtime_ns for path in self.out.rglob("*.png")}
        self.assertEqual(set(after), set(before))
        self.assertEqual({path.stem for path in before if before[path] != after[path]}, {"b"})
        with self.assertRaisesRegex(DataError, "other settings"):
            self.prepare(size=64)

    @parameterized.expand(
        [
            ("missing", None, r"no mask of heart for .*a.dcm: no file a\.\* in .*masks/heart"),
            ("empty", np.zeros((EDGE, WIDTH)), r"mask of heart .*heart/a.png is empty"),
            ("size", np.eye(EDGE) * 255, "sizes differ: .*a.dcm is 96 x 64, .*heart/a.png is 64 x 64"),
            ("values", np.arange(EDGE * WIDTH).reshape(EDGE, WIDTH) % 3, "heart/a.png: 0, 1, 2"),
        ]
    )
    def test_bad_mask(self, _, mask, message):
        self.add_dicom("a.dcm")
        path = self.masks / "heart" / "a.png"
        path.unlink()
        if mask is not None:
            write_grey(path, mask.astype(np.uint8))
        with self.assertRaisesRegex(DataError, message):
            self.prepare()
        self.assertFalse((self.out / "datalist.json").exists())

    def test_bad_mask_in_nifti(self):
        self.add_dicom("a.dcm", masks=False)
        self.add_masks("a", ".nii")
        label_map = sum(wide(mask) * np.int16(k) for k, mask in enumerate(rectangles(0).values(), start=1))
        nibabel.save(nibabel.Nifti1Image(label_map.T, np.diag([-1, -1, 1, 1])), self.masks / "heart" / "a.nii")
        with self.assertRaisesRegex(DataError, "heart/a.nii: 0, 1, 2.*one organ in a file"):
            self.prepare()

    def test_bad_radiographs(self):
        with self.assertRaisesRegex(DataError, "masks of right_lung were not found: no folder .*masks/right_lung"):
            self.prepare()
        self.add_masks("a")
        with self.assertRaisesRegex(DataError, "no radiograph .* in .*in; give the folder"):
            self.prepare()
        write_dicom(self.images / "a.dcm", {(8, 0x60): ("CS", "SR")})
        with self.assertRaisesRegex(DataError, "a.dcm is a DICOM file without a readable picture: its pixel module"):
            self.prepare()
        self.add_dicom("a.dcm", np.zeros((3, EDGE, WIDTH)))
        with self.assertRaisesRegex(DataError, r"a.dcm holds a volume of shape \(3, 64, 96\)"):
            self.prepare()
        self.add_dicom("a")
        with self.assertRaisesRegex(DataError, "a and .*a.dcm are called the same"):
            self.prepare()

    def test_two_names_for_one_case(self):
        self.add_dicom("p/a.dcm")
        self.add_dicom("p_a.dcm")
        with self.assertRaisesRegex(DataError, "would both become p_a"):
            list_radiograph_cases(self.images, self.masks)


class TestSections(RadiographCase):
    """Five patients with two radiographs each."""

    def setUp(self):
        super().setUp()
        for name in (f"p{patient}_{view}.dcm" for patient in range(5) for view in "ab"):
            self.add_dicom(name)

    def names(self, **changes) -> dict[str, list[str]]:
        content = self.prepare(size=32, **changes)
        return {part: [case["case_id"] for case in content[part]] for part in ("training", "validation", "test")}

    def test_shares(self):
        parts = self.names(test=0.2, validation=0.1)
        self.assertEqual([len(part) for part in parts.values()], [7, 1, 2])
        self.assertEqual(
            sorted(sum(parts.values(), [])), [f"p{patient}_{view}" for patient in range(5) for view in "ab"]
        )
        self.assertEqual(self.names(test=0.2, validation=0.1), parts)
        self.assertNotEqual(self.names(test=0.2, validation=0.1, seed=1), parts)
        few = self.names(test=0.2, validation=0.1, fraction=0.3, fraction_seed=3)
        self.assertEqual((few["validation"], few["test"]), (parts["validation"], parts["test"]))
        self.assertEqual(len(few["training"]), 2)
        self.assertLess(set(few["training"]), set(parts["training"]))

    def test_patients_stay_together(self):
        for pattern in (r"p\d", r"(p\d)_"):
            parts = self.names(test=0.4, validation=0.01, patient=pattern)
            self.assertEqual([len(part) for part in parts.values()], [4, 2, 4])
            patients = [{name[:2] for name in part} for part in parts.values()]
            self.assertEqual(sum(map(len, patients)), 5)

    def test_named_cases(self):
        parts = self.names(test=["p0_a", "p1_a"], validation=0.2, patient=r"p\d")
        self.assertEqual(parts["test"], ["p0_a", "p0_b", "p1_a", "p1_b"])
        self.assertEqual([len(part) for part in parts.values()], [4, 2, 4])

    @parameterized.expand(
        [
            ({"test": 1.0}, ConfigError, "test must be a share from 0 to below 1, .* got 1.0"),
            ({"validation": -0.1}, ConfigError, "validation must be a share"),
            ({"test": True}, ConfigError, "got True"),
            ({"patient": "("}, ConfigError, "no regular expression"),
            ({"size": 16}, ConfigError, "32 pixels or more"),
            ({"window": "lung"}, ConfigError, "window must be"),
            ({"value_range": (5, 1)}, ConfigError, "value_range must be"),
            ({"fraction": 0.0}, ConfigError, "fraction must be"),
            ({"fraction": 0.01}, DataError, "leaves no case to train on"),
            ({"test": 0.7, "validation": 0.3}, DataError, "10 radiographs of 10 patients .* leave none to train on"),
            ({"patient": "x"}, DataError, "finds nothing in the name 'p0_a'"),
            ({"test": ["p0_a.dcm"]}, DataError, "names 'p0_a.dcm', which is no radiograph"),
            ({"test": ["p0_a"], "validation": ["p0_b"], "patient": "p."}, DataError, "'p0' .* named for two sections"),
        ]
    )
    def test_bad_settings(self, changes, error, message):
        with self.assertRaisesRegex(error, message):
            self.prepare(**changes)
        self.assertFalse(self.out.exists())


if __name__ == "__main__":
    unittest.main()
