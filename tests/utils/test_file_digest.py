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

import hashlib
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from monai_retinasynth.utils import file_digest as module
from monai_retinasynth.utils.file_digest import file_digest, files_digest


class TestFileDigest(unittest.TestCase):
    def test_content_alone_counts(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, name) for name in "abc"]
            for path, content in zip(paths, (b"12345", b"12345", b"1234")):
                path.write_bytes(content)
            self.assertEqual(file_digest(paths[0]), hashlib.sha256(b"12345").hexdigest())
            with mock.patch.object(module, "_READ_BYTES", 2):
                self.assertEqual(file_digest(str(paths[1])), file_digest(paths[0]))
            self.assertNotEqual(file_digest(paths[2]), file_digest(paths[0]))
            self.assertEqual(files_digest(paths[1:]), files_digest([paths[0], paths[2]]))
            self.assertNotEqual(files_digest(paths[1:]), files_digest(paths[:0:-1]))


if __name__ == "__main__":
    unittest.main()
