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
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import nibabel
import numpy as np
from parameterized import parameterized
from PIL import Image

from monai_retinasynth.data import RADIOGRAPH_SUFFIXES, synthetic_uid, write_class_indices, write_radiograph
from monai_retinasynth.transforms import read_class_indices, read_radiograph
from monai_retinasynth.utils import ConfigError, DataError


def asymmetric(height: int = 20, width: int = 30) -> np.ndarray:
    """uint8 picture from 0 to 255, like no turned or mirrored copy of itself."""
    picture = np.linspace(0, 255, height * width).reshape(height, width)
    picture[2:5, 3 : width - 5] = 200
    return picture.astype(np.uint8)


def dicom_tags(path: Path) -> dict[str, str]:
    """The tags as ITK reads them."""
    import itk

    io = itk.GDCMImageIO.New()
    io.SetFileName(str(path))
    io.ReadImageInformation()
    dictionary = io.GetMetaDataDictionary()
    return {key: dictionary[key].strip(" \0") for key in dictionary.GetKeys() if "|" in key}


class WriterCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class TestWriteRadiograph(WriterCase):
    @parameterized.expand(
        [(s, b, w) for s in RADIOGRAPH_SUFFIXES for b in (8, 12, 16) for w in (30, 31) if (s, b) != (".png", 12)]
    )
    def test_reads_back_to_the_same_values(self, suffix, bits, width):
        levels = 2**bits - 1
        stored = np.rint(asymmetric(21, width) / 255 * levels)  # 21 x 31 pixels of 8 bits are an odd number of bytes
        path = self.folder / f"a{suffix}"
        write_radiograph(path, stored / levels, bits)
        read = read_radiograph(path)
        np.testing.assert_array_equal(np.rint(read.astype(np.float64) * levels), stored)
        np.testing.assert_allclose(read, stored / levels, atol=1e-7)

    @parameterized.expand([(s, b) for s in RADIOGRAPH_SUFFIXES for b in (8, 16)])
    def test_uint8(self, suffix, bits):
        write_radiograph(self.folder / f"a{suffix}", asymmetric(), bits)
        np.testing.assert_allclose(read_radiograph(self.folder / f"a{suffix}"), asymmetric() / 255, atol=1e-7)

    @parameterized.expand([(".nii",), (".nii.gz",), (".dcm",)])
    def test_itk_sees_the_picture_upright(self, suffix):
        import itk

        write_radiograph(self.folder / f"a{suffix}", asymmetric())
        image = itk.imread(str(self.folder / f"a{suffix}"))
        np.testing.assert_array_equal(itk.array_from_image(image).reshape(20, 30), asymmetric())
        np.testing.assert_array_equal(itk.array_from_matrix(image.GetDirection()), np.eye(image.GetImageDimension()))

    def test_nibabel_sees_x_y(self):
        write_radiograph(self.folder / "a.nii.gz", asymmetric())
        image = nibabel.load(self.folder / "a.nii.gz")
        np.testing.assert_array_equal(np.asarray(image.dataobj).T, asymmetric())
        self.assertEqual(nibabel.aff2axcodes(image.affine)[0], "L")
        self.assertIn(b"Synthetic", bytes(image.header["descrip"]))

    @parameterized.expand(
        [
            ("volume", np.zeros((3, 4, 5), np.uint8), "shape"),
            ("empty", np.zeros((0, 4), np.uint8), "shape"),
            ("above_1", np.full((4, 5), 1.01), r"\[0, 1\]"),
            ("below_0", np.full((4, 5), -0.01), r"\[0, 1\]"),
            ("not_a_number", np.full((4, 5), np.nan), r"\[0, 1\]"),
            ("whole_numbers", np.ones((4, 5), np.int64), "int64"),
        ]
    )
    def test_no_picture(self, _, array, pattern):
        with self.assertRaisesRegex(DataError, pattern):
            write_radiograph(self.folder / "a.dcm", array)
        self.assertEqual(list(self.folder.iterdir()), [])

    @parameterized.expand(
        [
            ("a.mha", {}),
            ("a.dcm", {"bits": 10}),
            ("a.png", {"bits": 12}),
            ("a.dcm", {"modality": "digital x-ray"}),
            ("a.dcm", {"modality": ""}),
            ("a.dcm", {"seed": 3}),
            ("a.dcm", {"index": 3}),
        ]
    )
    def test_impossible_settings(self, name, kwargs):
        with self.assertRaises(ConfigError):
            write_radiograph(self.folder / name, asymmetric(), **kwargs)
        self.assertEqual(list(self.folder.iterdir()), [])


class TestDicom(WriterCase):
    def written(self, name: str = "a.dcm", **kwargs) -> dict[str, str]:
        write_radiograph(self.folder / name, asymmetric(), **kwargs)
        return dicom_tags(self.folder / name)

    def test_is_marked(self):
        tags = self.written(modality="DX", seed=7, index=3)
        expected = {
            "0008|0008": "DERIVED\\SECONDARY",
            "0008|0016": "1.2.840.10008.5.1.4.1.1.7",
            "0008|0060": "DX",
            "0008|0064": "SYN",
            "0010|0010": "SYNTHETIC^NO PATIENT",
            "0028|0004": "MONOCHROME2",
            "0028|0301": "NO",
        }
        self.assertEqual({key: tags.get(key) for key in expected}, expected)
        self.assertIn("Synthetic", tags["0008|2111"])
        self.assertTrue(tags["0010|0020"].startswith("SYNTHETIC-"))
        for key in ("0008|0020", "0008|0030", "0008|0050", "0008|0090", "0010|0030", "0010|0040"):
            self.assertEqual(tags.get(key), "", f"{key}: there was no examination")
        for key in ("0008|0018", "0020|000d", "0020|000e"):
            self.assertRegex(tags[key], r"^2\.25\.[1-9][0-9]{0,38}$")
        self.assertEqual(len({tags[key] for key in ("0008|0018", "0020|000d", "0020|000e")}), 3)

    @parameterized.expand([(8, "8"), (12, "16"), (16, "16")])
    def test_bits(self, bits, allocated):
        tags = self.written(bits=bits)
        found = [tags[key] for key in ("0028|0100", "0028|0101", "0028|0102", "0028|0103")]
        self.assertEqual(found, [allocated, str(bits), str(bits - 1), "0"])

    def test_same_case_of_same_seed_is_the_same_file(self):
        self.written("a.dcm", seed=7, index=3)
        self.written("b.dcm", seed=7, index=3)
        self.assertEqual((self.folder / "a.dcm").read_bytes(), (self.folder / "b.dcm").read_bytes())

    def test_other_cases_have_other_uids(self):
        keys = ("0008|0018", "0020|000d", "0020|000e", "0010|0020")
        all_tags = [
            self.written(seed=7, index=3),
            self.written(seed=7, index=4),
            self.written(seed=8, index=3),
            self.written(seed=7, index=3, origin="another checkpoint"),
            self.written(),
            self.written(),
        ]
        for key in keys:
            self.assertEqual(len({tags[key] for tags in all_tags}), len(all_tags), key)

    def test_label_map_is_of_the_pictures_study(self):
        image = self.written(seed=7, index=3)
        write_class_indices(self.folder / "l.dcm", asymmetric() // 100, "fundus_vessel", seed=7, index=3)
        label = dicom_tags(self.folder / "l.dcm")
        self.assertEqual([label[key] for key in ("0020|000d", "0010|0020")], [image["0020|000d"], image["0010|0020"]])
        for key in ("0008|0018", "0020|000e", "0008|103e"):
            self.assertNotEqual(label[key], image[key])

    def test_synthetic_uid(self):
        self.assertEqual(synthetic_uid("a", 1), synthetic_uid("a", 1))
        uids = {synthetic_uid("a", 1), synthetic_uid("a", 2), synthetic_uid("a1"), synthetic_uid(), synthetic_uid()}
        self.assertEqual(len(uids), 5)
        for uid in uids:
            self.assertLessEqual(len(uid), 64)


class TestWholeOrNotAtAll(WriterCase):
    @parameterized.expand([(s, f) for s in RADIOGRAPH_SUFFIXES for f in ("os.replace", "os.fsync")])
    def test_full_disk(self, suffix, function):
        path = self.folder / "set" / f"a{suffix}"
        error = OSError(errno.ENOSPC, "No space left on device")
        for write, values in (
            (write_radiograph, (asymmetric(),)),
            (write_class_indices, (asymmetric() // 100, "fundus_vessel")),
        ):
            with (
                mock.patch(function, side_effect=error),
                self.assertRaisesRegex(DataError, "No space.*Free some space"),
            ):
                write(path, *values)
            self.assertEqual([p for p in self.folder.rglob("*") if p.is_file()], [])
        write_radiograph(path, asymmetric())  # the folder is made, and it goes on when there is space again
        self.assertTrue(path.is_file())

    def test_full_disk_for_temporary_files(self):
        def cut_off(image, name, **kwargs):
            Path(name).write_bytes(b"DICM and half of the picture")

        with mock.patch("itk.imwrite", cut_off), self.assertRaisesRegex(DataError, "a.dcm.*incomplete"):
            write_radiograph(self.folder / "a.dcm", asymmetric())
        error = RuntimeError("ITK ERROR: could not write")
        with mock.patch("itk.imwrite", side_effect=error), self.assertRaisesRegex(DataError, "a.dcm: ITK ERROR"):
            write_radiograph(self.folder / "a.dcm", asymmetric())
        self.assertEqual(list(self.folder.iterdir()), [])

    @parameterized.expand(RADIOGRAPH_SUFFIXES)
    def test_folder_that_cannot_be_made(self, suffix):
        (self.folder / "file").write_bytes(b"")
        with self.assertRaisesRegex(DataError, "may be written to"):
            write_radiograph(self.folder / "file" / f"a{suffix}", asymmetric())
        self.assertEqual([p.name for p in self.folder.iterdir()], ["file"])


class TestWriteClassIndices(WriterCase):
    @parameterized.expand(RADIOGRAPH_SUFFIXES)
    def test_reads_back(self, suffix):
        label_map = asymmetric() // 100
        write_class_indices(self.folder / f"a{suffix}", label_map.astype(np.int64), "fundus_vessel")
        np.testing.assert_array_equal(read_class_indices(self.folder / f"a{suffix}", "fundus_vessel"), label_map)

    def test_png_has_the_palette(self):
        write_class_indices(self.folder / "a.png", asymmetric() // 100, "fundus_vessel")
        with Image.open(self.folder / "a.png") as image:
            self.assertEqual(image.mode, "P")

    def test_nifti_is_labels(self):
        write_class_indices(self.folder / "a.nii.gz", asymmetric() // 100, "fundus_vessel")
        header = nibabel.load(self.folder / "a.nii.gz").header
        self.assertEqual(header.get_intent()[0], "label")
        self.assertEqual(header.get_data_dtype(), np.uint8)

    @parameterized.expand(
        [(np.full((4, 5), 3),), (np.full((4, 5), -1),), (np.full((4, 5), 0.5),), (np.zeros((1, 4, 5)),)]
    )
    def test_no_label_map(self, array):
        for suffix in RADIOGRAPH_SUFFIXES:
            with self.assertRaisesRegex(DataError, "label map"):
                write_class_indices(self.folder / f"a{suffix}", array, "fundus_vessel")
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
