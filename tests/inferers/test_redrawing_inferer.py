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

import torch
from monai.inferers import SimpleInferer

from monai_retinasynth.inferers import RedrawingInferer
from monai_retinasynth.utils import ConfigError, seeded_latents


def network(latents: torch.Tensor) -> torch.Tensor:
    return latents[:, :4].reshape(-1, 1, 2, 2).clone()


def negative(drawn: torch.Tensor) -> list[str]:
    return ["the first is negative"] if drawn[0, 0, 0] < 0 else []


class TestRedrawingInferer(unittest.TestCase):
    def test_only_what_is_refused_is_drawn_anew(self):
        latents = seeded_latents(range(12), 8, seed=0)
        plain, inferer = network(latents), RedrawingInferer(SimpleInferer(), negative, max_attempts=20)
        drawn = inferer(latents, network)
        self.assertTrue((drawn[:, 0, 0, 0] >= 0).all())
        good = plain[:, 0, 0, 0] >= 0
        self.assertTrue(0 < int(good.sum()) < 12)
        self.assertTrue(torch.equal(drawn[good], plain[good]))
        self.assertFalse((drawn[~good] == plain[~good]).any())
        for latent, kept in zip(latents, good):
            record = inferer.record(latent)
            self.assertTrue(record["accepted"])
            self.assertEqual(record["attempts"] == 1, bool(kept))
            self.assertEqual(record["refused"], ["the first is negative"] * (record["attempts"] - 1))

    def test_a_sample_is_the_same_in_any_batch(self):
        latents = seeded_latents(range(8), 8, seed=3)
        together = RedrawingInferer(SimpleInferer(), negative, 20)(latents, network)
        alone = [RedrawingInferer(SimpleInferer(), negative, 20)(latent[None], network) for latent in latents.flip(0)]
        self.assertTrue(torch.equal(torch.cat(alone).flip(0), together))

    def test_after_the_last_attempt_the_latest_stays_on_record(self):
        calls = []

        def never(drawn):
            calls.append(drawn.clone())
            return ["this", "that"]

        latents = seeded_latents([0], 8, seed=0)
        inferer = RedrawingInferer(SimpleInferer(), never, max_attempts=3)
        drawn = inferer(latents, network)
        self.assertEqual(len(calls), 3)
        self.assertTrue(torch.equal(drawn[0], calls[-1]))
        self.assertEqual(inferer.record(latents[0]), {"attempts": 3, "refused": ["this; that"] * 3, "accepted": False})

    def test_a_class_behind_the_vector_stays(self):
        seen = []

        def remember(inputs):
            seen.append(inputs.clone())
            return network(inputs)

        latents = torch.cat([torch.full((1, 6), -1.0), torch.tensor([[0.0, 1.0]])], dim=1)
        RedrawingInferer(SimpleInferer(), negative, 20, latent_size=6)(latents, remember)
        self.assertGreater(len(seen), 1)
        for inputs in seen[1:]:
            self.assertTrue(torch.equal(inputs[0, 6:], latents[0, 6:]))
            self.assertFalse((inputs[0, :6] == -1).any())

    def test_errors(self):
        with self.assertRaisesRegex(ConfigError, "max_attempts"):
            RedrawingInferer(SimpleInferer(), negative, 0)


if __name__ == "__main__":
    unittest.main()
