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

import numpy as np
from parameterized import parameterized

from monai_retinasynth.metrics.morphometry import (
    MORPHOMETRY_KEYS,
    box_counting_dimension,
    compare_morphometry,
    morphometry_table,
    vessel_morphometry,
)
from monai_retinasynth.utils.image_io import list_images, read_mask
from tests.real_data import data_root

# the reference figures as printed: mean, sd
DRIVE_ROWS = [
    (
        "training",
        {
            "density": (0.125, 0.018),
            "skeleton_length": (17.9, 2.5),
            "mean_width": (3.53, 0.18),
            "bifurcations": (161, 45),
            "end_points": (103, 30),
            "components": (3.6, 3.9),
            "fractal_dimension": (1.251, 0.038),
        },
    ),
    (
        "test",
        {
            "density": (0.127, 0.012),
            "skeleton_length": (18.6, 1.7),
            "mean_width": (3.49, 0.16),
            "bifurcations": (173, 35),
            "end_points": (114, 24),
            "components": (3.0, 2.1),
            "fractal_dimension": (1.263, 0.026),
        },
    ),
]
PRINTED_STEP = {
    "density": 1e-3,
    "skeleton_length": 0.1,
    "mean_width": 0.01,
    "components": 0.1,
    "fractal_dimension": 1e-3,
}


def blank(size: int = 64) -> np.ndarray:
    return np.zeros((size, size), dtype=bool)


class TestVesselMorphometry(unittest.TestCase):
    def test_line(self):
        vessel = blank()
        vessel[20, 10:50] = True
        result = vessel_morphometry(vessel)
        self.assertEqual(tuple(result), MORPHOMETRY_KEYS)
        self.assertAlmostEqual(result["density"], 40 / 64**2)
        self.assertAlmostEqual(result["skeleton_length"], 40 / 64)
        self.assertAlmostEqual(result["mean_width"], 2.0)
        self.assertEqual((result["bifurcations"], result["end_points"], result["components"]), (0, 2, 1))

    def test_bar_is_wider(self):
        vessel = blank()
        vessel[18:23, 5:60] = True
        self.assertAlmostEqual(vessel_morphometry(vessel)["mean_width"], 6.0, delta=0.3)  # five pixels measure six

    def test_cross(self):
        vessel = blank()
        vessel[30, 5:60] = True
        vessel[5:60, 30] = True
        result = vessel_morphometry(vessel)
        self.assertEqual((result["bifurcations"], result["end_points"], result["components"]), (1, 4, 1))

    def test_diagonal_neighbours_are_one_piece(self):
        vessel = blank()
        vessel[10, 10] = vessel[11, 11] = vessel[30, 30] = True
        self.assertEqual(vessel_morphometry(vessel)["components"], 2)

    def test_only_the_field_counts_except_for_pieces(self):
        vessel, fov = blank(), blank()
        vessel[20, :] = True
        vessel[50:55, 50:55] = True
        fov[:40, :32] = True
        result = vessel_morphometry(vessel, fov)
        self.assertAlmostEqual(result["density"], 32 / (40 * 32))
        self.assertEqual(result["components"], 2)
        self.assertEqual(result["end_points"], 2)

    def test_empty_map(self):
        self.assertEqual(set(vessel_morphometry(blank()).values()), {0.0})

    @parameterized.expand(
        [((64, 64), (64, 63), "one shape"), ((4, 8, 8), (4, 8, 8), "one shape"), ((8, 8), (8, 8), "empty")]
    )
    def test_bad_input(self, shape, fov_shape, message):
        with self.assertRaisesRegex(ValueError, message):
            vessel_morphometry(np.zeros(shape, bool), np.zeros(fov_shape, bool))

    def test_dimension(self):
        line, square = blank(256), np.ones((256, 256), bool)
        line[100] = True
        self.assertAlmostEqual(box_counting_dimension(line), 1.0, places=6)
        self.assertAlmostEqual(box_counting_dimension(square), 2.0, places=6)
        self.assertEqual(box_counting_dimension(blank()), 0.0)

    @parameterized.expand(DRIVE_ROWS)
    def test_reference_rows(self, section, expected):
        root = data_root("DRIVE") / section
        manual, masks = list_images(root / "1st_manual"), list_images(root / "mask")
        table = morphometry_table((read_mask(vessel), read_mask(fov)) for vessel, fov in zip(manual, masks))
        for key, (mean, sd) in expected.items():
            step = PRINTED_STEP.get(key, 1.0)
            self.assertAlmostEqual(table[key]["mean"], mean, delta=0.5001 * step, msg=key)
            self.assertAlmostEqual(table[key]["sd"], sd, delta=0.5001 * step, msg=key)


class TestTables(unittest.TestCase):
    def test_table_and_comparison(self):
        maps = []
        for row in (10, 20, 30):
            vessel = blank()
            vessel[row, :row] = True
            maps.append((vessel, None))
        table = morphometry_table(maps)
        self.assertAlmostEqual(table["density"]["mean"], 20 / 64**2)
        self.assertAlmostEqual(table["density"]["sd"], np.std([10, 20, 30]) / 64**2)
        rows = {row["name"]: row for row in compare_morphometry(table, table)}
        self.assertTrue(all(row["within"] and row["deviation"] == 0.0 for row in rows.values()))
        far = morphometry_table([(np.ones((64, 64), bool), None)])
        rows = {row["name"]: row for row in compare_morphometry(far, table)}
        self.assertFalse(rows["density"]["within"])
        self.assertTrue(rows["components"]["within"])  # no spread, no difference
        self.assertFalse(rows["mean_width"]["within"])  # no spread, a difference

    def test_no_maps(self):
        with self.assertRaisesRegex(ValueError, "no maps"):
            morphometry_table([])


if __name__ == "__main__":
    unittest.main()
