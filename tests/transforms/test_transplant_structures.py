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
import torch
from monai.transforms import Compose
from parameterized import parameterized
from scipy import ndimage

from monai_retinasynth.simulation import FundusPhantom
from monai_retinasynth.transforms import (
    DrawLogRatiod,
    WarpStructures,
    WarpStructuresd,
    draw_log_ratio,
    structure_log_ratio,
)
from monai_retinasynth.transforms.field_of_view import field_of_view_scale
from monai_retinasynth.transforms.remove_structures import remove_structures
from monai_retinasynth.utils.errors import ConfigError, DataError

STILL = {"rotation_degrees": 0, "zoom": (1, 1), "elastic": 0, "mirror": (0, 0)}


def eye(size: int = 270) -> tuple[torch.Tensor, torch.Tensor]:
    image, label = FundusPhantom(size, seed=4).pair(0)
    return torch.from_numpy(image.T.copy()).float(), torch.from_numpy(label.T.copy())[None]


class TestLogRatio(unittest.TestCase):
    def test_drawn_on_its_own_background_it_is_the_photograph(self):
        image, label = eye()
        vessel, inside = label[0].numpy() == 2, label[0].numpy() > 0
        ratio = structure_log_ratio(image.numpy(), vessel, inside)
        background = remove_structures(image.numpy(), vessel, inside)
        drawn = draw_log_ratio(background, ratio, label).numpy()
        within = vessel & (np.hypot(*(np.mgrid[:270, :270] - 134.5)) < 118)
        error, missing = (np.abs(picture - image.numpy())[:, within].mean() for picture in (drawn, background))
        self.assertLess(error, 0.45 * missing)
        self.assertEqual(float(np.abs(ratio[:, ~inside]).max()), 0)

    def test_nothing_is_taken_from_the_rim_that_backgrounds_fill(self):
        image, label = eye()
        vessel, inside = label[0].numpy() == 2, label[0].numpy() > 0
        depth = ndimage.distance_transform_edt(inside) / field_of_view_scale(inside)
        taken = np.abs(structure_log_ratio(image.numpy(), vessel, inside)).max(axis=0) > 0
        self.assertTrue((taken & (depth < 12)).any())
        self.assertFalse((taken & (depth < 8)).any())

    def test_no_structures(self):
        image, label = eye(64)
        ratio = structure_log_ratio(image.numpy(), np.zeros((64, 64), bool), label[0].numpy() > 0)
        self.assertEqual(float(np.abs(ratio).max()), 0)

    def test_sizes(self):
        with self.assertRaisesRegex(DataError, "do not fit together"):
            draw_log_ratio(torch.zeros(1, 8, 8), torch.zeros(3, 8, 8), torch.ones(1, 8, 8))


class TestWarpStructures(unittest.TestCase):
    def test_standing_still_changes_nothing(self):
        image, label = eye()
        moved, ratio = WarpStructures(**STILL)(image, label)
        torch.testing.assert_close(moved, label)
        own = structure_log_ratio(image.numpy(), label[0].numpy() == 2, label[0].numpy() > 0)
        np.testing.assert_allclose(ratio.numpy(), own, atol=1e-3)

    def test_mirrored_both(self):
        image, label = eye()
        moved, ratio = WarpStructures(**{**STILL, "mirror": (1, 0)})(image, label)
        torch.testing.assert_close(moved, label.flip(1))
        own = structure_log_ratio(image.numpy(), label[0].numpy() == 2, label[0].numpy() > 0)
        np.testing.assert_allclose(ratio.numpy(), own[:, ::-1], atol=1e-3)

    def test_label_map_and_ratio_move_together(self):
        image, label = eye()
        for seed in range(3):
            moved, ratio = WarpStructures()(image, label, seed)
            vessel = moved[0] == 2
            self.assertEqual((moved.dtype, moved.shape, ratio.shape), (torch.uint8, label.shape, image.shape))
            self.assertTrue(((moved > 0) == (label > 0)).all())
            self.assertLess(float((vessel & (label[0] == 2)).sum() / vessel.sum()), 0.6)  # it has moved
            self.assertAlmostEqual(float(vessel.sum() / (label == 2).sum()), 1.0, delta=0.3)
            self.assertLess(float(ratio[1][vessel].mean()), 4 * float(ratio[1][~vessel].mean()))

    def test_seeded(self):
        image, label = eye(128)
        warp = WarpStructures()
        torch.testing.assert_close(warp(image, label, 4), warp(image, label, 4), atol=0, rtol=0)
        self.assertFalse(torch.equal(warp(image, label, 4)[0], warp(image, label, 5)[0]))

    def test_other_classes(self):
        image, label = eye(128)
        label[0, 60:80, 60:80] = 3
        moved, _ = WarpStructures("fundus_lesion", ["optic_disc", "vessel"])(image, label, 2)
        self.assertEqual(moved.unique().tolist(), [0, 1, 2, 3])
        self.assertAlmostEqual(int((moved == 3).sum()), 400, delta=150)
        only, _ = WarpStructures("fundus_lesion", ["optic_disc"])(image, label, 2)
        self.assertEqual(only.unique().tolist(), [0, 1, 3])

    @parameterized.expand(
        [
            ({"zoom": (1.2, 0.9)}, "zoom"),
            ({"rotation_degrees": -1}, "rotation_degrees"),
            ({"elastic": -1}, "elastic"),
            ({"mirror": (2, 0)}, "mirror"),
            ({"classes": ["disc"]}, "disc"),
        ]
    )
    def test_bad_settings(self, settings, message):
        with self.assertRaisesRegex(ConfigError, message):
            WarpStructures(**settings)


class TestDictionaries(unittest.TestCase):
    def test_a_case_of_another_eye(self):
        image, label = eye(128)
        ground = torch.full((3, 128, 128), 120, dtype=torch.uint8)
        chain = Compose([WarpStructuresd(seed=3), DrawLogRatiod()])
        case = {"image": image, "label": label, "background": ground, "index": 5}
        result = chain(case)
        vessel = result["label"][0] == 2
        self.assertEqual(result["painted"].dtype, torch.float32)
        self.assertLess(float(result["painted"][1][vessel].mean()), 116)
        self.assertEqual(float(result["painted"][:, label[0] == 0].abs().max()), 0)
        torch.testing.assert_close(chain(case)["painted"], result["painted"], atol=0, rtol=0)
        self.assertFalse(torch.equal(chain({**case, "index": 6})["label"], result["label"]))

    def test_a_label_map_alone(self):
        image, label = eye(128)
        warp = WarpStructuresd(seed=3, allow_missing_keys=True)
        alone = warp({"label": label, "index": 5})
        self.assertTrue(torch.equal(alone["label"], warp({"label": label, "image": image, "index": 5})["label"]))
        self.assertNotIn("log_ratio", alone)
        with self.assertRaisesRegex(KeyError, "image"):
            WarpStructuresd(seed=3)({"label": label, "index": 5})

    def test_bad_input_names_the_case(self):
        image, label = eye(64)
        with self.assertRaisesRegex(ConfigError, "without 'index'"):
            WarpStructuresd()({"image": image, "label": label})
        with self.assertRaisesRegex(DataError, "case dark: .*black"):
            WarpStructuresd()({"image": image * 0, "label": label, "index": 0, "case_id": "dark"})
        with self.assertRaisesRegex(DataError, "case eye: .*fit together"):
            DrawLogRatiod()({"log_ratio": image, "background": image[:1], "label": label, "case_id": "eye"})
        with self.assertRaisesRegex(ConfigError, "one photograph"):
            WarpStructuresd(keys=["a", "b"])


if __name__ == "__main__":
    unittest.main()
