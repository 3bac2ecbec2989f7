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
from unittest import mock

from monai_retinasynth.utils import ConfigError
from monai_retinasynth.workflows import required_folder


class TestRequiredFolder(unittest.TestCase):
    def test_path(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = os.path.realpath(folder)
            self.assertEqual(required_folder(folder, "data", "the data"), folder)
            with mock.patch.dict(os.environ, {"HOME": folder}):
                self.assertEqual(required_folder("~", "data", "the data"), folder)
            with self.assertRaisesRegex(ConfigError, "data should be the data, but there is no folder .*absent"):
                required_folder(f"{folder}/absent", "data", "the data")

    def test_nothing_given(self):
        for nothing in (None, ""):
            with self.assertRaisesRegex(ConfigError, "needs the folder of IDRiD: add --idrid_dir FOLDER"):
                required_folder(nothing, "idrid_dir", "the folder of IDRiD")


if __name__ == "__main__":
    unittest.main()
