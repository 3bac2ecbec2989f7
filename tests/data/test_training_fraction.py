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

from parameterized import parameterized

from monai_retinasynth.data import choose_training_cases
from monai_retinasynth.utils import ConfigError, DataError

CASES = [{"case_id": f"c{number:02d}"} for number in range(40)]


def chosen(**settings):
    return [case["case_id"] for case in choose_training_cases(CASES, **settings)]


class TestChooseTrainingCases(unittest.TestCase):
    def test_nested(self):
        everything = [case["case_id"] for case in CASES]
        self.assertEqual(chosen(), everything)
        parts = [chosen(fraction=fraction) for fraction in (0.02, 0.1, 0.5, 1.0)]
        self.assertEqual([len(part) for part in parts], [1, 4, 20, 40])
        for small, large in zip(parts, parts[1:]):
            self.assertLess(set(small), set(large))
            self.assertEqual(large, sorted(large))  # in the order given
        self.assertEqual(chosen(num_cases=4), parts[1])

    def test_hangs_on_seed_and_names_alone(self):
        first = chosen(fraction=0.25, seed=3)
        self.assertEqual(chosen(fraction=0.25, seed=3), first)
        backwards = [case["case_id"] for case in choose_training_cases(CASES[::-1], fraction=0.25, seed=3)]
        self.assertEqual(backwards, first[::-1])
        others = {tuple(chosen(fraction=0.25, seed=seed)) for seed in range(5)}
        self.assertEqual(len(others), 5)

    @parameterized.expand(
        [
            ({"fraction": 0.0}, ConfigError, "above 0 and at most 1, got 0.0"),
            ({"fraction": 1.5}, ConfigError, "at most 1"),
            ({"fraction": -0.1}, ConfigError, "above 0"),
            ({"fraction": float("nan")}, ConfigError, "got nan"),
            ({"num_cases": 0}, ConfigError, "num_cases must be 1 or more"),
            ({"num_cases": 3, "fraction": 0.5}, ConfigError, "not both"),
            (
                {"fraction": 0.01},
                DataError,
                "fraction=0.01 of the 40 cases .* leaves no case .* raise fraction to 0.025",
            ),
            ({"num_cases": 41}, DataError, "41 asked for .*40 found"),
        ]
    )
    def test_refused(self, settings, error, message):
        with self.assertRaisesRegex(error, message):
            chosen(**settings)

    def test_no_cases(self):
        with self.assertRaisesRegex(DataError, "0 cases of here leaves no case.*add cases"):
            choose_training_cases([], where="here")


if __name__ == "__main__":
    unittest.main()
