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

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from parameterized import parameterized

from monai_retinasynth.data import LabelMapDataset
from monai_retinasynth.data.cases import load_cases
from monai_retinasynth.data.datalist import load_datalist
from monai_retinasynth.simulation import FundusPhantom, write_phantom_dataset
from monai_retinasynth.transforms import LoadFundusCased
from monai_retinasynth.utils.errors import ConfigError, DataError
from monai_retinasynth.utils.image_io import read_label_map, read_rgb, to_picture, write_grey
from monai_retinasynth.workflows import folder_signature

COUNTS = {"num_training": 2, "num_validation": 1, "num_test": 1}


class TestWritePhantomDataset(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "phantom"

    def write(self, **changes):
        settings = {"size": (64, 48), "seed": 3, "progress": False, **COUNTS, **changes}
        return write_phantom_dataset(self.folder, **settings)

    def stamps(self):
        return {path.name + path.parent.name: path.stat().st_mtime_ns for path in self.folder.glob("*/*.png")}

    def test_datalist_and_files(self):
        path = self.write(source="real")
        content = load_datalist(path)
        self.assertEqual([len(content[section]) for section in ("training", "validation", "test")], [2, 1, 1])
        case = content["test"][0]
        self.assertEqual((case["case_id"], case["source"]), ("phantom_00003", "real"))
        self.assertEqual(case["provenance"]["index"], 3)
        image, label = FundusPhantom((64, 48), 3).pair(3)
        np.testing.assert_array_equal(read_rgb(self.folder / case["image"]), image)
        np.testing.assert_array_equal(read_label_map(self.folder / case["label"], "fundus_vessel"), label)

    def test_classes_that_are_left_out_show_as_retina(self):
        settings = {"size": 64, "label_set": "fundus_lesion", "grades": [3], "labels_only": True}
        self.write(**settings)
        name = self.folder / "labels" / "phantom_00000.png"
        whole = read_label_map(name, "fundus_lesion")
        self.write(**settings, left_out_classes=["vessel"], overwrite=True)
        expected = np.where(whole == 2, 1, whole)
        np.testing.assert_array_equal(read_label_map(name, "fundus_lesion"), expected)
        with self.assertRaisesRegex(ConfigError, "'retina', without which"):
            self.write(**settings, left_out_classes=["retina"], overwrite=True)

    def test_labels_only_then_photographs(self):
        content = load_datalist(self.write(labels_only=True))
        self.assertNotIn("image", content["training"][0])
        self.assertFalse((self.folder / "images").exists())
        self.assertIn("image", load_datalist(self.write())["training"][0])

    def test_trees(self):
        for labels_only in (True, False):
            self.write(labels_only=labels_only, trees=True)
            (case,) = load_cases(self.folder, "test")
            loaded = LoadFundusCased()(case)
            label, trees = FundusPhantom((64, 48), 3).label_map_and_trees(3)
            np.testing.assert_array_equal(to_picture(loaded["trees"])[..., 0], trees)
            self.assertEqual(np.unique(trees).tolist(), [0, 1, 2, 3])
            np.testing.assert_array_equal(trees > 0, label == 2)
        self.assertEqual(tuple(LoadFundusCased(spatial_size=32)(case)["trees"].shape), (1, 32, 32))
        path = self.folder / "trees" / "phantom_00002.png"
        path.unlink()
        self.write(trees=True)
        self.assertTrue(path.is_file())
        write_grey(path, np.full((64, 48), 9, np.uint8))
        with self.assertRaisesRegex(DataError, "phantom_00002.png, up to 9: it holds 0 none, 1 artery"):
            LoadFundusCased()(load_cases(self.folder, "validation")[0])

    def test_goes_on_where_it_stopped(self):
        self.write()
        before = self.stamps()
        (self.folder / "images" / "phantom_00001.png").write_bytes(b"half a picture")
        (self.folder / "labels" / "phantom_00002.png").unlink()
        self.write()
        after = self.stamps()
        kept = {key for key in before if before[key] == after[key]}
        self.assertEqual({key for key in before if "00000" in key or "00003" in key}, kept)
        reference = FundusPhantom((64, 48), 3).pair(1)[0]
        np.testing.assert_array_equal(read_rgb(self.folder / "images" / "phantom_00001.png"), reference)

    def test_interrupted_then_finished(self):
        real, calls = FundusPhantom.pair, []

        def fails_at_third(phantom, index):
            calls.append(index)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return real(phantom, index)

        with mock.patch.object(FundusPhantom, "pair", fails_at_third), self.assertRaises(KeyboardInterrupt):
            self.write()
        self.assertFalse((self.folder / "datalist.json").exists())
        with mock.patch.object(FundusPhantom, "pair", autospec=True, side_effect=real) as pair:
            self.write()
        self.assertEqual([call.args[1] for call in pair.call_args_list], [2, 3])

    def test_other_settings_are_noticed(self):
        self.write()
        with self.assertRaisesRegex(DataError, "overwrite=True"):
            self.write(seed=4)
        self.write(seed=4, overwrite=True)
        reference = FundusPhantom((64, 48), 4).label_map(0)
        np.testing.assert_array_equal(
            read_label_map(self.folder / "labels" / "phantom_00000.png", "fundus_vessel"), reference
        )

    def test_field_of_view_of_each_eye(self):
        settings = {"size": 48, "num_training": 3, "num_validation": 0, "num_test": 0, "labels_only": True}
        write_phantom_dataset(self.folder, view=["macula", "disc"], field_degrees=[30, 45], progress=False, **settings)
        cases = load_cases(self.folder, "all")
        phantom = FundusPhantom(48, 0, view=["macula", "disc"], field_degrees=[30, 45])
        self.assertEqual([case["field_degrees"] for case in cases], [phantom.field_degrees(i) for i in range(3)])
        # the label map data set hands it on to where backgrounds are fitted
        self.assertEqual(LabelMapDataset(str(self.folder))[2]["field_degrees"], phantom.field_degrees(2))
        self.assertEqual(len(folder_signature(self.folder)), 16)
        write_phantom_dataset(self.folder, overwrite=True, progress=False, **settings)
        self.assertNotIn("field_degrees", load_cases(self.folder, "all")[0])

    def test_with_lesions(self):
        grades = [4, 0, 3]
        content = load_datalist(self.write(size=64, label_set="fundus_lesion", grades=grades))
        cases = [case for section in ("training", "validation", "test") for case in content[section]]
        self.assertEqual([case["grade"] for case in cases], [4, 0, 3, 4])
        self.assertEqual(content["label_set"]["name"], "fundus_lesion")
        self.assertEqual(set(content["provenance"]["lesion_amounts"]), {"0", "3", "4"})
        image, label = FundusPhantom(64, 3, "fundus_lesion", grades).pair(2)
        np.testing.assert_array_equal(read_rgb(self.folder / cases[2]["image"]), image)
        np.testing.assert_array_equal(read_label_map(self.folder / cases[2]["label"], "fundus_lesion"), label)
        before = self.stamps()
        self.write(size=64, label_set="fundus_lesion", grades=grades)
        self.assertEqual(self.stamps(), before)
        with self.assertRaisesRegex(DataError, "overwrite=True"):
            self.write(size=64, label_set="fundus_lesion")

    def test_labels_only_with_lesions(self):
        path = self.write(size=64, label_set="fundus_lesion", labels_only=True, num_training=4)
        cases = load_datalist(path)["training"]
        self.assertEqual([(case["grade"], "image" in case) for case in cases], [(grade, False) for grade in range(4)])

    def test_without_lesions_there_is_no_grade(self):
        content = load_datalist(self.write(labels_only=True))
        self.assertNotIn("grade", content["training"][0])
        self.assertNotIn("lesion_amounts", content["provenance"])

    @parameterized.expand(
        [
            ({"num_training": 0, "num_validation": 0, "num_test": 0}, "one case at least"),
            ({"num_test": -1}, "negative"),
            ({"source": "imagined"}, "source"),
            ({"grades": [1]}, "label set with lesions"),
            ({"size": 64, "label_set": "fundus_lesion", "grades": [0, 6]}, "grade 6"),
        ]
    )
    def test_bad_settings(self, changes, message):
        with self.assertRaisesRegex(ConfigError, message):
            self.write(**changes)
        self.assertFalse(self.folder.exists())


if __name__ == "__main__":
    unittest.main()
