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

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
from parameterized import parameterized

from monai_retinasynth.transforms.vessel_appearance import (
    DEPTHS,
    RADII,
    RANKS,
    VesselAppearance,
    profile_depth,
    profile_weights,
    tone_weight,
)
from monai_retinasynth.utils.errors import DataError


def known_appearance(spread: float = 0.0, channels: int = 3) -> VesselAppearance:
    """Wider vessels are darker, light ones have a reflex, and factors spread evenly around 1."""
    radius, depth = np.log(RADII)[:, None], np.asarray(DEPTHS)[None, :]
    dark = -(0.16 + 0.08 * radius) / (1 + np.exp(5 * (depth - 0.1)))
    dark[:, -1] = 0
    reflex = 0.12 * np.clip(radius - 0.4, 0, 1) * np.exp(-(((depth + 1) / 0.4) ** 2)) * (depth < 0)
    colours = np.array([0.3, 1.0, 0.7])[:channels] if channels == 3 else np.ones(1)
    profiles = np.stack([dark + reflex, dark])[None, ..., None] * colours
    factors = np.tile(1 + spread * (2 * np.asarray(RANKS) - 1), (len(RADII), 1))
    return VesselAppearance(("known",), profiles, factors, 0.2, 60.0, np.full(len(RADII), 0.9))


class TestVesselAppearance(unittest.TestCase):
    def test_json(self):
        known = known_appearance(0.5)
        with tempfile.TemporaryDirectory() as name:
            path = known.save(Path(name) / "look.json")
            read = VesselAppearance.load(path)
            self.assertLess(path.stat().st_size, 20_000)
        self.assertEqual(read.to_dict(), known.to_dict())
        np.testing.assert_allclose(read.profiles, known.profiles, atol=1e-4)

    @parameterized.expand(
        [
            ({"radii": [1.0]}, "radii"),
            ({"profiles": [[1.0]]}, "profiles"),
            ({"factors": [[float("nan")] * len(RANKS)] * len(RADII)}, "not an appearance"),
            ({"tree_share": "half"}, "damaged|not an appearance"),
            ({"persistence": [2.0] * len(RADII)}, "not an appearance"),
            ({"length": 0}, "not an appearance"),
        ]
    )
    def test_bad_plain_form(self, changes, message):
        with self.assertRaisesRegex(DataError, message):
            VesselAppearance.from_dict({**known_appearance().to_dict(), **changes})

    def test_bad_file(self):
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "look.json"
            with self.assertRaisesRegex(DataError, "look.json"):
                VesselAppearance.load(path)
            for text in ("{", "[]", json.dumps({"eyes": []})):
                path.write_text(text)
                with self.assertRaisesRegex(DataError, "look.json"):
                    VesselAppearance.load(path)

    def test_between_the_places(self):
        known = known_appearance(0.5)
        depth, radius, tone = (np.array(values) for values in ([-1.0, 3.5, 9.0], [1.0, 1.0, 20.0], [1.0, 1.0, 0.0]))
        ratio = known.log_ratio(0, depth, radius, tone)
        table = known.profiles[0, 1, 1]
        np.testing.assert_allclose(ratio, [table[0], (table[9] + table[10]) / 2, np.zeros(3)], atol=1e-6)
        np.testing.assert_allclose(profile_weights(depth, radius, tone).sum(axis=1), 1, atol=1e-6)
        factor = known.factor(np.array([0.1, 50.0, 2.0]), np.array([0.5, 0.5, 1.0]))
        np.testing.assert_allclose(factor, [1, 1, 1.475], atol=1e-6)
        np.testing.assert_allclose(tone_weight(np.array([0.1, 0.5, 0.9])), [0, 0.5, 1])

    def test_depth(self):
        distance = np.broadcast_to(np.arange(40.0) - 20, (30, 40)).astype(np.float32)
        depth = profile_depth(distance, np.full((30, 40), 10.0), 2.0)
        np.testing.assert_allclose(depth[15, [5, 16, 20, 26]], [-1, -0.4, 0, 3], atol=1e-5)


if __name__ == "__main__":
    unittest.main()
