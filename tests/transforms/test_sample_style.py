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
"""Style vectors of synthetic photographs."""

from __future__ import annotations

import unittest

import torch

from monai_retinasynth.transforms import SampleStyled
from monai_retinasynth.utils import ConfigError


class TestSampleStyled(unittest.TestCase):
    def test_depends_on_seed_and_number_alone(self):
        first = SampleStyled(style_size=6, seed=3)({"index": 4, "label": "x"})
        self.assertEqual(set(first), {"index", "label", "style"})
        self.assertEqual(tuple(first["style"].shape), (6,))
        self.assertTrue(torch.equal(first["style"], SampleStyled(style_size=6, seed=3)({"index": 4})["style"]))
        for other in (
            SampleStyled(style_size=6, seed=4)({"index": 4}),
            SampleStyled(style_size=6, seed=3)({"index": 5}),
        ):
            self.assertFalse(torch.equal(first["style"], other["style"]))

    def test_empty_styles_are_refused(self):
        with self.assertRaisesRegex(ConfigError, "at least 1"):
            SampleStyled(style_size=0)


if __name__ == "__main__":
    unittest.main()
