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

from parameterized import parameterized

from monai_retinasynth.utils import RETINOPATHY_GRADES, DataError, check_grade


class TestCheckGrade(unittest.TestCase):
    def test_grades(self):
        self.assertEqual([check_grade(grade, "here") for grade in range(5)], [0, 1, 2, 3, 4])
        self.assertEqual(RETINOPATHY_GRADES[4], "proliferative")

    @parameterized.expand([(5,), (-1,), (True,), ("2",), (1.0,), (None,)])
    def test_refused(self, grade):
        with self.assertRaisesRegex(
            DataError, "here: .* is no grade of diabetic retinopathy.*0 no retinopathy, 1 mild"
        ):
            check_grade(grade, "here")


if __name__ == "__main__":
    unittest.main()
