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
"""The key that says what a segmentation network is trained on."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import numpy as np
from parameterized import parameterized

from monai_retinasynth.data import load_cases, write_datalist
from monai_retinasynth.engines.segmentation_sources import (
    SEGMENTATION_REGIMES,
    count_for_share,
    is_strong_photometric,
    segmentation_run_name,
    select_segmentation_source,
)
from monai_retinasynth.utils import write_label_map
from monai_retinasynth.utils.errors import ConfigError

SYNTHETIC = {"dataset_dir": "S", "layout": "auto", "val_count": 0}


class TestSegmentationSources(unittest.TestCase):
    @parameterized.expand(
        [
            ("real", "R", "REAL"),
            ("synthetic", [SYNTHETIC], "SYNTH"),
            ("synthetic_then_real", "R", "SYNTH then REAL"),
            ("mixed", ["R", SYNTHETIC], "REAL and SYNTH"),
        ]
    )
    def test_folders(self, train_on, folders, name):
        source = select_segmentation_source(train_on, "R", "S", "model.pt")
        self.assertEqual((source.dataset_dir, source.name, source.pretrained), (folders, name, "model.pt"))

    def test_lists_are_joined(self):
        folders = select_segmentation_source("mixed", ["A", "B"], {"dataset_dir": "S", "num_cases": 5}).dataset_dir
        self.assertEqual(folders, ["A", "B", {**SYNTHETIC, "num_cases": 5}])

    def test_no_pretrained(self):
        self.assertIsNone(select_segmentation_source("real", "R").pretrained)

    @parameterized.expand(
        [
            ("typo", {"train_on": "reel", "dataset_dir": "R"}, "choose one of real, synthetic"),
            ("no_real", {"train_on": "real", "dataset_dir": None}, "--dataset_dir"),
            ("no_synthetic", {"train_on": "synthetic", "dataset_dir": "R"}, "--synthetic_dir"),
            ("no_checkpoint", {"train_on": "synthetic_then_real", "dataset_dir": "R"}, "--pretrained"),
        ]
    )
    def test_errors_name_the_remedy(self, _, arguments, message):
        with self.assertRaisesRegex(ConfigError, message):
            select_segmentation_source(**arguments)

    def test_names_are_distinct(self):
        self.assertEqual(len(set(SEGMENTATION_REGIMES.values())), len(SEGMENTATION_REGIMES))

    def test_run_names(self):
        self.assertEqual(segmentation_run_name("synthetic_then_real"), "SYNTH then REAL")
        self.assertEqual(segmentation_run_name("mixed", 0.25), "REAL, 25 % SYNTH")


def write_maps(folder: Path, training: int, source: str) -> str:
    cases: dict[str, list] = {"training": [], "validation": []}
    for number in range(training + (source == "real")):
        name = f"{folder.name}{number}"
        write_label_map(folder / "labels" / f"{name}.png", np.ones((2, 2), np.uint8), "fundus_lesion")
        section = "training" if number < training else "validation"
        cases[section].append({"label": f"labels/{name}.png", "case_id": name, "source": source})
    write_datalist(folder, cases, "fundus_lesion", folder.name)
    return str(folder)


class TestShares(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        root = Path(folder.name)
        cls.real, cls.more = write_maps(root / "r", 6, "real"), write_maps(root / "q", 3, "real")
        cls.synthetic = [write_maps(root / "s", 4, "synthetic"), write_maps(root / "t", 15, "synthetic")]

    def cases(self, dataset_dir, **settings) -> list[str]:
        source = select_segmentation_source("mixed", dataset_dir, self.synthetic, **settings)
        return [c["case_id"] for c in load_cases(source.dataset_dir, "training", num_cases=source.num_cases)]

    @parameterized.expand(
        [(6, 0, 0), (6, 0.25, 2), (6, 0.5, 6), (6, 0.75, 18), (48, 0.25, 16), (1, 0.25, 1), (0, 0.5, 1)]
    )
    def test_count(self, num_real, share, count):
        self.assertEqual(count_for_share(num_real, share), count)

    @parameterized.expand([(0.0, 0), (0.25, 2), (0.5, 6), (0.75, 18)])
    def test_first_synthetic_beside_all_real(self, share, count):
        names = [f"s{i}" for i in range(4)] + [f"t{i}" for i in range(15)]
        self.assertEqual(self.cases(self.real, synthetic_share=share), [f"r{i}" for i in range(6)] + names[:count])

    def test_num_cases_counts_real_images(self):
        mixed = self.cases([self.real, self.more], synthetic_share=0.5, num_cases=7)
        self.assertEqual(mixed, [f"r{i}" for i in range(6)] + ["q0", "s0", "s1", "s2", "s3", "t0", "t1", "t2"])
        self.assertEqual(self.cases(self.real, num_synthetic=1, num_cases=2), ["r0", "r1", "s0"])
        # without a count of synthetic images it is the number of all, as ever
        self.assertEqual(self.cases(self.real, num_cases=7)[-1], "s0")

    def test_share_zero_needs_no_synthetic_set(self):
        source = select_segmentation_source("mixed", self.real, synthetic_share=0)
        self.assertEqual((source.dataset_dir, source.name), ([self.real], "REAL, 0 % SYNTH"))

    def test_synthetic_only(self):
        source = select_segmentation_source("synthetic", self.real, self.synthetic, num_synthetic=5)
        self.assertEqual(len(load_cases(source.dataset_dir, "training")), 5)

    @parameterized.expand(
        [
            ("few", {"synthetic_share": 0.8}, "0.8 beside 6 real training images needs 24, .*holds 19"),
            ("few_counted", {"num_synthetic": 20}, "num_synthetic is 20, .*holds 19"),
            ("few_real", {"num_synthetic": 2, "num_cases": 7}, "num_cases is 7, .*holds 6"),
            ("one", {"synthetic_share": 1}, "below 1"),
            ("negative", {"synthetic_share": -0.1}, "synthetic_share is -0.1"),
            ("word", {"synthetic_share": "half"}, "synthetic_share is 'half'"),
            ("both", {"synthetic_share": 0.5, "num_synthetic": 3}, "give one of them"),
            ("zero", {"num_synthetic": 0}, "whole number from 1 on"),
            ("real", {"synthetic_share": 0.5, "train_on": "real"}, "for --train_on mixed"),
            ("real_counted", {"num_synthetic": 5, "train_on": "real"}, "--train_on mixed or synthetic"),
        ]
    )
    def test_refusals(self, _, settings, message):
        with self.assertRaisesRegex(ConfigError, message):
            select_segmentation_source(
                **{"train_on": "mixed", "dataset_dir": self.real, "synthetic_dir": self.synthetic, **settings}
            )


class TestBatchShare(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.real = write_maps(Path(temporary.name, "real"), 5, "real")
        self.synthetic = write_maps(Path(temporary.name, "synthetic"), 4, "synthetic")

    @parameterized.expand(
        [
            ("half", {"batch_mixing": "half"}, (0.5, 0.5)),
            ("share", {"synthetic_batch_share": 0.25}, (0.25, 0.25)),
            ("share_beside_half", {"batch_mixing": "half", "synthetic_batch_share": 0.75}, (0.75, 0.75)),
            ("annealed", {"synthetic_batch_share": 1.0, "synthetic_batch_share_end": 0}, (1.0, 0)),
            ("half_annealed", {"batch_mixing": "half", "synthetic_batch_share_end": 0.0}, (0.5, 0.0)),
            ("union", {}, None),
        ]
    )
    def test_shares(self, _, settings, shares):
        source = select_segmentation_source("mixed", self.real, self.synthetic, **settings)
        self.assertEqual(source.batch_share, shares)
        self.assertEqual(source.num_real, None if shares is None else 5)
        self.assertEqual(len(load_cases(source.dataset_dir, "training")), 9)

    def test_num_cases_counts_the_real_ones(self):
        source = select_segmentation_source("mixed", self.real, self.synthetic, num_cases=2, batch_mixing="half")
        cases = load_cases(source.dataset_dir, "training", num_cases=source.num_cases)
        self.assertEqual([c["source"] for c in cases], ["real"] * 2 + ["synthetic"] * 4)
        self.assertEqual(source.num_real, 2)

    @parameterized.expand(
        [
            ("typo", "mixed", {"batch_mixing": "halb"}, "choose one of union, half"),
            ("not_mixed", "real", {"batch_mixing": "half"}, "--train_on mixed"),
            ("no_begin", "mixed", {"synthetic_batch_share_end": 0.2}, "--synthetic_batch_share 0.5"),
            ("too_much", "mixed", {"synthetic_batch_share": 1.2}, "from 0 to 1, got 1.2"),
            ("text", "mixed", {"synthetic_batch_share": "0.2"}, "from 0 to 1, got '0.2'"),
        ]
    )
    def test_errors_name_the_remedy(self, _, train_on, settings, message):
        with self.assertRaisesRegex(ConfigError, message):
            select_segmentation_source(train_on, self.real, self.synthetic, **settings)

    def test_photometric(self):
        self.assertEqual([is_strong_photometric(kind) for kind in ("none", "strong")], [False, True])
        with self.assertRaisesRegex(ConfigError, "photometric is 'weak'; choose one of none, strong"):
            is_strong_photometric("weak")


if __name__ == "__main__":
    unittest.main()
