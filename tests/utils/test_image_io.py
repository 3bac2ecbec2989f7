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

import numpy as np
import torch
from parameterized import parameterized
from PIL import Image

from monai_retinasynth.utils import (
    FUNDUS_VESSEL,
    DataError,
    from_picture,
    image_grid,
    list_images,
    read_label_map,
    read_mask,
    read_rgb,
    to_picture,
    write_label_map,
    write_rgb,
)
from tests.real_data import data_root

HEIGHT, WIDTH = 40, 60  # not square, and no symmetry below


def asymmetric_mask() -> np.ndarray:
    """An L in the upper left corner: rows first, long side along the columns."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[2:6, 3:50] = True
    mask[2:20, 3:8] = True
    return mask


def few_colours() -> np.ndarray:
    """A picture of three exact colours, which a palette and a gif can hold."""
    picture = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    picture[asymmetric_mask()] = (200, 80, 40)
    picture[30:, 50:] = (10, 20, 250)
    return picture


class FolderTestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class TestReadRgb(FolderTestCase):
    @parameterized.expand(["png", "tif", "ppm", "bmp", "gif", "webp"])
    def test_every_format_upright(self, suffix):
        path = self.folder / f"a.{suffix}"
        Image.fromarray(few_colours()).save(path, **({"lossless": True} if suffix == "webp" else {}))
        np.testing.assert_array_equal(read_rgb(path), few_colours())

    def test_jpeg(self):
        Image.fromarray(few_colours()).save(self.folder / "a.jpg", quality=100, subsampling=0)
        picture = read_rgb(self.folder / "a.jpg")
        self.assertEqual(picture.shape, (HEIGHT, WIDTH, 3))
        self.assertLess(np.abs(picture.astype(int) - few_colours()).mean(), 3)

    def test_palette_grey_and_1_bit(self):
        Image.fromarray(few_colours()).quantize(8).save(self.folder / "p.png")
        np.testing.assert_array_equal(read_rgb(self.folder / "p.png"), few_colours())
        Image.fromarray(asymmetric_mask()).save(self.folder / "b.png")
        self.assertEqual(Image.open(self.folder / "b.png").mode, "1")
        np.testing.assert_array_equal(read_rgb(self.folder / "b.png")[..., 1], asymmetric_mask() * 255)
        Image.fromarray(few_colours()[..., 0]).save(self.folder / "l.png")
        np.testing.assert_array_equal(read_rgb(self.folder / "l.png")[..., 2], few_colours()[..., 0])

    def test_transparent_is_black(self):
        rgba = np.dstack([few_colours(), np.where(asymmetric_mask(), 255, 0).astype(np.uint8)])
        Image.fromarray(rgba).save(self.folder / "a.png")
        expected = few_colours() * asymmetric_mask()[..., None]
        np.testing.assert_array_equal(read_rgb(self.folder / "a.png"), expected)

    def test_16_bit_grey_is_scaled(self):
        deep = few_colours()[..., 0].astype(np.uint16) * 257
        Image.fromarray(deep).save(self.folder / "a.png")
        Image.fromarray(deep).save(self.folder / "a.tif")
        for name in ("a.png", "a.tif"):
            np.testing.assert_array_equal(read_rgb(self.folder / name)[..., 0], few_colours()[..., 0])

    def test_exif_orientation_is_applied(self):
        exif = Image.Exif()
        exif[0x0112] = 6  # turn by 90 degrees clockwise to see it
        Image.fromarray(few_colours()).save(self.folder / "a.jpg", exif=exif, quality=100, subsampling=0)
        self.assertEqual(read_rgb(self.folder / "a.jpg").shape, (WIDTH, HEIGHT, 3))

    def test_missing_empty_foreign_truncated(self):
        (self.folder / "empty.png").write_bytes(b"")
        (self.folder / "text.png").write_text("not an image")
        noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
        for suffix in ("png", "jpg", "tif", "gif", "ppm"):
            whole = self.folder / f"whole.{suffix}"
            Image.fromarray(noise).save(whole)
            (self.folder / f"cut.{suffix}").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        for name in ("empty.png", "text.png", "cut.png", "cut.jpg", "cut.tif", "cut.ppm", "cut.gif"):
            with self.subTest(name), self.assertRaisesRegex(DataError, f"{name}.*damaged, truncated"):
                read_rgb(self.folder / name)
        with self.assertRaisesRegex(DataError, "not found: .*none.png"):
            read_rgb(self.folder / "none.png")


class TestReadMask(FolderTestCase):
    def test_kinds_of_mask(self):
        mask = asymmetric_mask()
        Image.fromarray(mask).save(self.folder / "bits.png")
        Image.fromarray(mask).save(self.folder / "bits.tif")
        Image.fromarray(mask.astype(np.uint8) * 255).save(self.folder / "grey.png")
        Image.fromarray(mask.astype(np.uint8) * 255).save(self.folder / "grey.gif")
        Image.fromarray(np.where(mask, 253, 3).astype(np.uint8)).save(self.folder / "odd.png")
        palette = Image.fromarray(mask.astype(np.uint8))
        palette.putpalette([3, 3, 3, 253, 253, 253])  # as DRIVE's second observer
        palette.save(self.folder / "palette.gif")
        palette.save(self.folder / "palette.png")
        for path in list_images(self.folder):
            with self.subTest(path.name):
                np.testing.assert_array_equal(read_mask(path), mask)

    @parameterized.expand(
        [("zero_one", (0, 1), "reach 1 only"), ("dim", (0, 90), "reach 90 only"), ("classes", (0, 128, 255), "grey")]
    )
    def test_unexpected_values(self, name, values, message):
        array = np.resize(np.array(values, dtype=np.uint8), (HEIGHT, WIDTH))
        Image.fromarray(array).save(self.folder / f"{name}.png")
        with self.assertRaisesRegex(DataError, f"unexpected values in the mask .*{name}.png.*{message}"):
            read_mask(self.folder / f"{name}.png")

    def test_empty_mask_is_a_mask(self):
        Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save(self.folder / "a.png")
        self.assertFalse(read_mask(self.folder / "a.png").any())

    def test_a_photograph_is_no_mask(self):
        folder = data_root("CHASE_DB1")
        with self.assertRaisesRegex(DataError, "is this a photograph"):
            read_mask(folder / "Image_01L.jpg")

    def test_drive_second_observer(self):
        folder = data_root("DRIVE")
        mask = read_mask(folder / "test" / "2nd_manual" / "01_manual2.gif")
        self.assertEqual(mask.shape, (584, 565))
        self.assertTrue(0.05 < mask.mean() < 0.15)


class TestLabelMapFiles(FolderTestCase):
    def test_round_trip_with_colours(self):
        label = asymmetric_mask().astype(np.uint8) * 2
        write_label_map(self.folder / "a.png", label, "fundus_vessel")
        np.testing.assert_array_equal(read_label_map(self.folder / "a.png", FUNDUS_VESSEL), label)
        with Image.open(self.folder / "a.png") as image:
            self.assertEqual(image.mode, "P")
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), FUNDUS_VESSEL.colorize(label))

    def test_grey_indices_are_read(self):
        label = asymmetric_mask().astype(np.uint8)
        Image.fromarray(label).save(self.folder / "a.png")
        np.testing.assert_array_equal(read_label_map(self.folder / "a.png", "fundus_vessel"), label)

    def test_unexpected_values(self):
        Image.fromarray(asymmetric_mask().astype(np.uint8) * 255).save(self.folder / "a.png")
        with self.assertRaisesRegex(DataError, "a.png: 255.*fundus_vessel"):
            read_label_map(self.folder / "a.png", "fundus_vessel")
        Image.fromarray(few_colours()).save(self.folder / "b.png")
        with self.assertRaisesRegex(DataError, "b.png.*palette PNG"):
            read_label_map(self.folder / "b.png", "fundus_vessel")
        with self.assertRaisesRegex(DataError, "not all classes"):
            write_label_map(self.folder / "c.png", np.full((2, 2), 3), "fundus_vessel")
        self.assertFalse((self.folder / "c.png").exists())

    @parameterized.expand([("os.replace",), ("os.fsync",), ("PIL.Image.Image.save",)])
    def test_full_disk_leaves_nothing(self, function):
        error = OSError(errno.ENOSPC, "No space left on device")
        with mock.patch(function, side_effect=error), self.assertRaisesRegex(DataError, "a.png: No space.*Free some"):
            write_rgb(self.folder / "a.png", few_colours())
        self.assertEqual(list(self.folder.iterdir()), [])


class TestPictures(FolderTestCase):
    def test_tensor_and_picture(self):
        picture = few_colours()
        tensor = from_picture(picture)
        self.assertEqual(tuple(tensor.shape), (3, WIDTH, HEIGHT))
        self.assertTrue(tensor.is_contiguous())
        self.assertEqual(int(tensor[2, 55, 35]), int(picture[35, 55, 2]))
        np.testing.assert_array_equal(to_picture(tensor), picture)
        self.assertEqual(tuple(from_picture(asymmetric_mask()).shape), (1, WIDTH, HEIGHT))
        large = torch.randint(0, 255, (3, 130, 201), dtype=torch.uint8)  # more than one band
        torch.testing.assert_close(from_picture(to_picture(large)), large)

    def test_written_png_is_not_transposed(self):
        write_rgb(self.folder / "a.png", to_picture(from_picture(few_colours())))
        with Image.open(self.folder / "a.png") as image:
            self.assertEqual(image.size, (WIDTH, HEIGHT))
            self.assertEqual(image.getpixel((45, 3)), (200, 80, 40))  # x, y: the long arm lies along x
            self.assertEqual(image.getpixel((3, 39)), (0, 0, 0))
            self.assertEqual(image.getpixel((59, 39)), (10, 20, 250))

    def test_grid(self):
        small = np.full((10, 20, 3), 7, np.uint8)
        grid = image_grid([[few_colours(), small], [small]], titles=["one", "two"])
        self.assertEqual(grid.dtype, np.uint8)
        self.assertEqual(grid.shape, (20 + 4 * 3 + HEIGHT + 10, 4 * 3 + WIDTH + 20, 3))
        np.testing.assert_array_equal(grid[24 : 24 + HEIGHT, 4 : 4 + WIDTH], few_colours())
        with self.assertRaises(ValueError):
            image_grid([])

    def test_wrong_picture(self):
        with self.assertRaisesRegex(DataError, "uint8 of shape"):
            write_rgb(self.folder / "a.png", np.zeros((4, 4)))


if __name__ == "__main__":
    unittest.main()
