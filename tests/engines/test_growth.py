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

from monai_retinasynth.engines import ProgressiveGrowthSchedule
from monai_retinasynth.utils.errors import ConfigError

# images seen -> resolution, alpha: 4 px for 100 images, then 50 of fading and 100 of stabilising each
COURSE = [(0, 4, 1.0), (99, 4, 1.0), (100, 8, 0.0), (125, 8, 0.5), (150, 8, 1.0), (249, 8, 1.0), (250, 16, 0.0)]
COURSE += [(275, 16, 0.5), (300, 16, 1.0), (399, 16, 1.0), (400, 16, 1.0), (10**9, 16, 1.0)]


class TestProgressiveGrowthSchedule(unittest.TestCase):
    @parameterized.expand(COURSE)
    def test_phase(self, images, resolution, alpha):
        schedule = ProgressiveGrowthSchedule([4, 8, 16], 50, 100, 10)
        phase = schedule.phase(images)
        self.assertEqual((phase.resolution, phase.alpha), (resolution, alpha))
        self.assertEqual(schedule.total_images, 400)

    @parameterized.expand([(1,), (3,)])
    def test_iterations_equal_stepping_through(self, d_steps):
        schedule = ProgressiveGrowthSchedule([4, 8, 16], [30, 50], [20, 70, 90], {4: 16, 8: 7, 16: 3})
        seen = count = 0
        while seen < schedule.total_images:
            seen += schedule.batch_size(seen) * d_steps
            count += 1
        self.assertEqual(schedule.iterations(d_steps), count)
        self.assertEqual(schedule.max_epochs_for(10, d_steps), -(-count // 10))

    def test_keys_of_a_json_dictionary(self):
        self.assertEqual(ProgressiveGrowthSchedule([4, 8], 1, 1, {"4": 8, "8": 2}).batch_size(1), 2)

    @parameterized.expand(
        [
            ("resolutions", [8, 4], 1, 1, 1),
            ("fade_images", [4, 8], [1, 1], 1, 1),
            ("stabilise_images", [4, 8], 1, 0, 1),
            ("batch_sizes", [4, 8], 1, 1, {4: 2}),
        ]
    )
    def test_errors_name_the_setting(self, name, *args):
        with self.assertRaisesRegex(ConfigError, name):
            ProgressiveGrowthSchedule(*args)

    @parameterized.expand([(7,), (8,), (399,), (400,), (401,), (6000,)])
    def test_scaled_to_a_budget(self, total):
        schedule = ProgressiveGrowthSchedule([4, 8, 16, 32], [10, 20, 30], [40, 50, 60, 190], 10, total_images=total)
        self.assertEqual(schedule.total_images, total)
        parts = [*schedule.fade_images[1:], *schedule.stabilise_images]
        self.assertGreaterEqual(min(parts), 1)
        for part, original in zip(parts, (10, 20, 30, 40, 50, 60, 190)):
            self.assertAlmostEqual(part, original * total / 400, delta=len(parts))  # each has one at least

    def test_budget_too_small(self):
        with self.assertRaisesRegex(ConfigError, "total_images is 4, but 3 resolutions have 5 phases"):
            ProgressiveGrowthSchedule([4, 8, 16], 1, 1, 10, total_images=4)


if __name__ == "__main__":
    unittest.main()
