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

from monai_retinasynth.data import SyntheticSetWriter, load_cases, load_datalist
from monai_retinasynth.transforms import LoadFundusCased
from monai_retinasynth.utils import DataError


def sample(x: int = 30, y: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    """Label map and photograph with a mark in the upper right corner."""
    label = torch.ones(1, x, y, dtype=torch.uint8)
    label[0, 25:, :3] = 2
    image = torch.full((3, x, y), -1.0)
    image[0, 25:, :3] = 1.0
    return label, image


class TestSyntheticSetWriter(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "set"
        self.writer = SyntheticSetWriter(self.folder, "fundus_vessel", "made", {"seed": 7})

    def test_orientation_and_colours(self):
        label, image = sample()
        self.writer.write(3, label, image)
        with Image.open(self.writer.image_path(3)) as photograph, Image.open(self.writer.label_path(3)) as label_map:
            self.assertEqual((photograph.size, label_map.size, label_map.mode), ((30, 20), (30, 20), "P"))
            self.assertEqual(photograph.getpixel((29, 0)), (255, 0, 0))
            self.assertEqual(photograph.getpixel((0, 19)), (0, 0, 0))
            self.assertEqual((label_map.getpixel((29, 0)), label_map.getpixel((0, 19))), (2, 1))

    def test_reads_back_as_written(self):
        for index in range(3):
            self.writer.write(index, *sample())
        self.writer.finalize()
        cases = load_cases(self.folder, "all")
        loaded = LoadFundusCased()(cases[2])
        label, image = sample()
        torch.testing.assert_close(loaded["label"], label)
        torch.testing.assert_close(loaded["image"], (image + 1) * 127.5)
        content = load_datalist(self.folder)
        self.assertEqual(content["training"][2]["provenance"], {"seed": 7, "index": 2})
        self.assertEqual(content["training"][2]["source"], "synthetic")
        self.assertEqual(content["training"][2]["label"], "labels/synthetic_00002.png")

    def test_grades_go_through_again_and_again(self):
        writer = SyntheticSetWriter(self.folder, "fundus_vessel", "graded", {"seed": 7})
        for index in range(3):
            writer.write(index, *sample())
        writer.finalize(grades=[2, 4])
        self.assertEqual([case["grade"] for case in load_cases(self.folder, "all")], [2, 4, 2])

    def test_arrays_are_pictures(self):
        label = np.zeros((20, 30), np.int64)
        image = np.zeros((20, 30, 3), np.uint8)
        label[2, 25], image[2, 25] = 1, (1, 2, 3)
        self.writer.write(0, label, image)
        with Image.open(self.writer.image_path(0)) as photograph:
            self.assertEqual(photograph.getpixel((25, 2)), (1, 2, 3))

    def test_radiographs_are_grey_pictures(self):
        label, image = sample()
        self.writer.write(0, label, image[:1])
        self.writer.write(1, label, np.full((20, 30), 77, np.uint8))
        with Image.open(self.writer.image_path(0)) as radiograph:
            self.assertEqual((radiograph.mode, radiograph.size), ("L", (30, 20)))
            self.assertEqual((radiograph.getpixel((29, 0)), radiograph.getpixel((0, 19))), (255, 0))
        self.assertTrue(self.writer.exists(0) and self.writer.exists(1))
        self.writer.finalize()
        loaded = [LoadFundusCased(image_channels=1)(case) for case in load_cases(self.folder, "all")]
        torch.testing.assert_close(loaded[0]["image"], (image[:1] + 1) * 127.5)
        self.assertEqual(loaded[1]["image"].unique().tolist(), [77.0])
        content = self.writer.image_path(0).read_bytes()
        self.writer.image_path(0).write_bytes(content[: len(content) // 2])
        self.assertFalse(self.writer.exists(0))

    def test_exists_means_finished_and_readable(self):
        label, image = sample()
        self.assertFalse(self.writer.exists(0))
        self.writer.write(0, label, image)
        self.assertTrue(self.writer.exists(0))
        content = self.writer.image_path(0).read_bytes()
        self.writer.image_path(0).write_bytes(content[: len(content) // 2])
        self.assertFalse(self.writer.exists(0))
        self.writer.image_path(0).unlink()
        self.assertFalse(self.writer.exists(0))
        labels_only = SyntheticSetWriter(self.folder, "fundus_vessel", "made", {"seed": 7}, image_required=False)
        self.assertTrue(labels_only.exists(0))

    def test_notes_of_single_samples(self):
        self.writer.write(0, *sample(), notes={"attempts": 2, "of": {"which": "eye"}})
        self.writer.write(1, *sample())
        self.writer.finalize()
        cases = load_datalist(self.folder)["training"]
        self.assertEqual(cases[0]["notes"], {"attempts": 2, "of": {"which": "eye"}})
        self.assertNotIn("notes", cases[1])
        self.writer.write(0, *sample())  # made anew without
        self.assertFalse(self.writer.notes_path(0).exists())
        self.writer.write(1, *sample(), notes={"attempts": 1})
        self.writer.notes_path(1).write_text("{")
        with self.assertRaisesRegex(DataError, "synthetic_00001.json cannot be read"):
            self.writer.finalize()

    def test_folder_of_another_provenance(self):
        self.writer.write(0, *sample())
        other = SyntheticSetWriter(self.folder, "fundus_vessel", "made", {"seed": 8})
        for call in (lambda: other.exists(0), lambda: other.write(1, *sample()), other.finalize):
            with self.assertRaisesRegex(DataError, "made from .*7.*8.*another output_dir"):
                call()
        self.assertTrue(SyntheticSetWriter(self.folder, "fundus_vessel", "made", {"seed": 7}).exists(0))

    @parameterized.expand([("os.replace",), ("os.fsync",), ("PIL.Image.Image.save",)])
    def test_full_disk(self, function):
        label, image = sample()
        error = OSError(errno.ENOSPC, "No space left on device")
        with (
            mock.patch(function, side_effect=error),
            self.assertRaisesRegex(DataError, "synthetic_00000.png: No space"),
        ):
            self.writer.write(0, label, image)
        self.assertEqual([p for p in self.folder.rglob("*") if p.is_file()], [])
        self.assertFalse(self.writer.exists(0))
        self.writer.write(0, label, image)  # and it goes on when there is space again
        self.assertTrue(self.writer.exists(0))

    def test_disk_fills_up_between_the_two_files(self):
        label, image = sample()
        self.writer.write(0, label, image)
        with (
            mock.patch(
                "monai_retinasynth.data.synthetic_set_writer.write_rgb", side_effect=DataError("could not write, full")
            ),
            self.assertRaises(DataError),
        ):
            self.writer.write(0, label, image)
        self.assertFalse(self.writer.exists(0))

    def test_sections_are_kept_and_missing_samples_named(self):
        for index in range(4):
            self.writer.write(index, *sample())
        self.writer.finalize("training", range(3))
        self.writer.finalize("validation", [3])
        content = load_datalist(self.folder)
        self.assertEqual([len(content[s]) for s in ("training", "validation", "test")], [3, 1, 0])
        with self.assertRaisesRegex(DataError, r"2 of 5 samples .* damaged: \[5, 8\]. Run the generation again"):
            self.writer.finalize("training", [8, 0, 1, 2, 5])
        with self.assertRaisesRegex(DataError, "no finished sample"):
            SyntheticSetWriter(self.folder / "other", "fundus_vessel", "x", {}).finalize()

    def test_refused(self):
        label, image = sample()
        for arguments, message in (
            ((label, None), "needs a photograph"),
            ((label, image[:, :10]), "differ in size"),
            ((label + 2, image), "not all classes"),
            ((label[0], image), r"shape \(1, X, Y\)"),
            ((label.numpy(), image), r"shape \(H, W\)"),
            ((label, image * float("nan")), "not finite"),
            ((label, image[:2]), r"shape \(3, X, Y\), or \(1, X, Y\) for a grey one"),
        ):
            with self.subTest(message), self.assertRaisesRegex(DataError, message):
                self.writer.write(0, *arguments)
        with self.assertRaisesRegex(DataError, "unknown section"):
            self.writer.finalize("train")


if __name__ == "__main__":
    unittest.main()
