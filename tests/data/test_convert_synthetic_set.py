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

import errno
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from monai.transforms import LoadImage, LoadImaged
from parameterized import parameterized
from PIL import Image

from monai_retinasynth.data import (
    CONVERSION_FORMATS,
    DATALIST_NAME,
    convert_synthetic_set,
    load_datalist,
    write_class_indices,
    write_datalist,
    write_radiograph,
)
from monai_retinasynth.transforms import RadiographReader, read_class_indices, read_radiograph
from monai_retinasynth.utils import ConfigError, DataError, get_label_set
from tests.data.test_radiograph_writer import dicom_tags

WRITE = "monai_retinasynth.data.convert_synthetic_set.write_radiograph"


class TestConvertSyntheticSet(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.source, self.target = (Path(folder.name) / name for name in ("", "png", "converted"))
        self.pictures = [np.random.default_rng(n).integers(0, 256, (12, 17), np.uint8) for n in range(3)]
        self.cases = []
        for n, picture in enumerate(self.pictures):
            case = {"case_id": f"synthetic_{n:05d}", "source": "synthetic", "provenance": {"seed": 7, "index": n}}
            case |= {"image": f"images/{n}.png", "label": f"labels/{n}.png", "masks": {"heart": f"masks/heart/{n}.png"}}
            write_radiograph(self.source / case["image"], picture)
            write_class_indices(self.source / case["label"], picture // 100, "fundus_vessel")
            write_radiograph(self.source / case["masks"]["heart"], np.where(picture > 99, np.uint8(255), np.uint8(0)))
            self.cases.append(case)
        self.list_cases()

    def list_cases(self, **sections):
        sections = sections or {"training": self.cases[:2], "test": self.cases[2:]}
        write_datalist(self.source, sections, "fundus_vessel", "made", {"provenance": {"seed": 7}})

    def files(self) -> dict[str, bytes]:
        return {p.relative_to(self.target).as_posix(): p.read_bytes() for p in self.target.rglob("*") if p.is_file()}

    @parameterized.expand(CONVERSION_FORMATS.items())
    def test_same_set_in_another_format(self, form, suffix):
        path = convert_synthetic_set(self.source, self.target, form)
        self.assertEqual(path, self.target / DATALIST_NAME)
        before, after = load_datalist(self.source), load_datalist(self.target)
        for key in ("name", "label_set", "provenance", "validation"):
            self.assertEqual(after[key], before[key])
        cases = after["training"] + after["test"]
        self.assertEqual([case["provenance"] for case in cases], [case["provenance"] for case in self.cases])
        for case, picture in zip(cases, self.pictures, strict=True):
            self.assertTrue(case["image"].startswith("images/") and case["image"].endswith(suffix))
            np.testing.assert_allclose(read_radiograph(self.target / case["image"]), picture / 255, atol=1e-7)
            np.testing.assert_array_equal(read_class_indices(self.target / case["label"]), picture // 100)
            np.testing.assert_array_equal(read_radiograph(self.target / case["masks"]["heart"]), picture > 99)
        loaded = LoadImaged("image", reader=RadiographReader())({"image": self.target / cases[0]["image"]})
        self.assertEqual(tuple(loaded["image"].shape), (17, 12))
        # and to those who have MONAI's own readers only
        own = LoadImage(reader="ITKReader" if form == "dicom" else "NibabelReader")(self.target / cases[0]["image"])
        np.testing.assert_array_equal(own.numpy().reshape(17, 12).T, self.pictures[0])

    def test_dicom_is_marked_and_belongs_together(self):
        convert_synthetic_set(self.source, self.target, "dicom", bits=12, modality="DX")
        tags = [
            [dicom_tags(self.target / f) for f in (case["image"], case["label"], case["masks"]["heart"])]
            for case in load_datalist(self.target)["training"]
        ]
        for case in tags:
            self.assertEqual(len({file["0020|000d"] for file in case}), 1)
            self.assertEqual([file["0028|0101"] for file in case], ["12", "8", "8"])
            self.assertEqual({file["0008|0060"] for file in case}, {"DX"})
            self.assertEqual({file["0010|0010"] for file in case}, {"SYNTHETIC^NO PATIENT"})
        self.assertEqual(len({file["0008|0018"] for case in tags for file in case}), 6)
        self.assertNotEqual(tags[0][0]["0020|000d"], tags[1][0]["0020|000d"])

    @parameterized.expand(CONVERSION_FORMATS)
    def test_resumes_and_comes_to_the_same_files(self, form):
        whole = self.folder / "whole"
        convert_synthetic_set(self.source, whole, form)
        calls = []

        def write(path, *args, **kwargs):
            calls.append(path)
            if len(calls) == 3:
                raise DataError("the disk is full")
            write_radiograph(path, *args, **kwargs)

        with mock.patch(WRITE, write), self.assertRaisesRegex(DataError, "full"):
            convert_synthetic_set(self.source, self.target, form)
        self.assertFalse((self.target / DATALIST_NAME).exists())
        with mock.patch(WRITE, side_effect=write_radiograph) as again:
            convert_synthetic_set(self.source, self.target, form)
        self.assertEqual(again.call_count, 6 - 2)
        self.assertEqual(self.files(), {p.relative_to(whole).as_posix(): p.read_bytes() for p in whole.rglob("*.*")})

    def test_a_set_that_has_grown(self):
        self.list_cases(training=self.cases[:1])
        convert_synthetic_set(self.source, self.target, "nifti")
        self.list_cases(training=self.cases)
        with mock.patch(WRITE, side_effect=write_radiograph) as again:
            convert_synthetic_set(self.source, self.target, "nifti")
        self.assertEqual(again.call_count, 4)
        self.assertEqual(len(load_datalist(self.target)["training"]), 3)

    def test_label_maps_alone(self):
        cases = [{key: case[key] for key in ("case_id", "source", "label")} for case in self.cases]
        self.list_cases(training=cases)
        convert_synthetic_set(self.source, self.target, "dicom")
        converted = load_datalist(self.target)["training"]
        self.assertEqual([set(case) for case in converted], [set(case) for case in cases])
        uids = {dicom_tags(self.target / case["label"])["0008|0018"] for case in converted}
        self.assertEqual(len(uids), 3)

    def test_targets(self):
        for case, picture in zip(self.cases, self.pictures):
            case["target"] = f"targets/{case['case_id']}.png"
            write_class_indices(self.source / case["target"], picture // 40, "chest_organ")
        self.list_cases()
        with self.assertRaisesRegex(DataError, "targets and no target_label_set"):
            convert_synthetic_set(self.source, self.folder / "none", "dicom")
        extra = {"target_label_set": get_label_set("chest_organ").to_dict()}
        write_datalist(self.source, {"training": self.cases}, "fundus_vessel", "made", extra)
        convert_synthetic_set(self.source, self.target, "dicom")
        for case, picture in zip(load_datalist(self.target)["training"], self.pictures, strict=True):
            np.testing.assert_array_equal(
                read_class_indices(self.target / case["target"], "chest_organ"), picture // 40
            )
            label, target = (dicom_tags(self.target / case[key]) for key in ("label", "target"))
            self.assertEqual(label["0020|000d"], target["0020|000d"])
            self.assertNotEqual(label["0008|0018"], target["0008|0018"])

    def test_other_settings_want_another_folder(self):
        convert_synthetic_set(self.source, self.target, "nifti")
        before = self.files()
        for args, what in ((("dicom",), "format"), (("nifti", 16), "bits"), (("nifti", 8, "DX"), "modality")):
            with self.assertRaisesRegex(DataError, f"another {what}; choose another output_dir"):
                convert_synthetic_set(self.source, self.target, *args)
        self.assertEqual(self.files(), before)
        (self.target / "conversion.json").write_text("{")
        with self.assertRaisesRegex(DataError, "conversion.json cannot be read"):
            convert_synthetic_set(self.source, self.target, "nifti")

    def test_refused_folders(self):
        with self.assertRaisesRegex(DataError, "another output_dir"):
            convert_synthetic_set(self.source, self.source, "nifti")
        write_datalist(self.target, {}, "fundus_vessel", "other")
        with self.assertRaisesRegex(DataError, "holds a data set already"):
            convert_synthetic_set(self.source, self.target, "nifti")
        with self.assertRaisesRegex(DataError, "data list not found"):
            convert_synthetic_set(self.folder / "none", self.folder / "new", "nifti")
        self.assertFalse((self.folder / "new").exists())

    def test_refused_cases(self):
        for cases, pattern in (
            ([{**self.cases[0], "source": "real"}], "synthetic_00000 .* is real"),
            ([{**self.cases[0], "label": "../png/labels/0.png"}], "outside the data set"),
            ([self.cases[0], {**self.cases[1], "label": "labels/0.tif"}], "labels/0.png and labels/0.tif"),
            ([{**self.cases[0], "image": "images/none.png"}], "none.png"),
            ([], "no cases"),
        ):
            self.list_cases(training=cases)
            with self.assertRaisesRegex(DataError, pattern):
                convert_synthetic_set(self.source, self.folder / f"out_{len(pattern)}", "nifti")

    def test_colour_photographs(self):
        colour = np.random.default_rng(0).integers(0, 256, (12, 17, 3), np.uint8)
        Image.fromarray(colour).save(self.source / self.cases[0]["image"])
        with self.assertRaisesRegex(DataError, "0.png is a colour picture"):
            convert_synthetic_set(self.source, self.target, "dicom")

    def test_full_disk(self):
        error = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch("os.replace", side_effect=error), self.assertRaisesRegex(DataError, "No space"):
            convert_synthetic_set(self.source, self.target, "nifti")
        self.assertEqual(self.files(), {})

    def test_impossible_settings(self):
        for args in (("png",), ("nifti", 10), ("dicom", 8, "x-ray")):
            with self.assertRaises(ConfigError):
                convert_synthetic_set(self.source, self.folder / "-".join(map(str, args)), *args)

    def test_settings_are_noted(self):
        convert_synthetic_set(self.source, self.target, "nifti", 16)
        noted = json.loads((self.target / "conversion.json").read_text())
        self.assertEqual([noted[key] for key in ("format", "bits", "modality", "name")], ["nifti", 16, "OT", "made"])


if __name__ == "__main__":
    unittest.main()
