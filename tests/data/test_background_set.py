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

import dataclasses
import json
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
from parameterized import parameterized

from monai_retinasynth.data import (
    SECTIONS,
    FundusDataset,
    SyntheticSetWriter,
    background_eyes,
    check_dataset,
    list_backgrounds,
    load_cases,
    load_datalist,
    refuse_held_out_backgrounds,
    refuse_held_out_eyes,
    refuse_held_out_synthetic,
    resize_dataset,
    scale_to_field_of_view,
    write_background_dataset,
    write_datalist,
)
from monai_retinasynth.simulation import VesselAppearance, measure_vessel_appearance, write_phantom_dataset
from monai_retinasynth.transforms import LoadFundusCased, RemoveStructures
from monai_retinasynth.utils import (
    CHEST_ORGAN,
    ConfigError,
    DataError,
    read_label_map,
    read_rgb,
    write_grey,
    write_label_map,
    write_rgb,
)
from monai_retinasynth.utils.file_digest import file_digest
from tests.data.layouts import make_drive


class TestBackgroundSet(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.eyes = Path(holder.name, "eyes")
        write_phantom_dataset(
            str(cls.eyes), size=96, num_training=3, num_validation=1, num_test=1, source="real", progress=False
        )
        cls.backgrounds = Path(holder.name, "backgrounds")
        write_background_dataset(cls.eyes, cls.backgrounds, progress=False)

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def test_ordinary_data_set(self):
        report = check_dataset(str(self.backgrounds), val_count=0, require_image=True, verbose=False)
        self.assertEqual(report["sections"]["training"]["cases"], 3)
        self.assertEqual(len(FundusDataset(str(self.backgrounds), "training", val_count=0)), 3)
        remove = RemoveStructures()
        for eye, case in zip(load_cases(self.eyes, "training"), load_cases(self.backgrounds, "training", val_count=0)):
            self.assertEqual((eye["case_id"], case["source"]), (case["case_id"], "real"))
            loaded = LoadFundusCased(image_dtype="uint8")(eye)
            label = loaded["label"].numpy()[0].T
            np.testing.assert_array_equal(read_label_map(case["label"], "fundus_vessel"), label)
            expected = remove(loaded["image"], loaded["label"]).numpy().transpose(2, 1, 0)
            np.testing.assert_array_equal(read_rgb(case["image"]), expected)
            self.assertEqual(read_rgb(case["image"])[label == 0].max(), 0)

    def test_provenance(self):
        content = load_datalist(self.backgrounds)
        self.assertEqual(content["provenance"]["kind"], "backgrounds")
        self.assertEqual(content["provenance"]["classes"], ["vessel"])
        self.assertIn(load_datalist(self.eyes)["name"], content["name"])
        self.assertEqual([c["provenance"]["case_id"] for c in content["training"]],
                         [c["case_id"] for c in load_cases(self.eyes, "training")])  # fmt: skip
        self.assertNotIn(str(self.eyes), json.dumps(content))  # can be moved

    def test_goes_on_and_refuses_other_settings(self):
        copy = self.folder / "copy"
        shutil.copytree(self.backgrounds, copy)
        first, second, _ = sorted((copy / "images").iterdir())
        before = first.stat().st_mtime_ns
        content = second.read_bytes()
        second.unlink()
        write_background_dataset(self.eyes, copy, progress=False)
        self.assertEqual(second.read_bytes(), content)
        self.assertEqual(first.stat().st_mtime_ns, before)
        with self.assertRaisesRegex(DataError, "other settings"):
            write_background_dataset(self.eyes, copy, margin=5.0, progress=False)

    @parameterized.expand(["images", "labels"])
    def test_changed_files_are_made_anew(self, kind):
        eyes, out = self.folder / "eyes", self.folder / "out"
        shutil.copytree(self.eyes, eyes)
        write_background_dataset(eyes, out, progress=False)
        names = sorted(path.name for path in (out / "images").iterdir())
        kept = (out / "images" / names[1]).stat().st_mtime_ns
        before = read_rgb(out / "images" / names[0])
        if kind == "images":
            write_rgb(eyes / "images" / names[0], read_rgb(eyes / "images" / names[0]) // 2)
        else:
            label = read_label_map(eyes / "labels" / names[0], "fundus_vessel")
            write_label_map(eyes / "labels" / names[0], np.where(np.arange(96) < 60, label, label > 0), "fundus_vessel")
        write_background_dataset(eyes, out, progress=False)
        self.assertTrue((read_rgb(out / "images" / names[0]) != before).any())
        self.assertEqual((out / "images" / names[1]).stat().st_mtime_ns, kept)
        label = (read_label_map(folder / "labels" / names[0], "fundus_vessel") for folder in (eyes, out))
        np.testing.assert_array_equal(*label)
        digest = file_digest(eyes / "images" / names[0])
        self.assertEqual(load_datalist(out)["training"][0]["provenance"]["photograph_sha256"], digest)

    def test_size_and_number(self):
        write_background_dataset(self.eyes, self.folder, num_cases=2, image_size=[64, 48], progress=False)
        cases = list_backgrounds(self.folder)
        self.assertEqual([read_rgb(case["image"]).shape for case in cases], [(48, 64, 3)] * 2)
        self.assertEqual(len(list_backgrounds(self.folder, num_backgrounds=1)), 1)
        with self.assertRaisesRegex(DataError, "3 backgrounds are asked for.* has 2"):
            list_backgrounds(self.folder, num_backgrounds=3)

    def test_grey(self):
        write_background_dataset(self.eyes, self.folder, image_channels=1, progress=False)
        self.assertEqual(len(list_backgrounds(self.folder, image_channels=1)), 3)
        case = LoadFundusCased(image_channels=1)(load_cases(self.folder, "training", val_count=0)[0])
        self.assertEqual(tuple(case["image"].shape), (1, 96, 96))
        with self.assertRaisesRegex(DataError, "grey levels.*colours"):
            list_backgrounds(self.folder)
        with self.assertRaisesRegex(DataError, "colours.*grey levels"):
            list_backgrounds(self.backgrounds, image_channels=1)

    def test_errors_of_the_list(self):
        with self.assertRaisesRegex(DataError, "no backgrounds in .*write_background_dataset"):
            list_backgrounds(self.folder)
        with self.assertRaisesRegex(DataError, "not one of backgrounds"):
            list_backgrounds(self.eyes)
        with self.assertRaisesRegex(DataError, "fundus_disc_vessel"):
            list_backgrounds(self.backgrounds, "fundus_disc_vessel")
        content = load_datalist(self.backgrounds)
        write_datalist(self.folder, {}, "fundus_vessel", "empty", {"provenance": content["provenance"]})
        with self.assertRaisesRegex(DataError, "has no photograph"):
            list_backgrounds(self.folder)

    def test_errors_of_writing(self):
        with self.assertRaisesRegex(ConfigError, "folder of its own"):
            write_background_dataset(self.eyes, self.eyes)
        with self.assertRaisesRegex(ConfigError, "disc"):
            write_background_dataset(self.eyes, self.folder, classes=["disc"])
        with self.assertRaisesRegex(DataError, "num_cases"):
            write_background_dataset(self.eyes, self.folder, num_cases=9)
        with self.assertRaisesRegex(ConfigError, "not for organs"):
            write_background_dataset(self.eyes, self.folder, CHEST_ORGAN)
        content = load_datalist(self.eyes)
        dark = self.folder / "dark"
        write_rgb(dark / "images" / "black.png", np.zeros((96, 96, 3), dtype=np.uint8))
        shutil.copytree(self.eyes / "labels", dark / "labels")
        case = {**content["training"][0], "case_id": "black", "image": "images/black.png"}
        write_datalist(dark, {"training": [case]}, "fundus_vessel", "dark")
        with self.assertRaisesRegex(DataError, "case black: .*black"):
            write_background_dataset(dark, self.folder / "b", val_count=0, progress=False)
        write_datalist(dark, {"training": [case, case]}, "fundus_vessel", "twice")
        with self.assertRaisesRegex(DataError, "2 cases of .* are called black"):
            write_background_dataset(dark, self.folder / "c", val_count=0, progress=False)
        del case["image"]
        write_datalist(dark, {"training": [case]}, "fundus_vessel", "bare")
        with self.assertRaisesRegex(DataError, "case black of .* has no photograph"):
            write_background_dataset(dark, self.folder / "d", val_count=0, progress=False)


class TestRefuseHeldOut(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.drive = make_drive(self.folder / "drive")

    def test_training_eyes(self):
        out = self.folder / "backgrounds"
        write_background_dataset(self.drive, out, progress=False)
        self.assertEqual(refuse_held_out_backgrounds(out, self.drive), out)
        with self.assertRaisesRegex(DataError, "validation eye 04_training .*training eyes only"):
            refuse_held_out_backgrounds(out, self.drive, val_count=3)

    @parameterized.expand(["validation", "test"])
    def test_held_out_eyes(self, section):
        out = self.folder / "backgrounds"
        write_background_dataset(self.drive, out, section=section, progress=False)
        with self.assertRaisesRegex(DataError, f"{section} eye"):
            refuse_held_out_backgrounds(out, self.drive)

    @parameterized.expand([("resized", True), ("resized", False), ("scaled", True), ("scaled", False)])
    def test_copy_of_another_size(self, kind, copy_is_run):
        small, again = self.folder / "small", self.folder / "again"
        if kind == "resized":
            resize_dataset(self.drive, small, 64, progress=False)
            resize_dataset(small, again, 48, progress=False)
        else:
            scale_to_field_of_view(self.drive, small, 40, progress=False)
            scale_to_field_of_view(small, again, 30, progress=False)
        # names do not matter, nor what the copy is called
        for folder in (small, again):
            content = load_datalist(folder)
            for number, case in enumerate(case for name in SECTIONS for case in content[name]):
                case["case_id"] = f"eye {number}"
            write_datalist(folder, {name: content[name] for name in SECTIONS}, "fundus_vessel", "renamed")
        for number, copy in enumerate((small, again)):
            of, run = (self.drive, copy) if copy_is_run else (copy, self.drive)
            out = self.folder / f"backgrounds {number}"
            write_background_dataset(of, out / "test", section="test", progress=False)
            with self.assertRaisesRegex(DataError, "test eye"):
                refuse_held_out_backgrounds(out / "test", run)
            write_background_dataset(of, out / "training", progress=False)
            refuse_held_out_backgrounds(out / "training", run)

    def test_copy_without_digests(self):
        out, small = self.folder / "backgrounds", self.folder / "small"
        resize_dataset(self.drive, small, 64, progress=False)
        content = load_datalist(small)
        for case in (case for name in SECTIONS for case in content[name]):
            del case["provenance"]
        sections = {name: content[name] for name in SECTIONS}
        write_datalist(small, sections, "fundus_vessel", content["name"], {"provenance": content["provenance"]})
        write_background_dataset(self.drive, out, section="test", progress=False)
        with self.assertRaisesRegex(DataError, "test eye"):  # by name
            refuse_held_out_backgrounds(out, small)
        write_background_dataset(small, self.folder / "of copy", section="test", progress=False)
        with self.assertRaisesRegex(DataError, "test eye"):
            refuse_held_out_backgrounds(self.folder / "of copy", self.drive)

    def test_other_eyes_of_the_same_names(self):
        counts = {"num_training": 2, "num_validation": 1, "num_test": 1, "source": "real", "progress": False}
        for seed in (0, 1):
            write_phantom_dataset(str(self.folder / f"seed {seed}"), size=64, seed=seed, **counts)
        out = self.folder / "backgrounds"
        write_background_dataset(self.folder / "seed 0", out, section="test", progress=False)
        self.assertEqual(refuse_held_out_backgrounds(out, self.folder / "seed 1"), out)
        with self.assertRaisesRegex(DataError, "test eye"):
            refuse_held_out_backgrounds(out, self.folder / "seed 0")
        for number, source in enumerate(("seed 0", "seed 1")):  # the layout is all that these have in common
            for section in ("training", "test"):
                case = load_cases(self.folder / source, section, val_count=0)[0]
                part = self.folder / f"pairs {number}" / section
                write_rgb(part / "image" / "0.png", read_rgb(case["image"]))
                vessel = read_label_map(case["label"], "fundus_vessel") == 2
                write_grey(part / "mask" / "0.png", 255 * vessel.astype(np.uint8))
        pairs = {"section": "test", "val_count": 0, "progress": False}
        write_background_dataset(self.folder / "pairs 0", self.folder / "of pairs", **pairs)
        refuse_held_out_backgrounds(self.folder / "of pairs", self.folder / "pairs 1", val_count=0)
        with self.assertRaisesRegex(DataError, "test eye test_0"):
            refuse_held_out_backgrounds(self.folder / "of pairs", self.folder / "pairs 0", val_count=0)

    def test_lists_and_dictionaries(self):
        other, out = self.folder / "other", self.folder / "backgrounds"
        write_phantom_dataset(str(other), size=64, num_training=2, num_test=1, source="real", progress=False)
        write_background_dataset(self.drive, out, progress=False)
        runs = [[self.drive], [other, self.drive], {"dataset_dir": self.drive}, [other, {"dataset_dir": self.drive}]]
        for run in runs:
            self.assertEqual(refuse_held_out_backgrounds(out, run), out)
        for run in (*runs[:2], [other, {"dataset_dir": self.drive, "val_count": 3}]):
            with self.assertRaisesRegex(DataError, "validation eye 04_training"):
                refuse_held_out_backgrounds(out, run, val_count=3 if run in runs else 1)

    def test_sections_that_are_not_there_and_ones_that_cannot_be_read(self):
        out = self.folder / "backgrounds"
        write_background_dataset(self.drive, out, progress=False)
        for path in (self.drive / "test" / "1st_manual").iterdir():
            path.unlink()
        with self.assertRaisesRegex(DataError, "no mask for"):
            refuse_held_out_backgrounds(out, self.drive)
        shutil.rmtree(self.drive / "test")
        self.assertEqual(refuse_held_out_backgrounds(out, self.drive), out)
        maps = self.folder / "maps"
        shutil.copytree(out / "labels", maps)
        self.assertEqual(refuse_held_out_backgrounds(out, maps), out)

    def test_vessels_measured_on_held_out_eyes(self):
        eyes, small = self.folder / "eyes", self.folder / "small"
        write_phantom_dataset(str(eyes), 256, 2, 1, 1, source="real", progress=False)
        resize_dataset(eyes, small, 128, progress=False)
        measured = measure_vessel_appearance([{"dataset_dir": str(eyes)}])
        self.assertEqual([note["case_id"] for note in measured.origin], list(measured.eyes))
        for run in (eyes, small, [small, self.drive]):
            self.assertIs(refuse_held_out_eyes(measured, run), measured)
        plain = measure_vessel_appearance(eyes, section="test").to_dict()
        held = VesselAppearance.from_dict(json.loads(json.dumps(plain)))
        self.assertNotIn(str(self.folder), json.dumps(held.to_dict()))
        for run in (eyes, small):
            with self.assertRaisesRegex(DataError, "test eye phantom_00003 .*among the eyes whose vessels"):
                refuse_held_out_eyes(held, run)
        self.assertIs(refuse_held_out_eyes(held, self.drive), held)
        with self.assertRaisesRegex(DataError, "does not say which photographs"):
            refuse_held_out_eyes(dataclasses.replace(measured, origin=()), eyes)

    def test_synthetic_set_painted_with_held_out_eyes(self):
        backgrounds, synthetic = self.folder / "backgrounds", self.folder / "synthetic"
        write_background_dataset(self.drive, backgrounds, progress=False)
        writer = SyntheticSetWriter(synthetic, "fundus_vessel", "painted", {"eyes": background_eyes(backgrounds)})
        label = read_label_map(load_cases(backgrounds, "training", val_count=0)[0]["label"], "fundus_vessel")
        writer.write(0, label, np.zeros((*label.shape, 3), dtype=np.uint8))
        writer.finalize()
        refuse_held_out_synthetic(synthetic, self.drive)
        with self.assertRaisesRegex(DataError, "validation eye 04_training .*synthetic set"):
            refuse_held_out_synthetic([self.drive, {"dataset_dir": synthetic}], self.drive, val_count=3)
        self.assertNotIn("eyes", load_datalist(synthetic)["training"][0]["provenance"])

    def test_renamed_copy_and_other_sets_of_the_same_names(self):
        out = self.folder / "backgrounds"
        write_background_dataset(self.drive, out, section="test", progress=False)
        other, test = self.folder / "other", load_cases(str(self.drive), "test")[0]
        write_phantom_dataset(
            str(other), size=64, num_training=1, num_validation=0, num_test=1, source="real", progress=False
        )
        content = load_datalist(other)
        content["test"][0]["case_id"] = test["case_id"]
        write_datalist(other, {"test": content["test"]}, "fundus_vessel", "other")
        self.assertEqual(refuse_held_out_backgrounds(out, other, val_count=0), out)  # another eye of this name
        content["test"][0]["case_id"] = "renamed"
        content["test"][0]["image"] = "images/renamed" + Path(test["image"]).suffix
        shutil.copy(test["image"], other / content["test"][0]["image"])
        write_datalist(other, {"test": content["test"]}, "fundus_vessel", "other")
        with self.assertRaisesRegex(DataError, f"test eye renamed .*{test['case_id']}"):
            refuse_held_out_backgrounds(out, other, val_count=0)

    def test_no_background_set(self):
        small = self.folder / "small"
        resize_dataset(self.drive, small, 64, progress=False)
        with self.assertRaisesRegex(DataError, "not one of backgrounds"):
            refuse_held_out_backgrounds(small, self.drive)


if __name__ == "__main__":
    unittest.main()
