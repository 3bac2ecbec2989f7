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

import functools
import tempfile
import unittest
from pathlib import Path

import numpy as np

from monai_retinasynth.simulation import FundusPhantom, measure_vessel_appearance, write_phantom_dataset
from monai_retinasynth.simulation.vessel_measurement import measure_eyes
from monai_retinasynth.transforms import PaintVessels
from monai_retinasynth.utils.errors import DataError
from tests.transforms.test_vessel_appearance import known_appearance


@functools.lru_cache
def painted_eyes(spread: float, size: int = 540) -> list[tuple]:
    """Phantom eyes on a smooth background, painted with the known appearance."""
    phantom = FundusPhantom(size, seed=4)
    painter = PaintVessels(known_appearance(spread), variation=0.0)
    eyes = []
    for index in range(2):
        label = np.ascontiguousarray(phantom.label_map(index).T)[None]
        slope = np.linspace(0.8, 1.2, size)[None, :, None] * np.ones((1, 1, size))
        background = np.array([180.0, 100.0, 60.0])[:, None, None] * slope * (label > 0)
        photograph = painter(background.astype(np.float32), label, seed=index).numpy()
        eyes.append((f"eye {index}", photograph, label[0] == 2, label[0] > 0))
    return eyes


class TestMeasuring(unittest.TestCase):
    def test_gives_back_the_profiles_it_was_painted_with(self):
        measured, known = measure_eyes(painted_eyes(0.0)), known_appearance()
        self.assertEqual(measured.eyes, ("eye 0", "eye 1"))
        found, expected = measured.profiles.mean(axis=(0, 1)), known.profiles.mean(axis=(0, 1))
        # widths that these eyes have, and depths that a pixel of such a vessel can have
        np.testing.assert_allclose(found[1:5, 5:, 1], expected[1:5, 5:, 1], atol=0.03)
        np.testing.assert_allclose(found[2:5, :3, 1], expected[2:5, :3, 1], atol=0.035)
        np.testing.assert_allclose(found[2:5, :3, 0], expected[2:5, :3, 0], atol=0.02)
        self.assertTrue((measured.profiles[:, :, :, -1] == 0).all())

    def test_gives_back_the_spread_of_factors(self):
        even, spread = (measure_eyes(painted_eyes(value)) for value in (0.0, 0.6))
        narrow, wide = (look.factors[2:5, -3] - look.factors[2:5, 2] for look in (even, spread))
        self.assertLess(narrow.max(), 0.3)
        np.testing.assert_array_less(0.55, wide)
        np.testing.assert_array_less(wide, 1.2)
        # what is drawn lasts along the tree
        self.assertGreater(spread.persistence[2:5].mean(), 0.6)

    def test_any_size_gives_the_same(self):
        small, large = (measure_eyes(painted_eyes(0.0, size)).profiles.mean(axis=(0, 1)) for size in (540, 810))
        np.testing.assert_allclose(large[2:5, :, 1], small[2:5, :, 1], atol=0.05)

    def test_large_photographs_are_measured_smaller(self):
        name, photograph, *masks = painted_eyes(0.0)[0]
        large = [np.kron(mask, np.ones((3, 3))) > 0 for mask in masks]
        eyes = [(name, np.kron(photograph, np.ones((1, 3, 3))), *large)]
        found = measure_eyes(eyes).profiles.mean(axis=(0, 1))
        expected = measure_eyes(painted_eyes(0.0)[:1]).profiles.mean(axis=(0, 1))
        np.testing.assert_allclose(found[2:5, :3, 1], expected[2:5, :3, 1], atol=0.06)

    def test_same_every_time(self):
        first, second = (measure_eyes(painted_eyes(0.6)).to_dict() for _ in range(2))
        self.assertEqual(first, second)

    def test_grey(self):
        eyes = [(name, photograph[1:2], vessel, inside) for name, photograph, vessel, inside in painted_eyes(0.0)]
        measured = measure_eyes(eyes)
        self.assertEqual(measured.channels, 1)
        np.testing.assert_allclose(measured.profiles, measure_eyes(painted_eyes(0.0)).profiles[..., 1:2], atol=1e-3)
        with self.assertRaisesRegex(DataError, "with and without colours"):
            measure_eyes([eyes[0], painted_eyes(0.0)[1]])

    def test_too_few_vessels(self):
        name, photograph, vessel, inside = painted_eyes(0.0)[0]
        few = vessel.copy()
        few[:, 60:] = False
        for mask in (few, np.zeros_like(vessel)):
            with self.assertRaisesRegex(DataError, "too few vessels to measure in the folder.*add eyes"):
                measure_eyes([(name, photograph, mask, inside)], "the folder")

    def test_data_set(self):
        with tempfile.TemporaryDirectory() as name:
            write_phantom_dataset(name, 256, 3, 0, 0, seed=2, source="real", progress=False)
            measured = measure_vessel_appearance(name, val_count=1)
            self.assertEqual(measured.eyes, ("phantom_00000", "phantom_00001"))
            self.assertLess(measured.profiles[:, :, 3, 0, 1].max(), -0.05)  # vessels are dark in green
            self.assertEqual(len(measure_vessel_appearance(name, num_cases=1, val_count=1).eyes), 1)
            with self.assertRaisesRegex(DataError, "no class 'veins'"):
                measure_vessel_appearance(name, vessel_class="veins")
            write_phantom_dataset(Path(name) / "maps", 64, 2, 0, 0, labels_only=True, progress=False)
            with self.assertRaisesRegex(DataError, "phantom_00000 .* has no photograph"):
                measure_vessel_appearance(Path(name) / "maps")


if __name__ == "__main__":
    unittest.main()
