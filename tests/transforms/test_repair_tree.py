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
from parameterized import parameterized
from scipy import ndimage

from monai_retinasynth.metrics import vessel_morphometry
from monai_retinasynth.simulation import FundusPhantom
from monai_retinasynth.transforms import RepairTree, RepairTreed
from monai_retinasynth.utils import ConfigError, DataError

SIZE = 540  # field of view of 540 pixels: lengths are pixels


def field() -> np.ndarray:
    x, y = np.indices((560, 560)) - 279.5
    return (np.hypot(x, y) <= SIZE / 2).astype(np.uint8)


def tensor(label: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(label)[None]


def count(label: torch.Tensor) -> int:
    return ndimage.label(label[0].numpy() == 2, np.ones((3, 3)))[1]


class TestRepairTree(unittest.TestCase):
    @parameterized.expand([(6, 0.0, 1), (14, 0.0, 2), (14, 0.5, 1), (60, 1.0, 1), (150, 1.0, 2)])
    def test_joins_where_the_path_is_cheap(self, gap, evidence, left):
        label, support = field(), np.zeros((560, 560), dtype=np.float32)
        label[100:250, 279:282] = 2
        label[250 + gap : 450, 279:282] = 2
        support[:, 280] = evidence
        repaired, counts = RepairTree(border=0)(tensor(label), tensor(support))
        self.assertEqual((count(repaired), counts.pieces, counts.removed), (left, 2, 0))
        self.assertEqual(counts.joined, 2 - left)
        drawn = (repaired[0].numpy() == 2) & (label != 2)
        if left == 1:  # as wide as what it joins, and nowhere else
            self.assertAlmostEqual(drawn.sum() / gap, 3, delta=0.7)
            x, y = np.nonzero(drawn)
            self.assertTrue(x.min() >= 248 and x.max() <= 250 + gap + 1 and y.min() >= 277 and y.max() <= 283)
            self.assertAlmostEqual(counts.share_added, drawn.sum() / (repaired == 2).sum().item())
        else:
            self.assertEqual(drawn.sum(), 0)

    def test_follows_the_evidence_around_a_corner(self):
        label, support = field(), np.zeros((560, 560), dtype=np.float32)
        label[100:250, 280] = 2
        label[260:400, 300] = 2
        support[250:256, 280] = support[255, 280:301] = support[255:261, 300] = 1
        repaired, _ = RepairTree(border=0, max_cost=6)(tensor(label), tensor(support))
        self.assertEqual(count(repaired), 1)
        self.assertTrue(bool((repaired[0, 255, 285:296] == 2).all()))

    def test_chains_and_crumbs(self):
        label = field()
        for start in range(100, 400, 40):  # seven gaps of four pixels
            label[start : start + 36, 280:282] = 2
        label[200:206, 400:403] = 2  # far from all
        label[200:230, 290:292] = 2  # beside the tree
        repaired, counts = RepairTree(border=0)(tensor(label))
        self.assertEqual((count(repaired), counts.pieces, counts.joined, counts.removed), (1, 10, 8, 1))
        self.assertTrue(bool((repaired[0, 200:206, 400:403] == 1).all()))
        self.assertAlmostEqual(counts.share_removed, 18 / (label == 2).sum())

    def test_large_pieces_stay(self):
        label = field()
        label[100:450, 200] = 2
        label[200:300, 350] = 2
        repair = RepairTree(border=0, least_share=0.2)
        self.assertEqual(count(repair(tensor(label))[0]), 2)
        self.assertEqual(count(RepairTree(border=0, least_share=0.3)(tensor(label))[0]), 1)

    def test_ends_are_led_to_the_border(self):
        label = field()
        label[18:300, 279:282] = 2  # ends 8 pixels inside the border at one side, in the middle at the other
        repaired, counts = RepairTree()(tensor(label))
        self.assertEqual(counts.extended, 1)
        column = repaired[0, :, 280].numpy()
        self.assertEqual((column[np.flatnonzero(column)[0]], column[300]), (2, 1))
        self.assertEqual(RepairTree(border=0)(tensor(label))[1].extended, 0)
        label = field()
        x, y = np.indices(label.shape) - 279.5
        along = (np.abs(np.hypot(x, y) - 262) < 1.5) & (x > 50) & (y > 50)  # runs along the border
        label[along] = 2
        self.assertEqual(RepairTree()(tensor(label))[1].extended, 0)

    def test_broken_trees_become_like_whole_ones(self):
        phantom = FundusPhantom(400, seed=1)
        for index in range(2):
            whole = phantom.label_map(index)
            rng = np.random.default_rng(index)
            holes = np.zeros(whole.shape, dtype=bool)
            for x, y in rng.integers(0, 400, (120, 2)):
                holes[max(x - 2, 0) : x + 3, max(y - 2, 0) : y + 3] = True
            broken = np.where((whole == 2) & holes, 1, whole).astype(np.uint8)
            repaired, counts = RepairTree()(tensor(broken))
            figures = [vessel_morphometry(m == 2, m > 0) for m in (whole, broken, repaired[0].numpy())]
            self.assertGreater(figures[1]["components"], 15)
            self.assertLess(figures[2]["components"], figures[0]["components"] + 5)
            self.assertLess(counts.share_added, 0.1)
            true, drawn = whole == 2, repaired[0].numpy() == 2
            self.assertGreater(2 * (true & drawn).sum() / (true.sum() + drawn.sum()), 0.95)

    def test_dictionary_form_and_determinism(self):
        label = field()
        label[100:250, 279:282] = 2
        label[256:450, 279:282] = 2
        support = torch.full((1, 560, 560), 0.3)
        repair = RepairTreed("label", evidence_key="ridge")
        case = repair({"label": tensor(label), "ridge": support})
        expected, counts = RepairTree()(tensor(label), support)
        self.assertTrue(torch.equal(case["label"], expected))
        self.assertEqual(case["repair"], counts.to_dict())
        self.assertEqual(case["repair"]["joined"], 1)
        self.assertNotIn("repair", RepairTreed("label", counts_key=None)({"label": tensor(label)}))

    def test_nothing_to_repair(self):
        bare = tensor(field())
        repaired, counts = RepairTree()(bare)
        self.assertTrue(torch.equal(repaired, bare))
        self.assertEqual(counts.pieces, 0)
        outside = torch.zeros(1, 40, 40, dtype=torch.uint8)
        self.assertTrue(torch.equal(RepairTree()(outside)[0], outside))
        full = torch.full((1, 40, 40), 2, dtype=torch.uint8)
        self.assertTrue(torch.equal(RepairTree()(full)[0], full))

    def test_errors(self):
        for wrong in ({"thin_class": 0}, {"max_cost": -1}, {"least_share": 2}, {"border": -1}):
            with self.assertRaisesRegex(ConfigError, "RepairTree needs"):
                RepairTree(**wrong)
        label = field()
        label[100:250, 280] = 2
        with self.assertRaisesRegex(DataError, "differ in size"):
            RepairTree()(tensor(label), torch.zeros(1, 64, 64))


if __name__ == "__main__":
    unittest.main()
