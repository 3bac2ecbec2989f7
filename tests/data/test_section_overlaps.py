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

import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import monai_retinasynth.data.section_overlaps as module
from monai_retinasynth.data.section_overlaps import section_overlaps


class TestSectionOverlaps(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = Path(temporary.name)

    def case(self, name: str, content: bytes) -> dict[str, str]:
        (self.root / name).write_bytes(content)
        return {"image": str(self.root / name), "label": str(self.root / "label.png"), "case_id": name}

    def test_same_file_within_a_section_is_not_asked_for(self):
        pair = [self.case("a", b"1"), self.case("b", b"1"), self.case("b", b"1")]
        self.assertEqual(section_overlaps({"training": pair, "test": [self.case("c", b"2")]}), [])

    def test_every_pair_is_named_once(self):
        training = [self.case("a", b"1"), self.case("b", b"1")]
        found = section_overlaps({"training": training, "validation": [self.case("c", b"1")], "test": training[:1]})
        # c is the same as a and b, and as the a of the test part; a is a itself; b is the a of the test part
        self.assertEqual(len(found), 5)
        self.assertEqual(sum("is the photograph of a case in training and of one in test" in text for text in found), 1)
        self.assertEqual(len(set(found)), 5)

    @unittest.skipUnless(hasattr(os, "symlink"), "links")
    def test_link(self):
        case = self.case("a", b"1")
        (self.root / "link").symlink_to(self.root / "a")
        other = {**case, "image": str(self.root / "link"), "case_id": "link"}
        self.assertEqual(len(section_overlaps({"training": [case], "test": [other]})), 1)

    def test_only_files_of_one_size_in_two_sections_are_read(self):
        cases = {
            "training": [self.case("a", b"1"), self.case("b", b"2"), self.case("c", b"333")],
            "test": [self.case("d", b"444"), self.case("e", b"55")],
        }
        with mock.patch.object(module, "file_digest", wraps=module.file_digest) as digest:
            self.assertEqual(section_overlaps(cases), [])
        self.assertEqual(sorted(Path(call.args[0]).name for call in digest.call_args_list), ["c", "d"])

    def test_names(self):
        cases = {"training": [self.case("a", b"1")], "test": [{**self.case("b", b"2"), "case_id": "a"}]}
        self.assertEqual(len(section_overlaps(cases)), 1)
        self.assertEqual(section_overlaps(cases, compare_names=False), [])

    def test_masks_only(self):
        (self.root / "heart.png").write_bytes(b"1")
        case = {"masks": {"heart": str(self.root / "heart.png")}, "case_id": "a"}
        (text,) = section_overlaps({"training": [case], "test": [{**case, "case_id": "b"}]})
        self.assertIn("heart.png is the label map of a case in training and of one in test", text)

    def test_missing_photograph(self):
        cases = {name: [self.case(name, b"1")] for name in ("training", "test")}
        (self.root / "test").unlink()
        self.assertEqual(section_overlaps(cases), [])


if __name__ == "__main__":
    unittest.main()
