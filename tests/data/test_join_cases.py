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

from parameterized import parameterized

from monai_retinasynth.data.join_cases import join_cases

A, B = [{"case_id": "0", "x": 1}, {"case_id": "1"}], [{"case_id": "1"}, {"case_id": "2"}]


def names(*listed: tuple[str, list[dict]]) -> list[str]:
    return [case["case_id"] for case in join_cases(listed)]


class TestJoinCases(unittest.TestCase):
    @parameterized.expand(
        [
            ("one_folder", [("/s/a", A)], ["0", "1"]),
            ("no_shared_name", [("/s/a", A[:1]), ("/s/b", B)], ["0", "1", "2"]),
            ("shared_name", [("/s/a", A), ("/s/b", B)], ["a_0", "a_1", "b_1", "b_2"]),
            ("third_without", [("/s/a", A), ("/s/c", [{"case_id": "9"}]), ("/s/b", B)],
             ["a_0", "a_1", "9", "b_1", "b_2"]),
            ("equal_folder_names", [("/r/1/set", A), ("/r/2/set", B)], ["1_set_0", "1_set_1", "2_set_1", "2_set_2"]),
            ("equal_parents", [("/1/x/set", A), ("/2/x/set", A[:1])], ["1_x_set_0", "1_x_set_1", "2_x_set_0"]),
            ("same_folder_twice", [("/s/a", A), ("/s/b/../a", A)], ["0", "1", "0", "1"]),
            ("same_folder_twice_and_another", [("/s/a", A[1:]), ("/s/a", A[1:]), ("/s/b", B[:1])],
             ["a_1", "a_1", "b_1"]),
            ("names_that_join_equally", [("/a_b/c", A[:1]), ("/a/b_c", A[:1]), ("/x/c", A[:1]), ("/x/b_c", A[:1])],
             ["c_0_0", "b_c_1_0", "c_2_0", "b_c_3_0"]),
            ("name_of_another_case", [("/s/a", A[1:]), ("/s/b", B[:1]), ("/s/c", [{"case_id": "a_1"}])],
             ["s_a_1", "s_b_1", "a_1"]),
        ]
    )  # fmt: skip
    def test_names(self, _: str, listed: list, expected: list[str]):
        self.assertEqual(names(*listed), expected)

    def test_other_keys_and_the_originals_stay(self):
        joined = join_cases([("/s/a", A), ("/s/b", B)])
        self.assertEqual(joined[0], {"case_id": "a_0", "x": 1})
        self.assertEqual(A[0]["case_id"], "0")

    def test_links_to_one_folder_are_one_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a").mkdir()
            (Path(folder) / "link").symlink_to(Path(folder) / "a")
            self.assertEqual(names((f"{folder}/a", A), (f"{folder}/link", A)), ["0", "1", "0", "1"])


if __name__ == "__main__":
    unittest.main()
