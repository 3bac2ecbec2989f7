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

import ast
import pickle
import struct
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
from monai.data import list_data_collate
from monai.transforms import LoadImage, LoadImaged, SaveImage
from parameterized import parameterized
from PIL import Image

from monai_retinasynth.data import write_class_indices, write_radiograph
from monai_retinasynth.transforms import (
    RadiographReader,
    dicom_levels,
    radiograph_reader,
    read_class_indices,
    read_radiograph,
)
from monai_retinasynth.utils import ConfigError, DataError
from tests.transforms.dicom_file import CR_IMAGE, DX_IMAGE, Elements, grey_elements, write_dicom

PHOTOMETRIC, ROWS, COLUMNS, PIXEL_DATA = (0x28, 0x04), (0x28, 0x10), (0x28, 0x11), (0x7FE0, 0x10)
BITS_ALLOCATED, BITS_STORED, HIGH_BIT = (0x28, 0x100), (0x28, 0x101), (0x28, 0x102)
CENTER, WIDTH, FUNCTION = (0x28, 0x1050), (0x28, 0x1051), (0x28, 0x1056)
INTERCEPT, SLOPE = (0x28, 0x1052), (0x28, 0x1053)
ORIENTATION = (0x20, 0x20)


def asymmetric(levels: int = 255) -> np.ndarray:
    """Picture (20, 30) like no turned or mirrored copy of itself, whole numbers up to about 4/5 of `levels`."""
    rows, columns = np.mgrid[:20, :30]
    picture = (rows * 37 + columns * 11) % 100
    picture[2:5, 3:25], picture[10:18, 24:28] = 160, 210
    return (picture * (levels / 255)).astype(np.uint16 if levels > 255 else np.uint8)


class ReaderCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def dicom(self, stored: np.ndarray | None = None, changes: Elements | None = None, **kwargs) -> Path:
        """A DICOM file of 12 bits; a change of None removes the element."""
        elements = {**grey_elements(asymmetric(4095) if stored is None else stored, **kwargs), **(changes or {})}
        return write_dicom(self.folder / "a.dcm", {k: v for k, v in elements.items() if v is not None})

    def nifti(self, array: np.ndarray, affine: np.ndarray | None = None, suffix: str = ".nii.gz", **header) -> Path:
        """A NIfTI file of `array`, whose first axis is x."""
        image = nibabel.Nifti1Image(array, np.diag([-1, -1, 1, 1]) if affine is None else affine)
        for key, value in header.items():
            image.header[key] = value
        nibabel.save(image, self.folder / f"a{suffix}")
        return self.folder / f"a{suffix}"

    def refused(self, path: Path, pattern: str, **kwargs):
        """The error names the file and says what the pattern says."""
        with self.assertRaisesRegex(DataError, pattern) as caught:
            read_radiograph(path, **kwargs)
        self.assertIn(str(path), str(caught.exception))


class TestSamePicture(ReaderCase):
    """One asymmetric picture in every format comes out as the same array."""

    @parameterized.expand([".png", ".tif", ".jpg", ".bmp", ".nii", ".nii.gz", ".dcm"])
    def test_8_bits(self, suffix):
        path, picture = self.folder / f"a{suffix}", asymmetric()
        if suffix in (".nii", ".nii.gz"):
            self.nifti(picture.T, suffix=suffix)
        elif suffix == ".dcm":
            self.dicom(picture, bits=8)
        else:
            Image.fromarray(picture).save(path, **({"quality": 100} if suffix == ".jpg" else {}))
        read = read_radiograph(path)
        self.assertEqual((read.shape, read.dtype), ((20, 30), np.float32))
        np.testing.assert_allclose(read, picture / 255, atol=0.02 if suffix == ".jpg" else 1e-6)

    @parameterized.expand([".png", ".tif", ".nii.gz", ".dcm"])
    def test_16_bits(self, suffix):
        path, picture = self.folder / f"a{suffix}", asymmetric(65535)
        if suffix == ".nii.gz":
            self.nifti(picture.T)
        elif suffix == ".dcm":
            self.dicom(picture, bits=16)
        else:
            Image.fromarray(picture).save(path)
        np.testing.assert_allclose(read_radiograph(path), picture / 65535, atol=1e-6)

    def test_load_image_gives_x_y_and_one_affine_for_all(self):
        picture = asymmetric()
        for suffix in (".png", ".nii.gz", ".dcm"):
            write_radiograph(self.folder / f"a{suffix}", picture)
        reader = pickle.loads(pickle.dumps(RadiographReader()))
        load = LoadImaged(keys="image", reader=reader, ensure_channel_first=True)
        cases = [load({"image": self.folder / f"a{suffix}"}) for suffix in (".png", ".nii.gz", ".dcm")]
        batch = list_data_collate(cases)["image"]
        self.assertEqual(tuple(batch.shape), (3, 1, 30, 20))
        for tensor in batch:
            np.testing.assert_allclose(tensor[0].numpy().T, picture / 255, atol=1e-6)

    def test_as_monai_saves_it(self):
        picture = asymmetric()
        Image.fromarray(picture).save(self.folder / "p.png")
        image = LoadImage(reader="PILReader", ensure_channel_first=True)(self.folder / "p.png")
        save = SaveImage(self.folder, "", ".nii.gz", output_dtype=np.uint8, separate_folder=False, print_log=False)
        save(image)
        np.testing.assert_allclose(read_radiograph(self.folder / "p.nii.gz"), picture / 255, atol=1e-6)

    def test_as_itk_saves_it(self):
        import itk

        picture = asymmetric()
        for name in ("i.nii.gz", "i.dcm"):
            itk.imwrite(itk.image_from_array(picture), str(self.folder / name))
            np.testing.assert_allclose(read_radiograph(self.folder / name), picture / 255, atol=1e-6, err_msg=name)


class TestOrientation(ReaderCase):
    """What a file says of the patient's sides is heeded."""

    # columns of the affine: where the first axis, the second and the third run to (right, front, head of the patient)
    @parameterized.expand(
        [
            ("left_feet", [[-1, 0, 0], [0, 0, 1], [0, -1, 0]], lambda p: p.T),
            ("right_head", [[1, 0, 0], [0, 0, 1], [0, 1, 0]], lambda p: p[::-1, ::-1].T),
            ("left_head", [[-1, 0, 0], [0, 0, 1], [0, 1, 0]], lambda p: p[::-1].T),
            ("feet_left", [[0, -1, 0], [0, 0, 1], [-1, 0, 0]], lambda p: p),
            ("no_patient", [[0.2, 0, 0], [0, 0.2, 0], [0, 0, 1]], lambda p: p.T),
            ("left_front", [[-1, 0, 0], [0, 1, 0], [0, 0, 1]], lambda p: p[::-1].T),
        ]
    )
    def test_nifti_affine(self, _, rotation, stored: Callable[[np.ndarray], np.ndarray]):
        affine = np.eye(4)
        affine[:3, :3] = rotation
        picture = asymmetric()
        path = self.nifti(np.ascontiguousarray(stored(picture)), affine)
        np.testing.assert_allclose(read_radiograph(path), picture / 255, atol=1e-6)
        as_stored = read_radiograph(path, orient=False)
        np.testing.assert_allclose(as_stored, stored(picture).T / 255, atol=1e-6)

    def test_nifti_coronal_slice_with_the_short_axis_in_the_middle(self):
        picture = asymmetric()
        path = self.nifti(picture[::-1].T[:, None], np.diag([-1, 1, 1, 1]))
        np.testing.assert_allclose(read_radiograph(path), picture / 255, atol=1e-6)

    @parameterized.expand(
        [
            ("L\\F", lambda p: p),
            ("R\\F", lambda p: p[:, ::-1]),
            ("L\\H", lambda p: p[::-1]),
            ("F\\L", lambda p: p.T),
            ("FR\\RH", lambda p: p.T[::-1]),
            ("A\\F", lambda p: p),
            ("A\\H", lambda p: p[::-1]),
            ("", lambda p: p),
        ]
    )
    def test_dicom_patient_orientation(self, text, stored: Callable[[np.ndarray], np.ndarray]):
        picture = asymmetric(4095)
        path = self.dicom(np.ascontiguousarray(stored(picture)), {ORIENTATION: ("CS", text)})
        np.testing.assert_allclose(read_radiograph(path), picture / 4095, atol=1e-6)
        np.testing.assert_allclose(read_radiograph(path, orient=False), stored(picture) / 4095, atol=1e-6)

    def test_exif(self):
        picture = asymmetric()
        exif = Image.Exif()
        exif[0x0112] = 3  # upside down
        Image.fromarray(np.ascontiguousarray(picture[::-1, ::-1])).save(self.folder / "a.jpg", exif=exif, quality=100)
        np.testing.assert_allclose(read_radiograph(self.folder / "a.jpg"), picture / 255, atol=0.02)


class TestDicomLevels(ReaderCase):
    """Which stored value is black and which white."""

    @parameterized.expand([(10,), (12,), (14,), (16,)])
    def test_scaled_by_bits_stored(self, bits):
        stored = np.minimum(asymmetric(4095), 2**bits - 1)
        np.testing.assert_allclose(read_radiograph(self.dicom(stored, bits=bits)), stored / (2**bits - 1), atol=1e-6)

    @parameterized.expand([(8, np.uint8), (8, np.int8), (12, np.uint16), (12, np.int16), (16, np.int16)])
    def test_monochrome1_is_turned_round(self, bits, dtype):
        low = -(2 ** (bits - 1)) if np.dtype(dtype).kind == "i" else 0
        picture = asymmetric(2**bits - 1).astype(np.int64)
        usual = read_radiograph(self.dicom((picture + low).astype(dtype), bits=bits))
        turned = (low + 2**bits - 1 - picture).astype(dtype)
        inverse = read_radiograph(self.dicom(turned, bits=bits, photometric="MONOCHROME1"))
        np.testing.assert_allclose(usual, picture / (2**bits - 1), atol=1e-6)
        np.testing.assert_allclose(inverse, usual, atol=1e-6)

    @parameterized.expand([("MONOCHROME2",), ("MONOCHROME1",)])
    def test_implicit_value_representation(self, photometric):
        picture = asymmetric(4095)
        stored = picture if photometric == "MONOCHROME2" else 4095 - picture
        path = write_dicom(self.folder / "i.dcm", grey_elements(stored, photometric=photometric), implicit=True)
        np.testing.assert_allclose(read_radiograph(path), picture / 4095, atol=1e-6)

    @parameterized.expand([("jpeg", 0), ("jpeg2000", 1)])
    def test_monochrome1_compressed(self, _, compression):
        import itk

        picture, path = asymmetric(65535), self.folder / "c.dcm"
        io = itk.GDCMImageIO.New()
        io.SetCompressionType(compression)
        itk.imwrite(itk.image_from_array(picture), str(path), imageio=io, compression=True)
        np.testing.assert_allclose(read_radiograph(path), picture / 65535, atol=1e-6)
        content = path.read_bytes()
        self.assertEqual(content.count(b"MONOCHROME2 "), 1)
        path.write_bytes(content.replace(b"MONOCHROME2 ", b"MONOCHROME1 "))
        np.testing.assert_allclose(read_radiograph(path), 1 - picture / 65535, atol=1e-6)

    @parameterized.expand([(CR_IMAGE,), (DX_IMAGE,)])
    def test_rescale_does_not_change_the_picture(self, sop):
        plain = read_radiograph(self.dicom(sop=sop))
        for slope, intercept in (("0.5", "-100"), ("2", "7"), ("0.000244140625", "0")):
            rescale = {SLOPE: ("DS", slope), INTERCEPT: ("DS", intercept)}
            np.testing.assert_allclose(read_radiograph(self.dicom(None, rescale, sop=sop)), plain, atol=1e-6)
        # a falling slope makes large stored values dark, and MONOCHROME1 turns that round again
        falling = {SLOPE: ("DS", "-1"), INTERCEPT: ("DS", "4095")}
        np.testing.assert_allclose(read_radiograph(self.dicom(None, falling)), 1 - plain, atol=1e-6)
        again = self.dicom(None, falling, photometric="MONOCHROME1")
        np.testing.assert_allclose(read_radiograph(again), plain, atol=1e-6)

    def test_signed_with_rescale(self):
        picture = asymmetric(4095).astype(np.int16)
        rescale = {SLOPE: ("DS", "2"), INTERCEPT: ("DS", "-1024")}
        path = self.dicom(picture - 2048, rescale)
        np.testing.assert_allclose(read_radiograph(path), picture / 4095, atol=1e-6)

    def test_stored_window(self):
        stored = asymmetric(4095)
        window = {CENTER: ("DS", "1000\\50"), WIDTH: ("DS", "801\\10")}
        expected = np.clip((stored - 999.5) / 800 + 0.5, 0, 1)  # PS3.3 C.11.2.1.2.1
        self.assertTrue(0 < expected.mean() < 1)
        np.testing.assert_allclose(read_radiograph(self.dicom(None, window), "stored"), expected, atol=1e-6)
        np.testing.assert_allclose(read_radiograph(self.dicom(None, window)), stored / 4095, atol=1e-6)
        exact = {**window, FUNCTION: ("CS", "LINEAR_EXACT")}
        expected = np.clip((stored - 1000.0) / 801 + 0.5, 0, 1)  # PS3.3 C.11.2.1.3.2
        np.testing.assert_allclose(read_radiograph(self.dicom(None, exact), "stored"), expected, atol=1e-6)

    def test_stored_window_applies_after_rescale_and_before_monochrome1(self):
        stored = asymmetric(4095)
        window = {CENTER: ("DS", "1000"), WIDTH: ("DS", "801"), SLOPE: ("DS", "0.5"), INTERCEPT: ("DS", "100")}
        expected = np.clip((stored * 0.5 + 100 - 999.5) / 800 + 0.5, 0, 1)
        np.testing.assert_allclose(read_radiograph(self.dicom(None, window), "stored"), expected, atol=1e-6)
        path = self.dicom(None, window, photometric="MONOCHROME1")
        np.testing.assert_allclose(read_radiograph(path, "stored"), 1 - expected, atol=1e-6)

    def test_bits_above_the_high_bit_are_not_the_pictures(self):
        stored = asymmetric(4095)
        np.testing.assert_allclose(read_radiograph(self.dicom(stored | 0xF000)), stored / 4095, atol=1e-6)

    def test_value_range(self):
        stored = asymmetric(4095)
        expected = np.clip((stored - 500.0) / 1000, 0, 1)
        np.testing.assert_allclose(read_radiograph(self.dicom(), value_range=(500, 1500)), expected, atol=1e-6)
        path = self.dicom(photometric="MONOCHROME1")
        np.testing.assert_allclose(read_radiograph(path, value_range=(500, 1500)), 1 - expected, atol=1e-6)

    def test_equal_colour_channels_are_grey_and_single_frames_are_pictures(self):
        picture = asymmetric()
        colour = {(0x28, 2): ("US", 3), (0x28, 6): ("US", 0), (0x28, 0x11): ("US", 30)}
        path = self.dicom(picture.repeat(3, axis=1), colour, bits=8, photometric="RGB")
        np.testing.assert_allclose(read_radiograph(path), picture / 255, atol=1e-6)
        np.testing.assert_allclose(read_radiograph(self.dicom(picture[None], bits=8)), picture / 255, atol=1e-6)

    def test_file_without_suffix(self):
        path = self.dicom().rename(self.folder / "IM0001")
        np.testing.assert_allclose(read_radiograph(path), asymmetric(4095) / 4095, atol=1e-6)


class TestBadDicom(ReaderCase):
    @parameterized.expand(
        [
            ("pixel_data", {PIXEL_DATA: None}, "without a readable picture: its pixel module"),
            ("rows", {ROWS: None}, "pixel module"),
            ("columns", {COLUMNS: None}, "pixel module"),
            ("bits_allocated", {BITS_ALLOCATED: None}, "pixel module"),
            ("sign", {(0x28, 0x103): None}, r"lacks PixelRepresentation \(0028,0103\)"),
            (
                "whole_module",
                {k: None for k in grey_elements(asymmetric()) if k[0] in (0x28, 0x7FE0)},
                "pixel module",
            ),
            ("bits_stored", {BITS_STORED: None, HIGH_BIT: None}, r"lacks BitsStored \(0028,0101\)"),
            ("photometric", {PHOTOMETRIC: None}, r"lacks PhotometricInterpretation"),
            ("high_bit", {HIGH_BIT: ("US", 15)}, "12 bits below high bit 15"),
            ("empty_pixels", {PIXEL_DATA: ("OW", b"")}, "0 bytes of pixel data"),
            ("short_pixels", {PIXEL_DATA: ("OW", bytes(100))}, "100 bytes of pixel data .* 20 rows and 30 columns"),
            ("palette", {PHOTOMETRIC: ("CS", "PALETTE COLOR")}, "colour picture"),
            ("modality_lut", {(0x28, 0x3000): ("SQ", b"")}, "modality LUT"),
        ]
    )
    def test_refused(self, _, changes, pattern):
        self.refused(self.dicom(None, changes), pattern)

    def test_colours(self):
        stored = asymmetric().repeat(3, axis=1)
        stored[5, 7] += 1
        colour = {(0x28, 2): ("US", 3), (0x28, 6): ("US", 0), (0x28, 0x11): ("US", 30)}
        self.refused(self.dicom(stored, colour, bits=8, photometric="RGB"), "colour picture")

    def test_several_frames(self):
        self.refused(self.dicom(np.stack([asymmetric(4095)] * 3)), r"volume of shape \(3, 20, 30\)")

    def test_cut_off(self):
        path = self.dicom()
        path.write_bytes(path.read_bytes()[:-10])
        self.refused(path, "cut off")

    @parameterized.expand(
        [
            ({}, "no window centre"),
            ({CENTER: ("DS", "2000")}, "no window centre"),
            ({CENTER: ("DS", "2000"), WIDTH: ("DS", "1")}, "shows nothing"),
            ({CENTER: ("DS", "2000"), WIDTH: ("DS", "9"), FUNCTION: ("CS", "SIGMOID")}, "SIGMOID"),
        ]
    )
    def test_window(self, changes, pattern):
        self.refused(self.dicom(None, changes), pattern, window="stored")

    @parameterized.expand(
        [("a.dcm", b""), ("a.dcm", b"no image" * 99), ("a", b"no image" * 99), ("a.txt", b"x"), ("a.dcm", bytes(400))]
    )
    def test_no_image(self, name, content):
        (self.folder / name).write_bytes(content)
        self.refused(self.folder / name, "no image of a known kind")

    def test_dicom_of_something_else(self):
        self.refused(write_dicom(self.folder / "report.dcm", {(8, 0x60): ("CS", "SR")}), "without a readable picture")


class TestPictures(ReaderCase):
    """png, jpg, tif."""

    def save(self, name: str, picture: np.ndarray, mode: str | None = None) -> Path:
        image = Image.fromarray(picture)
        (image if mode is None else image.convert(mode)).save(self.folder / name)
        return self.folder / name

    @parameterized.expand([("RGB",), ("RGBA",), ("P",), ("LA",)])
    def test_equal_channels_are_grey(self, mode):
        path = self.save("a.png", asymmetric(), mode)
        np.testing.assert_allclose(read_radiograph(path), asymmetric() / 255, atol=1e-6)

    def test_jpg_of_equal_channels(self):
        path = self.save("a.jpg", np.repeat(asymmetric()[..., None], 3, axis=2))
        np.testing.assert_allclose(read_radiograph(path), asymmetric() / 255, atol=0.2)

    def test_colours(self):
        picture = np.repeat(asymmetric()[..., None], 3, axis=2)
        picture[4, 5, 2] += 3
        self.refused(self.save("a.png", picture), "colour picture")

    def test_colours_of_16_bits(self):
        import itk

        picture = np.repeat(asymmetric(65535)[..., None], 3, axis=2)
        itk.imwrite(itk.image_from_array(picture, is_vector=True), str(self.folder / "a.png"))
        self.refused(self.folder / "a.png", "16 bits")

    def test_one_bit(self):
        picture = asymmetric() > 150
        np.testing.assert_array_equal(read_radiograph(self.save("a.png", picture)), picture)

    def tif(self, stored: np.ndarray, photometric: int, sample_format: int = 1) -> Path:
        """An uncompressed TIFF, tag by tag."""
        data, bits = stored.tobytes(), stored.dtype.itemsize * 8
        height, width = stored.shape
        tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1)]
        tags += [(278, height), (279, len(data)), (339, sample_format)]
        directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", t, 3, 1, v) for t, v in tags)
        content = b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + bytes(4)
        (self.folder / "t.tif").write_bytes(content)
        return self.folder / "t.tif"

    @parameterized.expand([("uint8", 255), ("uint16", 65535)])
    def test_tif_with_white_as_zero(self, dtype, white):
        stored = asymmetric(white).astype(dtype)
        np.testing.assert_allclose(read_radiograph(self.tif(stored, 1)), stored / white, atol=1e-6)
        np.testing.assert_allclose(read_radiograph(self.tif(stored, 0)), 1 - stored / white, atol=1e-6)

    def test_tif_without_a_range(self):
        stored = asymmetric(4095).astype(np.int32)
        path = self.save("a.tif", stored)
        self.refused(path, "give value_range")
        np.testing.assert_allclose(read_radiograph(path, value_range=(0, 4095)), stored / 4095, atol=1e-6)
        path = self.tif(stored.astype(np.int16) - 100, 1, sample_format=2)
        self.refused(path, "levels -100.*give value_range")

    def test_floating_tif(self):
        picture = (asymmetric() / 255).astype(np.float32)
        np.testing.assert_allclose(read_radiograph(self.save("a.tif", picture)), picture, atol=1e-6)
        self.refused(self.save("a.tif", picture * 2), "outside 0..1")
        picture[3, 4] = np.nan
        self.refused(self.save("a.tif", picture), "not finite")

    def test_12_bits_in_16(self):
        path = self.save("a.png", asymmetric(4095))
        np.testing.assert_allclose(read_radiograph(path), asymmetric(4095) / 65535, atol=1e-6)
        np.testing.assert_allclose(read_radiograph(path, value_range=(0, 4095)), asymmetric(4095) / 4095, atol=1e-6)

    def test_several_pages(self):
        pages = [Image.fromarray(asymmetric())] * 3
        pages[0].save(self.folder / "a.tif", save_all=True, append_images=pages[1:])
        self.refused(self.folder / "a.tif", r"volume of shape \(3, 20, 30\)")

    def test_no_image(self):
        (self.folder / "a.png").write_bytes(b"no image")
        self.refused(self.folder / "a.png", "no image")
        path = self.save("b.png", asymmetric())
        path.write_bytes(path.read_bytes()[:60])
        self.refused(path, "truncated")
        self.refused(self.folder / "none.png", "not found")
        self.refused(self.folder, "not found")


class TestNifti(ReaderCase):
    @parameterized.expand([((30, 20, 1),), ((30, 1, 20),), ((30, 20, 1, 1),)])
    def test_axes_of_length_1(self, shape):
        path = self.nifti(asymmetric().T.reshape(shape), np.eye(4))
        np.testing.assert_allclose(read_radiograph(path), asymmetric() / 255, atol=1e-6)

    def test_picture_of_one_column(self):
        path = self.nifti(asymmetric()[:, :1].T, np.eye(4))
        np.testing.assert_allclose(read_radiograph(path), asymmetric()[:, :1] / 255, atol=1e-6)

    @parameterized.expand([((30, 20, 4),), ((30, 20, 1, 2),), ((30,),)])
    def test_volumes(self, shape):
        text = ", ".join(map(str, shape))
        self.refused(self.nifti(np.zeros(shape, np.uint8)), rf"shape \({text}")

    def test_display_range_goes_before_the_type(self):
        picture = asymmetric(4095).astype(np.int16)
        path = self.nifti(picture.T, cal_min=0, cal_max=4095)
        np.testing.assert_allclose(read_radiograph(path), picture / 4095, atol=1e-6)
        self.refused(self.nifti(picture.T), "give value_range")
        np.testing.assert_allclose(
            read_radiograph(self.nifti(picture.T), value_range=(0, 4095)), picture / 4095, atol=1e-6
        )

    def test_slope(self):
        image = nibabel.Nifti1Image(asymmetric().T, np.eye(4))
        image.header.set_slope_inter(0.5, -3)
        nibabel.save(image, self.folder / "a.nii")
        loaded = nibabel.load(self.folder / "a.nii")
        self.assertEqual((loaded.dataobj.slope, loaded.dataobj.inter), (0.5, -3))
        stored = loaded.dataobj.get_unscaled().T
        np.testing.assert_allclose(read_radiograph(self.folder / "a.nii"), stored / 255, atol=1e-6)

    def test_floating(self):
        picture = (asymmetric() / 255).astype(np.float32)
        np.testing.assert_allclose(read_radiograph(self.nifti(picture.T)), picture, atol=1e-6)
        self.refused(self.nifti(picture.T * 300), "outside 0..1")

    def test_colours(self):
        array = np.zeros((30, 20, 1), [("R", "u1"), ("G", "u1"), ("B", "u1")])
        for channel in "RGB":
            array[channel] = asymmetric().T[..., None]
        np.testing.assert_allclose(read_radiograph(self.nifti(array)), asymmetric() / 255, atol=1e-6)
        array["G"][3, 4] += 1
        self.refused(self.nifti(array), "colour picture")

    def test_no_image(self):
        for name, content in (("a.nii", b"x"), ("a.nii.gz", b"x" * 500), ("b.nii", bytes(600))):
            (self.folder / name).write_bytes(content)
            self.refused(self.folder / name, "no NIfTI")
        path = self.nifti(asymmetric().T, suffix=".nii")
        path.write_bytes(path.read_bytes()[:-50])
        self.refused(path, "damaged")


class TestClassIndices(ReaderCase):
    @parameterized.expand([".png", ".nii.gz", ".dcm"])
    def test_same_in_every_format(self, suffix):
        label_map = (asymmetric() % 3).astype(np.uint8)
        path = self.folder / f"l{suffix}"
        write_class_indices(path, label_map, "fundus_vessel")
        read = read_class_indices(path, "fundus_vessel")
        self.assertEqual(read.dtype, np.uint8)
        np.testing.assert_array_equal(read, label_map)
        tensor = LoadImage(reader=RadiographReader("index"), ensure_channel_first=True)(path)
        np.testing.assert_array_equal(np.asarray(tensor)[0].T, label_map)

    def test_turned_like_the_picture(self):
        label_map = (asymmetric() % 3).astype(np.uint8)
        path = self.dicom(np.ascontiguousarray(label_map[:, ::-1]), {ORIENTATION: ("CS", "R\\F")}, bits=8)
        np.testing.assert_array_equal(read_class_indices(path), label_map)

    def test_no_classes(self):
        for array in (np.full((30, 20), 7, np.uint8), np.full((30, 20), 0.5, np.float32)):
            with self.assertRaisesRegex(DataError, "unexpected values in the label map"):
                read_class_indices(self.nifti(array), "fundus_vessel")


class TestSettings(ReaderCase):
    def test_impossible_settings(self):
        path = self.dicom()
        for kwargs in (
            {"window": "lung"},
            {"value_range": (2, 1)},
            {"value_range": (1, 2, 3)},
            {"window": "stored", "value_range": (0, 1)},
        ):
            with self.assertRaises(ConfigError):
                read_radiograph(path, **kwargs)
        with self.assertRaises(ValueError):
            RadiographReader("rgb")

    def test_options_reach_the_file(self):
        window = {CENTER: ("DS", "1000"), WIDTH: ("DS", "801")}
        path = self.dicom(None, window)
        for kwargs in ({"window": "stored"}, {"value_range": (10, 90)}):
            image = LoadImage(reader=RadiographReader(**kwargs))(path)
            np.testing.assert_array_equal(np.asarray(image).T, read_radiograph(path, **kwargs))

    def test_suffixes(self):
        reader = RadiographReader()
        self.assertTrue(reader.verify_suffix(["a.PNG", "b.nii.gz", "c.DCM", "IM0001"]))
        self.assertFalse(reader.verify_suffix("a.mha"))

    def test_itk_is_imported_when_it_is_needed_only(self):
        for module in (dicom_levels, radiograph_reader):
            tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
            names = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
            self.assertFalse({"itk", "nibabel"} & set(names))


if __name__ == "__main__":
    unittest.main()
