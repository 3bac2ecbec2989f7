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

from monai_retinasynth.simulation import FundusPhantom
from monai_retinasynth.transforms import DecoyBackgroundsd, RandBackgroundVariantd
from monai_retinasynth.utils import ConfigError, DataError, from_picture


class TestDecoyBackgrounds(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        phantom = FundusPhantom(size=96, seed=0)
        cls.labels = [from_picture(phantom.label_map(number)) for number in range(3)]
        # two levels and grain, so that it shows where something was filled
        label = cls.labels[0][0].numpy()
        grain = np.random.default_rng(0).normal(0, 6, (3, *label.shape))
        picture = np.where(label == 2, 60, 140)[None] * (label > 0) + grain
        cls.image = torch.from_numpy(np.clip(picture, 0, 255).astype(np.uint8))
        cls.case = {"image": cls.image, "label": cls.labels[0], "case_id": "eye"}

    def made(self, case_id="eye", **settings) -> torch.Tensor:
        return DecoyBackgroundsd(decoy_labels=self.labels[1:], **settings)({**self.case, "case_id": case_id})[
            "background"
        ]

    def test_structures_are_gone_and_decoys_are_filled(self):
        made = self.made(num_variants=2)
        self.assertEqual((tuple(made.shape), made.dtype), ((6, 96, 96), torch.uint8))
        vessel, inside = self.labels[0][0] == 2, self.labels[0][0] > 0
        bare = DecoyBackgroundsd(decoy_labels=[self.labels[1] * 0 + 1], num_variants=1)(self.case)["background"]
        for variant in (made[:3], made[3:]):
            self.assertGreater(variant[:, vessel].float().mean(), 110)
            elsewhere = inside & ~vessel
            changed, changed_bare = ((v != self.image).any(0) & elsewhere for v in (variant, bare))
            self.assertGreater(int(changed.sum()), 1.2 * int(changed_bare.sum()))
        self.assertFalse(torch.equal(made[:3], made[3:]))

    def test_what_is_drawn_depends_on_seed_and_name_alone(self):
        transform = DecoyBackgroundsd(decoy_labels=self.labels[1:])
        first = transform(self.case)["background"]
        other = transform({**self.case, "case_id": "another"})["background"]
        self.assertTrue(torch.equal(transform(self.case)["background"], first))
        self.assertFalse(torch.equal(first, other))
        self.assertFalse(torch.equal(first, self.made(seed=1)))

    def test_calls_leave_nothing_behind(self):
        transform = DecoyBackgroundsd(decoy_labels=self.labels[1:])
        before = dict(vars(transform.remove))
        transform(self.case)
        self.assertEqual(vars(transform.remove), before)  # it is shared by threads that fill a cache

    def test_decoys_of_another_size(self):
        large = [torch.nn.functional.interpolate(self.labels[1][None], size=(120, 130))[0]]
        made = DecoyBackgroundsd(decoy_labels=large, num_variants=1)(self.case)["background"]
        self.assertEqual(tuple(made.shape), (3, 96, 96))

    def test_a_variant_is_chosen(self):
        variants = self.made(num_variants=2)
        choose = RandBackgroundVariantd(num_variants=2).set_random_state(0)
        found = [choose({"background": variants})["background"] for _ in range(12)]
        self.assertEqual({torch.equal(v, variants[:3]) for v in found}, {True, False})
        self.assertTrue(all(torch.equal(v, variants[:3]) or torch.equal(v, variants[3:]) for v in found))

    def test_errors(self):
        with self.assertRaisesRegex(ConfigError, "from 0 label maps"):
            DecoyBackgroundsd()
        with self.assertRaisesRegex(DataError, "case eye: .*no pixel of the classes"):
            DecoyBackgroundsd(decoy_labels=self.labels)({**self.case, "label": self.labels[0].clamp(max=1)})


if __name__ == "__main__":
    unittest.main()
