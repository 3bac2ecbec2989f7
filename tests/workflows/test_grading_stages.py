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
"""Stages of the grading workflow."""

from __future__ import annotations

import unittest

from parameterized import parameterized

from monai_retinasynth.utils import ConfigError
from monai_retinasynth.workflows import grading_stages
from tests.bundles.bundle_tester import BUNDLES

ROWS = {"real": {"train_on": "real"}, "both": {"train_on": "mixed", "synthetic_dir": "s"}}


class TestGradingStages(unittest.TestCase):
    def test_each_row_of_a_seed_before_the_next_seed(self):
        train = str(BUNDLES / "grade_classification" / "configs" / "train.json")
        stages = grading_stages(ROWS, [0, 3], [train], [train], "root", {"exclude": ["a"]})
        names = [f"{kind}_{row}_seed{seed}" for seed in (0, 3) for row in ROWS for kind in ("training", "evaluation")]
        self.assertEqual([stage.name for stage in stages], names)
        self.assertEqual(stages[1].needs, ("training_real_seed0",))
        self.assertEqual(stages[2].overrides["synthetic_dir"], "s")
        self.assertEqual(stages[7].overrides["checkpoint"], "root/training_both_seed3/models/model.pt")
        self.assertIsNot(stages[0].overrides["exclude"], stages[2].overrides["exclude"])

    @parameterized.expand(
        [
            ({}, [0], {}, "one or more rows"),
            (ROWS, [1, 1], {}, "different seeds"),
            (ROWS, [0], {"output_dir": "x"}, "the overrides of the grading set output_dir"),
            ({"real": {"seed": 1}}, [0], {}, "real of the grading set seed"),
        ]
    )
    def test_errors(self, rows, seeds, overrides, message):
        with self.assertRaisesRegex(ConfigError, message):
            grading_stages(rows, seeds, [], [], "root", overrides)


if __name__ == "__main__":
    unittest.main()
