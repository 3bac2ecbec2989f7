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

from monai_retinasynth.transforms import (
    FieldOfViewColour,
    FieldOfViewColourd,
    NormalizeFieldOfViewColour,
    NormalizeFieldOfViewColourd,
    RestoreFieldOfViewColour,
    RestoreFieldOfViewColourd,
    SampleColour,
    SampleColourd,
)


def eye() -> dict[str, torch.Tensor]:
    """A 12 x 10 eye with a rim outside the field of view."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(60, 200, (3, 12, 10), generator=generator).to(torch.uint8)
    label = torch.ones(1, 12, 10, dtype=torch.uint8)
    label[:, :2] = 0
    label[:, 5] = 2
    image[:, label[0] == 0] = 3
    return {"image": image, "label": label}


class TestFieldOfViewColour(unittest.TestCase):
    def test_measures_inside_the_field_of_view_only(self):
        data = FieldOfViewColourd()(eye())
        inside = data["image"][:, 2:].float().flatten(1) / 127.5 - 1
        torch.testing.assert_close(data["colour"][:3], inside.mean(1))
        torch.testing.assert_close(data["colour"][3:], inside.std(1, correction=0))
        with self.assertRaisesRegex(ValueError, "no pixel inside"):
            FieldOfViewColour()(torch.zeros(3, 4, 4), torch.zeros(1, 4, 4))

    def test_normalised_eyes_have_one_colour(self):
        data = NormalizeFieldOfViewColourd(keys="image")(FieldOfViewColourd()(eye()))
        inside = data["image"][:, 2:].flatten(1)
        torch.testing.assert_close(inside.mean(1), torch.zeros(3), atol=1e-4, rtol=0)
        torch.testing.assert_close(inside.std(1, correction=0), torch.full((3,), 0.25), atol=1e-4, rtol=0)
        self.assertTrue((data["image"][:, :2] == -1).all())

    def test_restore_is_the_inverse(self):
        data = FieldOfViewColourd()(eye())
        outside = data["label"][0] == 0
        normalised = NormalizeFieldOfViewColour()(data["image"], data["colour"], outside)
        restored = RestoreFieldOfViewColour()(normalised, data["colour"], outside)
        torch.testing.assert_close(restored[:, 2:], data["image"][:, 2:].float() / 127.5 - 1)
        self.assertTrue((restored[:, :2] == -1).all())
        condition = torch.nn.functional.one_hot(data["label"][0].long(), 3).movedim(-1, 0).float()
        sample = {"pred": normalised, "image": condition, "colour": data["colour"]}
        torch.testing.assert_close(RestoreFieldOfViewColourd()(sample)["pred"], restored)

    def test_restore_reads_the_label_map_where_the_condition_is_something_else(self):
        data = FieldOfViewColourd()(eye())
        normalised = NormalizeFieldOfViewColour()(data["image"], data["colour"], data["label"][0] == 0)
        mask = (data["label"] == 2).float() * 2 - 1
        # as an evaluator hands it on: its output replaces the label map of the batch by its target
        sample = {"pred": normalised, "image": mask, "label": None, "colour": data["colour"]}
        sample["label_map"] = data["label"]
        restored = RestoreFieldOfViewColourd(label_key="label_map")(sample)["pred"]
        torch.testing.assert_close(restored[:, 2:], data["image"][:, 2:].float() / 127.5 - 1)
        self.assertTrue((restored[:, :2] == -1).all())

    def test_another_colour_is_the_colour_asked_for(self):
        data = FieldOfViewColourd()(eye())
        outside = data["label"][0] == 0
        wanted = torch.tensor([0.2, -0.1, -0.4, 0.1, 0.08, 0.05])
        normalised = NormalizeFieldOfViewColour()(data["image"], data["colour"], outside)
        restored = RestoreFieldOfViewColour()(normalised, wanted, outside)
        torch.testing.assert_close(
            FieldOfViewColour()((restored + 1) * 127.5, data["label"]), wanted, atol=1e-4, rtol=0
        )

    def test_flat_eye(self):
        data = FieldOfViewColourd()({**eye(), "image": torch.full((3, 12, 10), 90, dtype=torch.uint8)})
        self.assertTrue(NormalizeFieldOfViewColourd(keys="image")(data)["image"].isfinite().all())

    def test_case_without_photograph(self):
        self.assertNotIn("colour", FieldOfViewColourd(allow_missing_keys=True)({"label": eye()["label"]}))


class TestSampleColour(unittest.TestCase):
    colours = [[0.0] * 6, [1.0] * 6]

    def test_mixes_training_colours_by_seed_and_index(self):
        sample = SampleColour(self.colours, seed=3)
        drawn = torch.stack([sample(i) for i in range(50)])
        self.assertTrue(((drawn >= 0) & (drawn < 1 + 1e-6)).all())
        self.assertGreater(len(drawn[:, 0].unique()), 10)
        torch.testing.assert_close(SampleColour(self.colours, seed=3)(7), drawn[7], rtol=0, atol=0)
        other = SampleColour(self.colours, seed=4)
        self.assertFalse(torch.equal(torch.stack([other(i) for i in range(50)]), drawn))
        torch.testing.assert_close(SampleColourd(self.colours, seed=3)({"index": 7})["colour"], drawn[7])

    def test_mean(self):
        sample = SampleColour([[0.0] * 6, [1.0] * 6, [0.5, 0.8, 0.5, 0.5, 0.5, 0.2]], kind="mean")
        expected = torch.tensor([0.5, 0.6, 0.5, 0.5, 0.5, 0.4])
        torch.testing.assert_close(sample(0), expected)
        torch.testing.assert_close(sample(5), expected)
        of_two = SampleColourd(self.colours, kind="mean")({"index": 1})["colour"]
        torch.testing.assert_close(of_two, torch.full((6,), 0.5))

    def test_unknown_kind(self):
        with self.assertRaisesRegex(ValueError, '"sampled".*"mean", not \'median\''):
            SampleColour(self.colours, kind="median")

    def test_no_colours(self):
        with self.assertRaisesRegex(ValueError, "shape"):
            SampleColour([])


if __name__ == "__main__":
    unittest.main()
