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
from collections import Counter

import numpy as np
import torch
from monai.data import MetaTensor
from parameterized import parameterized

from monai_retinasynth.metrics import vessel_morphometry
from monai_retinasynth.simulation import FundusPhantom
from monai_retinasynth.transforms import (
    Dot,
    LabelMapToDotsD,
    LabelMapToDotsd,
    LabelMapToDotsDict,
    dot_label_set,
    dots,
    draw_dots,
    find_dots,
    label_map_to_dots,
)
from monai_retinasynth.utils import CHEST_ORGANS, ConfigError, DataError, from_picture, get_label_set

SHAPES = {
    "name": "shapes",
    "class_names": ("background", "square", "disc"),
    "colors": ((0, 0, 0), (200, 0, 0), (0, 200, 0)),
}
LESION = get_label_set("fundus_lesion").index


def empty(shape=(60, 80)) -> np.ndarray:
    return np.zeros(shape, np.uint8)


def cross() -> np.ndarray:
    """An eye with a vessel cross."""
    label = empty() + 1
    label[:, :4] = 0
    label[29:32, 10:71] = 2
    label[5:56, 39:42] = 2
    return label


def chest() -> np.ndarray:
    """Two lungs, a clavicle over each, and a heart."""
    label, name = empty((120, 160)), get_label_set("chest_organ").index
    label[10:110, 20:70], label[10:110, 90:140] = name("right_lung"), name("left_lung")
    label[70:100, 72:88] = name("heart")
    for side, columns, lung in (("right", np.s_[10:75], np.s_[20:70]), ("left", np.s_[85:150], np.s_[90:140])):
        label[20:26, columns] = name(f"{side}_clavicle")
        label[20:26, lung] = name(f"{side}_clavicle_over_lung")
    return label


class TestObjects(unittest.TestCase):
    def test_one_dot_for_each_object_at_its_centroid(self):
        label = empty()
        label[10:21, 20:31] = 1
        label[40:43, 50:61] = 1
        label[21:24, 31:34] = 1  # hangs on the first square by a corner
        label[50:55, 10:15] = 2
        found = dots(label, SHAPES, radius=3)
        self.assertEqual([(d.class_name, d.radius) for d in found], [("square", 3.0)] * 2 + [("disc", 3.0)])
        self.assertEqual([(d.row, d.column) for d in found], [(15, 25), (41, 55), (52, 12)])

    def test_bent_object_has_its_dot_inside(self):
        label = empty()
        label[10:41, 20:51] = 1
        label[15:36, 25:51] = 0  # a C, open to the right
        (dot,) = dots(label, SHAPES)
        rows, columns = np.nonzero(label)
        self.assertEqual(label[int(round(rows.mean())), int(round(columns.mean()))], 0)
        self.assertEqual((dot.row, dot.column), (25, 24))  # on its back, level with the centroid

    def test_touching_objects_of_two_classes(self):
        label = empty()
        label[10:21, 20:31] = 1
        label[10:21, 31:42] = 2
        found = dots(label, SHAPES)
        self.assertEqual([(d.row, d.column, d.class_name) for d in found], [(15, 25, "square"), (15, 36, "disc")])
        (one,) = dots(label, SHAPES, merge={"both": ("square", "disc")})
        self.assertEqual((one.class_name, one.row), ("both", 15))
        self.assertIn(one.column, (30, 31))

    def test_size(self):
        label = empty()
        label[5:45, 5:45] = 1  # as large as a disc of radius 22.6
        label[50:53, 60:63] = 1
        label[2, 70] = 1
        radii = [d.radius for d in dots(label, SHAPES, radius=1, sized=True, min_area=2)]
        self.assertEqual(radii, [6.0, 1.0])
        radii = [d.radius for d in dots(label, SHAPES, radius=1, sized=True, size_factor=0.5, max_radius=9)]
        self.assertEqual(sorted(radii), [1.0, 1.0, 9.0])

    def test_organs_under_clavicles_are_whole(self):
        labels = dot_label_set("chest_organ", merge=CHEST_ORGANS)
        self.assertEqual(
            labels.class_names, ("background", "right_lung", "left_lung", "heart", "right_clavicle", "left_clavicle")
        )
        self.assertEqual(labels.colors[3], get_label_set("chest_organ").colors[3])
        found = dots(chest(), "chest_organ", merge=CHEST_ORGANS)
        self.assertEqual([d.class_name for d in found], list(labels.class_names[1:]))
        self.assertLess(abs(found[0].row - 59.5), 1)  # the whole lung's, 10 to 109
        self.assertLess(abs(found[3].column - 42), 1)  # the whole clavicle's, 10 to 74
        # without, the clavicle cuts the lung and itself into pieces
        names = Counter(d.class_name for d in dots(chest(), "chest_organ"))
        self.assertEqual((names["right_lung"], names["right_clavicle"]), (2, 2))


class TestLines(unittest.TestCase):
    def test_cross_has_one_bifurcation_and_four_ends(self):
        found = dots(cross(), "fundus_vessel")
        self.assertEqual([d.class_name for d in found], ["vessel_bifurcation"] + ["vessel_end"] * 4)
        self.assertLessEqual(np.hypot(found[0].row - 30, found[0].column - 40), 1.5)

    def test_dots_along(self):
        found = dots(cross(), "fundus_vessel", spacing=10)
        along = [d for d in found if d.class_name == "vessel_along"]
        self.assertEqual(len(along), 6)  # arms of 28 pixels in three parts, of 23 in two
        self.assertTrue(all(min(abs(d.row - 30), abs(d.column - 40)) <= 1 for d in along))

    def test_size_is_half_the_width(self):
        label = empty() + 1
        label[20:29, 10:70] = 2
        found = [d for d in dots(label, "fundus_vessel", radius=0, spacing=15, sized=True) if 20 < d.column < 60]
        self.assertEqual(len(found), 3)
        self.assertEqual({d.radius for d in found}, {4.0})

    def test_label_set_of_dots(self):
        labels = dot_label_set("fundus_disc_vessel", spacing=9)
        self.assertEqual(labels.name, "fundus_disc_vessel_dots")
        self.assertEqual(
            labels.class_names,
            ("outside", "retina", "optic_disc", "vessel_bifurcation", "vessel_end", "vessel_along"),
        )
        self.assertEqual(labels.colors[:4], get_label_set("fundus_disc_vessel").colors)
        self.assertEqual(len(set(labels.colors)), 6)
        self.assertEqual(dot_label_set("fundus_vessel").num_classes, 4)
        as_object = dot_label_set("fundus_vessel", point_classes=["vessel"], skeleton_classes=[])
        self.assertEqual(as_object.class_names, ("outside", "retina", "vessel"))

    @parameterized.expand([(1, 0.95), (2, 0.8)])
    def test_simulated_trees(self, radius, share):
        phantom = FundusPhantom(size=256, seed=3)
        for index in range(2):
            label = phantom.label_map(index)
            expected = vessel_morphometry(label == 2)
            names = Counter(d.class_name for d in dots(label, "fundus_vessel", radius=radius))
            # less those whose discs would touch
            self.assertLessEqual(names["vessel_bifurcation"], expected["bifurcations"])
            self.assertGreater(names["vessel_bifurcation"], share * expected["bifurcations"])
            self.assertGreater(names["vessel_end"], 0.7 * expected["end_points"])


class TestMapsOfDots(unittest.TestCase):
    def test_eye_keeps_its_outline(self):
        label = cross()
        label[10:15, 60:65] = 0
        dot_map = label_map_to_dots(label, "fundus_vessel", radius=1)
        self.assertEqual(dot_map.dtype, np.uint8)
        np.testing.assert_array_equal(dot_map == 0, label == 0)
        self.assertEqual(Counter(dot_map.ravel())[2], 5)  # one dot of radius 1
        self.assertEqual(Counter(dot_map.ravel())[3], 20)
        self.assertTrue((label[dot_map > 1] >= 1).all())

    def test_classes_left_out_become_background(self):
        label = empty((40, 40)) + 1
        label[10:20, 10:20], label[25:30, 25:30] = LESION("haemorrhage"), LESION("optic_disc")
        dot_map = label_map_to_dots(label, "fundus_lesion", point_classes=["optic_disc"], skeleton_classes=[])
        self.assertEqual(set(np.unique(dot_map)), {1, 2})
        self.assertEqual(dot_map[27, 27], 2)

    @parameterized.expand([(0, {}), (1, {"spacing": 16}), (2, {"spacing": 16}), (1, {"sized": True, "max_radius": 3})])
    def test_round_trip(self, radius, options):
        for label, name in (
            (FundusPhantom(size=256, seed=3).label_map(1), "fundus_vessel"),
            (chest(), "chest_organ"),
            (cross(), "fundus_vessel"),
        ):
            merge = CHEST_ORGANS if name == "chest_organ" else None
            labels = dot_label_set(name, merge=merge, spacing=options.get("spacing"))
            found = dots(label, name, radius, merge=merge, **options)
            self.assertGreater(len(found), 4)
            self.assertEqual(find_dots(draw_dots(found, label.shape, labels), labels), found)
            dot_map = label_map_to_dots(label, name, radius, merge=merge, **options)
            self.assertEqual(find_dots(dot_map, labels), found)

    def test_small_dot_shows_on_a_large_one(self):
        points = [Dot(20, 20, "disc", 1), Dot(20, 22, "square", 6), Dot(0, 79, "disc", 3)]
        for order in (points, points[::-1]):
            drawn = draw_dots(order, (60, 80), SHAPES)
            self.assertEqual((drawn[20, 20], drawn[20, 22], drawn[0, 79]), (2, 1, 2))
            self.assertEqual((drawn == 2).sum(), 5 + 11)  # the corner holds a quarter of the disc of 29 pixels

    def test_stray_pixels_of_a_generated_map(self):
        drawn = draw_dots([Dot(20, 20, "disc", 2)], (60, 80), SHAPES)
        drawn[40, 40] = 1
        self.assertEqual(len(find_dots(drawn, SHAPES)), 2)
        self.assertEqual(find_dots(drawn, SHAPES, min_area=3), [Dot(20, 20, "disc", 2.0)])

    def test_drawing_errors(self):
        for call in (
            lambda: draw_dots([Dot(60, 0, "disc", 1)], (60, 80), SHAPES),
            lambda: draw_dots([Dot(6, 0, "triangle", 1)], (60, 80), SHAPES),
            lambda: draw_dots([], (60, 80), SHAPES, background=empty((80, 60))),
        ):
            with self.assertRaises(DataError):
                call()


class TestErrors(unittest.TestCase):
    def test_settings(self):
        for options, message in [
            ({"point_classes": ["triangle"]}, "triangle.*name one or more of"),
            ({"point_classes": ["background"]}, "cannot make dots of"),
            ({"point_classes": ["disc"], "skeleton_classes": ["disc"]}, "each once"),
            ({"point_classes": []}, "name one or more"),
            ({"merge": {"all": ["background", "disc"]}}, "merge joins"),
            ({"merge": {"all": []}}, "merge joins"),
            ({"merge": {"disc": ["square"]}}, "itself among them"),
            ({"radius": -1}, "radius of 0 or more"),
            ({"spacing": 1}, "spacing of 2 or more"),
            ({"min_area": 0}, "min_area of 1"),
            ({"sized": True, "radius": 20}, "max_radius"),
        ]:
            with self.assertRaisesRegex(ConfigError, message):
                LabelMapToDotsd("label", SHAPES, **options)
        with self.assertRaisesRegex(DataError, "no class 'triangle'"):
            dots(empty(), SHAPES, merge={"all": ["triangle"]})
        with self.assertRaises(TypeError):
            LabelMapToDotsd("label", SHAPES, radiuss=2)

    def test_maps(self):
        with self.assertRaisesRegex(DataError, "values 0 to 3"):
            dots(np.diag([0, 1, 2, 3]), SHAPES)
        with self.assertRaisesRegex(ValueError, "shape"):
            dots(empty((1, 60, 80)), SHAPES)
        self.assertEqual(dots(empty(), SHAPES), [])
        self.assertEqual(find_dots(empty(), SHAPES), [])
        self.assertEqual(label_map_to_dots(empty(), SHAPES).max(), 0)


class TestLabelMapToDotsd(unittest.TestCase):
    def test_same_as_the_function(self):
        label = cross()
        data = {"label": from_picture(label), "case_id": "eye"}
        transform = LabelMapToDotsd("label", "fundus_vessel", dot_keys="dots", radius=1, spacing=10)
        result = transform(data)
        expected = label_map_to_dots(label, "fundus_vessel", radius=1, spacing=10)
        torch.testing.assert_close(result["dots"], from_picture(expected))
        self.assertEqual(tuple(result["dots"].shape), (1, 80, 60))
        torch.testing.assert_close(result["label"], from_picture(label))
        self.assertNotIn("dots", data)
        in_place = LabelMapToDotsd("label", "fundus_vessel", radius=1, spacing=10)(data)
        torch.testing.assert_close(in_place["label"], result["dots"])
        self.assertIs(LabelMapToDotsD, LabelMapToDotsd)
        self.assertIs(LabelMapToDotsDict, LabelMapToDotsd)
        LabelMapToDotsd("other", "fundus_vessel", allow_missing_keys=True)(data)

    def test_map_without_dots(self):
        retina = from_picture(empty() + 1)
        transform = LabelMapToDotsd("label", "fundus_vessel")
        with self.assertRaisesRegex(DataError, "case eye-7 gives a dot map without dots.*allow_empty"):
            transform({"label": retina, "case_id": "eye-7"})
        named = MetaTensor(retina, meta={"filename_or_obj": "labels/eye-8.png"})
        with self.assertRaisesRegex(DataError, "labels/eye-8.png"):
            transform({"label": named})
        result = LabelMapToDotsd("label", "fundus_vessel", allow_empty=True)({"label": retina})
        torch.testing.assert_close(result["label"], retina)


if __name__ == "__main__":
    unittest.main()
