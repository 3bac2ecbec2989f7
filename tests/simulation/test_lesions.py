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

from monai_retinasynth.metrics import lesion_statistics
from monai_retinasynth.simulation import (
    LESION_AMOUNTS,
    EyeGeometry,
    FundusPhantom,
    Lesion,
    LesionAmounts,
    draw_lesions,
    grow_new_vessels,
    grow_vessel_trees,
    paint_lesions,
    quadrant,
    sample_lesions,
)
from monai_retinasynth.utils.errors import ConfigError
from monai_retinasynth.utils.label_set import FUNDUS_LESION

DISC, SOFT, HAEMORRHAGE, HARD, MICRO = (
    FUNDUS_LESION.index(name) for name in ("optic_disc", "soft_exudate", "haemorrhage", "hard_exudate", "microaneurysm")
)


class EyesTestCase(unittest.TestCase):
    """A few eyes, grown once."""

    @classmethod
    def setUpClass(cls):
        cls.eyes = []
        for seed in range(3):
            rng = np.random.default_rng(seed)
            geometry = EyeGeometry.sample(rng)
            cls.eyes.append((geometry, grow_vessel_trees(geometry, rng)))

    def lesions(self, grade, eye=0, seed=0, **settings):
        return sample_lesions(grade, *self.eyes[eye], np.random.default_rng(seed), **settings)


class TestSampleLesions(EyesTestCase):
    def count(self, found, name):
        return sum(lesion.class_name == name for lesion in found.lesions)

    def test_amounts_of_each_grade(self):
        for eye in range(3):
            for grade, amount in LESION_AMOUNTS.items():
                found = self.lesions(grade, eye, seed=grade)
                pools = sum(lesion.level is not None for lesion in found.lesions)
                counts = {
                    "microaneurysm": self.count(found, "microaneurysm"),
                    "haemorrhage": self.count(found, "haemorrhage") - pools,
                    "hard_exudate": self.count(found, "hard_exudate"),
                    "soft_exudate": self.count(found, "soft_exudate"),
                }
                for name, number in counts.items():
                    least, most = getattr(amount, f"{name}s")
                    self.assertTrue(least <= number <= most, (eye, grade, name, number))
                self.assertEqual(found.new_vessels is not None, grade == 4)
                self.assertTrue(grade == 4 or pools == 0)

    def test_severe_eyes_keep_the_4_2_1_rule(self):
        for eye in range(3):
            found = self.lesions(3, eye)
            centres = np.array([item.centre() for item in found.lesions if item.class_name == "haemorrhage"])
            self.assertGreater(np.bincount(quadrant(centres), minlength=4).min(), 20)

    def test_places_and_sizes(self):
        for eye in range(3):
            geometry = self.eyes[eye][0]
            diameter = 2 * geometry.disc_radii[1]
            for lesion in self.lesions(3, eye).lesions:
                circles = lesion.circles()
                self.assertLess((np.hypot(circles[:, 0], circles[:, 1]) + circles[:, 2]).max(), 1.0)
                disc = np.linalg.norm(circles[:, :2] - geometry.disc, axis=1) - circles[:, 2]
                self.assertGreater(disc.min(), geometry.disc_radii[1])
                if lesion.class_name != "hard_exudate":
                    fovea = np.linalg.norm(circles[:, :2] - geometry.fovea, axis=1) - circles[:, 2]
                    self.assertGreater(fovea.min(), 0.05)
                if lesion.class_name == "microaneurysm":
                    self.assertTrue(1 / 50 <= 2 * lesion.lobes[0, 2] / diameter <= 1 / 20)

    def test_flames_lie_along_the_nerve_fibres(self):
        geometry = self.eyes[0][0]
        amounts = {3: LesionAmounts(haemorrhages=(60, 60), flame_share=1.0)}
        turns = []
        for lesion in self.lesions(3, amounts=amounts).lesions:
            if (lesion.lobes[:, 2] > 2.5 * lesion.lobes[:, 3]).all():
                fibre = geometry.outflow(lesion.centre()[None])[0]
                angle = np.arctan2(fibre[1], fibre[0]) - np.median(lesion.lobes[:, 4])
                turns.append(abs(np.sin(angle)))
        self.assertGreater(len(turns), 20)
        self.assertLess(np.mean(turns), 0.25)  # 0.64 if they lay anyhow

    def test_blood_lies_nearer_to_vessels_than_chance(self):
        geometry, trees = self.eyes[0]
        nodes = np.concatenate([tree.positions for tree in trees])
        centres = np.array(
            [lesion.centre() for lesion in self.lesions(3).lesions if lesion.class_name == "haemorrhage"]
        )
        chance = np.random.default_rng(0).uniform(-0.65, 0.65, size=(400, 2))

        def away(points):
            return np.linalg.norm(points[:, None] - nodes[None], axis=2).min(axis=1).mean()

        self.assertLess(away(centres), 0.9 * away(chance))

    def test_exudates_reach_the_fovea_in_a_star_only(self):
        geometry = self.eyes[0][0]

        def nearest(star_share):
            amounts = {3: LesionAmounts(hard_exudates=(150, 150), star_share=star_share)}
            lesions = self.lesions(3, amounts=amounts).lesions
            return min(np.linalg.norm(lesion.centre() - geometry.fovea) for lesion in lesions)

        self.assertGreater(nearest(0.0), 0.085)
        self.assertLess(nearest(1.0), 0.085)

    def test_seed_decides(self):
        first, second, other = self.lesions(4), self.lesions(4), self.lesions(4, seed=1)
        for name, mask in first.masks((64, 64), 30.0).items():
            np.testing.assert_array_equal(mask, second.masks((64, 64), 30.0)[name])
        np.testing.assert_array_equal(first.new_vessels.positions, second.new_vessels.positions)
        self.assertFalse(np.array_equal(first.new_vessels.positions[:5], other.new_vessels.positions[:5]))

    def test_unknown_grade(self):
        with self.assertRaisesRegex(ConfigError, "grade 5"):
            self.lesions(5)

    def test_more_than_the_field_holds(self):
        with self.assertRaisesRegex(ConfigError, "soft exudates find room"):
            self.lesions(3, amounts={3: LesionAmounts(soft_exudates=(500, 500))})

    @parameterized.expand(
        [
            ({"haemorrhages": (4, 2)}, "haemorrhages"),
            ({"microaneurysms": (-1, 2)}, "microaneurysms"),
            ({"soft_exudates": 3}, "soft_exudates"),
            ({"star_share": 1.5}, "star_share"),
            ({"haemorrhages": (40, 60), "haemorrhages_in_each_quadrant": 11}, "haemorrhages_in_each_quadrant"),
        ]
    )
    def test_bad_amounts(self, settings, message):
        with self.assertRaisesRegex(ConfigError, message):
            LesionAmounts(**settings)


class TestNewVessels(EyesTestCase):
    def test_tuft_at_the_disc_reaches_beyond_it(self):
        geometry, trees = self.eyes[0]
        tree = grow_new_vessels(geometry, trees, 1, True, np.random.default_rng(0))
        away = np.linalg.norm(tree.positions - geometry.disc, axis=1) / geometry.disc_radii[1]
        self.assertLess(away.min(), 0.7)
        self.assertGreater(away.max(), 1.4)
        self.assertTrue((tree.parents < np.arange(len(tree.parents))).all())
        self.assertLess(tree.radii.max(), 0.006)

    def test_tuft_elsewhere_stands_on_a_vein(self):
        geometry, trees = self.eyes[1]
        tree = grow_new_vessels(geometry, trees, 1, False, np.random.default_rng(0))
        veins = next(item for item in trees if item.is_vein)
        start = tree.positions[tree.parents < 0]
        away = np.linalg.norm(start[:, None] - veins.positions[None], axis=2).min(axis=1)
        self.assertLess(away.max(), 0.02)
        self.assertGreater(np.linalg.norm(start - geometry.disc, axis=1).min(), geometry.disc_radii[1])

    def test_no_tuft(self):
        with self.assertRaisesRegex(ValueError, "num_tufts"):
            grow_new_vessels(*self.eyes[0], 0, True, np.random.default_rng(0))


class TestDrawLesions(unittest.TestCase):
    def test_ellipse_is_as_large_as_said(self):
        lesion = Lesion("haemorrhage", np.array([[0.1, -0.2, 0.3, 0.1, 0.5]]))
        mask = draw_lesions([lesion], (201, 221), 100.0, ["haemorrhage"])["haemorrhage"]
        self.assertAlmostEqual(mask.sum(), np.pi * 30 * 10, delta=20)
        rows, columns = np.nonzero(mask)
        np.testing.assert_allclose((columns.mean() - 110, rows.mean() - 100), (10.0, -20.0), atol=0.1)
        slope = np.polyfit(columns - columns.mean(), rows - rows.mean(), 1)[0]
        self.assertGreater(slope, 0.2)  # y points down, and so the angle turns with it

    def test_every_lesion_has_a_pixel(self):
        points = np.random.default_rng(0).uniform(-0.9, 0.9, size=(200, 2))
        for point in points:
            lesion = Lesion("microaneurysm", np.array([[*point, 1e-4, 1e-4, 0.0]]))
            mask = draw_lesions([lesion], (64, 64), 30.0, ["microaneurysm"])["microaneurysm"]
            self.assertTrue(1 <= mask.sum() <= 4)

    def test_level(self):
        lesion = Lesion("haemorrhage", np.array([[0.0, 0.0, 0.4, 0.3, 0.0]]), level=0.1)
        mask = draw_lesions([lesion], (101, 101), 50.0, ["haemorrhage"])["haemorrhage"]
        self.assertEqual(np.nonzero(mask)[0].min(), 55)
        self.assertEqual(np.nonzero(mask)[0].max(), 65)

    def test_beyond_the_picture(self):
        lesion = Lesion("haemorrhage", np.array([[1.5, 0.0, 0.1, 0.1, 0.0], [-1.5, 2.0, 0.1, 0.1, 0.0]]))
        self.assertFalse(draw_lesions([lesion], (64, 64), 30.0, ["haemorrhage"])["haemorrhage"][:, 50:].any())


class TestPaintLesions(unittest.TestCase):
    def paint(self, class_index, radius=6):
        label = np.ones((64, 64), dtype=np.uint8)
        inside = np.hypot(*np.meshgrid(np.arange(64) - 31.5, np.arange(64) - 31.5)) < radius
        label[inside] = class_index
        fundus = np.full((64, 64, 3), (187.0, 97.0, 57.0))
        return paint_lesions(fundus, label, 240.0, np.random.default_rng(0)), fundus, inside

    @parameterized.expand([("haemorrhage", HAEMORRHAGE), ("microaneurysm", MICRO)])
    def test_blood_is_darker_and_redder(self, _, index):
        image, fundus, inside = self.paint(index)
        middle, before = image[inside].mean(axis=0), fundus[inside].mean(axis=0)
        self.assertTrue((middle < 0.9 * before).all())
        self.assertGreater(middle[0] / middle[1], 1.3 * before[0] / before[1])
        np.testing.assert_allclose(image[:8], fundus[:8])

    def test_hard_exudate_is_yellow_and_soft_exudate_pale(self):
        hard, fundus, inside = self.paint(HARD)
        soft, _, _ = self.paint(SOFT, radius=12)
        middle = np.s_[30:34, 30:34]
        for image in (hard, soft):
            self.assertTrue((image[middle].mean(axis=(0, 1)) > 1.1 * fundus[0, 0]).all())
        ratio = [image[middle][..., 2].mean() / image[middle][..., 0].mean() for image in (hard, soft)]
        self.assertLess(ratio[0], ratio[1])

    def test_edges(self):
        """Green from inside to outside: within two pixels for a hard exudate, over more for the soft one."""
        steps = []
        for index in (HARD, SOFT):
            image, _, _ = self.paint(index, radius=12)
            steps.append(np.abs(np.diff(image[32, 32:, 1])).max() / np.ptp(image[32, :, 1]))
        self.assertGreater(steps[0], 0.4)
        self.assertLess(steps[1], 0.3)

    def test_no_lesion_no_change(self):
        for index in (0, 1, 2, DISC):
            image, fundus, _ = self.paint(index)
            np.testing.assert_array_equal(image, fundus)

    def test_other_shape(self):
        with self.assertRaisesRegex(ValueError, "label_map"):
            paint_lesions(np.zeros((8, 8, 3)), np.zeros((8, 9), np.uint8), 4.0, np.random.default_rng(0))


class TestPhantomWithLesions(unittest.TestCase):
    def phantom(self, size, grades=None, **settings):
        return FundusPhantom(size, seed=1, label_set="fundus_lesion", grades=grades, **settings)

    def test_grades_take_turns(self):
        self.assertEqual([self.phantom(64).grade(index) for index in range(6)], [0, 1, 2, 3, 4, 0])
        self.assertEqual([self.phantom(64, [3, 1]).grade(index) for index in range(3)], [3, 1, 3])
        self.assertIsNone(FundusPhantom(64).grade(0))

    def test_definition_of_the_grades_at_512(self):
        maps = [self.phantom(512, [grade]).label_map(0) for grade in range(5)]
        self.assertEqual(set(np.unique(maps[0])), {0, 1, 2, DISC})
        self.assertEqual(set(np.unique(maps[1])), {0, 1, 2, DISC, MICRO})
        figures = [lesion_statistics(label) for label in maps]
        self.assertGreater(figures[3]["haemorrhages_in_emptiest_quadrant"], 20)
        self.assertGreater(figures[4]["vessel_share"], figures[3]["vessel_share"])
        self.assertGreater(figures[4]["vessel_share"], figures[0]["vessel_share"])
        self.assertGreater(figures[2]["haemorrhage_count"], 0)
        for name in ("microaneurysm", "haemorrhage"):
            counts = [figure[f"{name}_count"] for figure in figures[:4]]
            self.assertEqual(counts, sorted(counts), name)
        for label in maps:
            np.testing.assert_array_equal(label > 0, self.phantom(512).field_of_view())

    @parameterized.expand([(64,), (96,), ((128, 160),), (131,)])
    def test_any_size(self, size):
        shares = []
        for grade in range(5):
            image, label = self.phantom(size, [grade]).pair(2)
            self.assertEqual((image.shape[:2], image.dtype, label.dtype), (label.shape, np.uint8, np.uint8))
            self.assertEqual(bool((label >= SOFT).any()), grade > 0)
            shares.append((label >= SOFT).mean())
            np.testing.assert_array_equal(label, self.phantom(size, [grade]).label_map(2))
        self.assertEqual(shares[:4], sorted(shares[:4]))
        self.assertGreater(shares[4], shares[1])

    def test_grade_0_is_the_healthy_phantom(self):
        image, label = self.phantom(96, [0]).pair(1)
        healthy, vessels = FundusPhantom(96, seed=1).pair(1)
        np.testing.assert_array_equal(image, healthy)
        np.testing.assert_array_equal(label[label != DISC], vessels[label != DISC])

    def test_photograph_shows_the_lesions_and_nothing_else_changes(self):
        healthy = FundusPhantom(256, seed=1).pair(1)[0].astype(float)
        image, label = self.phantom(256, [3]).pair(1)
        change = (image - healthy)[..., 1]
        self.assertLess(change[label == HAEMORRHAGE].mean(), -15)
        self.assertLess(change[label == MICRO].mean(), -8)
        self.assertGreater(change[label == HARD].mean(), 25)
        self.assertGreater(change[label == SOFT].mean(), 15)
        self.assertLess(np.abs(change[label == DISC]).mean(), 2)

    def test_own_amounts(self):
        amounts = {"1": LesionAmounts(microaneurysms=(40, 40))}
        label = self.phantom(256, [1], lesion_amounts=amounts).label_map(0)
        self.assertAlmostEqual(lesion_statistics(label)["microaneurysm_count"], 40, delta=2)

    @parameterized.expand(
        [
            ({"grades": [0, 5]}, "grade 5"),
            ({"grades": [-1]}, "grade -1"),
            ({"grades": [1.5]}, "grade 1.5"),
            ({"grades": []}, "grades must be"),
            ({"grades": "3"}, "grades must be"),
            ({"size": 48}, "64 px or more"),
            ({"lesion_amounts": {7: LesionAmounts()}}, "lesion_amounts"),
            ({"lesion_amounts": {1: 3}}, "lesion_amounts"),
            ({"label_set": "fundus_vessel", "grades": [1]}, "label set with lesions"),
            ({"label_set": "fundus_disc_vessel"}, "fundus_disc_vessel"),
        ]
    )
    def test_bad_settings(self, settings, message):
        with self.assertRaisesRegex(ConfigError, message):
            FundusPhantom(**{"size": 64, "label_set": "fundus_lesion", **settings})


if __name__ == "__main__":
    unittest.main()
