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

import numpy as np
import torch
from parameterized import parameterized
from scipy import ndimage

from monai_retinasynth.simulation import FundusPhantom
from monai_retinasynth.transforms import PaintVessels, PaintVesselsd, vessel_geometry
from monai_retinasynth.transforms.paint_vessels import walk_along_trees
from monai_retinasynth.utils.errors import ConfigError, DataError
from tests.transforms.test_vessel_appearance import known_appearance


def eye(size: int = 270, index: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Background, label map and trees of a phantom."""
    label, trees = FundusPhantom(size, seed=4).label_map_and_trees(index)
    label, trees = (torch.from_numpy(np.ascontiguousarray(item.T))[None] for item in (label, trees))
    background = torch.tensor([180.0, 100.0, 60.0])[:, None, None] * (label > 0)
    return background, label, trees


class TestPaintVessels(unittest.TestCase):
    def test_vessels_are_dark_and_the_rest_is_the_background(self):
        background, label, _ = eye()
        painted = PaintVessels(known_appearance())(background, label, seed=1)
        self.assertEqual((painted.shape, painted.dtype), (background.shape, torch.float32))
        distance = torch.from_numpy(vessel_geometry(label[0].numpy() == 2).signed_distance)
        far = (distance > 4)[None]
        torch.testing.assert_close(painted * far, background * far)
        ratio = painted[1][label[0] == 2] / 100
        self.assertLess(float(ratio.mean()), 0.93)
        self.assertGreaterEqual(float(ratio.min()), 0.5)
        self.assertEqual(float((painted * (label == 0)).abs().max()), 0)

    def test_edges_are_soft(self):
        label = np.ones((540, 540), dtype=np.uint8)
        label[200:208, 100:440] = 2
        ratio = PaintVessels(known_appearance(), variation=0.0).log_ratio(label[None], 0)[1, 190:220, 270]
        self.assertLess(np.abs(np.diff(ratio)).max(), 0.6 * np.ptp(ratio))
        self.assertLess(ratio[9], -0.002)  # the shadow reaches beyond the wall
        self.assertTrue((ratio[:2] == 0).all())

    def test_carries_over_to_brighter_backgrounds(self):
        background, label, _ = eye(200)
        painter = PaintVessels(known_appearance(0.5))
        dark, bright = (painter(background * gain, label, seed=3) for gain in (0.5, 1.0))
        ratio = [(picture + 8) / (ground + 8) for picture, ground in ((dark, background * 0.5), (bright, background))]
        torch.testing.assert_close(*ratio, atol=1e-4, rtol=0)

    def test_seeded(self):
        background, label, trees = eye(200)
        painter = PaintVessels(known_appearance(0.6))
        first, again = (painter(background, label, 5, trees) for _ in range(2))
        torch.testing.assert_close(first, again, atol=0, rtol=0)
        self.assertGreater(float((painter(background, label, 5) - painter(background, label, 6)).abs().max()), 5)

    def test_look_range_varies_contrast_between_pictures(self):
        _, label, trees = eye()
        means = {
            look_range: [
                PaintVessels(known_appearance(0.5), variation=0.0, look_range=look_range)
                .log_ratio(label, seed, trees)[:, label[0].numpy() == 2]
                .mean(axis=1)
                for seed in range(8)
            ]
            for look_range in (0.0, 1.0)
        }
        logs = {key: np.log(-np.array(value)) for key, value in means.items()}  # pictures, channels
        self.assertGreater(logs[1.0].std(axis=0).min(), 2 * logs[0.0].std(axis=0).max())
        colour = {key: (value - value.mean(axis=1, keepdims=True)).std(axis=0).min() for key, value in logs.items()}
        self.assertGreater(colour[1.0], colour[0.0] + 0.03)

    def test_look_range_lifts_the_faintest_and_lights_the_centre(self):
        label = np.ones((540, 540), dtype=np.uint8)
        label[200:209, 100:440] = 2
        profiles = []
        for seed in range(6):
            painter = PaintVessels(known_appearance(), variation=0.0, look_range=1.0)
            across = painter.log_ratio(label[None], seed)[1, 196:213, 200:340].mean(axis=1)
            profiles.append(across / across.min())
        # somewhere a reflex is seen: the centre line is lighter than what lies beside it
        self.assertLess(min(float(p[8] / p[5:12].max()) for p in profiles), 0.8)
        _, tree_label, trees = eye(540)
        thin = (tree_label[0].numpy() == 2) & (vessel_geometry(tree_label[0].numpy() == 2).radius < 1.2)
        spread = []
        for look_range in (0.0, 1.0):
            painter = PaintVessels(known_appearance(0.3), variation=0.0, look_range=look_range)
            ratio = -painter.log_ratio(tree_label, 1, trees)[1][thin]
            spread.append(np.percentile(ratio, 5) / ratio.mean())
        self.assertGreater(spread[1], spread[0] + 0.05)

    def test_veins_are_darker_than_arteries(self):
        _, label, trees = eye(540)
        painter = PaintVessels(known_appearance(0.8), variation=0.0)
        radius = vessel_geometry(label[0].numpy() == 2).radius
        means = []
        for seed in range(3):
            ratio = painter.log_ratio(label, seed, trees)[1]
            means.append([ratio[(trees[0] == tree).numpy() & (radius > 1.0)].mean() for tree in (1, 2)])
        arteries, veins = np.mean(means, axis=0)
        self.assertLess(veins, arteries - 0.02)

    def test_crossings_add_up_in_part(self):
        label = np.ones((540, 540), dtype=np.uint8)
        trees = np.zeros_like(label)
        trees[267:273, 100:440] = 1
        trees[100:440, 267:273] += 2
        label[trees > 0] = 2
        ratio = PaintVessels(known_appearance(), variation=0.0).log_ratio(label[None], 0, trees[None])[1]
        middle = slice(269, 271)
        artery, vein = ratio[middle, 150:200].mean(), ratio[150:200, middle].mean()
        both = ratio[middle, middle].mean()
        self.assertLess(both, 1.2 * min(artery, vein))
        self.assertGreater(both, artery + vein)

    def test_factor_changes_smoothly_along_a_vessel(self):
        label = np.ones((540, 540), dtype=np.uint8)
        label[268:274, 40:500] = 2
        ratio = PaintVessels(known_appearance(0.9)).log_ratio(label[None], 2)[1, 270, 60:480]
        self.assertGreater(ratio.std(), 0.01)
        self.assertLess(np.abs(np.diff(ratio)).max(), 0.15 * np.abs(ratio.mean()))

    def test_any_size_looks_the_same(self):
        painter = PaintVessels(known_appearance(), variation=0.0)
        small, large = (painter.log_ratio(eye(size)[1], 0)[1] for size in (540, 810))
        reduced = ndimage.zoom(large, 540 / 810, order=1, grid_mode=True, mode="nearest")
        self.assertGreater(np.corrcoef(small.ravel(), reduced.ravel())[0, 1], 0.9)
        self.assertAlmostEqual(float(reduced.mean() / small.mean()), 1.0, delta=0.15)

    def test_strength(self):
        _, label, _ = eye(200)
        plain, double = (PaintVessels(known_appearance(), strength=value).log_ratio(label, 1) for value in (1.0, 2.0))
        np.testing.assert_allclose(double, 2 * plain, rtol=1e-5)

    def test_no_vessels(self):
        background, label, trees = eye(100)
        bare = label.clamp(max=1)
        torch.testing.assert_close(PaintVessels(known_appearance())(background, bare, 1), background)
        torch.testing.assert_close(PaintVessels(known_appearance())(background, bare, 1, trees * 0), background)

    def test_grey(self):
        background, label, _ = eye(200)
        painted = PaintVessels(known_appearance(channels=1))(background[:1], label, 1)
        self.assertLess(float(painted[0][label[0] == 2].mean()), 0.95 * 180)

    def test_bad_input(self):
        background, label, trees = eye(100)
        painter = PaintVessels(known_appearance())
        for bad in (background[:1], background[:, :50]):
            with self.assertRaisesRegex(DataError, "one size, and colours"):
                painter(bad, label)
        with self.assertRaisesRegex(DataError, "0 none, 1 artery"):
            painter(background, label, 0, trees * 3)
        with self.assertRaisesRegex(DataError, "field of view is empty"):
            painter(background, label * 0)
        with self.assertRaisesRegex(DataError, r"\(1, X, Y\)"):
            painter(background, label[0])
        with self.assertRaisesRegex(ConfigError, "negative"):
            PaintVessels(known_appearance(), variation=-1)
        with self.assertRaisesRegex(ConfigError, "look_range"):
            PaintVessels(known_appearance(), look_range=1.5)
        with self.assertRaisesRegex(DataError, "no class 'veins'"):
            PaintVessels(known_appearance(), vessel_class="veins")


class TestWalk(unittest.TestCase):
    def test_variance_and_length(self):
        vessel = np.zeros((400, 400), dtype=bool)
        vessel[10:390:8, 5:395] = True
        geometry = vessel_geometry(vessel)
        (values,) = walk_along_trees(geometry, (30.0,), np.random.default_rng(0))
        lines = values.reshape(48, 390)
        self.assertAlmostEqual(float(lines.std()), 1.0, delta=0.12)
        for steps in (10, 40):
            correlation = (lines[:, steps:] * lines[:, :-steps]).mean() / lines.var()
            self.assertAlmostEqual(float(correlation), np.exp(-1.2 * steps / 30), delta=0.12)

    def test_loops_are_cut_in_forks(self):
        vessel = np.zeros((200, 200), dtype=bool)
        vessel[20:180, [40, 160]] = True
        vessel[[60, 140], 40:161] = True
        geometry = vessel_geometry(vessel)
        (values,) = walk_along_trees(geometry, (400.0,), np.random.default_rng(3))
        jump = np.abs(values[geometry.links[0]] - values[geometry.links[1]])
        within = ~geometry.in_fork[geometry.links].any(axis=0)
        self.assertLess(jump[within].max(), 0.35)


class TestPaintVesselsd(unittest.TestCase):
    def test_depends_on_seed_and_index_alone(self):
        background, label, trees = eye(128)
        case = {"label": label, "background": background.to(torch.uint8), "trees": trees, "index": 3}
        look = known_appearance(0.6)
        first = PaintVesselsd(appearance=look, seed=1)(case)["painted"]
        again = PaintVesselsd(appearance=look.to_dict(), seed=1)({**case, "case_id": "other"})["painted"]
        torch.testing.assert_close(first, again, atol=0.05, rtol=0)
        others = [
            PaintVesselsd(appearance=look, seed=2)(case),
            PaintVesselsd(appearance=look, seed=1)({**case, "index": 4}),
            PaintVesselsd(appearance=look, seed=1, trees_key=None)(case),
        ]
        for other in others:
            self.assertGreater(float((other["painted"] - first).abs().max()), 1)

    def test_appearance_from_a_file_or_its_plain_form(self):
        with tempfile.TemporaryDirectory() as name:
            path = known_appearance().save(Path(name) / "look.json")
            for form in (path, str(path), known_appearance().to_dict()):
                self.assertEqual(PaintVessels(form).appearance.eyes, ("known",))

    def test_bad_input_names_the_case(self):
        background, label, _ = eye(64)
        paint = PaintVesselsd(appearance=known_appearance())
        with self.assertRaisesRegex(DataError, "case eye_7: .*one size"):
            paint({"label": label, "background": background[:, :9], "index": 0, "case_id": "eye_7"})
        with self.assertRaisesRegex(ConfigError, "without 'index'"):
            paint({"label": label, "background": background})
        with self.assertRaisesRegex(ConfigError, "output keys"):
            PaintVesselsd(keys=["label", "other"], appearance=known_appearance())

    @parameterized.expand([("missing.json", "missing.json"), ({"radii": []}, "not an appearance")])
    def test_bad_appearance(self, appearance, message):
        with self.assertRaisesRegex(DataError, message):
            PaintVesselsd(appearance=appearance)


if __name__ == "__main__":
    unittest.main()
